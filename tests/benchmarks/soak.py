"""``python -m tests.benchmarks.soak``: minutes of load, and what they leave behind.

Errors, latency and memory, ten seconds at a time; exit status 1 where a request was not answered
with 200, or memory grew by 2 % or more after the first 50,000.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from function.demo.sentences import read_sentences
from tests.benchmarks import load, own_server, servers
from tests.benchmarks.progress import say

SLICE_SECONDS = 10
WARM_UP_REQUESTS = 50_000
MOST_GROWTH = 0.02


class Slice(NamedTuple):
    """One stretch of load, and the server's memory at its end."""

    load: load.Load
    memory_mb: float


def write_bodies(path: Path) -> Path:
    """Requests that differ: all sentences, some with words that nobody knows, some asking for
    scores."""
    bodies = []
    for number, sentence in enumerate(read_sentences()):
        text = f"{sentence.text} xq{number}" if number % 3 == 0 else sentence.text
        more = {"return_scores": True} if number % 5 == 0 else {}
        bodies.append(json.dumps({"text": text, **more}).encode())
    return load.write_bodies(path, bodies)


def slices(server: servers.Server, bodies: Path, connections: int, until: float) -> Iterator[Slice]:
    """Stretches of load, each told as it ends."""
    url, total = server.url("/predict"), 0
    while time.monotonic() < until:
        found = load.run(url, bodies, connections, SLICE_SECONDS, counts_statuses=True)
        memory_mb = private_mb(server.pid)
        total += found.requests
        say(
            f"  {total:>10,} requests  {found.requests_per_second:>7,.0f} /s"
            f"  p50 {found.p50_ms:.2f} ms  p99 {found.p99_ms:.2f} ms  {memory_mb:.2f} MB"
            f"  {errors(found)} errors"
        )
        yield Slice(found, memory_mb)


def private_mb(pid: int) -> float:
    """What the process has for itself (private dirty pages), in MB: what it shares with others, and
    its share of that, changes as they come and go."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def errors(found: load.Load) -> int:
    """Requests that were not answered with 200, and connections that were not kept."""
    return found.status_errors + found.socket_errors + found.timeouts


def after_warm_up(measured: Sequence[Slice]) -> Sequence[Slice]:
    """Those that came after so many requests; at least the last."""
    total = 0
    for place, one in enumerate(measured):
        total += one.load.requests
        if total >= WARM_UP_REQUESTS:
            return measured[place:]
    return measured[-1:]


def main() -> None:
    """Load the server for so long and judge what was seen."""
    parser = own_server.options("`python -m tests.benchmarks.soak`: minutes of load", seconds=300)
    parser.set_defaults(connections=64)
    given = parser.parse_args()
    with own_server.running(given) as server, tempfile.TemporaryDirectory() as folder:
        bodies = write_bodies(Path(folder) / "bodies")
        until = time.monotonic() + given.seconds
        measured = list(slices(server, bodies, given.connections, until))
    steady = after_warm_up(measured)
    first, last = steady[0].memory_mb, steady[-1].memory_mb
    third = max(1, len(steady) // 3)
    drift = [median(one.load.p99_ms for one in part) for part in (steady[:third], steady[-third:])]
    failed = sum(errors(one.load) for one in measured)
    found = {
        "requests": sum(one.load.requests for one in measured),
        "errors": failed,
        "memory_mb": [round(first, 2), round(last, 2)],
        "growth": round(last / first - 1, 4),
        "p99_ms_first_third": round(drift[0], 3),
        "p99_ms_last_third": round(drift[1], 3),
    }
    print(json.dumps(found))
    if failed or last / first - 1 >= MOST_GROWTH:
        sys.exit(
            f"{failed} errors, memory grew by {last / first - 1:.1%}: none and less than 2 % may"
        )


if __name__ == "__main__":
    main()
