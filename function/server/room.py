"""Memory for requests that are arriving: what is half there is bounded for all clients together.

A small part of a request always finds room. Beyond it a client is read from while the sum is within
the bound; the one that has sent most is read from always, so that somebody gets done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from function.server.connection import Connection

ALWAYS_BYTES = 16_384
LEAST_BYTES = 8 * 1_048_576
WHOLE_BODIES = 4


class BodyRoom:
    """Counts what connections hold of bodies that are not answered yet."""

    def __init__(self, max_body_bytes: int) -> None:
        self._most_bytes = max(LEAST_BYTES, WHOLE_BODIES * max_body_bytes)
        self._held_bytes = 0
        self._holding: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # in the order they came

    @property
    def is_contended(self) -> bool:
        """Whether somebody waits for room, so that who holds it must not dawdle."""
        return bool(self._waiting)

    def has_room(self, connection: Connection, body_bytes: int) -> bool:
        """Note how much the connection holds now, and whether to read on; if not, it is resumed."""
        if body_bytes <= ALWAYS_BYTES:
            if connection.held_bytes:
                self.release(connection)
            return True
        self._held_bytes += body_bytes - connection.held_bytes
        connection.held_bytes = body_bytes
        self._holding.add(connection)
        if self._held_bytes <= self._most_bytes:
            return True
        if connection is max(self._holding, key=lambda holder: holder.held_bytes):
            return True
        self._waiting[connection] = None
        return False

    def release(self, connection: Connection) -> None:
        """The connection holds nothing any more; those who wait may go on."""
        self._held_bytes -= connection.held_bytes
        connection.held_bytes = 0
        self._holding.discard(connection)
        self._waiting.pop(connection, None)
        waiting, self._waiting = self._waiting, {}
        for other in waiting:
            other.resume()
