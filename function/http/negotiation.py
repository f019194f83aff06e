"""What the client sends and what it can read: content type, content coding, Accept.

Follows RFC 9110: sections 8.3 (Content-Type), 8.4 (Content-Encoding), 12.5.1 (Accept).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from function.errors import BodyTooLarge, MalformedRequest, NotAcceptable, UnsupportedMediaType

JSON, HTML = "application/json", "text/html"
_CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""By content coding, zlib's window bits: 31 wants gzip's header, 47 takes it or zlib's own."""
_ACCEPTED_CODINGS = "gzip, deflate"


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises UnsupportedMediaType (415) for a body that is announced as anything but JSON."""
    given = headers.get("content-type")
    if not given or given == JSON:
        return
    mimetype = given.partition(";")[0].strip().lower()
    if mimetype and mimetype != JSON and not mimetype.endswith("+json"):
        raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON}.")


def check_accept(headers: Mapping[str, str]) -> None:
    """Raises NotAcceptable (406) where the client says that it cannot read JSON."""
    given = headers.get("accept")
    if not given or given in ("*/*", JSON):
        return
    if not accepts(given, (JSON,), "+json"):
        raise NotAcceptable(f"This service answers {JSON}; send an Accept header that has it.")


def prefers_html(headers: Mapping[str, str]) -> bool:
    """Whether the client would rather have a page than JSON: as browsers say of what one visits."""
    given = headers.get("accept", "").lower()
    return HTML in given and _quality(given, HTML) > _quality(given, JSON)


def _quality(accept: str, media_type: str) -> float:
    """What the most specific range that has the type says of it (RFC 9110, 12.5.1)."""
    named = {}
    for part in accept.split(","):
        value, *parameters = (item.strip() for item in part.split(";"))
        weights = [item.partition("=")[2] for item in parameters if item.startswith("q=")]
        named[value] = _weight(weights[0]) if weights else 1.0
    kind = media_type.partition("/")[0]
    for shape in (media_type, f"{kind}/*", "*/*"):
        if shape in named:
            return named[shape]
    return 0.0


def _weight(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        return 1.0


def accepts(accept: str, media_types: Collection[str], suffix: str = "\n") -> bool:
    """Whether the header leaves room for one of these, or for what ends in ``suffix``; parameters
    such as charset do not matter."""
    offers = dict(_offer(part) for part in accept.split(",") if part.strip())
    named = [offers[name] for name in offers if name in media_types or name.endswith(suffix)]
    if named or not offers:
        return any(named) or not offers
    return offers.get("application/*", offers.get("*/*", False))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client names gzip (section 12.5.3), and not to refuse it."""
    offers = map(_offer, accept_encoding.split(","))
    return next((wanted for coding, wanted in offers if coding in ("gzip", "x-gzip")), False)


def _offer(part: str) -> tuple[str, bool]:
    """A media range, and whether its quality is above zero."""
    value, *parameters = (item.strip().lower() for item in part.split(";"))
    for parameter in parameters:
        name, _, quality = parameter.partition("=")
        if name.strip() == "q":
            return value, quality.strip().strip("0.") != ""
    return value, True


def decoded(headers: Mapping[str, str], body: bytes, limit_bytes: int) -> bytes:
    """The body without its content coding, at most ``limit_bytes`` long.

    Raises UnsupportedMediaType (415, with ``Accept-Encoding``) for a coding that is not known,
    BodyTooLarge (413) and MalformedRequest (400).
    """
    given = headers.get("content-encoding")
    if not given or not body:
        return body
    window_bits = window_bits_of(given)
    return _inflated(body, window_bits, limit_bytes) if window_bits else body


def window_bits_of(content_encoding: str) -> int:
    """What zlib calls this coding, 0 for none; raises UnsupportedMediaType (415, with
    ``Accept-Encoding``) for one that is not known."""
    coding = content_encoding.strip().lower() or "identity"
    if coding == "identity":
        return 0
    if coding not in _CODINGS:
        raise UnsupportedMediaType(
            f"Send the body as it is, or in one of these content codings: {_ACCEPTED_CODINGS}.",
            headers={"Accept-Encoding": _ACCEPTED_CODINGS},
        )
    return _CODINGS[coding]


def _inflated(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    import zlib

    stream = zlib.decompressobj(window_bits)
    try:
        content = stream.decompress(body, limit_bytes + 1)
    except zlib.error as exc:
        raise MalformedRequest("The body is not what its Content-Encoding says.") from exc
    if len(content) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    if not stream.eof or stream.unused_data:
        raise MalformedRequest("The body is not one whole stream of its Content-Encoding.")
    return content
