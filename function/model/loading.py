"""One load from start to end: log it, time it, and say what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from function.errors import ModelLoadError, ModelUnavailable, ServiceError, UnusableModel
from function.model.sources import from_folder, from_registry
from function.model.stages import Stages
from function.predictor import Predictor
from function.registry.lineage import Lineage
from function.settings import Settings
from function.telemetry.logs import JsonLog, timestamp


class LoadFailure(Exception):
    """A load that failed and was logged; ``answer`` is what waiting requests are told."""

    def __init__(self, answer: ServiceError) -> None:
        super().__init__(str(answer))
        self.answer = answer


@dataclass(frozen=True)
class LoadedModel:
    """A model that has answered a prediction.

    ``timings_seconds`` are by stage, in order; ``not_compiled`` is why the engine is not the
    compiled one, None where it is.
    """

    predictor: Predictor
    lineage: Lineage
    timings_seconds: dict[str, float]
    not_compiled: str | None = None
    loaded_at: str = field(default_factory=timestamp)


def load_model(settings: Settings, log: JsonLog) -> LoadedModel:
    """Load what ``settings.model_uri`` means right now.

    Raises LoadFailure after logging the whole cause once.
    """
    stages = Stages()
    origin = settings.compiled_model or settings.model_uri
    log.write("INFO", "model load started", model_uri=origin)
    try:
        model = _load(settings, stages)
    except BaseException as exc:  # a model's own code runs here, and may call sys.exit
        log.failure(
            f"model load failed at stage {stages.current}",
            exc,
            model_uri=origin,
            returned=getattr(exc, "returned", None),
            timings_seconds=stages.seconds,
        )
        raise LoadFailure(_answer(exc, settings.load_retry_seconds)) from exc
    log.write(
        "INFO",
        "model loaded",
        model_uri=origin,
        model_version=model.lineage.shown_version,
        engine=model.predictor.engine,
        not_compiled=model.not_compiled,
        through_mlflow=stages.through_mlflow,
        trained_with=model.lineage.details.get("trained_with"),
        restored=model.lineage.details.get("restored"),
        warnings=model.lineage.details.get("warnings"),
        timings_seconds=model.timings_seconds,
    )
    return model


def _load(settings: Settings, stages: Stages) -> LoadedModel:
    source = from_folder if settings.compiled_model else from_registry
    predictor, lineage, not_compiled = source(settings, stages)
    return LoadedModel(predictor, lineage, stages.seconds, not_compiled)


def _answer(exc: BaseException, retry_after_seconds: float) -> ServiceError:
    if isinstance(exc, UnusableModel):
        return UnusableModel()  # not the ModelOutputError itself: it has been logged
    if isinstance(exc, ModelLoadError):
        return ModelUnavailable(str(exc), retry_after_seconds)
    return ModelUnavailable(
        f"The model could not be loaded ({type(exc).__name__}); the log has the cause.",
        retry_after_seconds,
    )
