"""`python -m tests.benchmarks.promotion`: what a promotion in the registry costs whom, measured.

This project follows the alias while clients ask; another server goes on with the model it began
with until it is started again, and for so long nobody answers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import commands, competitors, envs, model, report, servers
from tests.benchmarks.commands import REPOSITORY, Site

PEERS = ("mlflow", "mlserver", "litserve", "bentoml")
REFRESH_SECONDS = 1
_CLIENTS = 4


@dataclass
class Clients:
    """Clients that ask one after another all the while; what they got, and when."""

    ask: Callable[[], tuple[int, bytes]]
    answered: int = 0
    failed: int = 0
    newest: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def asking(self) -> Iterator[Clients]:
        self._over = threading.Event()
        threads = [threading.Thread(target=self._run) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        yield self
        self._over.set()
        for thread in threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                status, body = self.ask()
            except OSError:
                status, body = 0, b""
            if status != 200:
                self.failed += 1
                continue
            self.answered += 1
            version = json.loads(body).get("model_version")
            self.newest.setdefault(version, time.monotonic())


def followed(site: Site, requests: int) -> dict[str, Any]:
    """Promote one version after the other under load until so many requests were answered."""
    competitor = next(c for c in competitors.COMPETITORS if c.name == "registry-published")
    competitor.prepare(site)
    waits = []
    with commands.published_registry(site, site.folder / "registry.log") as registry:
        commands.publish_again(site, registry)
        environment = {
            **competitor.environment(site),
            **registry,
            "MODEL_REFRESH_SECONDS": str(REFRESH_SECONDS),
        }
        shape = competitor.shape
        body = shape.body("a text")
        with servers.running(
            *(competitor.command(site), environment, REPOSITORY, site.folder / "promotion.log"),
            *(site.port, shape.path, body),
        ) as server:
            clients = Clients(lambda: servers.post(server.port, shape.path, body, 30))
            version = 2
            with clients.asking():
                while clients.answered < requests:
                    version = 3 - version
                    clients.newest.clear()
                    promoted = time.monotonic()
                    _promote(registry["MLFLOW_TRACKING_URI"], version)
                    while clients.newest.get(str(version), 0.0) < promoted:
                        time.sleep(0.01)
                        if time.monotonic() > promoted + 30:
                            sys.exit(f"version {version} was not served within 30 s")
                    waits.append(clients.newest[str(version)] - promoted)
    return {
        "requests": clients.answered,
        "failed": clients.failed,
        "promotions": len(waits),
        "seconds_median": statistics.median(waits),
        "seconds_longest": max(waits),
    }


def _promote(tracking_uri: str, version: int) -> None:
    told = {"name": commands.PUBLISHED, "alias": commands.ALIAS, "version": str(version)}
    url = f"{tracking_uri}/api/2.0/mlflow/registered-models/alias"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(told).encode(), headers)
    with urllib.request.urlopen(request, timeout=30):
        pass


def restarted(competitor: competitors.Competitor, site: Site) -> float:
    """Seconds from SIGTERM to the next answer, of a server that is started again."""
    competitor.prepare(site)
    shape = competitor.shape
    started = 0.0
    for _ in range(2):
        with servers.running(
            *(competitor.command(site), competitor.environment(site)),
            *(competitor.working_folder or site.folder, site.folder / "restart.log"),
            *(site.port, shape.path, shape.body("a text")),
        ):
            waited = time.monotonic() - started
            started = time.monotonic()
        site = replace(site, port=servers.free_port())
    return waited


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where no request failed and each promotion was served in time, 1 where not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, metavar="N", default=50_000)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".bench", metavar="DIR")
    parser.add_argument("--envs", type=Path, default=REPOSITORY / ".bench" / "envs", metavar="DIR")
    given = parser.parse_args(arguments)
    trained = model.prepare(given.work / "models", "bench", 25_000, "skops", None)

    def site(competitor: competitors.Competitor) -> Site:
        folder = given.work / "sites" / "promotion" / competitor.name
        folder.mkdir(parents=True, exist_ok=True)
        python = envs.python_of(given.envs, competitor.name, competitor.requirements)
        return Site(python, folder, trained, servers.free_port())

    by_name = {competitor.name: competitor for competitor in competitors.COMPETITORS}
    ours = followed(site(by_name["registry-published"]), given.requests)
    seconds = {name: restarted(by_name[name], site(by_name[name])) for name in given.peers}
    rows = [
        [
            "this project, following its alias",
            f"{ours['seconds_median']:.1f}, at most {ours['seconds_longest']:.1f}",
            f"{ours['failed']} of {ours['requests']:,}",
        ]
    ]
    rows += [
        [by_name[name].title, f"{found:.1f}", "all of them"] for name, found in seconds.items()
    ]
    header = ["", "seconds until the new version answers", "requests failed meanwhile"]
    print(report.table(header, rows), json.dumps({**ours, "restarts": seconds}), sep="\n\n")
    is_met = not ours["failed"] and ours["seconds_longest"] <= REFRESH_SECONDS + 1
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
