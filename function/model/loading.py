"""One load from start to end: log it, and say what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from function.errors import ModelLoadError, ModelUnavailable, ServiceError, UnusableModel, chain
from function.model.attempt import Attempt, LoadedModel, Work, load
from function.model.stages import Stages
from function.settings import Settings
from function.telemetry import start
from function.telemetry.signals import Signals

# Numbers that differ each time: addresses in memory, names of temporary folders, ids, durations.
_PASSING = r"0x[0-9a-f]+|\bmodel-\w{8}(/tmp\w{8})?|[0-9a-f]{16,}|\d+\.\d+"


class LoadFailure(Exception):
    """A load that failed and was logged; ``answer`` is what waiting requests are told."""

    def __init__(self, answer: ServiceError) -> None:
        super().__init__(str(answer))
        self.answer = answer


class Loader:
    """Loads what the settings name right now, and counts the attempts that it takes.

    ``begun`` is the first of them, where it is under way already.
    """

    def __init__(
        self,
        settings: Settings,
        signals: Signals,
        begun: Attempt[LoadedModel] | None = None,
        work: Work[LoadedModel] = load,
    ) -> None:
        self._work = work
        self._settings = settings
        self._begun = begun
        self._log = signals.log
        self._signals = signals
        self._origin = settings.compiled_model or settings.model_uri
        self._attempts = 0
        self._cause: list[str] = []

    def __call__(self) -> LoadedModel:
        """One attempt; raises LoadFailure once it is logged."""
        self._attempts += 1
        if self._attempts == 1:
            self._log.write("INFO", "model load started", model_uri=self._origin)
        attempt, self._begun = self._begun or Attempt(self._settings, self._work), None
        try:
            model = attempt.result(self._settings.load_deadline_seconds)
        except BaseException as exc:  # a model's own code runs here, and may call sys.exit
            self._count("failed", attempt.stages, type(exc).__name__)
            self._log_failure(exc, attempt)
            raise LoadFailure(self._answer(exc)) from exc
        self._count("loaded", attempt.stages)
        self._log_success(model, attempt.stages)
        self._attempts, self._cause = 0, []
        shown = self._log.redact(model.lineage.model_uri)
        return model._replace(lineage=model.lineage._replace(model_uri=shown))

    def _count(self, outcome: str, stages: Stages, failure: str | None = None) -> None:
        self._signals.metrics.loaded(outcome)
        if self._signals.tracing is not None:
            origin = self._log.redact(self._origin)
            self._signals.tracing.load(stages.timeline, failure, {"model.uri": origin})

    def _warn_of_code(self, stages: Stages) -> None:
        for told in stages.ran_code:
            self._log.write("WARNING", told, model_uri=self._origin)

    def _log_failure(self, exc: BaseException, attempt: Attempt[LoadedModel]) -> None:
        """Whole the first time; a cause that is still the same as one line."""
        stage = attempt.stages.current
        cause, before = [stage, *_links(exc)], self._cause
        self._cause = cause
        if cause == before:
            told = f"model load failed at stage {stage}, attempt {self._attempts}: {exc}"
            self._log.write("ERROR", told.replace("\n", " "), model_uri=self._origin)
            return
        self._warn_of_code(attempt.stages)
        self._log.failure(
            f"model load failed at stage {stage}",
            exc,
            model_uri=self._origin,
            returned=getattr(exc, "returned", None),
            not_published=attempt.stages.not_published,
            timings_seconds=attempt.stages.seconds,
            attempts=self._attempts if self._attempts > 1 else None,
            still_at=attempt.given_up_at,
        )

    def _log_success(self, model: LoadedModel, stages: Stages) -> None:
        start.mark("model_loaded")
        self._warn_of_code(stages)
        self._log.write(
            "INFO",
            "model loaded",
            model_uri=self._origin,
            model_version=model.lineage.shown_version,
            engine=model.predictor.engine,
            not_compiled=model.not_compiled,
            through_mlflow=stages.through_mlflow,
            not_published=stages.not_published,
            not_cached=stages.not_cached,
            registry_away=stages.registry_away,
            stale=model.is_stale or None,
            trained_with=model.lineage.details.get("trained_with"),
            restored=model.lineage.details.get("restored"),
            warnings=model.lineage.details.get("warnings"),
            timings_seconds=model.timings_seconds,
            attempts=self._attempts if self._attempts > 1 else None,
        )

    def _answer(self, exc: BaseException) -> ServiceError:
        if isinstance(exc, UnusableModel):
            return UnusableModel()  # not the ModelOutputError itself: it has been logged
        told = f"The model could not be loaded ({type(exc).__name__}); the log has the cause."
        if isinstance(exc, ModelLoadError):
            told = self._log.redact(exc.told)
        return ModelUnavailable(told, self._settings.load_retry_seconds)


def _links(exc: BaseException) -> Iterator[str]:
    """The chain of causes, each as its type and what lasts of its message."""
    for link in chain(exc):
        yield f"{type(link).__name__}: {re.sub(_PASSING, '', str(link))}"
