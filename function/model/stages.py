"""The stages of a load: how long each took, and which one is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from function.errors import ModelLoadError

GIVE_UP_EVERY_SECONDS = 0.2


class Stages:
    """Times the stages of a load and knows which one is under way.

    ``timeline`` has them one after the other, each from when to when (time.time_ns).
    ``through_mlflow`` is why the load took the long way, ``not_published`` why it serves no folder
    that was compiled ahead, ``not_cached`` why it could not be kept on disk, ``registry_away`` why
    what was kept there serves; each is None where that is not so. ``ran_code`` warns of what ran
    code of its own when it was loaded. ``hang_up`` ends whatever the load is waiting for right now,
    where it can be ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.timeline: list[tuple[str, int, int]] = []
        self.current = "start"
        self.through_mlflow: str | None = None
        self.not_published: str | None = None
        self.not_cached: str | None = None
        self.registry_away: str | None = None
        self.ran_code: list[str] = []
        self.hang_up: Callable[[], None] = lambda: None
        self._given_up = False
        self._since = 0.0
        self._since_ns = 0

    def give_up(self) -> None:
        """Nobody waits for the load any more: hang up, and let no further stage begin."""
        self._given_up = True
        self.hang_up()

    @property
    def is_given_up(self) -> bool:
        return self._given_up

    @contextmanager
    def given_up_after(self, seconds: float | None) -> Iterator[None]:
        """Give up where the block takes longer, again and again where a library tries again."""
        ended = threading.Event()

        def watch() -> None:
            passed = ended.wait(seconds)
            while not passed:
                self.give_up()
                passed = ended.wait(GIVE_UP_EVERY_SECONDS)

        if seconds is not None:
            threading.Thread(target=watch, name="model-load-patience", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``; a stage begun again adds up, and one
        within another does not count as both."""
        if self._given_up:
            raise ModelLoadError("The load was given up.")
        outer = self.current
        self._turn_to(name)
        try:
            yield
        except BaseException:
            self._turn_to(name)  # it stays the current one: where the load failed
            raise
        self._turn_to(outer)

    def _turn_to(self, name: str) -> None:
        """The time since the last turn is of the stage that was current."""
        now, now_ns = time.perf_counter(), time.time_ns()
        if self.current != "start":
            spent = self.seconds.get(self.current, 0.0) + now - self._since
            self.seconds[self.current] = round(spent, 6)
            self.timeline.append((self.current, self._since_ns, now_ns))
        self.current, self._since, self._since_ns = name, now, now_ns
