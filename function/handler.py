"""``handle``: request id, route, endpoint, render, log; no exception passes it.

Functions Framework's own error handler answers ``str(exception)`` with 500, so whatever happens
below becomes a response here.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from flask import Request, Response

from function.body import read_body
from function.errors import (
    PROBLEM_JSON,
    BodyTooLarge,
    MethodNotAllowed,
    ModelOutputError,
    NotAcceptable,
    ServiceError,
    UnknownPath,
    UnsupportedMediaType,
)
from function.http.endpoints import Body, Service
from function.http.routes import ROUTES, allowed_methods, directory
from function.model.cache import ModelCache
from function.model.loading import Loader
from function.response import WholeResponse
from function.settings import Settings
from function.telemetry import context
from function.telemetry.logs import JsonLog, LibraryHandler

JSON = "application/json"
_LONGEST_LOGGED_PATH = 256
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Handle = Callable[[Request], Response]


def create_handle(settings: Settings) -> Handle:
    """Wire the service together and return its Functions Framework entrypoint."""
    log = JsonLog(settings.log_level, settings.service_name)
    logging.basicConfig(handlers=[LibraryHandler(log)], force=True)
    logging.captureWarnings(True)
    models = ModelCache(
        Loader(settings, log), settings.load_retry_seconds, settings.max_concurrency
    )
    service = Service(settings, models, directory())

    def handle(request: Request) -> Response:
        """Answer one HTTP request."""
        started = time.perf_counter()
        request_id = context.request_id(request.environ)
        try:
            response = _respond(service, request, request_id, started)
        except ServiceError as exc:
            if isinstance(exc, ModelOutputError):
                log.request_failure(str(exc), exc, request_id=request_id, returned=exc.returned)
            response = _problem(exc, request_id, started)
        except BaseException as exc:  # a model's own code may raise KeyboardInterrupt, SystemExit
            log.request_failure("request failed", exc, request_id=request_id)
            unexpected = ServiceError("The service failed on this request; its log has the cause.")
            response = _problem(unexpected, request_id, started)
        _log_request(log, request, response.status_code, request_id, started)
        return response

    return handle


def _respond(service: Service, request: Request, request_id: str, started: float) -> Response:
    body = read_body(request, service.settings.max_body_bytes)
    operations = ROUTES.get(request.path)
    if operations is None:
        raise UnknownPath("There is nothing at this path; GET / lists what there is.")
    method = request.method
    operation = operations.get("GET" if method == "HEAD" else method)
    if operation is None:
        allow = allowed_methods(operations)
        if method == "OPTIONS":
            return _no_content({"Allow": allow, "X-Request-ID": request_id})
        raise MethodNotAllowed(allow)
    _negotiate(request)
    is_cold = service.models.model is None
    answer = operation.endpoint(service, body)
    stages = _stages(service) if is_cold else ""
    return _render(answer, 200, JSON, request_id, started, stages)


def _stages(service: Service) -> str:
    """The stages of the load that this request waited for, as Server-Timing metrics."""
    model = service.models.model
    timings = model.timings_seconds if model is not None else {}
    return "".join(f", {name};dur={1000 * seconds:.1f}" for name, seconds in timings.items())


def _negotiate(request: Request) -> None:
    """Refuse what the endpoint cannot read (415) and a client that cannot read it (406)."""
    environ = request.environ
    if request.method == "POST" and environ.get("CONTENT_TYPE") not in (JSON, None, ""):
        mimetype = request.mimetype
        if mimetype != JSON and not mimetype.endswith("+json"):
            raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON}.")
    if environ.get("HTTP_ACCEPT") not in ("*/*", JSON, None, "") and not _accepts_json(request):
        raise NotAcceptable(f"This service answers {JSON}; send an Accept header that has it.")


def _accepts_json(request: Request) -> bool:
    """Whether the Accept header leaves room for JSON; parameters such as charset do not matter."""
    offers = {
        value.partition(";")[0].strip(): quality for value, quality in request.accept_mimetypes
    }
    if JSON in offers:
        return offers[JSON] > 0
    return not offers or any(
        quality > 0 and (value in ("*/*", "application/*") or value.endswith("+json"))
        for value, quality in offers.items()
    )


def _problem(error: ServiceError, request_id: str, started: float) -> Response:
    problem = error.problem(request_id)
    response = _render(problem, error.status, PROBLEM_JSON, request_id, started)
    response.headers.update(error.headers)
    if isinstance(error, BodyTooLarge):
        # A streamed response keeps Functions Framework from reading on through an endless body.
        response.response = iter([response.get_data()])
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
        ("Server-Timing", f"total;dur={1000 * (time.perf_counter() - started):.3f}{stages}"),
    ]
    return WholeResponse([payload], status, headers)


def _no_content(headers: dict[str, str]) -> Response:
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response


def _severity(status: int) -> str:
    if status < 400:
        return "INFO"
    # 503 is a cold start's honest answer; what made a load fail is logged as ERROR on its own.
    return "WARNING" if status < 500 or status == 503 else "ERROR"


def _log_request(
    log: JsonLog, request: Request, status: int, request_id: str, started: float
) -> None:
    severity = _severity(status)
    if context.is_probe(request.environ):
        severity = "DEBUG"
    path = request.path[:_LONGEST_LOGGED_PATH]
    seconds = time.perf_counter() - started
    trace = context.trace_fields(request.environ)
    log.request(severity, request_id, request.method, path, status, seconds, **trace)
