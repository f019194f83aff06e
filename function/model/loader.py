"""One load from start to end: resolve, download, deserialize, first prediction, each timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from function.errors import ModelLoadError, ModelUnavailable, ServiceError
from function.model.lineage import Lineage
from function.model.predictor import Predictor
from function.settings import Settings
from function.telemetry.logs import JsonLog, timestamp

BUILT_IN_EXAMPLE = "This product is amazing!"


class LoadFailure(Exception):
    """A load that failed and was logged; ``answer`` is what waiting requests are told."""

    def __init__(self, answer: ServiceError) -> None:
        super().__init__(str(answer))
        self.answer = answer


@dataclass(frozen=True)
class LoadedModel:
    """A model that has answered a prediction; ``timings_seconds`` by stage, in order."""

    predictor: Predictor
    lineage: Lineage
    timings_seconds: dict[str, float]
    loaded_at: str = field(default_factory=timestamp)


class Stages:
    """Times the stages of a load and knows which one is under way."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``."""
        self.current = name
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 6)


def load_model(settings: Settings, log: JsonLog) -> LoadedModel:
    """Load what ``settings.model_uri`` means right now.

    Raises LoadFailure after logging the whole cause once.
    """
    stages = Stages()
    log.write("INFO", "model load started", model_uri=settings.model_uri)
    try:
        model = _load(settings, stages)
    except Exception as exc:
        log.failure(
            f"model load failed at stage {stages.current}",
            exc,
            model_uri=settings.model_uri,
            returned=getattr(exc, "returned", None),
            timings_seconds=stages.seconds,
        )
        raise LoadFailure(_answer(exc, settings.load_retry_seconds)) from exc
    log.write(
        "INFO",
        "model loaded",
        model_uri=settings.model_uri,
        model_version=model.lineage.shown_version,
        engine=model.predictor.engine,
        timings_seconds=model.timings_seconds,
    )
    return model


def _load(settings: Settings, stages: Stages) -> LoadedModel:
    with stages.timed("import"):
        from function.model import modelfile, registry
        from function.model.predictors import PyfuncPredictor, SklearnPredictor

        registry.connect(settings.mlflow_tracking_uri, settings.model_uri)
    with stages.timed("resolve"):
        lineage = registry.resolve(settings.model_uri)
    with stages.timed("download"):
        folder = registry.download(lineage)
        lineage = registry.identify(lineage, folder)
    with stages.timed("deserialize"):
        flavour = modelfile.flavour(lineage.details)
        model = registry.deserialize(folder, flavour)
    with stages.timed("probe"):
        engine = SklearnPredictor if flavour == "sklearn" else PyfuncPredictor
        column = modelfile.text_column(lineage.details)
        predictor: Predictor = engine(model, settings.label_names(), column)
    with stages.timed("first_prediction"):
        predictor.predict([modelfile.example_text(folder) or BUILT_IN_EXAMPLE])
    return LoadedModel(predictor, lineage, stages.seconds)


def _answer(exc: Exception, retry_after_seconds: float) -> ServiceError:
    if isinstance(exc, ServiceError):
        return exc
    if isinstance(exc, ModelLoadError):
        return ModelUnavailable(str(exc), retry_after_seconds)
    return ModelUnavailable(
        f"The model could not be loaded ({type(exc).__name__}); the log has the cause.",
        retry_after_seconds,
    )
