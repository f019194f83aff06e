"""What each operation takes and gives, as JSON Schema (2020-12), for the OpenAPI document."""

from __future__ import annotations

from typing import Any, NamedTuple

from function.http import explanation_shapes
from function.http.json_schema import (
    NULLABLE_TEXT,
    PROBABILITY,
    TEXT,
    Json,
    closed,
    list_of,
    object_of,
)
from function.http.negotiation import HTML, JSON
from function.protocols.lines import CSV, NDJSON
from function.settings import Settings

OCTETS = "application/octet-stream"
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"  # as str.isspace has it, which knows more than JSON Schema


class Shape(NamedTuple):
    """By media type, what an operation answers, and what its body holds where it has one."""

    answer: Json
    body: Json | None = None
    is_body_needed: bool = True
    is_explained: bool = False
    """Whether it is asked of models that cannot be explained, too (501)."""


def _json(schema: Json, example: Any = None) -> Json:
    return {JSON: {"schema": schema} | ({} if example is None else {"example": example})}


def _named(name: str, example: Any = None) -> Json:
    return _json({"$ref": f"#/components/schemas/{name}"}, example)


_READY = _json(object_of(ready={"type": "boolean"}), {"ready": True})
_MODEL_READY = _json(
    object_of(name=TEXT, ready={"type": "boolean"}), {"name": "reviews", "ready": True}
)
_INFERENCE = {
    "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["Terrible service"]}]
}
_INFER = Shape(
    _named("InferenceResponse") | {OCTETS: {}},
    _named("InferenceRequest", _INFERENCE) | {OCTETS: {}},
)


def _events(data: Json) -> Json:
    """In binary mode the data alone, in the other two events that hold it."""
    event = object_of(specversion={"const": "1.0"}, id=_ID, source=_ID, type=_ID, data=data)
    return _json(data) | {
        "application/cloudevents+json": {"schema": event},
        "application/cloudevents-batch+json": {"schema": {**list_of(event), "maxItems": 100}},
    }


_ID = {"type": "string", "minLength": 1}
_ASKED = {
    "anyOf": [{"$ref": f"#/components/schemas/{name}Request"} for name in ("Predict", "Batch")]
}
_PAGE: Json = {HTML: {}}
_METADATA = Shape(_named("ModelMetadata"))
_SCORING = Shape(
    _named("Scores"),
    _named("ScoringRequest", {"inputs": ["Terrible service"]})
    | {CSV: {"schema": {}, "example": "text\nTerrible service\n"}},
)

SHAPES: dict[tuple[str, str], Shape] = {
    ("/", "GET"): Shape(_named("Index") | _PAGE),
    ("/", "POST"): Shape(_events({}), _events(_ASKED)),
    ("/health", "GET"): Shape(_named("Health")),
    ("/health/live", "GET"): Shape(_json(object_of(status={"const": "live"}))),
    ("/health/ready", "GET"): Shape(_json(object_of(status={"const": "ready"}))),
    ("/metrics", "GET"): Shape({"text/plain": {}, "application/openmetrics-text": {}}),
    ("/openapi.json", "GET"): Shape(_json({"type": "object"})),
    ("/docs", "GET"): Shape(_PAGE),
    ("/redoc", "GET"): Shape(_PAGE),
    ("/pages/{file}", "GET"): Shape({"text/javascript": {}, "text/css": {}}),
    ("/models/info", "GET"): Shape(_named("ModelInfo")),
    ("/models/refresh", "POST"): Shape(_named("Refresh"), _json({}), is_body_needed=False),
    ("/predict", "POST"): Shape(
        _named("Prediction"),
        _named("PredictRequest", {"text": "This product is amazing!"}),
        is_explained=True,
    ),
    ("/explain", "POST"): Shape(
        _named("ExplainedPrediction"),
        _named("ExplainRequest", {"text": "This product is amazing!", "top": 5}),
        is_explained=True,
    ),
    ("/predict_batch", "POST"): Shape(
        _json(object_of(predictions=list_of({"$ref": "#/components/schemas/Prediction"})))
        | {NDJSON: {"schema": TEXT}},
        _named("BatchRequest", {"texts": ["Terrible service", "Just okay"]})
        | {
            NDJSON: {"schema": {"description": "PredictRequest, one a line; as many as there are"}},
            CSV: {"schema": {}, "example": "text\nTerrible service\n"},
        },
    ),
    ("/invocations", "POST"): _SCORING,
    ("/endpoints/{model}/invocations", "POST"): _SCORING,
    ("/ping", "GET"): Shape({JSON: {}}),
    ("/version", "GET"): Shape({JSON: {}}),
    ("/v2", "GET"): Shape(_json(object_of(name=TEXT, version=TEXT, extensions=list_of(TEXT)))),
    ("/v2/health/live", "GET"): Shape(_json(object_of(live={"type": "boolean"}), {"live": True})),
    ("/v2/health/ready", "GET"): Shape(_READY),
    ("/v2/repository/index", "POST"): Shape(
        _json(list_of(object_of(name=TEXT, version=TEXT, state=TEXT, reason=TEXT))),
        _json({}),
        is_body_needed=False,
    ),
    ("/v2/models/{model}", "GET"): _METADATA,
    ("/v2/models/{model}/ready", "GET"): Shape(_MODEL_READY),
    ("/v2/models/{model}/infer", "POST"): _INFER,
    ("/v2/models/{model}/versions/{version}", "GET"): _METADATA,
    ("/v2/models/{model}/versions/{version}/ready", "GET"): Shape(_MODEL_READY),
    ("/v2/models/{model}/versions/{version}/infer", "POST"): _INFER,
    ("/v1/models", "GET"): Shape(_json(object_of(models=list_of(TEXT)), {"models": ["reviews"]})),
    ("/v1/models/{model}", "GET"): Shape(_MODEL_READY),
    ("/v1/models/{model}:predict", "POST"): Shape(
        _named("Scores"), _named("InstancesRequest", {"instances": ["Terrible service"]})
    ),
}


def schemas(settings: Settings) -> dict[str, Json]:
    """The schemas that the document names, with the limits that this process has."""
    longest = settings.max_text_length
    text = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": _NOT_BLANK}
    row = {"type": "string", "maxLength": longest}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": settings.max_batch_size}
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": settings.max_rows}
    flag = {"type": "boolean", "default": False}
    return {
        "PredictRequest": closed({"text": text}, return_scores=flag, explain=flag),
        "BatchRequest": closed({"texts": texts}, return_scores=flag),
        "Prediction": _prediction(),
        **explanation_shapes.schemas(text),
        "Index": object_of(
            status={"const": "alive"},
            service_name=TEXT,
            version=TEXT,
            endpoints=list_of(object_of(method=TEXT, path=TEXT, summary=TEXT)),
        ),
        "Health": object_of(
            status={"enum": ["healthy", "loading", "unhealthy"]},
            model_loaded={"type": "boolean"},
            stale={"type": "boolean"},
            refused={"type": ["object", "null"]},
            service_name=TEXT,
            version=TEXT,
        ),
        "ModelInfo": _model_info(),
        "Refresh": object_of(
            outcome={"enum": ["unchanged", "replaced", "refused", "under way", "fixed"]},
            model_version=NULLABLE_TEXT,
            refused={"type": ["object", "null"]},
        ),
        "Scores": object_of(predictions=list_of({"type": ["string", "array", "null"]})),
        "ScoringRequest": {
            "type": "object",
            "oneOf": [{"required": [name]} for name in _scoring(rows)],
            "properties": {**_scoring(rows), "params": {}},
        },
        "InstancesRequest": object_of(instances={**rows, "minItems": 0}),
        "InferenceRequest": _inference_request(rows),
        "InferenceResponse": _inference_response(),
        "ModelMetadata": object_of(
            name=TEXT,
            versions=list_of(TEXT),
            platform=TEXT,
            inputs=list_of({"$ref": "#/components/schemas/TensorMetadata"}),
            outputs=list_of({"$ref": "#/components/schemas/TensorMetadata"}),
        ),
        "TensorMetadata": object_of(name=TEXT, datatype=TEXT, shape=list_of({"type": "integer"})),
        "Problem": _problem(),
    }


def _prediction() -> Json:
    found = object_of(
        text=TEXT, sentiment=NULLABLE_TEXT, confidence=PROBABILITY, model_version=NULLABLE_TEXT
    )
    found["properties"] |= {
        "labels": list_of(TEXT) | {"description": "Those that apply, of a multilabel model"},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}},
        "explanation": {"$ref": "#/components/schemas/Explanation"},
    }
    return found


def _model_info() -> Json:
    found = object_of(
        model_name=NULLABLE_TEXT,
        version=NULLABLE_TEXT,
        run_id=NULLABLE_TEXT,
        model_uri=TEXT,
        stage=NULLABLE_TEXT,
        aliases=list_of(TEXT),
        loaded_at={"type": "string", "format": "date-time"},
        engine={"enum": ["compiled", "sklearn", "pyfunc"]},
        not_compiled=NULLABLE_TEXT,
        own_functions=list_of(TEXT),
        labels={"type": ["array", "null"], "items": TEXT},
        multilabel={"type": "boolean"},
        original_from_texts={"type": ["integer", "null"], "minimum": 2},
        stale={"type": "boolean"},
        refused={"type": ["object", "null"]},
        load_timings_seconds={"type": "object", "additionalProperties": {"type": "number"}},
    )
    return found


def _scoring(rows: Json) -> Json:
    """MLflow's four ways to spell rows, in their simplest forms; more are taken."""
    row = rows["items"]
    several = {"type": "array", "minItems": 1}
    frame = object_of(data=list_of({"type": ["array", "string"]}))
    frame["properties"]["columns"] = list_of(TEXT)
    return {
        "dataframe_split": frame,
        "dataframe_records": {**list_of({"type": "object"}), "minItems": 1},
        "inputs": {"anyOf": [rows, row, several, {"type": "object"}]},
        "instances": {"anyOf": [rows, row, several]},
    }


def _inference_request(rows: Json) -> Json:
    tensor = object_of(
        name=TEXT, shape=list_of({"type": "integer", "minimum": 0}), datatype=TEXT, data=rows
    )
    tensor["properties"]["parameters"] = {"type": "object"}
    tensor["required"] = ["name", "shape", "datatype"]
    output = {**object_of(name=TEXT)}
    output["properties"]["parameters"] = {"type": "object"}
    found = object_of(inputs={**list_of(tensor), "minItems": 1})
    found["properties"] |= {
        "id": TEXT,
        "outputs": list_of(output),
        "parameters": {"type": "object"},
    }
    return found


def _inference_response() -> Json:
    tensor = object_of(name=TEXT, datatype=TEXT, shape=list_of({"type": "integer"}))
    tensor["properties"] |= {"data": {"type": "array"}, "parameters": {"type": "object"}}
    found = object_of(model_name=TEXT, model_version=TEXT, outputs=list_of(tensor))
    found["properties"]["id"] = TEXT
    return found


def _problem() -> Json:
    """RFC 9457, with what is added to it here."""
    found = object_of(
        type={"type": "string", "format": "uri"},
        title=TEXT,
        status={"type": "integer"},
        detail=TEXT,
        request_id=TEXT,
    )
    found["properties"] |= {
        "errors": list_of(object_of(pointer=TEXT, detail=TEXT)),
        "error": TEXT,
        "error_code": TEXT,
        "message": TEXT,
    }
    return found
