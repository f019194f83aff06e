"""HTTP/1.1 as a client, as far as asking an MLflow server takes it (RFC 9112).

``http.client`` brings the parser of e-mails and ``socket``'s enums, a fifth of a cold start. All
that is needed here of what it does is a question whose length is known, and the three ways in which
an answer can end.
"""

from __future__ import annotations

import _socket
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}")
_HEAD_BYTES = 65_536
_CHUNK_BYTES = 262_144


class BrokenAnswer(Exception):
    """The server's answer is not HTTP, or ended before its end."""


class NoAnswer(BrokenAnswer):
    """The server closed the connection before the first byte of an answer."""


class Answer:
    """A status, the headers with their names in lower case, and a body that is still to come."""

    def __init__(self, connection: HttpConnection, head: bytes) -> None:
        status_line, *fields = head.decode("latin-1").split("\r\n")
        version, _, rest = status_line.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise BrokenAnswer("the server does not speak HTTP/1.1")
        self.status = int(rest[:3])
        self.headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (field.partition(":") for field in fields)
        }
        options = {word.strip() for word in self.headers.get("connection", "").lower().split(",")}
        self.ends_connection = "close" in options or version == "HTTP/1.0"
        self._connection = connection
        self._pieces = self._body()

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes; BrokenAnswer where it is cut short."""
        return self._pieces

    def read(self) -> bytes:
        """The body, or what is left of it."""
        return b"".join(self._pieces)

    def _body(self) -> Iterator[bytes]:
        coding = self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length", "")
        if coding == "chunked":
            yield from self._chunks()
        elif coding:
            raise BrokenAnswer(f"an answer comes in a transfer coding not known here: {coding}")
        elif self.status in (204, 304):
            return
        elif length:
            if not (length.isascii() and length.isdigit()):
                raise BrokenAnswer("an answer's length is no number")
            yield from self._connection.exactly(int(length))
        else:
            self.ends_connection = True
            yield from self._connection.until_closed()

    def _chunks(self) -> Iterator[bytes]:
        connection = self._connection
        while size := self._chunk_size():
            yield from connection.exactly(size)
            if connection.line():
                raise BrokenAnswer("a chunk is longer than its size")
        while connection.line():  # trailers
            pass

    def _chunk_size(self) -> int:
        digits = self._connection.line().partition(b";")[0].strip()
        if not _HEX.fullmatch(digits):
            raise BrokenAnswer("a chunk has no size")
        return int(digits, 16)


class HttpConnection:
    """A connection to ``host``, made with the first question; TLS where there is a context for it.

    Raises OSError (TimeoutError after ``timeout_seconds`` without a byte) and BrokenAnswer.
    """

    def __init__(
        self, host: str, port: int, timeout_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        default = 443 if tls else 80
        address = f"[{host}]" if ":" in host else host
        self._named = address if port == default else f"{address}:{port}"
        self._address = (host, port)
        self._timeout_seconds = timeout_seconds
        self._tls = tls
        self._socket: _socket.socket | None = None
        self._received = b""
        self._is_used = self._is_shut = False

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def connect(self) -> None:
        """To the first of the host's addresses that lets itself be connected to."""
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in _socket.getaddrinfo(
            _ascii(self._address[0]), self._address[1], 0, _socket.SOCK_STREAM
        ):
            made = _socket.socket(family, kind, protocol)
            try:
                made.settimeout(self._timeout_seconds)
                made.connect(address)
                made.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
                self._socket = self._guarded(made) if self._tls else made
                return
            except OSError as exc:
                made.close()
                failure = exc
        raise failure

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._received = None, b""

    def shut(self) -> None:
        """From another thread: whoever waits for this connection finds it at its end."""
        self._is_shut = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                _socket.socket.shutdown(self._socket, _socket.SHUT_RDWR)

    def ask(self, verb: str, target: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Send a question that only reads, and read its answer up to the body; once more where a
        kept connection turns out to be closed."""
        fields = {"Host": self._named, "Accept-Encoding": "identity", **headers}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        question = f"{verb} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")
        is_kept = self._socket is not None and self._is_used
        try:
            return self._asked(question)
        except (ConnectionError, NoAnswer):
            if not is_kept or self._is_shut:
                raise
        self.close()  # the server had closed it since the answer before: RFC 9112, 9.3.1
        return self._asked(question)

    def _asked(self, question: bytes) -> Answer:
        if self._socket is None:
            self.connect()
        assert self._socket is not None
        self._socket.sendall(question)
        if not self._received:
            self._received = self._socket.recv(_HEAD_BYTES)
        if not self._received:
            raise NoAnswer("an answer was cut short")
        self._is_used = True
        answer = Answer(self, self._until(b"\r\n\r\n"))
        while answer.status < 200:
            answer = Answer(self, self._until(b"\r\n\r\n"))
        return answer

    def exactly(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes, in pieces."""
        while size:
            piece = self._received[:size] or self._more(min(size, _CHUNK_BYTES))
            self._received = self._received[size:] if self._received else b""
            size -= len(piece)
            yield piece

    def line(self) -> bytes:
        """The next line, without its end."""
        return self._until(b"\r\n")

    def until_closed(self) -> Iterator[bytes]:
        """All that still comes."""
        assert self._socket is not None
        piece, self._received = self._received, b""
        while piece or (piece := self._socket.recv(_CHUNK_BYTES)):
            yield piece
            piece = b""

    def _until(self, end: bytes) -> bytes:
        while (place := self._received.find(end)) < 0:
            if len(self._received) > _HEAD_BYTES:
                raise BrokenAnswer("an answer's head does not end")
            self._received += self._more(_HEAD_BYTES)
        found = self._received[:place]
        self._received = self._received[place + len(end) :]
        return found

    def _more(self, size: int) -> bytes:
        if self._socket is None or not (piece := self._socket.recv(size)):
            raise BrokenAnswer("an answer was cut short")
        return piece

    def _guarded(self, made: _socket.socket) -> _socket.socket:
        import socket

        assert self._tls is not None
        plain = socket.socket(fileno=made.detach())
        plain.settimeout(self._timeout_seconds)
        return self._tls.wrap_socket(plain, server_hostname=self._address[0])


def _ascii(host: str) -> bytes | str:
    """For a name in letters, Python need not import what others are encoded by."""
    return host.encode() if host.isascii() else host
