"""Responses as plain data: what every one of them carries, and errors as problem details."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONEncoder
from time import perf_counter
from typing import Any

from function.errors import PROBLEM_JSON, ServiceError
from function.http.endpoints import Body
from function.http.messages import Document, Response
from function.http.negotiation import JSON

_NOTHING: Mapping[str, Any] = {}
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def render(body: Body, request_id: str, started: float, stages: str = "") -> Response:
    """What an endpoint returned, as 200; ``stages`` are more of Server-Timing's metrics."""
    if isinstance(body, str):
        return _response(200, JSON, body.encode(), request_id, started, stages)
    if isinstance(body, Document):
        given = body.content_type, body.content
        response = _response(body.status, *given, request_id, started, stages)
        if body.headers:
            _take_over(response.headers, body)
        return response
    if not isinstance(body, dict):
        return Response(200, [*body.headers, *_always(request_id, started, stages)], b"", body)
    return _response(200, JSON, _encode(body).encode(), request_id, started, stages)


def problem(
    error: ServiceError, request_id: str, started: float, more: Mapping[str, Any] = _NOTHING
) -> Response:
    """The error as RFC 9457 has it, with the members that a protocol of others asks for."""
    content = _encode({**error.problem(request_id), **more}).encode()
    response = _response(error.status, PROBLEM_JSON, content, request_id, started)
    response.headers.extend(error.headers.items())
    return response


def no_content(headers: list[tuple[str, str]], request_id: str) -> Response:
    """What OPTIONS is answered: nothing but ``headers``."""
    always = [("X-Content-Type-Options", "nosniff"), ("X-Request-ID", request_id)]
    return Response(204, headers + always, b"")


def _response(
    status: int, content_type: str, content: bytes, request_id: str, started: float, more: str = ""
) -> Response:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(content))),
        *_always(request_id, started, more),
    ]
    return Response(status, headers, content)


def _take_over(headers: list[tuple[str, str]], body: Document) -> None:
    """Add the document's own headers, in place of what they say otherwise."""
    replaced = {name for name, _ in body.headers}
    if body.status == 304:  # RFC 9110, 15.4.5: the length would be that of the content
        replaced.add("Content-Length")
    headers[:] = [header for header in headers if header[0] not in replaced]
    headers.extend(body.headers)


def _always(request_id: str, started: float, more: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-ID", request_id),
        ("Server-Timing", f"total;dur={1000 * (perf_counter() - started):.3f}{more}"),
    )
