"""Responses to bytes, as HTTP/1.1 frames them (RFC 9112)."""

from __future__ import annotations

import time

from function.http.messages import Response
from function.server.items import Item

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {
    200: "OK",
    204: "No Content",
    304: "Not Modified",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
"""As ``http.HTTPStatus`` has them, whose import takes longer than a prediction's whole request."""

_last_date = (0, "")


def as_bytes(response: Response, item: Item, keeps_alive: bool) -> bytes:
    """The response to the request of ``item``; HEAD gets the head alone."""
    status = response.status
    fields = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
    connection = ""
    if response.stream is not None and not item.is_http_1_0:
        fields += "Transfer-Encoding: chunked\r\n"
    if not keeps_alive:
        connection = "Connection: close\r\n"
    elif item.is_http_1_0:
        connection = "Connection: keep-alive\r\n"
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\nDate: {_date()}\r\n"
        f"{fields}{connection}\r\n"
    ).encode("latin-1", "replace")
    return head if item.request.method == "HEAD" else head + response.body


def _date() -> str:
    """Now as RFC 9110, 5.6.7, has it."""
    global _last_date
    second = int(time.time())
    if _last_date[0] != second:
        _last_date = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second)))
    return _last_date[1]
