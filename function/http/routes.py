"""The one list of paths: path -> method -> operation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from function.http import endpoints
from function.http.endpoints import Body, Endpoint, Service
from function.http.messages import UNRESOLVED, Request
from function.http.negotiation import JSON, prefers_html


class Operation(NamedTuple):
    """An endpoint as a client sees it.

    ``needs_model`` where it waits for the model or asks it, ``asks_registry`` where that may take
    seconds whatever the model is, ``is_aside`` where it takes milliseconds without a model,
    ``takes_webhooks`` where MLflow itself may ask, and signs that. ``negotiates`` where the
    endpoint looks at Content-Type and Accept itself. ``scope`` is what a caller's key or token must
    have (security/access.py), where it must have one; ``dialect`` is the protocol of others in
    which an error has more members. Where the body is lines (protocols/lines.py) and there is
    ``of_lines``, that is meant instead; it ``streams``: the answer is made while the body arrives.
    ``explains`` where that is what is asked: it takes several times as long as a prediction.
    ``for_browsers`` is meant where the client would rather have a page. What ``is_open`` takes
    nobody's key: it holds nothing that is not in this repository.
    """

    endpoint: Endpoint
    summary: str
    needs_model: bool = False
    scope: str | None = None
    asks_registry: bool = False
    takes_webhooks: bool = False
    is_aside: bool = False
    negotiates: bool = False
    dialect: str = ""
    streams: bool = False
    of_lines: Operation | None = None
    explains: bool = False
    for_browsers: Operation | None = None
    is_open: bool = False


def _adapter(name: str) -> Endpoint:
    """One of adapters.py, which a start does without until somebody asks for it."""

    def endpoint(service: Service, request: Request) -> Body:
        from function.http import adapters

        found: Endpoint = getattr(adapters, name)
        return found(service, request)

    return endpoint


def _page(name: str, summary: str) -> Operation:
    """One of pages.py, which a start does without as well."""

    def endpoint(service: Service, request: Request) -> Body:
        from function.http import pages

        found: Endpoint = getattr(pages, name)
        return found(service, request)

    return Operation(endpoint, summary, is_aside=True, negotiates=True, is_open=True)


def _mlflow(name: str, summary: str, **more: Any) -> Operation:
    return Operation(_adapter(name), summary, dialect="mlflow", **more)


def _v2(name: str, summary: str, **more: Any) -> Operation:
    return Operation(_adapter(name), summary, dialect="v2", **more)


_ASKS: Any = {"needs_model": True, "scope": "predict"}
_INFER = _v2("v2_infer", "Infer (v2)", negotiates=True, **_ASKS)
_METADATA = _v2("v2_model", "Model metadata (v2)", needs_model=True)
_LINES = Operation(
    _adapter("predict_lines"), "Classify lines", negotiates=True, streams=True, **_ASKS
)
_IS_READY = _v2("model_ready", "Model readiness (v2)", needs_model=True)

ROUTES: dict[str, dict[str, Operation]] = {
    "/": {
        "GET": Operation(
            endpoints.index,
            "What this service is and offers",
            for_browsers=_page("playground", "The playground"),
        ),
        "POST": Operation(
            _adapter("event"), "Answer a CloudEvent with one", negotiates=True, **_ASKS
        ),
    },
    "/health": {"GET": Operation(endpoints.health, "Status, always 200 while the process lives")},
    "/health/live": {"GET": Operation(endpoints.live, "Liveness probe")},
    "/health/ready": {"GET": Operation(endpoints.ready, "Readiness probe; starts the load")},
    "/metrics": {
        "GET": Operation(
            endpoints.metrics, "Metrics for Prometheus", is_aside=True, negotiates=True
        )
    },
    "/openapi.json": {"GET": Operation(endpoints.openapi, "The OpenAPI document", is_aside=True)},
    "/docs": {"GET": _page("swagger", "The API in Swagger UI, to try out")},
    "/redoc": {"GET": _page("redoc", "The API in ReDoc, to read")},
    "/pages/{file}": {"GET": _page("file", "A file of the pages")},
    "/models/info": {
        "GET": Operation(endpoints.models_info, "The loaded model and its lineage", True)
    },
    "/models/refresh": {
        "POST": Operation(
            endpoints.models_refresh,
            "Follow the alias or stage now",
            needs_model=True,
            scope="admin",
            asks_registry=True,
            takes_webhooks=True,
        )
    },
    "/predict": {"POST": Operation(endpoints.predict, "Classify one text", True, "predict")},
    "/predict_batch": {
        "POST": Operation(
            endpoints.predict_batch,
            "Classify several texts, or lines of any number",
            of_lines=_LINES,
            **_ASKS,
        )
    },
    "/explain": {
        "POST": Operation(
            _adapter("explain"), "Classify one text, and say why", explains=True, **_ASKS
        )
    },
    "/invocations": {
        "POST": _mlflow("invocations", "Score rows (MLflow)", negotiates=True, **_ASKS)
    },
    "/endpoints/{model}/invocations": {
        "POST": _mlflow(
            "named_invocations", "Score rows (MLflow deployments)", negotiates=True, **_ASKS
        )
    },
    "/ping": {"GET": _mlflow("ping", "Whether there is a model (MLflow)", negotiates=True)},
    "/version": {
        "GET": _mlflow("version", "The model's MLflow (MLflow)", needs_model=True, negotiates=True)
    },
    "/v2": {"GET": _v2("v2_server", "Server metadata (v2)")},
    "/v2/health/live": {"GET": _v2("v2_live", "Server liveness (v2)")},
    "/v2/health/ready": {"GET": _v2("v2_ready", "Server readiness (v2)")},
    "/v2/repository/index": {"POST": _v2("v2_index", "Repository index (v2)")},
    "/v2/models/{model}": {"GET": _METADATA},
    "/v2/models/{model}/ready": {"GET": _IS_READY},
    "/v2/models/{model}/infer": {"POST": _INFER},
    "/v2/models/{model}/versions/{version}": {"GET": _METADATA},
    "/v2/models/{model}/versions/{version}/ready": {"GET": _IS_READY},
    "/v2/models/{model}/versions/{version}/infer": {"POST": _INFER},
    "/v1/models": {"GET": _v2("v1_models", "The models (KServe v1)")},
    "/v1/models/{model}": {
        "GET": _v2("model_ready", "Model readiness (KServe v1)", needs_model=True)
    },
    "/v1/models/{model}:predict": {
        "POST": _v2("v1_predict", "Predict instances (KServe v1)", **_ASKS)
    },
}


_WITH_PARAMETERS = ("/v1/", "/v2/", "/endpoints/", "/pages/")


def route_of(path: str) -> str:
    """The path as ROUTES has it: doubled and trailing slashes mean nothing here."""
    return path if path in ROUTES and "{" not in path else _resolved(path)[0]


def _resolved(path: str) -> tuple[str, Mapping[str, str]]:
    """The path as ROUTES has it, where it does, and the parameters in it."""
    path = "/" + "/".join(filter(None, path.split("/")))
    if path in ROUTES and "{" not in path:
        return path, {}
    for route, shape in _shapes() if path.startswith(_WITH_PARAMETERS) else ():
        if match := shape.fullmatch(path):
            return route, match.groupdict()
    return path, {}


@cache
def _shapes() -> list[tuple[str, re.Pattern[str]]]:
    """The paths with parameters, the longer first. MLflow lets no name have a colon."""
    return [
        (path, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(path))))
        for path in sorted(ROUTES, key=len, reverse=True)
        if "{" in path
    ]


def operation_of(request: Request) -> Operation | None:
    """What the request asks for, its parameters remembered; None where there is no such thing."""
    found: Operation | None = request.operation
    if found is UNRESOLVED:
        method, path = request.method, request.path
        operations = ROUTES.get(path)
        if operations is None or "{" in path:
            path, request.parameters = _resolved(path)
            operations = ROUTES.get(path, {})
        found = operations.get("GET" if method == "HEAD" else method)
        if found is not None and found.of_lines is not None and _has_lines(request.headers):
            found = found.of_lines
        elif found is not None and found.for_browsers is not None and prefers_html(request.headers):
            found = found.for_browsers
        request.operation = found
    return found


def _has_lines(headers: Mapping[str, str]) -> bool:
    content_type = headers.get("content-type", JSON)
    if content_type == JSON:
        return False
    from function.protocols.lines import is_lines

    return is_lines(content_type)


def allowed_methods(operations: dict[str, Operation]) -> str:
    """The ``Allow`` header of a path: HEAD comes with GET, OPTIONS with everything."""
    methods = [*operations, "OPTIONS"]
    if "GET" in operations:
        methods.append("HEAD")
    return ", ".join(sorted(methods))
