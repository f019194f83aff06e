"""One client that behaves, and how long it waits: for predictions on a connection that it keeps,
and for /health/live on a new one each time, as a kubelet asks.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tests.benchmarks import servers

BODY = json.dumps({"text": "This product is amazing!"}).encode()
PREDICT, HEALTH = PATHS = ("/predict", "/health/live")
_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.001
_POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_POST += b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
_GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Wait(NamedTuple):
    """One request: when it was asked (time.monotonic), and how long its answer took."""

    asked: float
    path: str
    milliseconds: float
    status: int  # 0: no answer


@dataclass(frozen=True)
class Waits:
    """What many waits of one path come to."""

    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    failures: int  # anything but 200

    @classmethod
    def of(cls, waits: list[Wait], path: str) -> Waits:
        chosen = [wait for wait in waits if wait.path == path]
        ordered = sorted(wait.milliseconds for wait in chosen)
        failures = sum(wait.status != 200 for wait in chosen)
        shares = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        return cls(len(ordered), *shares, ordered[-1], failures)


def described(waits: list[Wait]) -> dict[str, Any]:
    """Each path's waits, for JSON."""
    return {path: asdict(Waits.of(waits, path)) for path in dict.fromkeys(w.path for w in waits)}


class Prober:
    """Asks for each path in turn, with a millisecond's pause."""

    def __init__(self, port: int, paths: Sequence[str] = PATHS) -> None:
        self._port = port
        self._paths = paths
        self._kept: socket.socket | None = None

    def ask(self, goes_on: Callable[[], bool]) -> list[Wait]:
        """Ask as long as wanted."""
        waits = []
        while goes_on() or not waits:
            waits += [self._timed(path) for path in self._paths]
            time.sleep(_PAUSE_SECONDS)
        return waits

    def ask_for(self, seconds: float) -> list[Wait]:
        ends = time.monotonic() + seconds
        return self.ask(lambda: time.monotonic() < ends)

    def _timed(self, path: str) -> Wait:
        asked = time.monotonic()
        try:
            status = self._predict() if path == PREDICT else self._health()
        except OSError:
            self._kept = None
            status = 0
        return Wait(asked, path, (time.monotonic() - asked) * 1e3, status)

    def _predict(self) -> int:
        if self._kept is None:
            self._kept = self._connect()
        status, keeps = _answer(self._kept, _POST)
        if not keeps:
            self._kept = None
        return status

    def _health(self) -> int:
        with self._connect() as connection:
            return _answer(connection, _GET)[0]

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((servers.HOST, self._port), _TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _answer(connection: socket.socket, request: bytes) -> tuple[int, bool]:
    """Status, and whether the connection stays; answers here are small and have a length."""
    connection.sendall(request)
    data = b""
    while not _is_whole(data):
        part = connection.recv(65_536)
        if not part:
            raise ConnectionError("closed before the answer was whole")
        data += part
    return int(data.split(b" ", 2)[1]), b"\r\nconnection: close" not in data.lower()


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)
