"""Bytes to whole requests: llhttp's callbacks, within limits.

Sans-I/O: ``feed`` takes what arrived, ``items`` has what is whole. A request that breaks the
protocol or a limit becomes the error to answer, after which nothing more is read. One that streams
is an item as soon as its body begins, which is then taken part by part.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from function.errors import (
    BodyTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    MalformedRequest,
    ServiceError,
    UnknownMethod,
    UnknownTransferCoding,
)
from function.http.messages import Request
from function.server.items import Incoming, Item
from function.server.target import path_and_query

MOST_HEAD_BYTES = 16_384
MOST_HEADERS = 100
MOST_REQUESTS_AT_ONCE = 4
_SLICE_BYTES = 512
"""Of what is read at a time where more than so many come together: each takes far more memory as a
request than as bytes."""
_CHUNK_OVERHEAD = 8
"""A chunk of one byte takes six to send; much more is a stream of extensions or trailers."""

_REQUEST_LINE = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]\r?\n"
_FRAMING = {"content-length", "transfer-encoding"}

_lower_names: dict[bytes, str] = {}
_MOST_NAMES = 512


class RequestReader:
    """Reads the requests of one connection."""

    __slots__ = (
        "_body",
        "_error",
        "_head_bytes",
        "_headers",
        "_incoming",
        "_is_begun",
        "_is_upgrade",
        "_limit",
        "_parser",
        "_streams",
        "_raw_bytes",
        "_rest",
        "_url",
        "body_bytes",
        "expected_bytes",
        "in_body",
        "in_message",
        "is_done",
        "items",
        "wants_continue",
    )

    def __init__(self, limit_bytes: int, streams: Callable[[Request], bool]) -> None:
        """``streams`` says of a request, its body not there yet, whether it does."""
        self._limit = limit_bytes
        self._streams = streams
        self._parser = HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._url = b""
        self._body: list[bytes] = []
        self._incoming: Incoming | None = None
        self._is_begun = False  # of a body that streams the first part has come
        self._error: ServiceError | None = None
        self._is_upgrade = False  # a request with a body that offers another protocol
        self._rest = b""
        self._head_bytes = self._raw_bytes = self.body_bytes = 0
        self.expected_bytes = 0
        """How long the body that is arriving will be, or may become where that is not said."""
        self.items: deque[Item] = deque()
        self.in_message = False
        """Whether a part of a request has arrived, and not all of it."""
        self.in_body = False
        self.wants_continue = False
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        self.is_done = False
        """Whether nothing more is read: the last item is an error, or ends the connection."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; of many requests at once a few become items, and ``read_on`` has the
        others."""
        if data.count(b" HTTP/") > MOST_REQUESTS_AT_ONCE:
            self._rest = data
            self.read_on()
        else:
            self._take(data)

    def read_on(self) -> bool:
        """Go on with what has been fed until there is an item again; False where there is none."""
        rest = self._rest
        start = 0
        while start < len(rest) and not self.items and not self.is_done:
            self._take(rest[start : start + _SLICE_BYTES])
            start += _SLICE_BYTES
        self._rest = rest[start:]
        return bool(self.items)

    def _take(self, data: bytes) -> None:
        try:
            self._feed(data)
        except HttpParserError as exc:
            self._fail(self._error or _reading_error(exc, data))
        if self._error is not None:
            self._fail(self._error)
        elif self.in_message:
            self._check_size(len(data))

    def end(self) -> None:
        """The client sends no more."""
        if self.in_message:
            what = "body ended before its announced length" if self.in_body else "request broke off"
            self.fail(MalformedRequest(f"The {what}."))
        self.is_done = True

    def close(self) -> None:
        """Nobody reads on: parser and reader know each other, and would stay in memory until
        somebody looks for garbage."""
        del self._parser

    def fail(self, error: ServiceError) -> None:
        """Give up on the request that is arriving."""
        self._fail(error)

    def _feed(self, data: bytes) -> None:
        while data and not self.is_done:
            try:
                self._parser.feed_data(data)
                return
            except HttpParserUpgrade as exc:  # declined by answering as if nobody had asked
                data = data[exc.args[0] :]
                if self._is_upgrade:
                    self._read_on_without_upgrade()

    def _read_on_without_upgrade(self) -> None:
        """llhttp takes what follows an upgrade's head for another protocol: a parser that has not
        seen the offer reads the body, and what comes after it."""
        old, headers = self._parser, self._headers
        fields = [f"{name}: {headers[name]}" for name in _FRAMING if name in headers]
        if not old.should_keep_alive():
            fields.append("connection: close")
        self._parser = HttpRequestParser(self)
        lines = [f"{old.get_method().decode()} / HTTP/1.1", *fields, "", ""]
        self._parser.feed_data("\r\n".join(lines).encode("latin-1"))
        self._is_upgrade = False
        self.in_message = self.in_body = True

    def _check_size(self, received: int) -> None:
        if self._incoming is not None:
            return
        if self.in_body:
            self._raw_bytes += received
            if self._raw_bytes > MOST_HEAD_BYTES + _CHUNK_OVERHEAD * self._limit:
                self._fail(BodyTooLarge(self._limit))
        else:
            self._head_bytes += received
            if self._head_bytes > MOST_HEAD_BYTES:
                self._fail(HeadersTooLarge(f"The head has more than {MOST_HEAD_BYTES} bytes."))

    def _fail(self, error: ServiceError) -> None:
        if self.is_done:
            return
        self._error = None
        self.in_message = self.in_body = self.wants_continue = False
        self.is_done = True
        if self._incoming is not None and self._is_begun:
            self._incoming.error = error
            return
        self._body = []
        self.items.append(Item(self._request("-" if not self._url else None), error, False, False))

    # llhttp's callbacks, in the order they come. What one raises would end as a parser error, so
    # they remember a fault instead.

    def on_message_begin(self) -> None:
        if self._is_upgrade:
            return
        self.in_message = True
        self._incoming = None
        self._headers = {}
        self._url = b""
        self._body = []
        self._head_bytes = self._raw_bytes = self.body_bytes = 0

    def on_url(self, url: bytes) -> None:
        if not self._is_upgrade:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_body or self._is_upgrade:  # a trailer field, or what is known already
            return
        headers = self._headers
        key = _lower_names.get(name) or _lower(name)
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
        if len(headers) > MOST_HEADERS:
            self._error = HeadersTooLarge(f"The head has more than {MOST_HEADERS} fields.")

    def on_headers_complete(self) -> None:
        self.in_body = True
        if self._is_upgrade:
            return
        headers = self._headers
        is_chunked = "transfer-encoding" in headers
        self.expected_bytes = self._limit if is_chunked else int(headers.get("content-length") or 0)
        streams = self._is_stream()
        if is_chunked and headers["transfer-encoding"].lower() != "chunked":
            self._error = UnknownTransferCoding("Send the body chunked, or with a Content-Length.")
        elif self.expected_bytes > self._limit and not streams:
            self._error = BodyTooLarge(self._limit)
        elif "expect" in headers:
            self.wants_continue = headers["expect"].lower() == "100-continue"
            if not self.wants_continue:
                self._error = ExpectationFailed("The one expectation met here is 100-continue.")
        if streams and self._error is None:
            self.expected_bytes = 0
            self._incoming, self._is_begun = Incoming(), self.wants_continue
            if self._is_begun:
                self._append(self._incoming)

    def on_body(self, part: bytes) -> None:
        self.wants_continue = False
        self.body_bytes += len(part)
        if self._incoming is not None:
            self._take_part(self._incoming, part)
        elif self.body_bytes > self._limit:
            self._error = BodyTooLarge(self._limit)
            self._body = []
        elif self._error is None:
            self._body.append(part)

    def on_message_complete(self) -> None:
        self.in_message = self.in_body = self.wants_continue = False
        if self._error is not None or self.is_done:
            return
        parser = self._parser
        if self._incoming is not None:
            if not self._is_begun:
                self._append(self._incoming)
            self._incoming.is_whole = True
            self._incoming = None
            self.is_done = not parser.should_keep_alive()
            return
        self._is_upgrade = parser.should_upgrade() and not _FRAMING.isdisjoint(self._headers)
        if not self._is_upgrade:
            self._append()

    def _is_stream(self) -> bool:
        """Whether the request whose head is whole is one; of an upgrade llhttp shows no body."""
        parser, content_type = self._parser, self._headers.get("content-type", "application/json")
        if content_type == "application/json" or parser.should_upgrade():
            return False
        return parser.get_http_version() in ("1.0", "1.1") and self._streams(self._request())

    def _take_part(self, incoming: Incoming, part: bytes) -> None:
        if self._is_begun:
            incoming.parts.append(part)
        else:
            self._is_begun, self._body = True, [part]
            self._append(incoming)

    def _append(self, incoming: Incoming | None = None) -> None:
        """The request is one to be answered."""
        parser = self._parser
        version = parser.get_http_version()
        is_old = version == "1.0"
        if is_old:
            self._headers.setdefault("host", "")
        elif version != "1.1":
            self._error = MalformedRequest("The request is of no version of HTTP spoken here.")
            return
        keeps_alive = parser.should_keep_alive()
        self.is_done = incoming is None and not keeps_alive
        self.items.append(Item(self._request(), None, keeps_alive, is_old, incoming))

    def _request(self, method: str | None = None) -> Request:
        body, self._body = self._body, []  # no body outlives its request
        path, query = path_and_query(self._url)
        return Request(
            method or self._parser.get_method().decode("latin-1"),
            path,
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            query,
        )


def _reading_error(exc: HttpParserError, data: bytes) -> ServiceError:
    if isinstance(exc, HttpParserInvalidMethodError) and re.match(_REQUEST_LINE, data):
        return UnknownMethod()
    return MalformedRequest("The request is not HTTP/1.1 that can be read.")


def _lower(name: bytes) -> str:
    lower = name.decode("latin-1").lower()
    if len(_lower_names) < _MOST_NAMES:
        _lower_names[name] = lower
    return lower
