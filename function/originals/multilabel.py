"""A scikit-learn model's answers where any number of labels may apply to a text.

Such a model was fitted on rows of 0 and 1, a column per label, and ``predict`` gives rows like
them. ``predict_proba`` gives a row of each label's own probability, or an array per label with a
column per value. A model of several targets of other values answers several questions at once,
which no one answer can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from function.errors import ModelLoadError, ModelOutputError
from function.originals.estimator import Estimator
from function.originals.onelabel import Names, is_table, shown
from function.originals.rules import NEARLY
from function.originals.values import probability
from function.predictor import MultilabelPrediction

Row = Sequence[float] | None


class SeveralLabels:
    """Features of some texts -> a MultilabelPrediction for each."""

    multilabel = True

    def __init__(self, estimator: Estimator, names: Names, width: int) -> None:
        """``width``: how many labels ``predict`` has marked."""
        classes = estimator.classes
        self._estimator = estimator
        self._values: list[list[Any]] = [[0, 1]] * width
        named: Sequence[Any] = range(width)
        if classes is not None and any(isinstance(part, list) for part in classes):
            self._values = classes
        elif classes is not None:
            named = classes
        _refuse_several_targets(self._values, named, width)
        self.labels = shown(named, names)
        # Whatever its rule: the greater of a label's two probabilities is that above a half.
        self.takes_shortcut = estimator.rule is not None

    def __call__(self, features: Any, count: int) -> list[MultilabelPrediction]:
        """Raises ModelOutputError where there is not one row for each of ``count`` texts."""
        rows: Sequence[Row] = [None] * count
        if self._estimator.has_probabilities:
            rows = self._rows(features, count)
            if self.takes_shortcut and all(map(_is_clear, rows)):
                return [self._answer([share > 0.5 for share in row or ()], row) for row in rows]
        marks = self._estimator.labels(features)
        self._expect_table("predict", marks, count)
        return [self._answer(*pair) for pair in zip(marks, rows, strict=True)]

    def _rows(self, features: Any, count: int) -> list[Row]:
        found = self._estimator.probabilities(features)
        if len(found) == len(self.labels) and all(
            is_table(rows, count, len(values))
            for rows, values in zip(found, self._values, strict=True)
        ):
            found = self._joined(found)
        self._expect_table("predict_proba", found, count)
        return [None if any(map(isnan, row)) else [*map(probability, row)] for row in found]

    def _joined(self, arrays: list[list[list[float]]]) -> list[list[float]]:
        """An array per label, of a column per value -> each label's probability of being 1."""
        places = [values.index(1) if 1 in values else None for values in self._values]
        columns = [
            [0.0 if place is None else row[place] for row in rows]
            for place, rows in zip(places, arrays, strict=True)
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _expect_table(self, method: str, rows: Any, count: int) -> None:
        if not is_table(rows, count, len(self.labels)):
            width = len(self.labels)
            raise ModelOutputError(f"{method}: not {width} numbers for each of {count} texts")

    def _answer(self, marks: Sequence[Any], row: Row) -> MultilabelPrediction:
        if any(mark not in (0, 1) for mark in marks):
            raise ModelOutputError("predict: another mark than 0 or 1 for a label")
        applying = tuple([name for name, mark in zip(self.labels, marks, strict=True) if mark])
        return MultilabelPrediction(applying, None if row is None else tuple(row))


def _is_clear(row: Row) -> bool:
    return row is not None and all(abs(share - 0.5) > NEARLY for share in row)


def _refuse_several_targets(values: list[list[Any]], named: Sequence[Any], width: int) -> None:
    if any(item not in (0, 1) for part in values for item in part):
        told = "; ".join(", ".join(map(str, part[:4])) for part in values[:4])
        raise ModelLoadError(
            f"The model answers {width} questions about each text at once (targets of the values"
            f" {told}), and a prediction here has one answer. Log one model per target, or fit it"
            " on rows of 0 and 1, a column per label, to have several labels per text."
        )
    if not len(values) == len(named) == width:
        raise ModelLoadError(
            f"The model marks {width} labels for each text, and has {len(named)} classes."
        )
