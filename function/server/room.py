"""Memory for large bodies: what has been let in is bounded for all clients together.

A small body always finds room. A large one is let in as a whole, in the order they came, once there
is room for all of it: were each given a part, none would get done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from function.server.connection import Connection

SMALL_BYTES = 16_384
LEAST_BYTES = 16 * 1_048_576
WHOLE_BODIES = 4


class BodyRoom:
    """Counts what connections may hold of large bodies that are not answered yet."""

    def __init__(self, max_body_bytes: int) -> None:
        self._free_bytes = max(LEAST_BYTES, WHOLE_BODIES * max_body_bytes)
        self._waiting: dict[Connection, int] = {}  # in the order they came

    @property
    def is_contended(self) -> bool:
        """Whether somebody waits for room, so that who holds it must not dawdle."""
        return bool(self._waiting)

    def admits(self, connection: Connection, body_bytes: int) -> bool:
        """Whether to read on, a body of so many bytes at most; if not, it is resumed later."""
        if body_bytes <= SMALL_BYTES or connection.reserved_bytes:
            return True
        self._waiting[connection] = body_bytes
        self._admit_next()
        return connection.reserved_bytes > 0

    def release(self, connection: Connection) -> None:
        """The connection holds nothing any more; those who wait may go on."""
        self._free_bytes += connection.reserved_bytes
        connection.reserved_bytes = 0
        self._waiting.pop(connection, None)
        for other in self._admit_next():
            other.resume()

    def _admit_next(self) -> list[Connection]:
        admitted = []
        for connection, body_bytes in self._waiting.items():
            if body_bytes > self._free_bytes:
                break
            self._free_bytes -= body_bytes
            connection.reserved_bytes = body_bytes
            admitted.append(connection)
        for connection in admitted:
            del self._waiting[connection]
        return admitted
