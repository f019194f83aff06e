"""The one list of paths: path -> method -> operation."""

from __future__ import annotations

from typing import NamedTuple

from function.http import endpoints
from function.http.endpoints import Endpoint
from function.http.messages import UNRESOLVED, Request


class Operation(NamedTuple):
    """An endpoint as a client sees it.

    ``needs_model`` where it waits for the model or asks it, ``asks_registry`` where that may take
    seconds whatever the model is, ``takes_webhooks`` where MLflow itself may ask, and signs that.
    ``is_document`` where the answer is no JSON: it takes milliseconds, and no model. ``scope`` is
    what a caller's key or token must have (security/access.py), where it must have one.
    """

    endpoint: Endpoint
    summary: str
    needs_model: bool = False
    scope: str | None = None
    asks_registry: bool = False
    takes_webhooks: bool = False
    is_document: bool = False


ROUTES: dict[str, dict[str, Operation]] = {
    "/": {"GET": Operation(endpoints.index, "What this service is and offers")},
    "/health": {"GET": Operation(endpoints.health, "Status, always 200 while the process lives")},
    "/health/live": {"GET": Operation(endpoints.live, "Liveness probe")},
    "/health/ready": {"GET": Operation(endpoints.ready, "Readiness probe; starts the load")},
    "/metrics": {"GET": Operation(endpoints.metrics, "Metrics for Prometheus", is_document=True)},
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
        "POST": Operation(endpoints.predict_batch, "Classify several texts", True, "predict")
    },
}


def route_of(path: str) -> str:
    """The path as ROUTES has it: doubled and trailing slashes mean nothing here."""
    if path in ROUTES:
        return path
    return "/" + "/".join(filter(None, path.split("/")))


def operation_of(request: Request) -> Operation | None:
    """What the request asks for; None where there is no such thing."""
    found: Operation | None = request.operation
    if found is UNRESOLVED:
        method = "GET" if request.method == "HEAD" else request.method
        found = request.operation = ROUTES.get(route_of(request.path), {}).get(method)
    return found


def allowed_methods(operations: dict[str, Operation]) -> str:
    """The ``Allow`` header of a path: HEAD comes with GET, OPTIONS with everything."""
    methods = [*operations, "OPTIONS"]
    if "GET" in operations:
        methods.append("HEAD")
    return ", ".join(sorted(methods))


def directory() -> list[dict[str, str]]:
    """Every operation, as ``GET /`` lists them."""
    return [
        {"method": method, "path": path, "summary": operation.summary}
        for path, operations in ROUTES.items()
        for method, operation in operations.items()
    ]
