"""The OpenAPI document: made of the routes, the schemas and the settings when somebody asks for it.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from function import __version__
from function.errors import PROBLEM_JSON
from function.http import shapes
from function.settings import Settings

Json = dict[str, Any]
Routes = Mapping[str, Mapping[str, Any]]
"""Path -> method -> routes.Operation."""
_ERRORS = {
    400: "The request cannot be read",
    401: "No key or token, or none that holds",
    403: "The key or token lacks the scope, or the signature is wrong",
    404: "There is no such model",
    406: "The client accepts no JSON",
    408: "The request stopped arriving",
    413: "The body is larger than MAX_BODY_BYTES",
    415: "The body is announced as something that is not read here",
    422: "JSON, but not what is taken here; `errors` points at each fault",
    500: "The model's answer cannot be read",
    501: "The model is not compiled, and cannot be explained",
    503: "The model is not there, or there is too much at once; see Retry-After",
}
_OF_BODIES = (400, 413, 415, 422)
_TAGS = {"mlflow": "MLflow scoring", "v2": "KServe"}


def document(routes: Routes, settings: Settings) -> Json:
    """The whole document, as this process is set up."""
    found: Json = {
        "openapi": "3.1.1",
        "info": {
            "title": settings.service_name,
            "version": __version__,
            "summary": "A text classifier from the MLflow Model Registry",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            path: {
                method.lower(): _operation(path, method, operation, settings)
                for method, operation in operations.items()
            }
            for path, operations in routes.items()
        },
        "components": {"schemas": shapes.schemas(settings), "responses": _responses()},
    }
    if settings.auth != "none":
        found["components"]["securitySchemes"] = _security_schemes(settings)
    return found


def _operation(path: str, method: str, operation: Any, settings: Settings) -> Json:
    shape = shapes.SHAPES[path, method]
    found: Json = {
        "operationId": f"{method.lower()}{re.sub(r'[^a-z0-9]+', '_', path)}".rstrip("_"),
        "summary": operation.summary,
        "tags": [_TAGS.get(operation.dialect, "Service")],
        "responses": {
            "200": {"description": "Done", "content": shape.answer},
            **{
                str(status): _reference("responses", str(status))
                for status in _statuses(method, shape.is_explained)
            },
        },
    }
    if names := re.findall(r"{(\w+)}", path):
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if shape.body:
        found["requestBody"] = {"required": shape.is_body_needed, "content": shape.body}
    is_open = operation.is_open or path.startswith("/health")
    if settings.auth != "none" and not is_open:
        schemes = _security_schemes(settings)
        found["security"] = [{name: []} for name in schemes]
    return found


def _statuses(method: str, is_explained: bool) -> Iterator[int]:
    for status in _ERRORS:
        is_of_body = status in _OF_BODIES and status != 400
        if (method == "POST" or not is_of_body) and (is_explained or status != 501):
            yield status


def _responses() -> Mapping[str, Json]:
    problem = {"schema": _reference("schemas", "Problem")}
    return {
        str(status): {"description": told, "content": {PROBLEM_JSON: problem}}
        for status, told in _ERRORS.items()
    }


def _security_schemes(settings: Settings) -> Json:
    bearer = {"type": "http", "scheme": "bearer"}
    if settings.auth == "jwt":
        return {"token": {**bearer, "bearerFormat": "JWT"}}
    return {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}, "bearer": bearer}


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
