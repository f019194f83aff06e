"""``python -m function.predict``, ``sentiment-predict``: texts to labels by the million.

From arguments, stdin or a column of a file; by a running service, or by a model in this process
and others like it. What it is made of is in ``predicting``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from function.predicting import options

if TYPE_CHECKING:
    import argparse

    from function.predicting.chunks import Answerer, Source
    from function.predicting.progress import Progress
    from function.settings import Settings

ERRORS, USAGE, UNAVAILABLE, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer, and return the exit status that options.EPILOG lists."""
    parser = options.parser()
    given = parser.parse_args(arguments)
    if problem := options.problem_of(given):
        parser.error(problem)
    from function.predicting.chunks import Unavailable, UsageProblem

    try:
        return _run(given)
    except UsageProblem as exc:
        parser.error(str(exc))
    except Unavailable as exc:
        return _ended(UNAVAILABLE, str(exc))
    except KeyboardInterrupt:
        return _ended(INTERRUPTED, "interrupted")
    except BrokenPipeError:
        return BROKEN_PIPE


def command() -> NoReturn:
    """The console script: main, and leave at once, whatever a thread still waits for."""
    from function.telemetry import console

    console.redact_errors()
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(given: argparse.Namespace) -> int:
    from function.errors import InvalidSetting
    from function.predicting.chunks import UsageProblem
    from function.predicting.sources import open_source
    from function.settings import Settings

    try:
        settings = Settings.from_environ()
    except InvalidSetting as exc:
        raise UsageProblem(str(exc)) from exc
    limit_bytes = settings.max_line_bytes
    source = open_source(given.texts, given.input, given.input_format, given.column, limit_bytes)
    if not (given.texts or given.input) and sys.stdin.isatty():
        _say("reading texts from the terminal, one a line; Ctrl-D ends them")
    try:
        return _write(given, source, _answerer(given, settings))
    finally:
        source.close()


def _answerer(given: argparse.Namespace, settings: Settings) -> Answerer:
    top = (given.top or options.TOP_TERMS) if given.explain else None
    if given.url:
        from function.predicting.service import Service

        key = given.key or os.environ.get(options.KEY_VARIABLE, "")
        return Service(given.url, key, given.scores, top, _say)
    from function.predicting.local import Local

    if given.compiled:
        settings = settings.replace(compiled_model=given.compiled)
    elif given.model:
        settings = settings.replace(model_uri=given.model, compiled_model="")
    if not settings.compiled_model:
        _say(f"loading {settings.model_uri} from {settings.mlflow_tracking_uri}")
    return Local(settings, given.scores, top, given.jobs, _say)


def _write(given: argparse.Namespace, source: Source, answerer: Answerer) -> int:
    from function.predicting.chunks import Unavailable
    from function.predicting.formats import format_named
    from function.predicting.output import Kept, Output, kept_in
    from function.predicting.progress import Progress
    from function.predicting.resuming import chunks_after

    name = options.format_name(given)
    written_as = format_named(name, answerer.shape)
    kept = kept_in(given.output, name, written_as.head) if given.resume else None
    output = Output(given.output, kept)
    progress = Progress(source.total, shares_terminal=output.is_terminal)
    if kept and kept.records:
        _say(f"{kept.records:,} rows are answered already; going on after them")
    engine = answerer.engine(source, written_as)
    kept = kept or Kept()
    try:
        try:
            if not output.size:
                output.write(written_as.head.encode())
            for part in engine(chunks_after(kept, source)):
                output.write(part.output)
                progress.add(part)
        finally:
            progress.end()
            output.close()
    except Unavailable as exc:
        return _ended(UNAVAILABLE, f"{exc}; {_way_on(given, progress)}")
    except KeyboardInterrupt:
        return _ended(INTERRUPTED, f"interrupted; {_way_on(given, progress)}")
    except BrokenPipeError:  # as other tools, no word where `head` has seen enough
        told = f"nobody reads the output any more; {_way_on(given, progress)}"
        return _ended(BROKEN_PIPE, told) if progress.is_long else BROKEN_PIPE
    except OSError as exc:
        return _ended(USAGE, f"{exc}; {_way_on(given, progress)}")
    if progress.is_long:
        _say(progress.summary())
    if errors := kept.errors + progress.errors:
        return _ended(ERRORS, f"{errors:,} of {kept.records + progress.lines:,} rows have errors")
    return 0


def _way_on(given: argparse.Namespace, progress: Progress) -> str:
    if given.output:
        how = "the same command with --resume goes on after them"
        return f"{progress.lines:,} more rows are answered in {given.output}: {how}"
    told = "with --output FILE, --resume could go on after them"
    return f"{progress.lines:,} rows are answered; {told}"


def _ended(status: int, told: str) -> int:
    _say(told)
    return status


def _say(told: str) -> None:
    print(f"predict: {told}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    command()
