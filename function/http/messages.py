"""A request and a response as plain data: what the doors hand in and get back.

As in h11, nothing here knows a socket, a server or a framework, so any door can carry it and a
test needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from function.errors import ServiceError

UNRESOLVED = object()
_NONE: Mapping[str, str] = {}


class Request:
    """One whole HTTP request.

    ``path`` is percent-decoded and has no query, ``query`` is as it came. ``headers`` have names in
    lower case; what came several times is joined by commas (RFC 9110, 5.2). ``body`` is what was
    sent, with no transfer coding and with its content coding. ``started`` is when it was whole, on
    ``time.perf_counter``'s clock. ``operation`` and ``parameters`` (of the path) are for
    routes.operation_of to remember, ``caller`` what the log says of who asks, once that is known.
    It ``is_answered`` once there is an answer: another, that comes later, is nobody's. Of one that
    streams ``body`` is what has come of it, and ``is_whole`` says whether that is all.
    """

    __slots__ = (
        "body",
        "caller",
        "headers",
        "is_answered",
        "is_whole",
        "method",
        "operation",
        "parameters",
        "path",
        "query",
        "started",
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        query: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.operation: Any = UNRESOLVED
        self.parameters: Mapping[str, str] = _NONE
        self.is_answered = False
        self.is_whole = True
        self.caller: Mapping[str, str] = _NONE
        self.started = perf_counter()


class Document(NamedTuple):
    """What an endpoint answers that is no JSON object; ``content_type`` is the header's value.

    ``headers`` come beside those that every answer has; a ``Cache-Control`` among them replaces
    that one. With 304 there is no content, nor a length of any.
    """

    content_type: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200


class Stream(Protocol):
    """An answer that is made while the request's body arrives.

    Sans-I/O, and no exception leaves it. A door feeds it while it ``is_hungry``, sends what
    ``work`` returns, and cuts the connection off where it ``is_broken``, so that no client takes
    the answer for a whole one.
    """

    is_over: bool
    """Whether all that is asked has been answered, or nothing more will be."""
    is_broken: bool
    """Whether it is over before its end."""
    when_closed: Callable[[Mapping[str, Any]], None]
    """Told once what became of it, for the log."""

    @property
    def headers(self) -> Iterable[tuple[str, str]]:
        """What the answer's head says of its body."""

    @property
    def is_hungry(self) -> bool:
        """Whether ``work`` has nothing to do until more of the body has come, or its end."""

    def feed(self, data: bytes) -> None:
        """Take the next part of the body."""

    def end(self) -> None:
        """The body is whole."""

    def work(self) -> bytes:
        """Answer a few of the lines that are there; takes as long as the model does."""

    def fail(self, error: ServiceError) -> bytes:
        """What is said last where the body broke off; the stream is over and broken."""

    def close(self) -> None:
        """Nobody feeds it or listens any more, whether it is over or not."""


class Response(NamedTuple):
    """One whole HTTP response, or the head of one whose body a ``stream`` makes.

    ``headers`` are in the order they are sent, ``Content-Length`` among them wherever there may be
    a body that is known. ``body`` is there for HEAD too: the door leaves it out.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    stream: Stream | None = None
