"""What a thousand connections at full load do to others: `python -m tests.benchmarks.overload`.

wrk keeps all connections busy: with single texts, with batches of 100, and with batches of long
texts. A client beside it behaves (prober.py, at a higher priority than wrk, since both share a
core). To reach: no error but an honest 503, /health/live within 250 ms at p99, and within a second
after the load has ended, waits like those before it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import corpus, load, own_server, servers, shapes
from tests.benchmarks.prober import HEALTH, Prober, Wait, Waits, described

HEALTH_P99_MS = 250.0
RECOVERY_SECONDS = 1.0
_AFTER_SECONDS = 3.0
_IN_A_ROW = 20
_NICENESS = 10
_BATCH_SIZE = 100
_LONGER = 4


@dataclass(frozen=True)
class Overload:
    """One load, and what the client beside it waited while it lasted and after."""

    load: load.Load
    during: list[Wait]
    recovery_seconds: float | None  # none: not while it was watched

    @property
    def errors(self) -> int:
        """Everything but good answers and 503."""
        honest = self.load.statuses.get("503", 0)
        broken = self.load.socket_errors + self.load.timeouts
        return self.load.status_errors - honest + broken

    @property
    def reaches(self) -> bool:
        health = Waits.of(self.during, HEALTH)
        recovers = self.recovery_seconds is not None and self.recovery_seconds <= RECOVERY_SECONDS
        return not (self.errors or health.failures) and health.p99_ms < HEALTH_P99_MS and recovers


def measure(
    server: servers.Server, path: str, bodies: Path, connections: int, seconds: int, most_ms: float
) -> Overload:
    """One load; it is over for the client beside it when /health/live takes `most_ms` at most
    twenty times in a row.
    """
    prober, url = Prober(server.port, [HEALTH]), server.url(path)
    with ThreadPoolExecutor() as executor:
        loading = executor.submit(load.run, url, bodies, connections, seconds, True, _NICENESS)
        time.sleep(0.5)  # until all connections are there
        during = prober.ask(lambda: not loading.done())
    ended = time.monotonic()
    after = prober.ask_for(_AFTER_SECONDS)
    return Overload(loading.result(), during, _recovery_seconds(after, ended, most_ms))


def _recovery_seconds(waits: list[Wait], ended: float, most_ms: float) -> float | None:
    health = [wait for wait in waits if wait.path == HEALTH]
    for number in range(len(health) - _IN_A_ROW + 1):
        if all(wait.milliseconds <= most_ms for wait in health[number : number + _IN_A_ROW]):
            return health[number].asked - ended
    return None


def _loads() -> dict[str, tuple[str, list[bytes]]]:
    """What wrk sends, by name: path and bodies."""
    texts, shape = corpus.unseen_texts(1_000), shapes.OWN
    batches = [texts[start : start + _BATCH_SIZE] for start in range(0, len(texts), _BATCH_SIZE)]
    long_batches = [[text * _LONGER for text in batch] for batch in batches]
    return {
        "single texts": (shape.path, [shape.body(text) for text in texts]),
        "batches of 100": (shape.batch_path, [shape.batch_body(batch) for batch in batches]),
        f"batches of 100, {_LONGER} times as long": (
            shape.batch_path,
            [shape.batch_body(batch) for batch in long_batches],
        ),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is reached, 1 when not."""
    given = own_server.options(__doc__.partition("\n")[0], 15.0).parse_args(arguments)
    found: dict[str, Overload] = {}
    with own_server.running(given) as server, tempfile.TemporaryDirectory() as folder:
        prober = Prober(server.port, [HEALTH])
        prober.ask_for(1.0)
        quiet = prober.ask_for(given.seconds)
        most_ms = 2 * Waits.of(quiet, HEALTH).p99_ms
        for name, (path, lines) in _loads().items():
            bodies = load.write_bodies(Path(folder) / "bodies.jsonl", lines)
            seconds = max(1, round(given.seconds))
            found[name] = measure(server, path, bodies, given.connections, seconds, most_ms)
    _tell(given.connections, quiet, found)
    return 0 if all(overload.reaches for overload in found.values()) else 1


def _tell(connections: int, quiet: list[Wait], found: dict[str, Overload]) -> None:
    rows = [["quiet", "-", "-", "-", *_health_cells(quiet), "-"]]
    result: dict[str, Any] = {"quiet": described(quiet)}
    for name, overload in found.items():
        counted, recovery = overload.load, overload.recovery_seconds
        rows.append([
            *(name, f"{counted.good_requests / counted.seconds:,.0f}"),
            *(f"{counted.statuses.get('503', 0):,}", f"{overload.errors:,}"),
            *(*_health_cells(overload.during), "-" if recovery is None else f"{recovery:.2f}"),
        ])  # fmt: skip
        result[name] = {
            "load": counted.to_json(),
            "during": described(overload.during),
            "recovery_seconds": recovery,
        }
    result["wanted"] = {"health_p99_ms": HEALTH_P99_MS, "recovery_seconds": RECOVERY_SECONDS}
    columns = ("200 per second", "503", "other errors", "health p50 ms", "health p99 ms")
    header = [f"{connections:,} connections", *columns, "max ms", "failures", "recovery s"]
    own_server.show(header, rows, result)


def _health_cells(waits: list[Wait]) -> list[str]:
    health = Waits.of(waits, HEALTH)
    times = (health.p50_ms, health.p99_ms, health.max_ms)
    return [*(f"{milliseconds:.2f}" for milliseconds in times), str(health.failures)]


if __name__ == "__main__":
    sys.exit(main())
