"""A scikit-learn model's answers where each text has one label.

``predict`` decides, and what it gives is never taken for probabilities; ``predict_proba`` says how
sure that is. Where a text's probabilities are no numbers (NaN), its confidence and scores are
None: that text's trouble, and no other's in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from function.compiled.names import rename
from function.errors import ModelOutputError
from function.originals.estimator import Estimator
from function.originals.values import (
    LEAST_SUM,
    MOST_SUM,
    ROUNDING,
    class_name,
    distribution,
)
from function.predictor import Prediction

Names = Mapping[str, str]
"""The LABELS setting: a class, as text, to the name to show."""

_make = tuple.__new__  # a third of the time of Prediction(...)


class OneLabel:
    """Features of some texts -> a Prediction for each."""

    multilabel = False

    def __init__(self, estimator: Estimator, names: Names) -> None:
        self._estimator = estimator
        self._names = names
        classes = estimator.classes
        self.labels = None if classes is None else shown(classes, names)
        self._position = {item: place for place, item in enumerate(classes or ())}
        self._has_scores = classes is not None and estimator.has_probabilities
        self.takes_shortcut = self._has_scores and bool(estimator.rule or estimator.joint)

    def __call__(self, features: Any, count: int) -> list[Prediction]:
        """Raises ModelOutputError where there is not one label for each of ``count`` texts."""
        if not self._has_scores:
            labels = self._decided(features, count)
            return [Prediction(class_name(label, self._names), None, None) for label in labels]
        if self.takes_shortcut and self._estimator.joint is not None:
            labels, rows = self._estimator.joint(features)
            return [self._joined(*pair) for pair in zip(labels, rows, strict=True)]
        rows = self._rows(features, count)
        if self.takes_shortcut and (found := self._by_rule(rows)) is not None:
            return found
        labels = self._decided(features, count)
        return [self._joined(*pair) for pair in zip(labels, rows, strict=True)]

    def _decided(self, features: Any, count: int) -> list[Any]:
        labels = self._estimator.labels(features)
        if not isinstance(labels, list) or len(labels) != count:
            raise ModelOutputError(f"predict: not one label for each of {count} texts")
        return labels

    def _rows(self, features: Any, count: int) -> list[list[float]]:
        rows = self._estimator.probabilities(features)
        if not is_table(rows, count, len(self._position)):
            width = len(self._position)
            raise ModelOutputError(f"predict_proba: not {width} numbers for each of {count} texts")
        return list(rows)

    def _by_rule(self, rows: list[list[float]]) -> list[Prediction] | None:
        """None where the rule has no answer for one, or a number is no probability as it stands.

        One loop without calls of our own: for a batch it is all that comes on top of the model.
        """
        labels, rule = self.labels, self._estimator.rule
        assert labels is not None and rule is not None
        found = []
        for row in rows:
            if not LEAST_SUM <= sum(row) <= MOST_SUM or min(row) < 0.0 or max(row) > 1.0:
                return None
            place = rule(row)
            if place is None:
                return None
            found.append(_make(Prediction, (labels[place], row[place], tuple(row))))
        return found

    def _joined(self, label: Any, row: list[float]) -> Prediction:
        """The two may disagree (TunedThresholdClassifierCV, SVC): ``predict`` is what the model
        was asked to decide."""
        place = None if isinstance(label, list) else self._position.get(label)
        if place is None:
            raise ModelOutputError("predict: a label that is none of the model's classes")
        scores = _scores(row)
        confidence = None if scores is None else scores[place]
        return Prediction(class_name(label, self._names), confidence, scores)


def shown(classes: Sequence[Any], names: Names) -> tuple[str, ...]:
    """The classes' names; raises ModelLoadError as compiled.names.rename."""
    return rename([class_name(item, {}) for item in classes], names)


def is_table(rows: Any, count: int, width: int) -> bool:
    """Whether these are ``count`` rows of ``width``."""
    if not isinstance(rows, list) or len(rows) != count:
        return False
    return all(isinstance(row, list) and len(row) == width for row in rows)


def _scores(row: list[float]) -> tuple[float, ...] | None:
    if any(map(isnan, row)):
        return None
    if max(map(abs, row), default=0.0) <= ROUNDING:  # one-vs-rest, where no class claims the text
        return tuple(row)
    return distribution(row)
