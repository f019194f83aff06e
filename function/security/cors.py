"""Which pages a browser lets ask: Cross-Origin Resource Sharing by allow-list.

https://fetch.spec.whatwg.org/#http-cors-protocol. Nothing here lets anybody in: a browser asks in
the name of its user's page, and this says which pages it may tell the answers. Cookies have no part
in it, so every origin may be allowed (``*``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from function.errors import InvalidSetting

Headers = list[tuple[str, str]]
MAX_AGE_SECONDS = 600
REQUEST_HEADERS = (
    "Authorization, Content-Encoding, Content-Type, X-API-Key, X-Request-ID, traceparent"
    ", tracestate"
)
RESPONSE_HEADERS = "X-Request-ID, Server-Timing, Retry-After, WWW-Authenticate, Allow"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/,?#@*]+")


class Cors:
    """Says what a browser may tell the pages of some origins."""

    def __init__(self, allow_origins: str) -> None:
        """As CORS_ALLOW_ORIGINS has them; raises InvalidSetting for what is no origin."""
        given = [origin.strip() for origin in allow_origins.split(",") if origin.strip()]
        self._is_open = given == ["*"]
        self._origins = frozenset(origin.lower().rstrip("/") for origin in given)
        if not self._is_open and not all(map(_ORIGIN.fullmatch, self._origins)):
            expected = "origins such as https://app.example.com, comma-separated, or *"
            raise InvalidSetting("CORS_ALLOW_ORIGINS", allow_origins, expected)

    @staticmethod
    def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
        """Whether a browser asks if a page may ask."""
        return (
            method == "OPTIONS"
            and "origin" in headers
            and "access-control-request-method" in headers
        )

    def headers(self, request_headers: Mapping[str, str]) -> Headers:
        """What a response says: to a page that may not know it, only that others may."""
        if self._is_open:
            return [("Access-Control-Allow-Origin", "*"), *_EXPOSED]
        vary = ("Vary", "Origin")
        origin = request_headers.get("origin", "")
        if origin.lower() not in self._origins:
            return [vary]
        return [("Access-Control-Allow-Origin", origin), *_EXPOSED, vary]

    def preflight(self, allowed_methods: str) -> Headers:
        """What the answer to a preflight says beside ``headers``."""
        return [
            ("Access-Control-Allow-Methods", allowed_methods),
            ("Access-Control-Allow-Headers", REQUEST_HEADERS),
            ("Access-Control-Max-Age", str(MAX_AGE_SECONDS)),
        ]


_EXPOSED = (("Access-Control-Expose-Headers", RESPONSE_HEADERS),)
