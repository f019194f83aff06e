"""The application: a request in, a response out, and no exception passes it.

One place each for what every request goes through: its id, the route, negotiation, the endpoint,
errors as problem details (RFC 9457), the log record. Both doors call this same object, so what
they answer is equal byte for byte.
"""

from __future__ import annotations

from json import JSONEncoder
from time import perf_counter

from function.errors import (
    PROBLEM_JSON,
    MalformedRequest,
    MethodNotAllowed,
    ModelOutputError,
    ServiceError,
    UnknownMethod,
    UnknownPath,
)
from function.http import negotiation
from function.http.endpoints import Body, Service
from function.http.messages import Request, Response
from function.http.negotiation import JSON
from function.http.routes import ROUTES, allowed_methods
from function.telemetry import context
from function.telemetry.logs import JsonLog
from function.telemetry.start import StartRecord

_LONGEST_LOGGED_PATH = 256
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
"""RFC 9110, section 9, and RFC 5789; what is not among them is 501, what a path lacks is 405."""
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Application:
    """Answers requests for one service; safe to call from several threads."""

    def __init__(self, service: Service, log: JsonLog, start: StartRecord | None = None) -> None:
        self.service = service
        self.log = log
        self._start = start

    def __call__(self, request: Request) -> Response:
        """Answer one request, waiting for the model where it is needed and not there yet."""
        request_id = context.request_id(request.headers)
        try:
            response = self._respond(request, request_id)
        except ServiceError as exc:
            if isinstance(exc, ModelOutputError):
                self.log.request_failure(
                    str(exc), exc, request_id=request_id, returned=exc.returned
                )
            response = _problem(exc, request_id, request.started)
        except BaseException as exc:  # a model's own code may leave with any of them
            self.log.request_failure("request failed", exc, request_id=request_id)
            unexpected = ServiceError("The service failed on this request; its log has the cause.")
            response = _problem(unexpected, request_id, request.started)
        self._record(request, response.status, request_id)
        return response

    def refuse(self, request: Request, error: ServiceError) -> Response:
        """The answer to a request that its door did not let in, logged as any other."""
        request_id = context.request_id(request.headers)
        response = _problem(error, request_id, request.started)
        self._record(request, response.status, request_id)
        return response

    def needs_model(self, request: Request) -> bool:
        """Whether the answer has to wait for the model, or to ask it."""
        operations = ROUTES.get(_route(request.path))
        operation = operations.get(request.method) if operations else None
        return operation is not None and operation.needs_model

    def is_quick(self, request: Request) -> bool:
        """Whether the model is there and its answer a matter of a millisecond at most."""
        model = self.service.models.model
        if model is None or len(request.body) > model.predictor.quick_bytes:
            return False
        operations = ROUTES.get(_route(request.path), {})
        return not any(operation.asks_registry for operation in operations.values())

    def _respond(self, request: Request, request_id: str) -> Response:
        headers, method = request.headers, request.method
        if "," in headers.get("host", ","):
            raise MalformedRequest("A request names one Host.")
        if method not in METHODS:
            raise UnknownMethod()
        operations = ROUTES.get(_route(request.path))
        if operations is None:
            raise UnknownPath("There is nothing at this path; GET / lists what there is.")
        operation = operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            allow = allowed_methods(operations)
            if method == "OPTIONS":
                return Response(204, [("Allow", allow), ("X-Request-ID", request_id)], b"")
            raise MethodNotAllowed(allow)
        if method == "POST":
            negotiation.check_content_type(headers)
        negotiation.check_accept(headers)
        service = self.service
        if operation.guard is not None:
            operation.guard(service.settings, headers, request.body)
        body = negotiation.decoded(headers, request.body, service.settings.max_body_bytes)
        is_cold = service.models.model is None
        answer = operation.endpoint(service, body)
        stages = _stages(service) if is_cold else ""
        return _render(answer, 200, JSON, request_id, request.started, stages)

    def _record(self, request: Request, status: int, request_id: str) -> None:
        headers = request.headers
        is_probe = context.is_probe(headers)
        self.log.request(
            "DEBUG" if is_probe else _severity(status),
            request_id,
            request.method,
            request.path[:_LONGEST_LOGGED_PATH],
            status,
            perf_counter() - request.started,
            context.trace_fields(headers),
        )
        if self._start is not None and self._start.answered(is_probe):
            self._start = None


def _route(path: str) -> str:
    """The path as ROUTES has it: doubled and trailing slashes mean nothing here."""
    if path in ROUTES:
        return path
    return "/" + "/".join(filter(None, path.split("/")))


def _stages(service: Service) -> str:
    """The stages of the load that this request waited for, as Server-Timing metrics."""
    model = service.models.model
    timings = model.timings_seconds if model is not None else {}
    return "".join(f", {name};dur={1000 * seconds:.1f}" for name, seconds in timings.items())


def _problem(error: ServiceError, request_id: str, started: float) -> Response:
    problem = error.problem(request_id)
    response = _render(problem, error.status, PROBLEM_JSON, request_id, started)
    response.headers.extend(error.headers.items())
    return response


def _render(
    body: Body, status: int, content_type: str, request_id: str, started: float, stages: str = ""
) -> Response:
    payload = (body if isinstance(body, str) else _encode(body)).encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(payload))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Request-ID", request_id),
        ("Server-Timing", f"total;dur={1000 * (perf_counter() - started):.3f}{stages}"),
    ]
    return Response(status, headers, payload)


def _severity(status: int) -> str:
    if status < 400:
        return "INFO"
    # 503 is a cold start's honest answer; what made a load fail is logged as ERROR on its own.
    return "WARNING" if status < 500 or status in (501, 503) else "ERROR"
