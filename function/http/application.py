"""The application: a request in, a response out, and no exception passes it.

One place each for what every request goes through: its id, the route, who asks, negotiation, the
endpoint, errors as problem details (RFC 9457), the record of it. Both doors call this same object,
so what they answer is equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from function.errors import (
    AnswerTimeout,
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
from function.http.recording import METHODS, Recorder, known_method, known_route
from function.http.routes import ROUTES, Operation, allowed_methods, operation_of, route_of
from function.telemetry import context
from function.telemetry.start import StartRecord

if TYPE_CHECKING:
    from function.security.access import Access
    from function.security.cors import Cors
    from function.telemetry.tracing import Tracing

SIGNATURE = "x-mlflow-signature"
EXPLAINING_TAKES = 16
"""Times as long as a prediction; 5 to 30, the most for a few words."""


class Application:
    """Answers requests for one service; safe to call from several threads."""

    def __init__(
        self,
        service: Service,
        start: StartRecord | None = None,
        access: Access | None = None,
        cors: Cors | None = None,
    ) -> None:
        """Without ``access`` anybody may ask anything, without ``cors`` no page of another origin
        hears the answer."""
        self.service = service
        self.log = service.signals.log
        self._recorder = Recorder(service.settings, service.signals, start)
        self._access = access
        self._cors = cors
        self._is_guarded = access is not None or bool(service.settings.webhook_secret)

    def __call__(self, request: Request) -> Response:
        """Answer one request, waiting for the model where it is needed and not there yet."""
        tracing = self.service.signals.tracing
        if tracing is None:
            return self._answer(request)
        return _traced(tracing, request, self._answer)

    def patiently(self, request: Request) -> Response:
        """As a call, having waited, within bounds, for what tells who asks."""
        if self._access is not None and self.must_wait(request):
            self._access.wait(*_asked_for(request), request.headers)
        return self(request)

    def refuse(self, request: Request, error: ServiceError) -> Response:
        """The answer to a request that its door did not let in, recorded as any other."""

        def refused(request: Request) -> Response:
            request_id = context.request_id(request.headers)
            return self._finished(request, self._problem(error, request_id, request), request_id)

        tracing = self.service.signals.tracing
        return refused(request) if tracing is None else _traced(tracing, request, refused)

    def needs_model(self, request: Request) -> bool:
        """Whether the answer has to wait for the model, or to ask it."""
        operation = operation_of(request)
        return operation is not None and operation.needs_model

    def takes_time(self, request: Request) -> bool:
        """Whether the answer may take longer than a moment, whatever it waits for."""
        operation = operation_of(request)
        if operation is not None and (operation.needs_model or operation.is_aside):
            return True
        return self._access is not None and self.must_wait(request)

    def is_aside(self, request: Request) -> bool:
        """Whether the answer takes longer than a moment, and not because of the model."""
        operation = operation_of(request)
        return operation is not None and operation.is_aside

    def streams(self, request: Request) -> bool:
        """Whether the answer is made while the body arrives, which its door then does not read."""
        operation = operation_of(request)
        return operation is not None and operation.streams

    def must_wait(self, request: Request) -> bool:
        """Whether it takes a wait to say who asks."""
        access, operation = self._access, operation_of(request)
        if access is None or (operation is not None and operation.is_open):
            return False
        return access.must_wait(*_asked_for(request), request.headers)

    def is_quick(self, request: Request) -> bool:
        """Whether the model is there, its answer a matter of a millisecond at most, and nothing
        else to wait for."""
        model, operation = self.service.models.model, operation_of(request)
        size = len(request.body)
        if model is None or size > model.predictor.quick_bytes:
            return False
        if operation is not None:
            if operation.asks_registry or operation.is_aside:
                return False
            if operation.explains or b'"explain"' in request.body:  # or may be what is asked
                size *= EXPLAINING_TAKES
        if size > model.predictor.quick_bytes:
            return False
        return self._access is None or not self.must_wait(request)

    def _answer(self, request: Request) -> Response:
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

    def _respond(self, request: Request, request_id: str) -> Response:
        headers, method, cors = request.headers, request.method, self._cors
        if "," in headers.get("host", ","):
            raise MalformedRequest("A request names one Host.")
        if method not in METHODS:
            raise UnknownMethod()
        operations = ROUTES.get(route_of(request.path))
        if cors is not None and operations is not None and cors.is_preflight(method, headers):
            allow = allowed_methods(operations)
            return rendering.no_content(cors.preflight(allow), request_id)
        operation = operation_of(request)
        if self._is_guarded:
            self._authorise(request, operation)
        if operations is None:
            raise UnknownPath("There is nothing at this path; GET / lists what there is.")
        if operation is None:
            allow = allowed_methods(operations)
            if method == "OPTIONS":
                return rendering.no_content([("Allow", allow)], request_id)
            raise MethodNotAllowed(allow)
        return self._operate(request, operation, request_id)

    def _operate(self, request: Request, operation: Operation, request_id: str) -> Response:
        service, headers = self.service, request.headers
        if not operation.negotiates:
            if request.method == "POST" and request.body:
                negotiation.check_content_type(headers)
            negotiation.check_accept(headers)
        if not operation.streams:
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
        elif self._access is not None and not (operation is not None and operation.is_open):
            path, scope = _asked_for(request)
            caller = self._access.caller(path, scope, request.headers)
            request.caller = caller.fields
            self._access.check(caller, scope)

    def _problem(self, error: ServiceError, request_id: str, request: Request) -> Response:
        if isinstance(error, Overloaded) and not isinstance(error, AnswerTimeout):
            self.service.signals.metrics.refused()
        operation = operation_of(request)
        if operation is None or not operation.dialect:
            return rendering.problem(error, request_id, request.started)
        from function.http.adapters import error_members

        more = error_members(operation.dialect, error)
        return rendering.problem(error, request_id, request.started, more)

    def _finished(self, request: Request, response: Response, request_id: str) -> Response:
        """The response with what every one has, recorded."""
        if self._cors is not None:
            response.headers.extend(self._cors.headers(request.headers))
        if not request.is_answered:
            request.is_answered = True
            self._recorder.record(request, response, request_id)
        return response


def _traced(tracing: Tracing, request: Request, answer: Callable[[Request], Response]) -> Response:
    """The answer, within a span; probes come too often to have one."""
    if context.is_probe(request.headers):
        return answer(request)
    name = known_method(request.method), known_route(request.path)
    with tracing.request(*name, request.headers, request.started) as span:
        response = answer(request)
        tracing.answered(span, response.status)
    return response


def _asked_for(request: Request) -> tuple[str, str | None]:
    """The path, and the scope that asking for it takes."""
    operation = operation_of(request)
    return route_of(request.path), None if operation is None else operation.scope


def _stages(service: Service) -> str:
    """The stages of the load that this request waited for, as Server-Timing metrics."""
    if service.signals.tracing is not None:
        service.signals.tracing.waited_for_load()
    model = service.models.model
    timings = model.timings_seconds if model is not None else {}
    return "".join(f", {name};dur={1000 * seconds:.1f}" for name, seconds in timings.items())
