"""One attempt to load the model, or to ask what it is, bounded in time.

It has a thread of its own, for no timeout of a library bounds the whole: a server that sends a byte
now and then keeps every one of them. When its time is up the attempt is told so and hung up on, and
nobody waits for it any longer. What cannot be interrupted goes on to its own end; there it cleans
up after itself, and what it brings is dropped.

A server begins the first one before it imports what else it consists of: the registry answers
meanwhile.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from function.errors import ModelLoadError
from function.model.folders import Sourced, from_folder
from function.model.sources import from_registry
from function.model.stages import Stages
from function.predictor import Predictor
from function.registry.lineage import Lineage
from function.settings import Settings

T = TypeVar("T")
Work = Callable[[Settings, Stages], T]
HANG_UPS, HANG_UP_SECONDS = 5, 0.1


class LoadedModel(NamedTuple):
    """A model that has answered a prediction.

    ``timings_seconds`` are by stage, in order; ``not_compiled`` is why the engine is not the
    compiled one, None where it is; ``is_stale`` where the registry was away, and the version is the
    one last served.
    """

    predictor: Predictor
    lineage: Lineage
    timings_seconds: dict[str, float]
    not_compiled: str | None
    loaded_at: str
    is_stale: bool = False


def load(settings: Settings, stages: Stages) -> LoadedModel:
    """The model that the settings name right now, or, where it must be, the one last served."""
    source = from_folder if settings.compiled_model else from_registry
    return _loaded(source(settings, stages), stages)


def load_newest(settings: Settings, stages: Stages) -> LoadedModel:
    """What MODEL_URI means right now, for a process that serves already and can wait."""
    return _loaded(from_registry(settings, stages, may_be_stale=False), stages)


def _loaded(found: Sourced, stages: Stages) -> LoadedModel:
    from function.telemetry.logs import timestamp

    return LoadedModel(
        found.predictor,
        found.lineage,
        stages.seconds,
        found.not_compiled,
        timestamp(),
        found.is_stale,
    )


class Attempt(Generic[T]):
    """Work in a thread that may be left behind, and that starts at once.

    ``given_up_at`` is where in the code it was then, as a stack; None for one that has ended.
    """

    def __init__(self, settings: Settings, work: Work[T]) -> None:
        self.stages = Stages()
        self.given_up_at: str | None = None
        self._settings = settings
        self._work = work
        self._result: T | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="model-load-attempt", daemon=True)
        self._thread.start()

    def result(self, deadline_seconds: float, told: str = "") -> T:
        """What the work gave, or whatever it raised; ModelLoadError, in those words or its own,
        where time is up."""
        self._thread.join(deadline_seconds)
        if self._thread.is_alive():
            self.given_up_at = self._place()
            self._give_up()
            default = (
                f"Loading the model took longer than LOAD_DEADLINE_SECONDS={deadline_seconds:g}"
                f" and was given up at stage {self.stages.current}; the load is tried again."
            )
            raise ModelLoadError(told or default)
        if self._result is None:
            raise self._failure or RuntimeError("the load ended with nothing")
        return self._result

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
        try:
            self._result = self._work(self._settings, self.stages)
        except BaseException as exc:  # for who waits for it
            self._failure = exc
