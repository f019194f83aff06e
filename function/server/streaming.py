"""A streamed answer on one connection: fed with its request's body, framed in chunks.

RFC 9112, 7.1. Nothing here waits, and no exception leaves it.
"""

from __future__ import annotations

from function.errors import ServiceError
from function.http.messages import Stream
from function.server.items import Incoming, Item


class StreamedAnswer:
    """Between a request that arrives and the stream that answers it."""

    __slots__ = ("_incoming", "_is_chunked", "item", "keeps_alive", "stream")

    def __init__(self, stream: Stream, item: Item, keeps_alive: bool) -> None:
        self.stream = stream
        self.item = item
        self.keeps_alive = keeps_alive
        self._incoming = item.incoming or Incoming()
        self._is_chunked = not item.is_http_1_0

    @property
    def error(self) -> ServiceError | None:
        """Why the body broke off."""
        return self._incoming.error

    def can_go_on(self) -> bool:
        """Whether the stream has something to do, fed with what has arrived, or is at its end."""
        stream, incoming = self.stream, self._incoming
        if stream.is_hungry:
            if part := incoming.take():
                stream.feed(part)
            elif incoming.is_whole:
                stream.end()
        return not stream.is_hungry or incoming.error is not None

    def framed(self, data: bytes) -> bytes:
        """The next part of the answer, and its end where that has come."""
        if not self._is_chunked:
            return data
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return chunk + b"0\r\n\r\n" if self.stream.is_over and not self.stream.is_broken else chunk

    def failed(self, error: ServiceError) -> bytes:
        """What is said last where the answer cannot go on."""
        return self.framed(self.stream.fail(error))
