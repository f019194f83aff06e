"""The measurements of one competitor: agreement, rounds of start and load, memory over many
requests.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks import agreement, corpus, envs, load, progress, servers
from tests.benchmarks.commands import Site
from tests.benchmarks.competitors import Competitor
from tests.benchmarks.model import Model
from tests.benchmarks.results import SETTLED_REQUESTS, Record

BATCH_SIZE = 100
_SETTLE_SECONDS = 1.0
_LONGEST_WATCH_SECONDS = 45
_VARIED_BODIES = 100_000
_LONG_STEPS = 10


@dataclass(frozen=True)
class Plan:
    """How long and how often to measure."""

    rounds: int
    load_seconds: int
    memory_requests: int
    long_memory_requests: int = 0  # 0: no long run


QUICK = Plan(rounds=2, load_seconds=2, memory_requests=5_000)
FULL = Plan(rounds=5, load_seconds=5, memory_requests=100_000)


@dataclass(frozen=True)
class Stand:
    """A competitor made ready to run: environment, own folder, model, requests on disk."""

    competitor: Competitor
    site: Site
    log: Path
    single_bodies: Path
    batch_bodies: Path

    @contextmanager
    def running(self) -> Iterator[servers.Server]:
        """The competitor's server on a port of its own, after its first good answer."""
        site = replace(self.site, port=servers.free_port())
        shape = self.competitor.shape
        beside_log = self.log.with_suffix(".beside.log")
        with (
            self.competitor.beside(site, beside_log) as more,
            servers.running(
                self.competitor.command(site),
                {**self.competitor.environment(site), **more},
                self.competitor.working_folder or site.folder,
                self.log,
                site.port,
                shape.path,
                shape.body(site.model.texts()[0]),
            ) as server,
        ):
            yield server


def set_up(competitor: Competitor, model: Model, work: Path, env_folder: Path, logs: Path) -> Stand:
    """Makes the competitor's environment, files and requests, as far as they are not there yet."""
    python = envs.python_of(env_folder, competitor.name, competitor.requirements)
    folder = work / "sites" / model.name / competitor.name
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(python, folder, model, port=0)
    competitor.prepare(site)
    texts, shape = model.texts(), competitor.shape
    batches = [texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]
    return Stand(
        competitor,
        site,
        log=logs / f"{competitor.name}.log",
        single_bodies=load.write_bodies(
            folder / "single.jsonl", [shape.body(text) for text in texts]
        ),
        batch_bodies=load.write_bodies(
            folder / "batch.jsonl", [shape.batch_body(batch) for batch in batches]
        ),
    )


def fingerprint(competitor: Competitor, model: Model) -> str:
    """Changes with whatever makes earlier numbers of this competitor obsolete: packages, settings,
    model, code.
    """
    files = (path for folder in competitor.code for path in sorted(folder.rglob("*.*")))
    sources = [path.read_bytes() for path in files if path.suffix in (".c", ".py")]
    contents = hashlib.sha256(b"".join(sources)).hexdigest()
    parts = [competitor.requirements, competitor.settings, asdict(model), contents]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def check_agreement(stand: Stand, record: Record) -> None:
    """The first, unmeasured start: it warms the page cache and the bytecode, and its answers are
    compared.
    """
    progress.say(
        f"  {stand.competitor.name}: a first start, and its answers to the benchmark's texts"
    )
    with stand.running() as server:
        if stand.competitor.kind == "floor":
            record.agreement = {}
            return
        try:
            record.agreement = asdict(
                agreement.check(stand.site.model, stand.competitor.shape, server.port)
            )
        except agreement.Refused as exc:
            record.agreement = {"refused": str(exc)}


def run_round(
    stand: Stand, plan: Plan, connections: tuple[int, ...] = (1, 16, 64)
) -> dict[str, Any]:
    """One start and one load of each kind on that server."""
    shape = stand.competitor.shape
    with stand.running() as server:
        progress.say(f"    first answer after {server.cold_start_seconds:.2f} s")
        numbers: dict[str, Any] = {"cold_start_seconds": server.cold_start_seconds}
        time.sleep(_SETTLE_SECONDS)
        numbers["memory_mb"] = server.memory_mb()
        if shape.info_path:
            numbers["info"] = json.loads(servers.get(server.port, shape.info_path)[1])
        load.run(server.url(shape.path), stand.single_bodies, connections=4, seconds=1)
        for count in connections:
            result = load.run(server.url(shape.path), stand.single_bodies, count, plan.load_seconds)
            numbers[f"c{count}"] = result.to_json()
        if stand.competitor.kind != "floor":
            result = load.run(
                server.url(shape.batch_path), stand.batch_bodies, 1, plan.load_seconds
            )
            numbers["batch"] = result.to_json()
    return numbers


def watch_memory(stand: Stand, plan: Plan, rate: float) -> list[tuple[int, float]]:
    """Memory after load, after 1,000 requests and at four more points up to the last; a fresh
    server, 16 connections.

    A server too slow for all the requests gets as many as it answers in 45 seconds.
    """
    most = max(1_000, min(plan.memory_requests, int(rate * _LONGEST_WATCH_SECONDS)))
    goals = [1_000, *(most * quarter // 4 for quarter in range(1, 5))]
    return _watch(stand, stand.single_bodies, goals, rate)


def watch_long(stand: Stand, plan: Plan, rate: float) -> list[tuple[int, float]]:
    """Memory after load, after 50,000 requests and at ten more points up to the last of many, with
    100,000 different bodies in turn.
    """
    texts, shape = corpus.varied_texts(_VARIED_BODIES), stand.competitor.shape
    bodies = [
        shape.scored_body(text) if number % 10 == 9 else shape.body(text)
        for number, text in enumerate(texts)
    ]
    varied = load.write_bodies(stand.site.folder / "varied.jsonl", bodies)
    most = max(2 * SETTLED_REQUESTS, plan.long_memory_requests)
    goals = [SETTLED_REQUESTS, *(most * step // _LONG_STEPS for step in range(1, _LONG_STEPS + 1))]
    return _watch(stand, varied, goals, rate)


def _watch(stand: Stand, bodies: Path, goals: list[int], rate: float) -> list[tuple[int, float]]:
    """Requests so far and memory then, after the first answer and as each goal is reached."""
    with stand.running() as server:
        time.sleep(_SETTLE_SECONDS)
        url = server.url(stand.competitor.shape.path)
        answered, samples = 0, [(1, server.memory_mb())]
        for goal in goals:
            if goal > answered:
                answered += load.send(url, bodies, 16, goal - answered, rate)
                samples.append((answered, server.memory_mb()))
    return samples
