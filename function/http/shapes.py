"""What each operation takes and gives, as JSON Schema (2020-12), for the OpenAPI document."""

from __future__ import annotations

from typing import Any, NamedTuple

from function.http.negotiation import HTML, JSON
from function.protocols.lines import CSV, NDJSON
from function.settings import Settings

Json = dict[str, Any]
OCTETS = "application/octet-stream"
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"  # as str.isspace has it, which knows more than JSON Schema
_TEXT = {"type": "string"}
_NULLABLE_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


class Shape(NamedTuple):
    """By media type, what an operation answers, and what its body holds where it has one."""

    answer: Json
    body: Json | None = None
    is_body_needed: bool = True


def _json(schema: Json, example: Any = None) -> Json:
    return {JSON: {"schema": schema} | ({} if example is None else {"example": example})}


def _named(name: str, example: Any = None) -> Json:
    return _json({"$ref": f"#/components/schemas/{name}"}, example)


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(of: Json) -> Json:
    return {"type": "array", "items": of}


_READY = _json(_object(ready={"type": "boolean"}), {"ready": True})
_MODEL_READY = _json(
    _object(name=_TEXT, ready={"type": "boolean"}), {"name": "reviews", "ready": True}
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
    event = _object(specversion={"const": "1.0"}, id=_ID, source=_ID, type=_ID, data=data)
    return _json(data) | {
        "application/cloudevents+json": {"schema": event},
        "application/cloudevents-batch+json": {"schema": {**_list(event), "maxItems": 100}},
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
    ("/health/live", "GET"): Shape(_json(_object(status={"const": "live"}))),
    ("/health/ready", "GET"): Shape(_json(_object(status={"const": "ready"}))),
    ("/metrics", "GET"): Shape({"text/plain": {}, "application/openmetrics-text": {}}),
    ("/openapi.json", "GET"): Shape(_json({"type": "object"})),
    ("/docs", "GET"): Shape(_PAGE),
    ("/redoc", "GET"): Shape(_PAGE),
    ("/pages/{file}", "GET"): Shape({"text/javascript": {}, "text/css": {}}),
    ("/models/info", "GET"): Shape(_named("ModelInfo")),
    ("/models/refresh", "POST"): Shape(_named("Refresh"), _json({}), is_body_needed=False),
    ("/predict", "POST"): Shape(
        _named("Prediction"), _named("PredictRequest", {"text": "This product is amazing!"})
    ),
    ("/predict_batch", "POST"): Shape(
        _json(_object(predictions=_list({"$ref": "#/components/schemas/Prediction"})))
        | {NDJSON: {"schema": _TEXT}},
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
    ("/v2", "GET"): Shape(_json(_object(name=_TEXT, version=_TEXT, extensions=_list(_TEXT)))),
    ("/v2/health/live", "GET"): Shape(_json(_object(live={"type": "boolean"}), {"live": True})),
    ("/v2/health/ready", "GET"): Shape(_READY),
    ("/v2/repository/index", "POST"): Shape(
        _json(_list(_object(name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT))),
        _json({}),
        is_body_needed=False,
    ),
    ("/v2/models/{model}", "GET"): _METADATA,
    ("/v2/models/{model}/ready", "GET"): Shape(_MODEL_READY),
    ("/v2/models/{model}/infer", "POST"): _INFER,
    ("/v2/models/{model}/versions/{version}", "GET"): _METADATA,
    ("/v2/models/{model}/versions/{version}/ready", "GET"): Shape(_MODEL_READY),
    ("/v2/models/{model}/versions/{version}/infer", "POST"): _INFER,
    ("/v1/models", "GET"): Shape(_json(_object(models=_list(_TEXT)), {"models": ["reviews"]})),
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
    scores = {"type": "boolean", "default": False}
    return {
        "PredictRequest": _closed({"text": text}, return_scores=scores),
        "BatchRequest": _closed({"texts": texts}, return_scores=scores),
        "Prediction": _prediction(),
        "Index": _object(
            status={"const": "alive"},
            service_name=_TEXT,
            version=_TEXT,
            endpoints=_list(_object(method=_TEXT, path=_TEXT, summary=_TEXT)),
        ),
        "Health": _object(
            status={"enum": ["healthy", "loading", "unhealthy"]},
            model_loaded={"type": "boolean"},
            stale={"type": "boolean"},
            refused={"type": ["object", "null"]},
            service_name=_TEXT,
            version=_TEXT,
        ),
        "ModelInfo": _model_info(),
        "Refresh": _object(
            outcome={"enum": ["unchanged", "replaced", "refused", "under way", "fixed"]},
            model_version=_NULLABLE_TEXT,
            refused={"type": ["object", "null"]},
        ),
        "Scores": _object(predictions=_list({"type": ["string", "array", "null"]})),
        "ScoringRequest": {
            "type": "object",
            "oneOf": [{"required": [name]} for name in _scoring(rows)],
            "properties": {**_scoring(rows), "params": {}},
        },
        "InstancesRequest": _object(instances={**rows, "minItems": 0}),
        "InferenceRequest": _inference_request(rows),
        "InferenceResponse": _inference_response(),
        "ModelMetadata": _object(
            name=_TEXT,
            versions=_list(_TEXT),
            platform=_TEXT,
            inputs=_list({"$ref": "#/components/schemas/TensorMetadata"}),
            outputs=_list({"$ref": "#/components/schemas/TensorMetadata"}),
        ),
        "TensorMetadata": _object(name=_TEXT, datatype=_TEXT, shape=_list({"type": "integer"})),
        "Problem": _problem(),
    }


def _closed(needed: Json, **more: Json) -> Json:
    found = _object(**needed)
    return {**found, "properties": {**needed, **more}, "additionalProperties": False}


def _prediction() -> Json:
    found = _object(
        text=_TEXT, sentiment=_NULLABLE_TEXT, confidence=_NUMBER, model_version=_NULLABLE_TEXT
    )
    found["properties"] |= {
        "labels": _list(_TEXT) | {"description": "Those that apply, of a multilabel model"},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}},
    }
    return found


def _model_info() -> Json:
    found = _object(
        model_name=_NULLABLE_TEXT,
        version=_NULLABLE_TEXT,
        run_id=_NULLABLE_TEXT,
        model_uri=_TEXT,
        stage=_NULLABLE_TEXT,
        aliases=_list(_TEXT),
        loaded_at={"type": "string", "format": "date-time"},
        engine={"enum": ["compiled", "sklearn", "pyfunc"]},
        not_compiled=_NULLABLE_TEXT,
        labels={"type": ["array", "null"], "items": _TEXT},
        multilabel={"type": "boolean"},
        stale={"type": "boolean"},
        refused={"type": ["object", "null"]},
        load_timings_seconds={"type": "object", "additionalProperties": {"type": "number"}},
    )
    return found


def _scoring(rows: Json) -> Json:
    """MLflow's four ways to spell rows, in their simplest forms; more are taken."""
    row = rows["items"]
    several = {"type": "array", "minItems": 1}
    frame = _object(columns=_list(_TEXT), data=_list({"type": ["array", "string"]}))
    return {
        "dataframe_split": frame,
        "dataframe_records": {**_list({"type": "object"}), "minItems": 1},
        "inputs": {"anyOf": [rows, row, several, {"type": "object"}]},
        "instances": {"anyOf": [rows, row, several]},
    }


def _inference_request(rows: Json) -> Json:
    tensor = _object(
        name=_TEXT, shape=_list({"type": "integer", "minimum": 0}), datatype=_TEXT, data=rows
    )
    tensor["properties"]["parameters"] = {"type": "object"}
    tensor["required"] = ["name", "shape", "datatype"]
    output = {**_object(name=_TEXT)}
    output["properties"]["parameters"] = {"type": "object"}
    found = _object(inputs={**_list(tensor), "minItems": 1})
    found["properties"] |= {
        "id": _TEXT,
        "outputs": _list(output),
        "parameters": {"type": "object"},
    }
    return found


def _inference_response() -> Json:
    tensor = _object(name=_TEXT, datatype=_TEXT, shape=_list({"type": "integer"}))
    tensor["properties"] |= {"data": {"type": "array"}, "parameters": {"type": "object"}}
    found = _object(model_name=_TEXT, model_version=_TEXT, outputs=_list(tensor))
    found["properties"]["id"] = _TEXT
    return found


def _problem() -> Json:
    """RFC 9457, with what is added to it here."""
    found = _object(
        type={"type": "string", "format": "uri"},
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        request_id=_TEXT,
    )
    found["properties"] |= {
        "errors": _list(_object(pointer=_TEXT, detail=_TEXT)),
        "error": _TEXT,
        "error_code": _TEXT,
        "message": _TEXT,
    }
    return found
