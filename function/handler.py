"""``handle``: request id, route, endpoint, render, log; no exception passes it.

Functions Framework's own error handler answers ``str(exception)`` with 500, so whatever happens
below becomes a response here.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from flask import Request, Response

from function.body import read_body
from function.endpoints import Service
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
from function.model.cache import ModelCache
from function.model.loader import load_model
from function.routes import ROUTES, allowed_methods, directory
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
    models = ModelCache(lambda: load_model(settings, log), settings.load_retry_seconds)
    service = Service(settings, models, directory())

    def handle(request: Request) -> Response:
        """Answer one HTTP request."""
        started = time.perf_counter()
        request_id = context.request_id(request.environ)
        try:
            response = _respond(service, request)
        except ServiceError as exc:
            if isinstance(exc, ModelOutputError):
                log.request_failure(str(exc), exc, request_id=request_id, returned=exc.returned)
            response = _problem(exc, request_id)
        except Exception as exc:
            log.request_failure("request failed", exc, request_id=request_id)
            unexpected = ServiceError("The service failed on this request; its log has the cause.")
            response = _problem(unexpected, request_id)
        response.headers["X-Request-ID"] = request_id
        _log_request(log, request, response.status_code, request_id, started)
        return response

    return handle


def _respond(service: Service, request: Request) -> Response:
    body = read_body(request, service.settings.max_body_bytes)
    operations = ROUTES.get(request.path)
    if operations is None:
        raise UnknownPath("There is nothing at this path; GET / lists what there is.")
    method = request.method
    operation = operations.get("GET" if method == "HEAD" else method)
    if operation is None:
        allow = allowed_methods(operations)
        if method == "OPTIONS":
            return _no_content({"Allow": allow})
        raise MethodNotAllowed(allow)
    _negotiate(request)
    return _render(operation.endpoint(service, body), 200, JSON)


def _negotiate(request: Request) -> None:
    """Refuse what the endpoint cannot read (415) and a client that cannot read it (406)."""
    environ = request.environ
    if request.method == "POST" and environ.get("CONTENT_TYPE") not in (JSON, None, ""):
        mimetype = request.mimetype
        if mimetype != JSON and not mimetype.endswith("+json"):
            raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON}.")
    accepts_any = environ.get("HTTP_ACCEPT") in ("*/*", JSON, None, "")
    if not accepts_any and not request.accept_mimetypes.quality(JSON):
        raise NotAcceptable(f"This service answers {JSON}; send an Accept header that has it.")


def _problem(error: ServiceError, request_id: str) -> Response:
    response = _render(error.problem(request_id), error.status, PROBLEM_JSON)
    response.headers.update(error.headers)
    if isinstance(error, BodyTooLarge):
        # A streamed response keeps Functions Framework from reading on through an endless body.
        response.response = iter([response.get_data()])
    return response


def _render(body: dict[str, Any], status: int, mimetype: str) -> Response:
    response = Response(_encode(body).encode(), status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _no_content(headers: dict[str, str]) -> Response:
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response


def _log_request(
    log: JsonLog, request: Request, status: int, request_id: str, started: float
) -> None:
    # 503 is a cold start's honest answer; what made a load fail is logged as ERROR on its own.
    severity = "INFO" if status < 400 else "WARNING" if status < 500 or status == 503 else "ERROR"
    path = request.path[:_LONGEST_LOGGED_PATH]
    log.write(
        severity,
        f"{request.method} {path} {status}",
        request_id=request_id,
        method=request.method,
        path=path,
        status=status,
        duration_ms=round((time.perf_counter() - started) * 1000, 3),
        **context.trace_fields(request.environ),
    )
