"""Going on after the rows that are answered already."""

from __future__ import annotations

from collections.abc import Iterator

from function.predicting.chunks import Chunk, Source, UsageProblem
from function.predicting.output import Kept


def chunks_after(kept: Kept, source: Source) -> Iterator[Chunk]:
    """The chunks of the rows that have no record yet; UsageProblem where the records are not of
    this input."""
    read = 0
    for chunk in source.chunks():
        answered = kept.records - read
        read += len(chunk.rows)
        if 0 < answered <= len(chunk.rows):
            _check(kept, source.text(chunk.rows[answered - 1]))
        if answered < len(chunk.rows):
            skipped = max(0, answered)
            yield chunk._replace(first=chunk.first + skipped, rows=chunk.rows[skipped:])
    if read < kept.records:
        raise _not_of_this_input(f"it has {kept.records} answers, and the input {read} rows")


def _check(kept: Kept, text: object) -> None:
    if kept.last_text is not None and text != kept.last_text:
        raise _not_of_this_input(f"its answer {kept.records} is not of the input's text there")


def _not_of_this_input(told: str) -> UsageProblem:
    return UsageProblem(f"--resume: the output is not of this input: {told}")
