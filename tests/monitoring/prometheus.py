"""A real Prometheus on loopback, which ends with the test."""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.processes import LiveServer, free_port, start_process

Points = list[tuple[float, float]]
"""When, and what; a point that is no number is left out."""


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api)."""

    url: str

    def get(self, path: str, **parameters: Any) -> Any:
        """The data of an answer; raises urllib.error.HTTPError for a query that is none."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as response:
            return json.load(response)["data"]

    def values(self, expression: str) -> dict[str, float]:
        """What the expression is now, by its labels."""
        found = self.get("query", query=expression)["result"]
        return {_shown(item["metric"]): float(item["value"][1]) for item in found}

    def over_time(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], Points]]:
        """What it was from ``start`` to ``end``: each series' labels and points."""
        found = self.get("query_range", query=expression, start=start, end=end, step=step)
        every = [(item["metric"], _numbers(item["values"])) for item in found["result"]]
        return [(labels, points) for labels, points in every if points]


def _shown(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels))


def _numbers(values: list[tuple[float, str]]) -> Points:
    points = [(when, float(value)) for when, value in values]
    return [(when, value) for when, value in points if math.isfinite(value)]


def written(folder: Path, name: str, document: Any) -> Path:
    """The file, as YAML."""
    file = folder / name
    file.write_text(yaml.safe_dump(document))
    return file


@contextmanager
def running(folder: Path, config: dict[str, Any]) -> Iterator[Prometheus]:
    """A Prometheus with that configuration, its data in ``folder``."""
    port = free_port()
    command = [
        *("prometheus", f"--config.file={written(folder, 'prometheus.yaml', config)}"),
        *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"),
        # Targets would be looked at after 5 s otherwise.
        *("--scrape.discovery-reload-interval=100ms", "--log.level=warn"),
    ]
    server = start_process(command, folder, {"PATH": "/usr/bin:/bin"}, port, folder)
    try:
        _wait_until_ready(server)
        yield Prometheus(server.url)
    finally:
        server.stop()


def _wait_until_ready(server: LiveServer) -> None:
    """It listens before it has opened its data, and answers 503 until then."""
    deadline = time.monotonic() + 30
    while server.request("/-/ready").status != 200:
        assert time.monotonic() < deadline, server.output.read_text()
        time.sleep(0.05)


def promtool(*arguments: str, folder: Path) -> None:
    """Run it; what it complains about fails the test."""
    command = ["promtool", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for(prometheus: Prometheus, expression: str, seconds: float) -> bool:
    """Whether the expression came to have a value in that time."""
    deadline = time.monotonic() + seconds
    while not prometheus.values(expression):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
