"""The application: a request in, a response out, and no exception passes it.

One place each for what every request goes through: its id, the route, negotiation, the endpoint,
errors as problem details (RFC 9457), the log record. Both doors call this same object, so what
they answer is equal byte for byte.
"""

from __future__ import annotations

from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

from function.errors import (
    MalformedRequest,
    MethodNotAllowed,
    ModelOutputError,
    Overloaded,
    ServiceError,
    UnknownMethod,
    UnknownPath,
)
from function.http import negotiation, rendering
from function.http.endpoints import Service
from function.http.messages import Request, Response
from function.http.routes import ROUTES, Operation, allowed_methods
from function.telemetry import context
from function.telemetry.logs import JsonLog
from function.telemetry.start import StartRecord

if TYPE_CHECKING:
    from function.security.access import Access
    from function.security.cors import Cors

_LONGEST_LOGGED_PATH = 256
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
"""RFC 9110, section 9, and RFC 5789; what is not among them is 501, what a path lacks is 405."""
SIGNATURE = "x-mlflow-signature"
UNKNOWN = "(unknown)"
"""What the metrics call every path and method that is not known here."""


class Application:
    """Answers requests for one service; safe to call from several threads."""

    def __init__(
        self,
        service: Service,
        log: JsonLog,
        start: StartRecord | None = None,
        access: Access | None = None,
        cors: Cors | None = None,
    ) -> None:
        """Without ``access`` anybody may ask anything, without ``cors`` no page of another origin
        hears the answer."""
        self.service = service
        self.log = log
        self._start = start
        self._access = access
        self._cors = cors
        self._logged_one_in = service.settings.logged_one_in()
        self._without_error = count()

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
            response = self._problem(exc, request_id, request)
        except BaseException as exc:  # a model's own code may leave with any of them
            self.log.request_failure("request failed", exc, request_id=request_id)
            unexpected = ServiceError("The service failed on this request; its log has the cause.")
            response = self._problem(unexpected, request_id, request)
        return self._finished(request, response, request_id)

    def patiently(self, request: Request) -> Response:
        """As a call, having waited, within bounds, for what tells who asks."""
        if self._access is not None:
            self._access.wait(*_asked_for(request), request.headers)
        return self(request)

    def refuse(self, request: Request, error: ServiceError) -> Response:
        """The answer to a request that its door did not let in, logged as any other."""
        request_id = context.request_id(request.headers)
        return self._finished(request, self._problem(error, request_id, request), request_id)

    def needs_model(self, request: Request) -> bool:
        """Whether the answer has to wait for the model, or to ask it."""
        operation = _operation(request)
        return operation is not None and operation.needs_model

    def is_aside(self, request: Request) -> bool:
        """Whether the answer takes longer than a moment, and not because of the model."""
        operation = _operation(request)
        if operation is not None and operation.is_document:
            return True
        access = self._access
        return access is not None and access.must_wait(*_asked_for(request), request.headers)

    def is_quick(self, request: Request) -> bool:
        """Whether the model is there and its answer a matter of a millisecond at most."""
        model, operation = self.service.models.model, _operation(request)
        if model is None or len(request.body) > model.predictor.quick_bytes:
            return False
        return operation is None or not operation.asks_registry

    def _respond(self, request: Request, request_id: str) -> Response:
        headers, method = request.headers, request.method
        if "," in headers.get("host", ","):
            raise MalformedRequest("A request names one Host.")
        if method not in METHODS:
            raise UnknownMethod()
        operations = ROUTES.get(_route(request.path))
        cors = self._cors
        if cors is not None and operations is not None and cors.is_preflight(method, headers):
            allow = allowed_methods(operations)
            return rendering.no_content(cors.preflight(allow), request_id)
        operation = operations.get("GET" if method == "HEAD" else method) if operations else None
        self._authorise(request, operation)
        if operations is None:
            raise UnknownPath("There is nothing at this path; GET / lists what there is.")
        if operation is None:
            allow = allowed_methods(operations)
            if method == "OPTIONS":
                return rendering.no_content([("Allow", allow)], request_id)
            raise MethodNotAllowed(allow)
        if method == "POST":
            negotiation.check_content_type(headers)
        if not operation.is_document:
            negotiation.check_accept(headers)
        service = self.service
        most = service.settings.max_body_bytes
        request.body = negotiation.decoded(headers, request.body, most)
        is_cold = service.models.model is None
        answer = operation.endpoint(service, request)
        stages = _stages(service) if is_cold else ""
        return rendering.render(answer, request_id, request.started, stages)

    def _authorise(self, request: Request, operation: Operation | None) -> None:
        """Raises what a request is refused with that may not ask this. MLflow's signature under a
        webhook lets it pass without a key."""
        secret = self.service.settings.webhook_secret
        takes_webhooks = operation is not None and operation.takes_webhooks and secret
        if takes_webhooks and (self._access is None or SIGNATURE in request.headers):
            from function.security import webhooks

            webhooks.check(secret, request.headers, request.body)
        elif self._access is not None:
            path, scope = _asked_for(request)
            caller = self._access.caller(path, scope, request.headers)
            request.caller = caller.fields
            self._access.check(caller, scope)

    def _problem(self, error: ServiceError, request_id: str, request: Request) -> Response:
        if isinstance(error, Overloaded):
            self.service.metrics.refused()
        return rendering.problem(error, request_id, request.started)

    def _finished(self, request: Request, response: Response, request_id: str) -> Response:
        """The response with what every one has, logged and counted."""
        if self._cors is not None:
            response.headers.extend(self._cors.headers(request.headers))
        self._record(request, response.status, request_id)
        return response

    def _record(self, request: Request, status: int, request_id: str) -> None:
        headers, method, path = request.headers, request.method, request.path
        is_probe = context.is_probe(headers)
        trace = context.trace_fields(headers)
        seconds = perf_counter() - request.started
        if self._logged_one_in == 1 or self._is_logged(status):
            severity = "DEBUG" if is_probe else _severity(status)
            shown = path[:_LONGEST_LOGGED_PATH]
            fields = {**trace, **request.caller} if request.caller else trace
            self.log.request(severity, request_id, method, shown, status, seconds, fields)
        route = _route(path)
        self.service.metrics.request(
            route if route in ROUTES else UNKNOWN,
            method if method in METHODS else UNKNOWN,
            status,
            seconds,
            trace,
        )
        if self._start is not None and self._start.answered(is_probe):
            self._start = None

    def _is_logged(self, status: int) -> bool:
        """As ACCESS_LOG says; of a sample the first is one."""
        if status >= 400:
            return True
        one_in = self._logged_one_in
        return one_in > 0 and next(self._without_error) % one_in == 0


def _operation(request: Request) -> Operation | None:
    """What the request asks for; None where there is no such thing."""
    return ROUTES.get(_route(request.path), {}).get(request.method)


def _asked_for(request: Request) -> tuple[str, str | None]:
    """The path, and the scope that asking for it takes."""
    route, method = _route(request.path), request.method
    operation = ROUTES.get(route, {}).get("GET" if method == "HEAD" else method)
    return route, None if operation is None else operation.scope


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


def _severity(status: int) -> str:
    if status < 400:
        return "INFO"
    # 503 is a cold start's honest answer; what made a load fail is logged as ERROR on its own.
    return "WARNING" if status < 500 or status in (501, 503) else "ERROR"
