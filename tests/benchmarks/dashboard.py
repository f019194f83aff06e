"""`python -m tests.benchmarks.dashboard`: docs/dashboard.svg, the dashboard over a run under load.

A registry, a pod and for a while a second one, clients of every kind, a promotion; Prometheus
scrapes, and its answers to the dashboard's own queries are drawn. Three minutes.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from tests import conftest, promotions
from tests.benchmarks.panels import Panel, render
from tests.monitoring import overlay
from tests.monitoring.prometheus import Points, Prometheus, running
from tests.monitoring.scene import (
    BATCH,
    FLOOD,
    NOWHERE,
    SINGLE,
    STRANGE,
    WRONG,
    Pod,
    clients,
    discovered,
    scrape_config,
)
from tests.processes import free_port
from tests.registry import strings_pipeline

FILE = Path(__file__).resolve().parents[2] / "docs" / "dashboard.svg"
SHOWN = (
    *("Requests", "Latency", "Under way", "Labels", "Confidence", "Unknown terms"),
    *("Model version", "Pods scraped", "Memory"),
)
TITLE = "The service under load: Prometheus's answers to the dashboard's queries"
NOTE = (
    "0:30 too much at once for 15 s · 0:50 a second pod for 60 s · 1:10 texts of unknown words for"
    " 30 s · 2:00 version 2 is promoted"
)
RUN_SECONDS, SCRAPE_SECONDS, RATE_SECONDS, STEP_SECONDS = 150, 1.0, 6, 1.5
MODEL = "reviews"


def main() -> None:
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        registry = conftest.start_mlflow_server(folder, free_port())
        stack.callback(registry.stop)
        print("publishing two versions", flush=True)
        promotions.log_version(registry.url, MODEL, strings_pipeline())
        promotions.log_version(registry.url, MODEL, strings_pipeline(LogisticRegression(C=40)))
        promotions.promote(registry.url, MODEL, "1")
        pods = folder / "pods.json"
        first = stack.enter_context(_pod(folder, registry.url, "sentiment-00001-x7k2p"))
        config = {"scrape_configs": [scrape_config(discovered(pods, [first]), SCRAPE_SECONDS)]}
        prometheus = stack.enter_context(running(folder, config))
        stack.enter_context(clients(first, SINGLE, BATCH, WRONG, NOWHERE))
        time.sleep(RATE_SECONDS)  # or the first rates would have nothing before them
        start = time.time()
        print(f"a run of {RUN_SECONDS} s", flush=True)
        _wait_until(start + 30)
        with clients(first, FLOOD._replace(pause_seconds=0.02)):
            _wait_until(start + 45)
        _wait_until(start + 50)
        with _pod(folder, registry.url, "sentiment-00001-m4q9d") as second:
            discovered(pods, [first, second])
            with clients(second, SINGLE, BATCH):
                _wait_until(start + 70)
                with clients(first, STRANGE._replace(clients=4, pause_seconds=0.02)):
                    _wait_until(start + 100)
                _wait_until(start + 110)
            discovered(pods, [first])
        _wait_until(start + 120)
        promotions.promote(registry.url, MODEL, "2")
        _wait_until(start + RUN_SECONDS)
        FILE.write_text(drawn(prometheus, start, start + RUN_SECONDS, RATE_SECONDS, STEP_SECONDS))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


@contextmanager
def _pod(folder: Path, registry: str, name: str) -> Iterator[Pod]:
    limits = {"MAX_CONCURRENCY": "1", "MAX_QUEUE": "4"}
    server = promotions.follow(registry, MODEL, folder / name, **limits)
    try:
        yield Pod.of_knative(name, int(server.url.rpartition(":")[2]))
    finally:
        server.stop()


def _wait_until(when: float) -> None:
    time.sleep(max(0, when - time.time()))


def drawn(
    prometheus: Prometheus, start: float, end: float, rate_seconds: float, step_seconds: float
) -> str:
    """The picture of what Prometheus answers to the panels' queries."""
    panels = []
    for told in overlay.panels():
        series: dict[str, Points] = {}
        for target in told["targets"] if told["title"] in SHOWN else ():
            expression = overlay.asked(target["expr"], rate_seconds)
            for labels, points in prometheus.over_time(expression, start, end, step_seconds):
                series[_named(target["legendFormat"], labels)] = points
        if series:
            panels.append(Panel(told, series))
    return render(TITLE, NOTE, panels, start, end)


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)


if __name__ == "__main__":
    main()
