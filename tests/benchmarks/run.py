"""One run: every competitor made ready, then all taking turns, the results kept after each turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import envs, machine, model, progress, results, servers, sizes, trials
from tests.benchmarks.competitors import COMPETITORS, Competitor

SIZES = "sizes"  # what `only` calls the vocabulary sizes
_OURS = "compiled"  # whose long run and whose sizes are measured
_TERMS = 25_000

Measurement = Callable[[trials.Stand, results.Record, int], None]


class Run:
    """One run: what was asked for, the model, the results so far."""

    def __init__(
        self,
        plan: trials.Plan,
        only: Sequence[str],
        output: Path,
        env_folder: Path,
        model_format: str,
        sentences: Path | None,
    ) -> None:
        """Trains the model unless it is there; progress.StepFailed if that is not possible."""
        self.plan = plan
        self.only = only
        self.envs = env_folder
        self.work = env_folder.parent
        self.logs = output / "logs"
        self.model = model.prepare(self.work / "models", "bench", _TERMS, model_format, sentences)
        described = {
            key: value
            for key, value in asdict(self.model).items()
            if "uri" not in key and key != "files"
        }
        self.results = results.open_folder(output, self._settings(), machine.describe(), described)

    def _settings(self) -> dict[str, Any]:
        cores = {"server_core": servers.SERVER_CORE, "load_core": servers.LOAD_CORE}
        return {**asdict(self.plan), **cores, "environment": servers.SINGLE_CORE}

    def measure(self) -> None:
        """All competitors' preparations, then round after round of all of them, then each one's
        memory, then sizes.
        """
        wanted = [competitor for competitor in COMPETITORS if competitor.name in self.only]
        stands = [stand for competitor in wanted if (stand := self._prepare(competitor))]
        os.sched_setaffinity(
            0, {servers.LOAD_CORE}
        )  # from here on this process leaves the servers' core alone
        for number in range(self.plan.rounds):
            for stand in stands:
                self._attempt(
                    stand, f"round {number + 1} of {self.plan.rounds}", self._round, number
                )
        for stand in stands:
            self._attempt(
                stand, f"memory over {self.plan.memory_requests:,} requests", self._memory, 0
            )
        for stand in stands:
            if stand.competitor.name == _OURS and self.plan.long_memory_requests:
                message = f"memory over {self.plan.long_memory_requests:,} varied requests"
                self._attempt(stand, message, self._long_memory, 0)
        if SIZES in self.only:
            self._measure_sizes()
        self.results.ended = results.now()
        self.results.save()

    def _prepare(self, competitor: Competitor) -> trials.Stand | None:
        """The competitor made ready and its answers checked; None, and a row saying why, if that is
        not possible.
        """
        record = self.results.record(competitor.name, trials.fingerprint(competitor, self.model))
        record.skipped = competitor.why_not()
        if record.skipped:
            progress.say(f"  {competitor.name}: skipped, {record.skipped}")
            self.results.save()
            return None
        try:
            stand = trials.set_up(competitor, self.model, self.work, self.envs, self.logs)
            record.versions = envs.installed_versions(stand.site.python)
            if record.agreement is None:
                trials.check_agreement(stand, record)
        except (
            Exception
        ) as exc:  # whatever is wrong with one competitor, the others are still measured
            self._fail(competitor.name, record, "preparing", exc)
            return None
        self.results.save()
        return stand

    def _attempt(
        self, stand: trials.Stand, message: str, measure: Measurement, number: int
    ) -> None:
        record = self.results.records[stand.competitor.name]
        if record.failure:
            return
        progress.say(f"  {stand.competitor.name}: {message}")
        try:
            measure(stand, record, number)
        except Exception as exc:  # as above
            self._fail(stand.competitor.name, record, message, exc)
        self.results.save()

    def _round(self, stand: trials.Stand, record: results.Record, number: int) -> None:
        if len(record.rounds) <= number:
            record.rounds.append(trials.run_round(stand, self.plan))

    def _memory(self, stand: trials.Stand, record: results.Record, _: int) -> None:
        if not record.memory:
            rate = record.rounds[-1]["c16"]["requests_per_second"]
            record.memory = trials.watch_memory(stand, self.plan, rate)

    def _long_memory(self, stand: trials.Stand, record: results.Record, _: int) -> None:
        answered = record.long_memory[-1][0] if record.long_memory else 0
        if answered < self.plan.long_memory_requests:
            rate = record.rounds[-1]["c16"]["requests_per_second"]
            record.long_memory = trials.watch_long(stand, self.plan, rate)

    def _measure_sizes(self) -> None:
        self.results.sizes.pop(SIZES, None)  # an earlier run's failure
        competitor = next(one for one in COMPETITORS if one.name == _OURS)
        if reason := competitor.why_not():
            progress.say(f"  {SIZES}: skipped, {reason}")
            return
        try:
            sizes.measure(competitor, self.results, self.plan, self.work, self.envs, self.logs)
        except Exception as exc:  # as above
            self._fail(SIZES, self.results.record(SIZES, "", size=True), "measuring", exc)

    def _fail(self, name: str, record: results.Record, doing: str, exc: Exception) -> None:
        record.failure = f"{doing}: {type(exc).__name__}: {exc}"
        progress.say(f"  {name} failed, {record.failure}")
        self.results.save()
