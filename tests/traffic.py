"""Clients that keep their connections, and account for every request they sent."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

BODY = b'{"text": "This product is amazing!"}'
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Unanswered(Exception):
    """A request that was sent on an open connection and got no whole answer."""


@dataclass
class Traffic:
    """Clients that each send one request after another until the server is gone.

    A connection that the server closed between two requests is opened again, as any HTTP client
    does; a request that was sent and not answered is lost, and told in `lost`.
    """

    port: int
    clients: int = 16
    pause_seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    last_answer: float = 0.0

    def start(self) -> Traffic:
        """Begin; returns once every client has an answer."""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 60
        while self.answered < 4 * self.clients and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def stop(self) -> Traffic:
        """End after the answers under way."""
        self._stop.set()
        return self.join()

    def join(self) -> Traffic:
        """Wait until the server has gone and every client has noticed."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client never got its answer"
        return self

    @property
    def answered(self) -> int:
        return self.statuses.total()

    def _client(self) -> None:
        while not self._stop.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=45)
            except OSError:
                self.refused += 1
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(1_000_000):
            if self._stop.is_set() or _closed(connection):
                return
            try:
                connection.sendall(REQUEST)
                status, closing = read_answer(connection)
            except (Unanswered, OSError) as exc:
                self.lost.append(f"request {number} of a connection: {exc!r}")
                return
            self.statuses[status] += 1
            self.last_answer = time.monotonic()
            if closing:
                return
            time.sleep(self.pause_seconds)


def _closed(connection: socket.socket) -> bool:
    """Whether the server has closed: nothing can be there to read before a request is sent."""
    return bool(select.select([connection], [], [], 0)[0])


def read_answer(connection: socket.socket) -> tuple[int, bool]:
    """Status, and whether the server says that it closes; raises Unanswered if it is cut short."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection, data)
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    while len(rest) < int(headers.get("content-length", 0)):
        rest += _received(connection, rest)
    return int(lines[0].split()[1]), headers.get("connection") == "close"


def _received(connection: socket.socket, so_far: bytes) -> bytes:
    chunk = connection.recv(65_536)
    if not chunk:
        raise Unanswered(f"closed after {len(so_far)} bytes of an answer")
    return chunk
