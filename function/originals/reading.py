"""How a pyfunc model's answers are read, settled by its first one: what its classes are, and
whether a text has one label or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.errors import ModelOutputError
from function.originals.onelabel import Names, shown
from function.originals.outputs import expect_rows, own_classes, read_output
from function.originals.values import class_name, describe, plain, probability
from function.predictor import Answer, MultilabelPrediction

LABELS_KEY, SCORES_KEY = "labels", "scores"


class Reading:
    """A model's answer for some texts -> as many predictions; raises ModelOutputError."""

    def __init__(self, names: Names, classes: Sequence[Any] | None) -> None:
        """``classes``: the model's own, where it tells them, or 0..n-1 where LABELS does."""
        self._names = names
        self._classes = classes
        self._is_settled = False
        self.multilabel = False

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes, in the order of an answer's scores; None where unknown."""
        return None if self._classes is None else shown(self._classes, self._names)

    def __call__(self, output: Any, count: int) -> Sequence[Answer]:
        """Read the answer for ``count`` texts."""
        if not self._is_settled:
            self._settle(expect_rows(output, count))
        if self.multilabel:
            return self._several(output, count)
        found = read_output(output, count, self._classes, self._names)
        self._is_settled = True
        return found

    def _settle(self, rows: list[Any]) -> None:
        own = own_classes(rows)
        known = {str(item) for item in self._classes or ()}
        if own is not None and set(own) != known:
            self._classes = own
        if rows and all(map(_is_marks, rows)):
            self._classes = self._classes or range(len(rows[0]))
            self.multilabel = self._is_settled = True
        elif rows and all(_has_labels(row) for row in rows):
            self.multilabel = self._is_settled = True

    def _several(self, output: Any, count: int) -> list[MultilabelPrediction]:
        try:
            return [self._several_of(row) for row in expect_rows(output, count)]
        except ModelOutputError as exc:
            raise ModelOutputError(f"{describe(output)}: {exc.returned}") from None

    def _several_of(self, row: Any) -> MultilabelPrediction:
        if _has_labels(row):
            applying = tuple([class_name(item, self._names) for item in plain(row[LABELS_KEY])])
            return MultilabelPrediction(applying, self._scores(plain(row.get(SCORES_KEY))))
        labels = self.labels or ()
        if not _is_marks(row) or len(row) != len(labels):
            raise ModelOutputError(f"not a row of 0 and 1 for each of {len(labels)} labels")
        applying = tuple([name for name, mark in zip(labels, row, strict=True) if mark])
        return MultilabelPrediction(applying, None)

    def _scores(self, given: Any) -> tuple[float, ...] | None:
        """From a probability per class, by name, where the classes are known."""
        if not isinstance(given, Mapping) or self._classes is None:
            return None
        return tuple([probability(given.get(str(item))) for item in self._classes])


def _is_marks(row: Any) -> bool:
    """A row of the whole numbers 0 and 1, or of bools: the labels that apply."""
    is_row = isinstance(row, list | tuple) and len(row) > 1
    return is_row and all(isinstance(plain(mark), int) and mark in (0, 1) for mark in row)


def _has_labels(row: Any) -> bool:
    return isinstance(row, Mapping) and isinstance(plain(row.get(LABELS_KEY)), list | tuple)
