"""What is written: lines of answer as they are (JSONL), or as rows of a CSV, or as a table.

Each takes lines as ``/predict_batch`` has them, so that a model in this process and one behind a
URL are shown the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.predicting.chunks import Format, Shape, is_error

NAMES = ("table", "csv", "jsonl")


def format_named(name: str, shape: Shape) -> Format:
    """The format of that name, of NAMES."""
    formats: dict[str, Callable[[Shape], Format]] = {"table": Table, "csv": Csv, "jsonl": Jsonl}
    return formats[name](shape)


class Jsonl:
    """The lines themselves."""

    head = ""

    def __init__(self, shape: Shape) -> None:
        pass

    def render(self, lines: Sequence[str]) -> str:
        return "\n".join([*lines, ""])


class Csv:
    """A row each; what went wrong is in the last column, and everything else then empty."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        several = ["labels"] if shape.multilabel else []
        scores = [f"score_{label}" for label in shape.score_labels]
        terms = ["terms"] if shape.with_terms else []
        first = ["text", "sentiment", "confidence"]
        self._width = len(first + several + scores + terms) + 2
        self.head = _csv([[*first, *several, *scores, *terms, "model_version", "error"]])

    def render(self, lines: Sequence[str]) -> str:
        return _csv([self._row(line) for line in lines])

    def _row(self, line: str) -> list[Any]:
        found = json.loads(line)
        if is_error(line):
            return [*[None] * (self._width - 1), found["error"]["detail"]]
        row = [found["text"], found["sentiment"], found["confidence"]]
        if self._shape.multilabel:
            row.append(json.dumps(found["labels"], ensure_ascii=False))
        scores = found.get("scores") or {}
        row += [scores.get(label) for label in self._shape.score_labels]
        if self._shape.with_terms:
            row.append(terms_in_words(found))
        return [*row, found["model_version"], None]


class Table:
    """For eyes: what was decided, how sure that is, and as much of the text as there is room."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._room = max(40, shutil.get_terminal_size((100, 24)).columns)
        self._widths = [
            max([9, *map(len, shape.labels)] if not shape.multilabel else [30]),
            10,
            *(max(5, len(label)) for label in shape.score_labels),
        ]
        self.head = self._line(["sentiment", "confidence", *shape.score_labels], "text")

    def render(self, lines: Sequence[str]) -> str:
        return "".join(map(self._record, lines))

    def _record(self, line: str) -> str:
        found = json.loads(line)
        if is_error(line):
            told = f"line {found['line']}: {found['error']['detail']}"
            return self._line(["error", *[""] * (len(self._widths) - 1)], told)
        several = ", ".join(found.get("labels", ())) or "none"
        said = several if self._shape.multilabel else found["sentiment"] or "?"
        scores = found.get("scores") or {}
        numbers = [found["confidence"], *map(scores.get, self._shape.score_labels)]
        shown = [said, *("" if number is None else f"{number:.3f}" for number in numbers)]
        terms = terms_in_words(found) if self._shape.with_terms else ""
        return self._line(shown, found["text"]) + (f"    {terms}\n" if terms else "")

    def _line(self, cells: Sequence[str], text: str) -> str:
        columns = [cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)]
        begun = "  ".join([*columns, ""])
        # A text may hold anything, what moves a terminal's cursor too.
        shown = "".join(char if char.isprintable() else " " for char in text[: 4 * self._room])
        room = max(20, self._room - len(begun))
        return f"{begun}{shown if len(shown) <= room else shown[: room - 1] + '…'}\n"


def terms_in_words(answer: Mapping[str, Any]) -> str:
    """The terms that decided, heaviest first, each with what it gave or took."""
    terms = (answer.get("explanation") or {}).get("terms", ())
    return "; ".join(f"{term['term']} {term['contribution']:+.2f}" for term in terms)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    import csv
    import io

    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()
