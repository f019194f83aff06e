"""Vocabulary sizes: how this project's load time, memory and latency grow from ten thousand terms
to a million.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks import model, progress, trials
from tests.benchmarks.competitors import Competitor
from tests.benchmarks.results import Record, Results

TERM_COUNTS = (10_000, 100_000, 1_000_000)
# Training is the same in every format; MLflow's default, skops, needs minutes to load a million
# terms.
_FORMAT = "cloudpickle"


class Size(NamedTuple):
    """The medians for one vocabulary size."""

    term_count: int
    cold_start_seconds: float
    load_seconds: float | None  # as the server reports it
    memory_mb: float
    c1_p50_ms: float
    c1_p99_ms: float


def measure(
    competitor: Competitor,
    results: Results,
    plan: trials.Plan,
    work: Path,
    env_folder: Path,
    logs: Path,
) -> None:
    """Starts and loads the competitor with a model of each size, the results saved after each
    round.
    """
    for term_count in TERM_COUNTS:
        name = f"size-{term_count}"
        described = model.prepare(work / "models", name, term_count, _FORMAT, None, of_words=True)
        record = results.record(name, trials.fingerprint(competitor, described), size=True)
        if len(record.rounds) >= plan.rounds and record.agreement is not None:
            continue
        stand = trials.set_up(competitor, described, work, env_folder, logs)
        if record.agreement is None:
            trials.check_agreement(stand, record)
        while len(record.rounds) < plan.rounds:
            progress.say(f"  {term_count:,} terms, round {len(record.rounds) + 1} of {plan.rounds}")
            record.rounds.append(trials.run_round(stand, plan, connections=(1,)))
            results.save()


def summarise(results: Results) -> list[Size]:
    """The medians of every size measured, smallest first."""
    return [
        _median(int(name.partition("-")[2]), record)
        for name, record in results.sizes.items()
        if record.rounds
    ]


def _median(term_count: int, record: Record) -> Size:
    loads = [
        seconds
        for numbers in record.rounds
        if (seconds := load_seconds(numbers.get("info", {}))) is not None
    ]
    return Size(
        term_count,
        cold_start_seconds=statistics.median(
            numbers["cold_start_seconds"] for numbers in record.rounds
        ),
        load_seconds=statistics.median(loads) if loads else None,
        memory_mb=statistics.median(numbers["memory_mb"] for numbers in record.rounds),
        c1_p50_ms=statistics.median(numbers["c1"]["p50_ms"] for numbers in record.rounds),
        c1_p99_ms=statistics.median(numbers["c1"]["p99_ms"] for numbers in record.rounds),
    )


def load_seconds(info: dict[str, Any]) -> float | None:
    """The model's load time in what `/models/info` says: the sum of its stages."""
    timings = info.get("load_timings_seconds")
    return float(sum(timings.values())) if timings else None
