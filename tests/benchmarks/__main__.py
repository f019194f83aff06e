"""The command line of the benchmark, and the files it writes."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import chart, machine, progress, report, results, summary, trials
from tests.benchmarks.commands import REPOSITORY
from tests.benchmarks.competitors import COMPETITORS
from tests.benchmarks.run import SIZES, Run

_CACHE = REPOSITORY / ".bench"
_SENTENCES = REPOSITORY / "function" / "demo" / "sentences.tsv"

NAMES = [*(competitor.name for competitor in COMPETITORS), SIZES]
_EPILOG = f"""\
examples:
  python -m tests.benchmarks --quick         every row twice, shortly: about ten minutes
  python -m tests.benchmarks                 the full run, one to two hours; after Ctrl-C the same
                                             command goes on where it stopped
  python -m tests.benchmarks --only compiled hello-granian mlflow
  python -m tests.benchmarks --only {SIZES}    this project's vocabulary sizes

names for --only: {", ".join(competitor.name for competitor in COMPETITORS)}, {SIZES}

Written to the output folder: results.json (every raw number), report.md, chart.svg, in logs/ what
every server said and, by the full run, kinds.md: each kind of model beside scikit-learn.
Needs two cores (0: server, 1: load generator), wrk and taskset; servers listen on loopback only.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options; paths made absolute."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measures this project and its peers, all serving the same MLflow model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter measurements, to see that all works"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=NAMES, default=NAMES, help="measure only these"
    )
    parser.add_argument(
        "--repeat",
        type=int,
        metavar="N",
        help="rounds to take the median of (5, or 2 with --quick)",
    )
    parser.add_argument(
        "--seconds", type=int, metavar="N", help="length of each load (5, or 2 with --quick)"
    )
    parser.add_argument(
        "--long-run",
        type=int,
        metavar="N",
        default=0,
        help="also watch the memory of `compiled` over N varied requests (none; at least 100000)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="results (.bench/full, or .bench/quick)"
    )
    parser.add_argument(
        "--envs", type=Path, metavar="DIR", default=_CACHE / "envs", help="virtual environments"
    )
    parser.add_argument(
        "--sentences", type=Path, metavar="TSV", help="label<TAB>text lines to train on too"
    )
    parser.add_argument(
        "--format",
        choices=("skops", "cloudpickle"),
        default="skops",
        help="how MLflow stores the model (skops is its default; pickles load faster)",
    )
    given = parser.parse_args(arguments)
    if given.repeat is not None and given.repeat < 1:
        parser.error("--repeat must be at least 1")
    if given.long_run < 0:
        parser.error("--long-run must be at least 0")
    given.output = (given.output or _CACHE / ("quick" if given.quick else "full")).resolve()
    given.envs = given.envs.resolve()
    if given.sentences is None and _SENTENCES.exists():
        given.sentences = _SENTENCES
    return given


def write_reports(folder: Path, found: results.Results) -> None:
    """The report and the chart, from whatever has been measured."""
    rows = summary.Summary(found)
    (folder / "report.md").write_text(report.render(rows), encoding="utf-8")
    (folder / "chart.svg").write_text(chart.render(rows), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything asked for was measured, 1 when something failed, 2 when this machine cannot
    measure, 130 after Ctrl-C.
    """
    given = parse(arguments)
    if lacking := machine.missing():
        print(*lacking, sep="\n", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        plan = trials.QUICK if given.quick else trials.FULL
        plan = replace(
            plan,
            rounds=given.repeat or plan.rounds,
            load_seconds=given.seconds or plan.load_seconds,
            long_memory_requests=given.long_run,
        )
        run = Run(plan, given.only, given.output, given.envs, given.format, given.sentences)
    except progress.StepFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    try:
        run.measure()
    except KeyboardInterrupt:
        progress.say("interrupted; the same command goes on from here")
        return 130
    finally:
        write_reports(given.output, run.results)
        written = [str(given.output / name) for name in ("report.md", "chart.svg", "results.json")]
        progress.say(f"written: {', '.join(written)}")
    progress.say((given.output / "report.md").read_text(encoding="utf-8"))
    if given.only == NAMES and not given.quick:
        progress.say("by kind of model, beside scikit-learn: ten minutes or so")
        by_kind = ["tests.benchmarks.kinds", "--output", str(given.output / "kinds.md")]
        subprocess.run([sys.executable, "-W", "ignore", "-m", *by_kind], check=True)
    records = [*run.results.records.values(), *run.results.sizes.values()]
    return 1 if any(record.failure for record in records) else 0


def _interrupt(number: int, frame: object) -> None:
    """SIGTERM ends a run like Ctrl-C does: servers stopped, results kept."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
