"""A column of a CSV file (RFC 4180), whose rows may go over several lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from function.predicting.chunks import TEXT, Chunk, Fault, UsageProblem, numbered
from function.predicting.lines import Feed, Lines


class CsvRows:
    """The texts of the column that is named, of ``text``, or of the only one. Empty lines are no
    rows, as in a body of CSV that the service reads."""

    def __init__(self, lines: Lines, column: str | None) -> None:
        """UsageProblem where there is no such column."""
        self._feed = Feed(lines)
        self._limit_bytes = lines.limit_bytes
        csv.field_size_limit(lines.limit_bytes)
        self._reader = csv.reader(self._feed, strict=True)
        self.total, self.close = lines.total, lines.close
        try:
            self._width, self._place = self._find(column)
        except UsageProblem:
            lines.close()
            raise

    def _find(self, column: str | None) -> tuple[int, int]:
        try:
            names = next(self._reader, [])
        except (csv.Error, OverflowError) as exc:
            raise UsageProblem(f"the input's first row names no columns: {exc}") from exc
        name = column or (names[0] if len(names) == 1 else TEXT)
        if names.count(name) != 1:
            found = ", ".join(map(repr, names[:20])) or "none"
            raise UsageProblem(f"the input has no one column {name!r}: --column one of {found}")
        return len(names), names.index(name)

    def chunks(self) -> Iterator[Chunk]:
        return numbered(self._blocks())

    def _blocks(self) -> Iterator[tuple[list[str | Fault], int]]:
        while self._feed.fill():
            rows: list[str | Fault] = []
            while not self._feed.is_empty:
                row = self._next()
                if row is not None:
                    rows.append(row)
            yield rows, self._feed.done

    def _next(self) -> str | Fault | None:
        try:
            fields = next(self._reader, None)
        except OverflowError:
            return Fault("too long", limit_bytes=self._limit_bytes)
        except csv.Error as exc:
            return Fault(f"The row is not CSV that can be read ({exc}).")
        if not fields:
            return None
        if len(fields) != self._width:
            return Fault(f"the row has {len(fields)} fields, not {self._width}", "")
        return fields[self._place]

    def text(self, row: str | Fault) -> str | Fault:
        if isinstance(row, Fault) or row.isascii():
            return row
        try:
            row.encode()
        except UnicodeEncodeError:
            return Fault("The row is not UTF-8.")
        return row
