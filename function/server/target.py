"""What a request asks for: the request target's path and query (RFC 9112, 3.2)."""

from __future__ import annotations

from httptools import HttpParserError, parse_url


def path_and_query(url: bytes) -> tuple[str, str]:
    """The path, decoded, and the query, as it came, of any form of request target."""
    if not url.startswith(b"/"):
        url = _origin_form(url)
    path, _, query = url.partition(b"?")
    if b"%" in path:
        from urllib.parse import unquote_to_bytes

        path = unquote_to_bytes(path)
    return path.decode("utf-8", "replace"), query.decode("latin-1")


def _origin_form(url: bytes) -> bytes:
    try:
        parts = parse_url(url)
    except HttpParserError:  # "*", or nothing that names a resource
        return b"/" + url
    return (parts.path or b"/") + (b"?" + parts.query if parts.query else b"")
