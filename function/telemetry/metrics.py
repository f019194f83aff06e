"""What is counted while the service runs, as plain numbers; exposition.py says it to Prometheus.

Counting is a part of every request, and a client library's own counters take longer than a
prediction. So what is observed is put aside, and sorted into the buckets when there is enough of it
or when somebody asks: a few microseconds for dozens of values, in C.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

LATENCY_BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds: 0.1 ms, where a compiled prediction is, to 10 s, where a cold start may be."""
CONFIDENCE_BOUNDS = tuple(round(0.05 * step, 2) for step in range(1, 21))
BATCH_BOUNDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
MOST_LABELS = 100
"""A model of somebody's own may answer anything, and each label is a time series."""
NO_LABEL, OTHER_LABELS = "(none)", "(other)"
_LONGEST_LABEL = 128
_MOST_ASIDE = 64

T = TypeVar("T")

Example = tuple[Mapping[str, Any], float, float]
"""A trace's fields, the value that was observed in it, and when (time.time)."""


class Answer(Protocol):
    """What predictor.Answer has of this."""

    @property
    def label(self) -> str | None: ...
    @property
    def confidence(self) -> float | None: ...


class Gauge(NamedTuple):
    """What is asked when somebody wants to know."""

    name: str
    told: str
    ask: Callable[[], float]


class Histogram:
    """How many values came to at most each of ``bounds``; safe to fill from several threads."""

    __slots__ = ("_aside", "_counts", "_lock", "_total", "bounds", "exemplars")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.exemplars: dict[int, Example] = {}
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._aside: list[float] = []
        self._lock = Lock()

    def observe(self, value: float) -> None:
        """Count one value."""
        self._aside.append(value)
        if len(self._aside) >= _MOST_ASIDE:
            self._sort()

    def observe_all(self, values: Iterable[float]) -> None:
        """Count several."""
        self._aside.extend(values)
        if len(self._aside) >= _MOST_ASIDE:
            self._sort()

    def exemplify(self, value: float, trace: Mapping[str, Any]) -> None:
        """Keep the trace of a value as its bucket's example."""
        self.exemplars[bisect_left(self.bounds, value)] = (trace, value, time.time())

    def buckets(self) -> tuple[list[int], float]:
        """How many values came to at most each bound and no lower one, and beyond the last; and
        the sum of all values."""
        self._sort()
        with self._lock:
            return self._counts.copy(), self._total

    def _sort(self) -> None:
        with self._lock:
            values = sorted(_taken(self._aside))
            ends = [bisect_right(values, bound) for bound in self.bounds]
            for place, (start, end) in enumerate(pairwise((0, *ends, len(values)))):
                self._counts[place] += end - start
            self._total += sum(values)


class Metrics:
    """One process's counts; safe to call from several threads.

    ``answered`` are the requests' latencies in seconds by (route, method, status). ``gauges`` are
    what a door alone can see.
    """

    def __init__(self) -> None:
        self.answered: dict[tuple[str, str, int], Histogram] = {}
        self.shed = 0
        self.batch_sizes = Histogram(BATCH_BOUNDS)
        self.confidences = Histogram(CONFIDENCE_BOUNDS)
        self.loads = {"loaded": 0, "failed": 0}  # from zero, or the first would be no increase
        self.refreshes = dict.fromkeys(("unchanged", "replaced", "refused", "failed"), 0)
        self.gauges: list[Gauge] = []
        self._predictions: dict[str, int] = {}
        self._answers: list[Sequence[Answer]] = []
        self._lock = Lock()

    def request(
        self, route: str, method: str, status: int, seconds: float, trace: Mapping[str, Any]
    ) -> None:
        """Count an answered request; one that belongs to a trace is kept as an exemplar."""
        key = (route, method, status)
        latencies = self.answered.get(key)
        if latencies is None:
            latencies = self.answered.setdefault(key, Histogram(LATENCY_BOUNDS))
        latencies.observe(seconds)
        if trace:
            latencies.exemplify(seconds, trace)

    def predicted(self, answers: Sequence[Answer]) -> None:
        """Count a request's predictions: their number, labels and confidences."""
        self._answers.append(answers)
        if len(self._answers) >= _MOST_ASIDE or len(answers) >= _MOST_ASIDE:
            self._sort()

    def predictions(self) -> dict[str, int]:
        """How many there were of each label."""
        self._sort()
        with self._lock:
            return self._predictions.copy()

    def refused(self) -> None:
        """Count a request that was sent away because there was too much at once."""
        with self._lock:
            self.shed += 1

    def loaded(self, outcome: str) -> None:
        """Count an attempt to load the model: ``loaded`` or ``failed``."""
        with self._lock:
            self.loads[outcome] += 1

    def refreshed(self, outcome: str) -> None:
        """Count a look at what the registry means now, as Follower.look names its outcome."""
        with self._lock:
            self.refreshes[outcome] += 1

    def _sort(self) -> None:
        with self._lock:
            requests = _taken(self._answers)
            answers = [answer for several in requests for answer in several]
            for label, count in Counter([answer.label for answer in answers]).items():
                if label is not None:
                    self._count(label, count)
            for answer in answers:
                if answer.label is None:
                    for name in getattr(answer, "labels", ()) or (NO_LABEL,):
                        self._count(name, 1)
        self.batch_sizes.observe_all(map(len, requests))
        known = [answer.confidence for answer in answers]
        self.confidences.observe_all([number for number in known if number is not None])

    def _count(self, label: str, count: int) -> None:
        counts = self._predictions
        label = label[:_LONGEST_LABEL].encode(errors="replace").decode()
        shown = label if label in counts or len(counts) < MOST_LABELS else OTHER_LABELS
        counts[shown] = counts.get(shown, 0) + count


def _taken(items: list[T]) -> list[T]:
    """What has been put aside, out of the list; others may put more there meanwhile."""
    taken = items[:]
    del items[: len(taken)]
    return taken
