"""The stages of a load: how long each took, and which one is under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stages:
    """Times the stages of a load and knows which one is under way.

    ``through_mlflow`` is why the load took the long way; None where it did not.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"
        self.through_mlflow: str | None = None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``; a stage begun again adds up."""
        self.current = name
        start = time.perf_counter()
        try:
            yield
        finally:
            before = self.seconds.get(name, 0.0)
            self.seconds[name] = round(before + time.perf_counter() - start, 6)
