"""Load from `wrk`, pinned to a core of its own: latencies, requests per second, errors."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import servers

_SCRIPT = Path(__file__).with_name("wrk.lua")
_TIMEOUT_SECONDS = 30


class LoadFailed(Exception):
    """`wrk` itself failed, or no request was answered."""


@dataclass(frozen=True)
class Load:
    """One run of the load generator."""

    connections: int
    seconds: float
    requests: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    status_errors: int
    socket_errors: int
    timeouts: int
    statuses: dict[str, int]  # where they were counted

    @property
    def good_requests(self) -> int:
        return self.requests - self.status_errors

    @property
    def requests_per_second(self) -> float:
        """Only good answers count."""
        return self.good_requests / self.seconds

    def to_json(self) -> dict[str, Any]:
        counted = asdict(self) | {"requests_per_second": self.requests_per_second}
        return counted if self.statuses else {k: v for k, v in counted.items() if k != "statuses"}


def write_bodies(path: Path, bodies: list[bytes]) -> Path:
    """A file `run` takes its requests from, one body a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(bodies) + b"\n")
    return path


def run(
    url: str,
    bodies: Path,
    connections: int,
    seconds: int,
    counts_statuses: bool = False,
    niceness: int = 0,
) -> Load:
    """Keeps this many connections busy for so long, each with one request at a time."""
    command = [
        *("nice", "-n", str(niceness), "taskset", "--cpu-list", str(servers.LOAD_CORE)),
        *("wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", "--timeout", f"{_TIMEOUT_SECONDS}s"),
        *("--script", str(_SCRIPT), url, "--", str(bodies)),
        *(["statuses"] if counts_statuses else []),
    ]
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 2 * _TIMEOUT_SECONDS, check=False
    )
    lines = [line for line in finished.stdout.splitlines() if line.startswith("{")]
    if finished.returncode or not lines:
        raise LoadFailed(
            f"wrk ended with {finished.returncode}: {(finished.stdout + finished.stderr)[-500:]}"
        )
    load = Load(connections=connections, **json.loads(lines[-1]))
    if not load.good_requests:
        raise LoadFailed(
            f"no good answer from {url}: {load.status_errors} errors, {load.timeouts} timeouts"
        )
    return load


def send(url: str, bodies: Path, connections: int, count: int, rate: float) -> int:
    """Sends at least `count` requests, given the rate to expect; returns how many were answered."""
    answered = 0
    while answered < count:
        seconds = min(max(1, round((count - answered) / rate)), 120)
        result = run(url, bodies, connections, seconds)
        answered += result.requests
        rate = result.requests / result.seconds
    return answered
