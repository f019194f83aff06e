"""The operations themselves: each takes the service and a request, and returns what to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from function import __version__
from function.http.messages import Document, Request, Stream
from function.model.attempt import LoadedModel
from function.model.cache import ModelCache
from function.model.following import Follower
from function.predictor import Answer
from function.protocols import sentiment
from function.settings import Settings
from function.telemetry import start
from function.telemetry.signals import Signals

Routes = Mapping[str, Mapping[str, Any]]
"""Path -> method -> routes.Operation; they are made of what is here."""


class Service(NamedTuple):
    """What every endpoint works with."""

    settings: Settings
    models: ModelCache
    follower: Follower
    signals: Signals
    routes: Routes

    def model(self) -> LoadedModel:
        """The model, waiting for it if need be; raises ModelUnavailable (503)."""
        return self.models.get(self.settings.load_timeout_seconds)

    def ready(self) -> None:
        """Start the load and raise ModelUnavailable (503) where there is no model yet."""
        if self.models.model is None:
            self.models.start()
            raise self.models.unavailable()

    def predict(self, model: LoadedModel, texts: Sequence[str]) -> Sequence[Answer]:
        """The model's answers, counted; every protocol asks this way."""
        tracing = self.signals.tracing
        if tracing is None:
            answers = model.predictor.predict(texts)
        else:
            version = model.lineage.shown_version or ""
            facts = {"model.version": version, "model.engine": model.predictor.engine}
            with tracing.span("predict", {**facts, "batch.size": len(texts)}):
                answers = model.predictor.predict(texts)
        self.signals.metrics.predicted(answers)
        return answers


Body = dict[str, Any] | str | Document | Stream
Endpoint = Callable[[Service, Request], Body]
"""From a request, its body decoded, to the response's: an object to render, JSON that is rendered,
what is no JSON, or what makes it while the request's body arrives."""


def index(service: Service, request: Request) -> dict[str, Any]:
    """What this service is and where its operations are; ``status`` is what KServe's clients of v1
    ask whether it lives."""
    return {
        "status": "alive",
        "service_name": service.settings.service_name,
        "version": __version__,
        "endpoints": [
            {"method": method, "path": path, "summary": operation.summary}
            for path, operations in service.routes.items()
            for method, operation in operations.items()
        ],
    }


def health(service: Service, request: Request) -> dict[str, Any]:
    """Always answers while the process lives; asking loads nothing."""
    models = service.models
    status = "loading" if models.loading else "unhealthy" if models.failed else "healthy"
    return {
        "status": status,
        "model_loaded": models.model is not None,
        "stale": models.model is not None and models.model.is_stale,
        "refused": _refused(service),
        "service_name": service.settings.service_name,
        "version": __version__,
    }


def live(service: Service, request: Request) -> dict[str, Any]:
    """The process answers."""
    return {"status": "live"}


def ready(service: Service, request: Request) -> dict[str, Any]:
    """200 once the model has answered a prediction; asking starts the load, never waits for it."""
    service.ready()
    return {"status": "ready"}


def predict(service: Service, request: Request) -> str:
    """Classify one text."""
    text, with_scores, is_explained = sentiment.parse_predict(request.body, service.settings)
    model = service.model()
    prediction = service.predict(model, (text,))[0]
    labels = model.predictor.labels if with_scores else None
    answer = sentiment.render_prediction(text, prediction, model.lineage.shown_version, labels)
    if not is_explained:
        return answer
    from function.model import explaining
    from function.protocols import explanations

    return explanations.render(answer, explaining.explain(model, text, prediction))


def predict_batch(service: Service, request: Request) -> str:
    """Classify up to MAX_BATCH_SIZE texts, answered in input order."""
    texts, with_scores = sentiment.parse_batch(request.body, service.settings)
    model = service.model()
    predictions = service.predict(model, texts)
    labels = model.predictor.labels if with_scores else None
    version = model.lineage.shown_version
    return sentiment.render_batch(texts, predictions, version, labels)


def models_info(service: Service, request: Request) -> dict[str, Any]:
    """The loaded model's lineage, engine and load timings; loads it if need be."""
    model = service.model()
    lineage = model.lineage
    return {
        "model_name": lineage.model_name,
        "version": lineage.version,
        "run_id": lineage.run_id,
        "model_id": lineage.model_id,
        "model_uri": lineage.model_uri,
        "stage": lineage.stage,
        "aliases": list(lineage.aliases),
        "loaded_at": model.loaded_at,
        "engine": model.predictor.engine,
        "not_compiled": model.not_compiled,
        "own_functions": getattr(model.predictor, "own_functions", []),
        "labels": model.predictor.labels,
        "multilabel": model.predictor.multilabel,
        "signature": lineage.details.get("signature"),
        "flavours": lineage.details.get("flavours"),
        "mlflow_version": lineage.details.get("mlflow_version"),
        "trained_with": lineage.details.get("trained_with", {}),
        "restored": lineage.details.get("restored", []),
        "warnings": lineage.details.get("warnings", []),
        "size_bytes": lineage.details.get("size_bytes"),
        "terms": getattr(model.predictor, "terms", None),
        "native": getattr(model.predictor, "native", None),
        "original_from_texts": getattr(model.predictor, "original_from_texts", None),
        "digest": lineage.details.get("digest"),
        "stale": model.is_stale,
        "refused": _refused(service),
        "load_timings_seconds": model.timings_seconds,
    }


def models_refresh(service: Service, request: Request) -> dict[str, Any]:
    """Ask the registry which version is meant now, and follow; ModelUnavailable where it does not
    say."""
    service.model()
    outcome = service.follower.look()
    return {
        "outcome": outcome,
        "model_version": service.model().lineage.shown_version,
        "refused": _refused(service),
    }


def metrics(service: Service, request: Request) -> Document:
    """What Prometheus scrapes; asking loads nothing."""
    from function.telemetry.exposition import ModelFacts, render

    model, facts = service.models.model, None
    if model is not None:
        lineage, predictor = model.lineage, model.predictor
        info = {
            "name": lineage.model_name or "",
            "version": lineage.shown_version or "",
            "run_id": lineage.run_id or "",
            "engine": predictor.engine,
        }
        terms = getattr(predictor, "terms_met", None)
        facts = ModelFacts(info, model.timings_seconds, terms)
    cold_start_seconds = start.seconds_until("model_loaded")
    accept = request.headers.get("accept", "")
    return Document(*render(service.signals.metrics, facts, cold_start_seconds, accept))


def openapi(service: Service, request: Request) -> dict[str, Any]:
    """This document."""
    from function.http.openapi import document

    return document(service.routes, service.settings)


def _refused(service: Service) -> dict[str, Any] | None:
    """The version that MODEL_URI means and that is not served, where it is so."""
    refusal = service.follower.refusal
    if refusal is None:
        return None
    return {"version": refusal.version, "reason": refusal.reason, "since": refusal.since}
