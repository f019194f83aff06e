"""The end of a connection, so that no client loses the answer that it was sent last."""

from __future__ import annotations

import _socket as socket

LINGER_SECONDS = 2.0
MOST_BYTES = 16 * 1_048_576
_READ_BYTES = 65_536


class Farewell:
    """Says that nothing more comes, and reads on for a while: a client that is still sending when
    its socket closes would see a reset instead of the answer."""

    __slots__ = ("_began", "_bytes", "_socket", "since")

    def __init__(self, client: socket.socket, now: float) -> None:
        """Raises OSError where the client has gone."""
        client.shutdown(socket.SHUT_WR)
        self._socket = client
        self._began = self.since = now
        self._bytes = 0

    def goes_on(self, now: float) -> bool:
        """Read what has come; False at the end."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self.since = now
        self._bytes += len(data)
        return bool(data) and self._bytes <= MOST_BYTES

    def has_lasted(self, now: float, most_seconds: float) -> bool:
        """Whether it has been quiet for long, or long in all."""
        return now - self.since > LINGER_SECONDS or now - self._began > most_seconds
