"""The OpenAPI document: valid, of every operation, and what the service answers fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from function.http.openapi import document
from function.http.routes import ROUTES
from function.settings import Settings
from tests.conftest import modules_after
from tests.doors import start_door
from tests.processes import LiveServer
from tests.test_inference_v2 import TEXTS, tensor

DOCUMENT = document(ROUTES, Settings())
OPERATIONS = [(path, method) for path, methods in ROUTES.items() for method in methods]
INFER = {"inputs": [tensor(TEXTS)]}
EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "written"}
BODIES: dict[str, Any] = {
    "/": {"text": "lovely"},
    "/models/refresh": {},
    "/predict": {"text": "lovely", "return_scores": True, "explain": True},
    "/explain": {"text": "lovely shop", "top": 1},
    "/predict_batch": {"texts": ["lovely", "awful"]},
    "/invocations": {"inputs": ["lovely"]},
    "/endpoints/{model}/invocations": {"inputs": ["lovely"]},
    "/v2/repository/index": {},
    "/v2/models/{model}/infer": INFER,
    "/v2/models/{model}/versions/{version}/infer": INFER,
    "/v1/models/{model}:predict": {"instances": ["lovely"]},
}


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    server = start_door(request.param, compiled_folder, tmp_path_factory.mktemp("openapi"))
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


@pytest.mark.parametrize("auth", ["none", "api-key", "jwt"])
def test_the_document_is_valid_however_the_service_is_set_up(auth: str) -> None:
    from openapi_spec_validator import validate

    found = document(ROUTES, Settings(auth=auth))
    validate(found)
    assert ("securitySchemes" in found["components"]) is (auth != "none")
    assert "security" not in found["paths"]["/health/live"]["get"]
    assert ("security" in found["paths"]["/predict"]["post"]) is (auth != "none")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_has_its_errors_and_its_parameters(path: str, method: str) -> None:
    found = DOCUMENT["paths"][path][method.lower()]
    wanted = {"200", "400", "401", "403", "404", "406", "408", "500", "503"}
    assert wanted <= found["responses"].keys()
    assert ("422" in found["responses"]) is ("requestBody" in found) is (method == "POST")
    assert path.count("{") == len(found.get("parameters", []))


def test_no_two_operations_have_one_id() -> None:
    ids = [op["operationId"] for path in DOCUMENT["paths"].values() for op in path.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)


def schema_of(content: dict[str, Any]) -> dict[str, Any]:
    """A media type's schema, with what it refers to."""
    return {**content["application/json"].get("schema", {}), "components": DOCUMENT["components"]}


def validate(payload: Any, schema: Any) -> None:
    """Raises ValidationError."""
    import jsonschema  # takes a second: it parses the grammars of 38 formats

    jsonschema.validate(payload, schema)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_asked_and_answered_fits_the_schemas(
    server: LiveServer, path: str, method: str
) -> None:
    found = DOCUMENT["paths"][path][method.lower()]
    place = path.format(model="reviews", version="2", file="playground.js")
    payload = BODIES.get(path) if method == "POST" else None
    if payload is not None:
        validate(payload, schema_of(found["requestBody"]["content"]))
    headers = EVENT if path == "/" and method == "POST" else {}
    reply = server.request(place, payload, headers=headers, method=method)
    assert reply.status == 200
    media_type = reply.headers["Content-Type"].partition(";")[0]
    assert media_type in found["responses"]["200"]["content"]
    if media_type == "application/json" and reply.body.strip() and path != "/version":
        validate(reply.json, schema_of(found["responses"]["200"]["content"]))


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("/predict", {"text": " "}),
        ("/predict", {"text": "a", "x": 1}),
        ("/explain", {"text": "a", "top": -1}),
        ("/predict_batch", {"texts": []}),
        ("/invocations", {"inputs": []}),
        ("/v2/models/reviews/infer", {"inputs": []}),
    ],
)
def test_what_is_refused_fits_neither_the_schemas_and_is_told_as_they_say(
    server: LiveServer, path: str, payload: Any
) -> None:
    from jsonschema import ValidationError

    found = DOCUMENT["paths"][path.replace("reviews", "{model}")]["post"]
    with pytest.raises(ValidationError):
        validate(payload, schema_of(found["requestBody"]["content"]))
    reply = server.request(path, payload)
    assert str(reply.status) in found["responses"]
    problem = DOCUMENT["components"]["schemas"]["Problem"]
    validate(reply.json, {**problem, "components": DOCUMENT["components"]})


def test_the_service_hands_it_out_and_makes_it_only_then(
    server: LiveServer, compiled_folder: Path
) -> None:
    assert server.request("/openapi.json").json == json.loads(json.dumps(DOCUMENT))
    script = (
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "create_application(Settings.from_environ({'HOST': '127.0.0.1'}))\n"
    )
    loaded = modules_after(script)
    assert not loaded & {"function.http.openapi", "function.http.shapes"}
