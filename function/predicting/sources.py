"""Where texts come from: arguments, lines, a column of CSV, JSON lines or Parquet.

A source is read by one process and its rows are taken apart by those that answer them: ``chunks``
does as little as it can, and ``text`` the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from function.predicting.chunks import TEXT, Chunk, Fault, Source, UsageProblem, numbered, text_of
from function.predicting.lines import Lines

_decode = json.JSONDecoder().decode
KINDS = ("lines", "csv", "jsonl", "parquet")
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def open_source(
    texts: Sequence[str], path: str | None, kind: str | None, column: str | None, limit_bytes: int
) -> Source:
    """The source that the command line names; UsageProblem where it cannot be read."""
    if texts:
        return Arguments(texts)
    path = None if path == "-" else path
    kind = kind or SUFFIXES.get(os.path.splitext(path or "")[1].lower(), "lines")
    if kind == "parquet":
        if path is None:
            raise UsageProblem("Parquet is read from a file, not from stdin: --input FILE")
        from function.predicting.parquet import Parquet

        return Parquet(path, column)
    if kind == "lines" and column is not None:
        raise UsageProblem("--column is for CSV, JSONL and Parquet; see --input-format")
    lines = Lines(path, limit_bytes)
    if kind == "lines":
        return lines
    if kind == "jsonl":
        return JsonLines(lines, column or TEXT)
    from function.predicting.csv_rows import CsvRows

    return CsvRows(lines, column)


class Arguments:
    """Texts as they were given."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [*texts]
        self.total: int | None = len(self._texts)

    def chunks(self) -> Iterator[Chunk]:
        return numbered(iter([(self._texts, len(self._texts))]))

    def text(self, row: str) -> str | Fault:
        return row

    def close(self) -> None:
        pass


class JsonLines:
    """A JSON object a line, with the text under a name."""

    def __init__(self, lines: Lines, column: str) -> None:
        self._lines = lines
        self._column = column
        self.total = lines.total
        self.chunks, self.close = lines.chunks, lines.close

    def text(self, row: bytes) -> str | Fault:
        try:  # nearly all are right, and a call more for each takes a fifth of the time
            value = _decode(row.decode())[self._column]
            if type(value) is str and len(row) <= self._lines.limit_bytes:
                return value
        except (ValueError, LookupError, TypeError, RecursionError):
            pass
        return self._fault(row)

    def _fault(self, row: bytes) -> str | Fault:
        line = self._lines.text(row)
        if isinstance(line, Fault):
            return line
        try:
            found = _decode(line)
        except (ValueError, RecursionError):
            return Fault("The line is not JSON.")
        return text_of(found.get(self._column) if isinstance(found, dict) else None, self._column)
