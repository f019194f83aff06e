"""The operations that a start does without: explanations, lines, and the protocols that others
made, MLflow's, KServe's, the Open Inference Protocol's.

What they mean is in function/protocols; here they are asked of the service.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from function import __version__
from function.errors import MalformedRequest, ServiceError, UnknownPath
from function.http import endpoints
from function.http.endpoints import Service
from function.http.messages import Document, Request, Stream
from function.http.negotiation import JSON
from function.model.attempt import LoadedModel
from function.protocols import inference_v2, kserve_v1, mlflow_scoring, sentiment

OCTETS = "application/octet-stream"


def invocations(service: Service, request: Request) -> str:
    """Score rows, as ``mlflow models serve`` does."""
    media_type = mlflow_scoring.check_content_type(request.headers)
    model = service.model()
    column = _text_column(model)
    texts = mlflow_scoring.parse(request.body, media_type, column, service.settings)
    return mlflow_scoring.render(service.predict(model, texts), _classes(model), _columns(model))


def named_invocations(service: Service, request: Request) -> str:
    """The same under the model's name, where ``mlflow.deployments`` asks."""
    _named(service, request)
    return invocations(service, request)


def predict_lines(service: Service, request: Request) -> Stream:
    """Classify lines of any number, while they arrive."""
    from function.http.bulk import LineStream

    stream = LineStream(service, request)
    service.model()
    return stream


def explain(service: Service, request: Request) -> str:
    """Classify one text, and say what each of its terms adds to the score."""
    from function.model import explaining
    from function.protocols import explanations

    asked = explanations.parse(request.body, service.settings)
    model = service.model()
    answer = service.predict(model, (asked.text,))[0]
    rendered = sentiment.render_prediction(asked.text, answer, model.lineage.shown_version)
    explanation = explaining.explain(model, asked.text, answer, asked.label)
    return explanations.render(rendered, explanation, asked.top)


def ping(service: Service, request: Request) -> Document:
    """Whether there is a model, which MLflow's server has before it listens."""
    service.ready()
    return Document(JSON, b"\n")


def version(service: Service, request: Request) -> Document:
    """The version of MLflow that the model was logged with."""
    logged = service.model().lineage.details.get("mlflow_version")
    return Document(JSON, str(logged or "").encode())


def v2_server(service: Service, request: Request) -> dict[str, Any]:
    """Server metadata."""
    extensions = ["binary_tensor_data", "classification", "model_repository"]
    name = service.settings.service_name
    return {"name": name, "version": __version__, "extensions": extensions}


def v2_live(service: Service, request: Request) -> dict[str, Any]:
    """Server liveness."""
    return {"live": True}


def v2_ready(service: Service, request: Request) -> dict[str, Any]:
    """Server readiness."""
    service.ready()
    return {"ready": True}


def v2_model(service: Service, request: Request) -> dict[str, Any]:
    """Model metadata."""
    model = _named(service, request)
    versions = [model.lineage.shown_version] if model.lineage.shown_version else []
    return inference_v2.metadata(
        _name(model), versions, model.predictor.labels, model.predictor.multilabel
    )


def model_ready(service: Service, request: Request) -> dict[str, Any]:
    """Model readiness, of v1 and v2 alike."""
    service.ready()
    return {"name": _name(_named(service, request)), "ready": True}


def v2_infer(service: Service, request: Request) -> str | Document:
    """Inference."""
    model = _named(service, request)
    asked = inference_v2.parse(request.body, request.headers, _text_column(model), service.settings)
    answers = service.predict(model, asked.texts)
    content, json_size = inference_v2.render(
        asked, answers, _name(model), model.lineage.shown_version, model.predictor.labels
    )
    if json_size is None:
        return content.decode()
    return Document(OCTETS, content, (("Inference-Header-Content-Length", str(json_size)),))


def v2_index(service: Service, request: Request) -> str:
    """The models of the repository: the one that there is."""
    model = service.models.model
    if model is None:
        return "[]"
    version = model.lineage.shown_version or ""
    return json.dumps([{"name": _name(model), "version": version, "state": "READY", "reason": ""}])


def v1_models(service: Service, request: Request) -> dict[str, Any]:
    """The models that there are."""
    model = service.models.model
    return {"models": [] if model is None else [_name(model)]}


def v1_predict(service: Service, request: Request) -> str:
    """Predict instances."""
    model = _named(service, request)
    texts = kserve_v1.parse(request.body, service.settings)
    return kserve_v1.render(service.predict(model, texts))


def event(service: Service, request: Request) -> Document:
    """Answer a CloudEvent with another, or with nothing where EVENT_REPLIES is off."""
    from function.protocols import cloudevents

    if not cloudevents.is_event(request.headers):
        raise MalformedRequest("POST / takes CloudEvents; texts go to /predict.")
    settings = service.settings
    replies = cloudevents.Replies(settings.event_type, settings.event_source)

    def answer(data: bytes) -> str:
        asked = Request("POST", "/predict", request.headers, data)
        if cloudevents.has_texts(data):
            return endpoints.predict_batch(service, asked)
        return endpoints.predict(service, asked)

    headers, content = cloudevents.answered(request.headers, request.body, answer, replies)
    if not settings.event_replies:
        return Document(JSON, b"")
    content_type = headers.pop("content-type", JSON)
    return Document(content_type, content, tuple(headers.items()))


def error_members(dialect: str, error: ServiceError) -> dict[str, Any]:
    """What the clients of a protocol look for in an error, beside what every problem has."""
    if dialect == "mlflow":
        return mlflow_scoring.error_members(error)
    return inference_v2.error_members(error)


def _name(model: LoadedModel) -> str:
    """A model that is in no registry is called so."""
    return model.lineage.model_name or "model"


def _named(service: Service, request: Request) -> LoadedModel:
    """The model, where the path names it; UnknownPath (404) where it names another."""
    model = service.model()
    if request.parameters.get("model") != _name(model):
        raise UnknownPath(f"There is no such model; the one that there is is {_name(model)}.")
    asked = request.parameters.get("version")
    if asked is not None and asked != model.lineage.shown_version:
        told = model.lineage.shown_version or "none"
        raise UnknownPath(f"There is no such version; the one that there is is {told}.")
    return model


def _text_column(model: LoadedModel) -> str | None:
    """What the model's signature calls its texts."""
    signature = model.lineage.details.get("signature") or {}
    inputs = signature.get("inputs") or []
    names = [column.get("name") for column in inputs]
    return names[0] if len(names) == 1 else None


def _classes(model: LoadedModel) -> dict[str, Any]:
    """What the model itself says for each label."""
    own = getattr(model.predictor, "own_classes", None)
    return dict(zip(model.predictor.labels or (), own or (), strict=False))


def _columns(model: LoadedModel) -> Sequence[str]:
    """The labels of which a scikit-learn model says 1 or 0 in a row for each text."""
    is_of_rows = model.predictor.multilabel and model.predictor.engine != "pyfunc"
    return (model.predictor.labels or ()) if is_of_rows else ()
