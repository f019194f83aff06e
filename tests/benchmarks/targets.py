"""What this project set out to reach: each target's limit, what was measured, and whether that
meets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.benchmarks import sizes
from tests.benchmarks.summary import Row, Summary

_HELLO = "hello-granian"  # the hello world: one, for every ratio to it


@dataclass(frozen=True)
class Target:
    """One line of the list; `measured` is None where a row it needs is missing."""

    title: str
    bound: Literal["at least", "at most"]
    limit: float
    unit: str
    measured: float | None

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        met = (
            self.measured >= self.limit if self.bound == "at least" else self.measured <= self.limit
        )
        return "met" if met else "not met"

    @property
    def wanted(self) -> str:
        return f"{self.bound} {_number(self.limit)}{self.unit}"

    @property
    def found(self) -> str:
        return "-" if self.measured is None else f"{_number(self.measured)}{self.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.3g}"


def evaluate(summary: Summary) -> list[Target]:
    """Every target of the compiled predictor, in the order they were set."""
    return [
        *_cold_start(summary),
        *_speed(summary),
        *_memory(summary),
        *_vocabulary(summary),
        *_agreement(summary),
    ]


def _against(row: Row | None, other: Row | None, metric: str) -> float | None:
    return row.ratio(other, metric) if row else None


def _cold_start(summary: Summary) -> Iterator[Target]:
    compiled, registry = summary.row("compiled"), summary.row("registry")
    published = summary.row("registry-published")
    metric = "cold_start_s"
    best, hello = summary.best_server(metric), summary.row(_HELLO)
    for title, bound, limit, measured in (
        ("compiled: times the hello world's", "at most", 0.6, _against(hello, compiled, metric)),
        ("compiled: quicker than the best peer", "at least", 24, _against(compiled, best, metric)),
        (
            *("compiled: quicker than ONNX by hand", "at least", 2),
            _against(compiled, summary.row("fastapi-onnx"), metric),
        ),
        ("registry: times the best peer's", "at most", 1, _against(best, registry, metric)),
        (
            *("registry, published: times the built-in model's", "at most", 1.4),
            _against(compiled, published, metric),
        ),
    ):
        yield Target(f"cold start, {title}", bound, limit, " x", measured)


# Against whom (none: the best peer), and how many times better at least.
_SPEED = (
    (
        *("c16_rps", "/predict c16"),
        ((None, 30), ("fastapi-sklearn", 4), ("fastapi-onnx", 2), (_HELLO, 1.6), (_HELLO, 3)),
    ),
    ("c1_p99_ms", "/predict c1 p99", ((None, 5), (_HELLO, 1))),
    ("batches_per_s", "100-text batches", ((None, 4), ("fastapi-sklearn", 2.5))),
)


def _speed(summary: Summary) -> Iterator[Target]:
    compiled = summary.row("compiled")
    for metric, title, limits in _SPEED:
        for name, limit in limits:
            other = summary.row(name) if name else summary.best_server(metric)
            against = other.competitor.title if name and other else name or "the best peer"
            measured = _against(compiled, other, metric)
            wanted = f"{title}: times better than {against}"
            yield Target(wanted, "at least", limit, " x", measured)
    title = "/predict c16 under gunicorn: times the hello world's there"
    gunicorn = _against(summary.row("compiled-gunicorn"), summary.row("hello-gunicorn"), "c16_rps")
    yield Target(title, "at least", 0.85, " x", gunicorn)


def _memory(summary: Summary) -> Iterator[Target]:
    compiled = summary.row("compiled")
    hello = _against(summary.row(_HELLO), compiled, "memory_loaded_mb")
    yield Target("memory after load: times the hello world's", "at most", 0.7, " x", hello)
    for metric, when in (
        ("memory_loaded_mb", "after load"),
        ("memory_after_mb", "after the requests"),
    ):
        smaller = _against(compiled, summary.best_server(metric), metric)
        title = f"memory {when}: smaller than the lightest peer's"
        yield Target(title, "at least", 5, " x", smaller)
    title = "memory after load, registry, published: times the built-in model's"
    published = _against(compiled, summary.row("registry-published"), "memory_loaded_mb")
    yield Target(title, "at most", 1.1, " x", published)
    growth = compiled.growth_percent if compiled else None
    yield Target("memory growth over the requests", "at most", 2, " %", growth)
    title = "memory growth over the long run, after its first 50,000 requests"
    yield Target(title, "at most", 2, " %", compiled.long_growth_percent if compiled else None)


def _vocabulary(summary: Summary) -> Iterator[Target]:
    measured = {size.term_count: size for size in sizes.summarise(summary.results)}
    large, medium = measured.get(1_000_000), measured.get(100_000)
    load = large.load_seconds if large else None
    yield Target("1,000,000 terms: load", "at most", 1, " s", load)
    before = medium.load_seconds if medium else None
    # Ten times the terms, with a fifth for noise and what does not fit the processor's caches any
    # more.
    growth = load / before if load and before else None
    yield Target(
        "load of 1,000,000 terms: times that of 100,000 (linear is 10)", "at most", 12, " x", growth
    )


def _agreement(summary: Summary) -> Iterator[Target]:
    compiled = summary.row("compiled")
    found = (compiled.record.agreement if compiled else None) or {}
    labels = None
    if "labels_differing" in found:
        labels = found["labels_differing"] + found["batch_labels_differing"]
    yield Target(
        "labels differing from scikit-learn's, singly and in batches", "at most", 0, "", labels
    )
    difference = found.get("largest_difference")
    yield Target(
        "largest difference of a probability from scikit-learn's", "at most", 1e-9, "", difference
    )
