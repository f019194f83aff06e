"""The stages of a load: how long each took, and which one is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from function.errors import ModelLoadError


class Stages:
    """Times the stages of a load and knows which one is under way.

    ``through_mlflow`` is why the load took the long way; None where it did not. ``hang_up`` ends
    whatever the load is waiting for right now, where it can be ended.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"
        self.through_mlflow: str | None = None
        self.hang_up: Callable[[], None] = lambda: None
        self._given_up = False

    def give_up(self) -> None:
        """Nobody waits for the load any more: hang up, and let no further stage begin."""
        self._given_up = True
        self.hang_up()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``; a stage begun again adds up."""
        if self._given_up:
            raise ModelLoadError("The load was given up.")
        self.current = name
        start = time.perf_counter()
        try:
            yield
        finally:
            before = self.seconds.get(name, 0.0)
            self.seconds[name] = round(before + time.perf_counter() - start, 6)
