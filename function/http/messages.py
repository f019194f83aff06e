"""A request and a response as plain data: what the doors hand in and get back.

As in h11, nothing here knows a socket, a server or a framework, so any door can carry it and a
test needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

UNRESOLVED = object()
_NONE: Mapping[str, str] = {}


class Request:
    """One whole HTTP request.

    ``path`` is percent-decoded and has no query, ``query`` is as it came. ``headers`` have names in
    lower case; what came several times is joined by commas (RFC 9110, 5.2). ``body`` is what was
    sent, with no transfer coding and with its content coding. ``started`` is when it was whole, on
    ``time.perf_counter``'s clock. ``operation`` and ``parameters`` (of the path) are for
    routes.operation_of to remember, ``caller`` what the log says of who asks, once that is known.
    It ``is_answered`` once there is an answer: another, that comes later, is nobody's.
    """

    __slots__ = (
        "body",
        "caller",
        "headers",
        "is_answered",
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
        self.caller: Mapping[str, str] = _NONE
        self.started = perf_counter()


class Document(NamedTuple):
    """What an endpoint answers that is no JSON object; ``content_type`` is the header's value."""

    content_type: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Response(NamedTuple):
    """One whole HTTP response.

    ``headers`` are in the order they are sent, ``Content-Length`` among them wherever there may be
    a body. ``body`` is there for HEAD too: the door leaves it out.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
