"""One load from start to end: bound it in time, log it, and say what went wrong.

An attempt has a thread of its own, for no timeout of a library bounds the whole: a server that
sends a byte now and then keeps every one of them. When its time is up the attempt is told so and
hung up on, and nobody waits for it any longer. What cannot be interrupted goes on to its own end;
there it cleans up after itself, and what it brings is dropped.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

from function.errors import ModelLoadError, ModelUnavailable, ServiceError, UnusableModel, chain
from function.model.sources import from_folder, from_registry
from function.model.stages import Stages
from function.predictor import Predictor
from function.registry.lineage import Lineage
from function.settings import Settings
from function.telemetry import start
from function.telemetry.logs import JsonLog, timestamp

# Numbers that differ each time: addresses in memory, names of temporary folders, ids, durations.
_PASSING = r"0x[0-9a-f]+|\bmodel-\w{8}(/tmp\w{8})?|[0-9a-f]{16,}|\d+\.\d+"

HANG_UPS, HANG_UP_SECONDS = 5, 0.1


class LoadFailure(Exception):
    """A load that failed and was logged; ``answer`` is what waiting requests are told."""

    def __init__(self, answer: ServiceError) -> None:
        super().__init__(str(answer))
        self.answer = answer


class LoadedModel(NamedTuple):
    """A model that has answered a prediction.

    ``timings_seconds`` are by stage, in order; ``not_compiled`` is why the engine is not the
    compiled one, None where it is.
    """

    predictor: Predictor
    lineage: Lineage
    timings_seconds: dict[str, float]
    not_compiled: str | None
    loaded_at: str


class Loader:
    """Loads what the settings name right now, and counts the attempts that it takes."""

    def __init__(self, settings: Settings, log: JsonLog) -> None:
        self._settings = settings
        self._log = log
        self._origin = settings.compiled_model or settings.model_uri
        self._attempts = 0
        self._cause: list[str] = []

    def __call__(self) -> LoadedModel:
        """One attempt; raises LoadFailure once it is logged."""
        self._attempts += 1
        if self._attempts == 1:
            self._log.write("INFO", "model load started", model_uri=self._origin)
        attempt = _Attempt(self._settings)
        try:
            model = attempt.result(self._settings.load_deadline_seconds)
        except BaseException as exc:  # a model's own code runs here, and may call sys.exit
            self._log_failure(exc, attempt)
            raise LoadFailure(self._answer(exc)) from exc
        self._log_success(model, attempt.stages)
        self._attempts, self._cause = 0, []
        shown = self._log.redact(model.lineage.model_uri)
        return model._replace(lineage=model.lineage._replace(model_uri=shown))

    def _log_failure(self, exc: BaseException, attempt: _Attempt) -> None:
        """Whole the first time; a cause that is still the same as one line."""
        stage = attempt.stages.current
        cause, before = [stage, *_links(exc)], self._cause
        self._cause = cause
        if cause == before:
            told = f"model load failed at stage {stage}, attempt {self._attempts}: {exc}"
            self._log.write("ERROR", told.replace("\n", " "), model_uri=self._origin)
            return
        self._log.failure(
            f"model load failed at stage {stage}",
            exc,
            model_uri=self._origin,
            returned=getattr(exc, "returned", None),
            timings_seconds=attempt.stages.seconds,
            attempts=self._attempts if self._attempts > 1 else None,
            still_at=attempt.given_up_at,
        )

    def _log_success(self, model: LoadedModel, stages: Stages) -> None:
        start.mark("model_loaded")
        self._log.write(
            "INFO",
            "model loaded",
            model_uri=self._origin,
            model_version=model.lineage.shown_version,
            engine=model.predictor.engine,
            not_compiled=model.not_compiled,
            through_mlflow=stages.through_mlflow,
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


class _Attempt:
    """A load in a thread that may be left behind.

    ``given_up_at`` is where in the code it was then, as a stack; None for one that has ended.
    """

    def __init__(self, settings: Settings) -> None:
        self.stages = Stages()
        self.given_up_at: str | None = None
        self._settings = settings
        self._loaded: LoadedModel | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="model-load-attempt", daemon=True)

    def result(self, deadline_seconds: float) -> LoadedModel:
        """The model, or whatever loading it raised; ModelLoadError where time is up."""
        self._thread.start()
        self._thread.join(deadline_seconds)
        if self._thread.is_alive():
            self.given_up_at = self._place()
            self._give_up()
            raise ModelLoadError(
                f"Loading the model took longer than LOAD_DEADLINE_SECONDS={deadline_seconds:g} and"
                f" was given up at stage {self.stages.current}; the load is tried again."
            )
        if self._loaded is None:
            raise self._failure or RuntimeError("the load ended with nothing")
        return self._loaded

    def _give_up(self) -> None:
        """Hang up, more than once where a library tries again."""
        for _ in range(HANG_UPS):
            self.stages.give_up()
            self._thread.join(HANG_UP_SECONDS)

    def _place(self) -> str | None:
        import traceback

        frame = sys._current_frames().get(self._thread.ident or 0)
        return "".join(traceback.format_stack(frame)) if frame else None

    def _run(self) -> None:
        source = from_folder if self._settings.compiled_model else from_registry
        try:
            predictor, lineage, not_compiled = source(self._settings, self.stages)
            self._loaded = LoadedModel(
                predictor, lineage, self.stages.seconds, not_compiled, timestamp()
            )
        except BaseException as exc:  # for who waits for it
            self._failure = exc


def _links(exc: BaseException) -> Iterator[str]:
    """The chain of causes, each as its type and what lasts of its message."""
    for link in chain(exc):
        yield f"{type(link).__name__}: {re.sub(_PASSING, '', str(link))}"
