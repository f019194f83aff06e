"""The stages of a load: how long each took, and which one is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from function.errors import ModelLoadError


class Stages:
    """Times the stages of a load and knows which one is under way.

    ``through_mlflow`` is why the load took the long way, ``not_published`` why it serves no folder
    that was compiled ahead; both are None where that is not so. ``hang_up`` ends whatever the load
    is waiting for right now, where it can be ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"
        self.through_mlflow: str | None = None
        self.not_published: str | None = None
        self.hang_up: Callable[[], None] = lambda: None
        self._given_up = False
        self._since = 0.0

    def give_up(self) -> None:
        """Nobody waits for the load any more: hang up, and let no further stage begin."""
        self._given_up = True
        self.hang_up()

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
        now = time.perf_counter()
        if self.current != "start":
            spent = self.seconds.get(self.current, 0.0) + now - self._since
            self.seconds[self.current] = round(spent, 6)
        self.current, self._since = name, now
