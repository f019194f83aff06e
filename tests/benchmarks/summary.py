"""Medians of the raw numbers, and who is best: what the report, the chart and the targets are made
from.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.competitors import COMPETITORS, Competitor
from tests.benchmarks.results import SETTLED_REQUESTS, Record, Results


@dataclass(frozen=True)
class Metric:
    """One column: how it is called, and whether more of it is better."""

    name: str
    title: str
    more_is_better: bool
    digits: int


METRICS = (
    Metric("cold_start_s", "cold start s", False, 2),
    Metric("c1_p50_ms", "c1 p50 ms", False, 2),
    Metric("c1_p99_ms", "c1 p99 ms", False, 2),
    Metric("c16_rps", "c16 requests/s", True, 0),
    Metric("c16_p99_ms", "c16 p99 ms", False, 1),
    Metric("c64_rps", "c64 requests/s", True, 0),
    Metric("c64_p99_ms", "c64 p99 ms", False, 1),
    Metric("batches_per_s", "100-text batches/s", True, 0),
    Metric("memory_loaded_mb", "MB after load", False, 0),
    Metric("memory_after_mb", "MB after requests", False, 0),
)
BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True)
class Row:
    """One competitor's medians by metric name; metrics not measured are absent."""

    competitor: Competitor
    values: dict[str, float]
    growth_percent: float | None  # from after load to after the last request
    late_growth_percent: float | None  # from after the first thousand requests
    long_growth_percent: float | None  # over the long run, from after its first 50,000 requests
    errors: int
    record: Record

    def ratio(self, other: Row | None, metric: str) -> float | None:
        """How many times better this row is than the other in this metric; above 1 is better."""
        if other is None or metric not in self.values or metric not in other.values:
            return None
        mine, theirs = self.values[metric], other.values[metric]
        return mine / theirs if BY_NAME[metric].more_is_better else theirs / mine


class Summary:
    """All rows of a run, in the order of COMPETITORS."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.rows = {
            competitor.name: _row(competitor, results.records[competitor.name])
            for competitor in COMPETITORS
            if competitor.name in results.records
        }

    def row(self, name: str) -> Row | None:
        return self.rows.get(name)

    def best_server(self, metric: str) -> Row | None:
        """The serving product that does best in this metric: `the best peer`."""
        measured = [
            row
            for row in self.rows.values()
            if row.competitor.kind == "server" and metric in row.values
        ]
        if not measured:
            return None
        choose = max if BY_NAME[metric].more_is_better else min
        return choose(measured, key=lambda row: row.values[metric])


def _row(competitor: Competitor, record: Record) -> Row:
    values: dict[str, float] = {}
    if record.rounds:
        values["cold_start_s"] = _median(record, "cold_start_seconds")
        for load in ("c1", "c16", "c64"):
            values[f"{load}_p50_ms"] = _median(record, load, "p50_ms")
            values[f"{load}_p99_ms"] = _median(record, load, "p99_ms")
            values[f"{load}_rps"] = _median(record, load, "requests_per_second")
        if "batch" in record.rounds[0]:
            values["batches_per_s"] = _median(record, "batch", "requests_per_second")
    if len(record.memory) > 1:
        values["memory_loaded_mb"] = record.memory[0][1]
        values["memory_after_mb"] = record.memory[-1][1]
    growths = (
        _growth_percent(record.memory, 1),
        _growth_percent(record.memory, 1_000),
        _growth_percent(record.long_memory, SETTLED_REQUESTS),
    )
    errors = sum(_errors(numbers) for numbers in record.rounds)
    return Row(competitor, values, *growths, errors, record)


def _growth_percent(samples: list[tuple[int, float]], since: int) -> float | None:
    """From the first sample after so many requests to the last."""
    after = [memory_mb for requests, memory_mb in samples if requests >= since]
    return (after[-1] / after[0] - 1) * 100 if len(after) > 1 else None


def _median(record: Record, *path: str) -> float:
    return statistics.median(_at(numbers, path) for numbers in record.rounds)


def _at(numbers: Any, path: tuple[str, ...]) -> float:
    for key in path:
        numbers = numbers[key]
    return float(numbers)


def _errors(numbers: dict[str, Any]) -> int:
    loads = [
        value for value in numbers.values() if isinstance(value, dict) and "socket_errors" in value
    ]
    return sum(load["status_errors"] + load["socket_errors"] + load["timeouts"] for load in loads)
