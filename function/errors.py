"""The error tree, each class with its HTTP status, and its one rendering (RFC 9457).

A detail is written for the client or the operator who reads it: it never holds a stack trace,
a secret or the request's own text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, ClassVar

PROBLEM_JSON = "application/problem+json"


class InvalidSetting(Exception):
    """A bad environment variable; stops the start with one line."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name}={value!r} is not valid: expected {expected}")


class ServiceError(Exception):
    """Anything that ends a request early; the root of the tree and the catch-all 500."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal Server Error"
    slug: ClassVar[str] = "internal-error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})

    def problem(self, request_id: str) -> dict[str, Any]:
        """The RFC 9457 problem object."""
        return {
            "type": f"urn:problem-type:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }


class MalformedRequest(ServiceError):
    status, title, slug = 400, "Bad Request", "malformed-request"


class Unauthorized(ServiceError):
    """Nobody that is known here; ``challenge`` is the header's value (RFC 6750, section 3)."""

    status, title, slug = 401, "Unauthorized", "unauthorized"

    def __init__(self, detail: str, challenge: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ServiceError):
    status, title, slug = 403, "Forbidden", "forbidden"


class UnknownPath(ServiceError):
    status, title, slug = 404, "Not Found", "unknown-path"


class MethodNotAllowed(ServiceError):
    status, title, slug = 405, "Method Not Allowed", "method-not-allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"This path answers {allow}.", headers={"Allow": allow})


class NotAcceptable(ServiceError):
    status, title, slug = 406, "Not Acceptable", "not-acceptable"


class RequestTimeout(ServiceError):
    """A request that stopped arriving half-way, or held what others waited for."""

    status, title, slug = 408, "Request Timeout", "request-timeout"

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(
            f"The request did not arrive in time (READ_TIMEOUT_SECONDS={limit_seconds:g},"
            " less while others wait)."
        )


class StreamTimeout(RequestTimeout):
    """A body of lines, or its answer, that stands still."""

    def __init__(self, limit_seconds: float) -> None:
        told = f"Nothing was sent or read for STREAM_IDLE_SECONDS={limit_seconds:g}."
        ServiceError.__init__(self, told)


class BodyTooLarge(ServiceError):
    status, title, slug = 413, "Content Too Large", "body-too-large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than MAX_BODY_BYTES={limit_bytes} bytes.")


class UnsupportedMediaType(ServiceError):
    status, title, slug = 415, "Unsupported Media Type", "unsupported-media-type"


class ExpectationFailed(ServiceError):
    status, title, slug = 417, "Expectation Failed", "expectation-failed"


class InvalidInput(ServiceError):
    """Well-formed JSON that is not what the endpoint takes.

    ``errors`` holds one ``{"pointer", "detail"}`` per fault, the pointer as in RFC 6901.
    """

    status, title, slug = 422, "Unprocessable Content", "invalid-input"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        first = errors[:3]
        super().__init__("; ".join(f"{e['pointer'] or 'body'}: {e['detail']}" for e in first))
        self.errors = errors

    def problem(self, request_id: str) -> dict[str, Any]:
        return {**super().problem(request_id), "errors": self.errors}


class HeadersTooLarge(ServiceError):
    status, title, slug = 431, "Request Header Fields Too Large", "headers-too-large"


class UnknownMethod(ServiceError):
    status, title, slug = 501, "Not Implemented", "unknown-method"

    def __init__(self) -> None:
        super().__init__("This is no method of HTTP that is known here.")


class UnknownTransferCoding(ServiceError):
    status, title, slug = 501, "Not Implemented", "unknown-transfer-coding"


class NotExplainable(ServiceError):
    """A model that only gives answers; ``reason`` is why it is not compiled or, where it is, why
    no sum over the text's terms makes its label."""

    status, title, slug = 501, "Not Implemented", "not-explainable"

    def __init__(self, engine: str, reason: str | None) -> None:
        told = f": {reason}" if reason else ""
        if engine == "compiled":
            super().__init__(f"This model has no score of a label that its terms add up to{told}.")
        else:
            super().__init__(f"Compiled models are explained; {engine} serves this one{told}.")


class NotInstalled(ServiceError):
    """What it takes is an extra that is not there."""

    status, title, slug = 501, "Not Implemented", "not-installed"


class UnusableModel(ServiceError):
    """The model answers in no shape that can be read as one prediction per text."""

    slug: ClassVar[str] = "model-output"

    def __init__(self) -> None:
        super().__init__("The model's output could not be read as one prediction per text.")


class ModelOutputError(UnusableModel):
    """The model returned something that is not one prediction per text.

    What it returned is in ``returned``, for the log and never for the response.
    """

    def __init__(self, returned: str) -> None:
        super().__init__()
        self.returned = returned


class ModelUnavailable(ServiceError):
    """The model is not loaded (yet); the client may come back after ``Retry-After`` seconds."""

    status, title, slug = 503, "Service Unavailable", "model-unavailable"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, ceil(retry_after_seconds)))})


class Overloaded(ServiceError):
    """Too much at once; the client may come back after ``Retry-After`` seconds."""

    status, title, slug = 503, "Service Unavailable", "overloaded"

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class AnswerTimeout(Overloaded):
    """The answer did not come within REQUEST_TIMEOUT_SECONDS."""


class ModelLoadError(Exception):
    """Why a model could not be loaded.

    ``told`` is in words an operator can act on, all our own: the 503's detail. ``cause`` is what a
    library or a server said, for logs and the command line.
    """

    def __init__(self, told: str, cause: str = "") -> None:
        super().__init__(f"{told} ({cause})" if cause else told)
        self.told = told


class RegistryAway(ModelLoadError):
    """The registry cannot be asked right now: it is not there, does not answer, or is broken."""


class VersionGone(ModelLoadError):
    """The registry answers, and has nothing that MODEL_URI means."""


def chain(exc: BaseException | None) -> Iterator[BaseException]:
    """The exception and what caused it, each once: one may be its own cause, through others."""
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__
