"""A fitted scikit-learn model taken apart: texts are transformed once, and the last step is asked
for both the label and the probabilities.

Asked as a whole, a pipeline transforms for ``predict`` and again for ``predict_proba``. And where
``predict`` only compares probabilities, as in a forest, the label is read off them (rules.py);
where both come of the same costly numbers, these are computed once (support_vectors.py).
"""

from __future__ import annotations

from copy import copy
from typing import Any

from function.compiler.sklearn_names import public_name
from function.originals import rules
from function.originals.support_vectors import joint_ask
from function.originals.values import plain

THRESHOLDS = {
    "sklearn.model_selection.FixedThresholdClassifier",
    "sklearn.model_selection.TunedThresholdClassifierCV",
}


class Estimator:
    """Texts in the shape the model takes -> features; features -> labels and probabilities, as
    Python's own lists."""

    def __init__(self, model: Any) -> None:
        self._steps, self._last = taken_apart(model)
        classes = _listed(getattr(self._last, "classes_", None))
        # Of several targets there may be one only, and then it is an ordinary model.
        self._is_lone = classes is not None and len(classes) == 1 and isinstance(classes[0], list)
        self.classes: list[Any] | None = classes[0] if classes and self._is_lone else classes
        self.has_probabilities = hasattr(self._last, "predict_proba")
        self.rule = rules.rule_of(self._last, taken_apart) if self.has_probabilities else None
        self.joint = joint_ask(self._last)

    def settle_probabilities(self, features: Any) -> None:
        """Do without those of a model that has the method and does not carry it out."""
        try:
            if self.has_probabilities:
                self.probabilities(features)
        except NotImplementedError:
            self.has_probabilities = False

    def features(self, given: Any) -> Any:
        """What the last step reads."""
        for step in self._steps:
            given = step.transform(given)
        return given

    def labels(self, features: Any) -> Any:
        """One label per text, or one row of them."""
        found = plain(self._last.predict(features))
        has_rows = isinstance(found, list) and any(isinstance(row, list) for row in found)
        if has_rows and all(isinstance(row, list) and len(row) == 1 for row in found):
            return [row[0] for row in found]  # labels as a column
        return found

    def probabilities(self, features: Any) -> Any:
        """One row per text, or one list of rows for each of several targets."""
        found = self._last.predict_proba(features)
        if not isinstance(found, list):
            return plain(found)
        return plain(found[0]) if self._is_lone else [plain(part) for part in found]


def _listed(classes: Any) -> list[Any] | None:
    """``classes_``: an array, or one for each of several targets."""
    return None if classes is None else [plain(item) for item in plain(classes)]


def taken_apart(model: Any) -> tuple[list[Any], Any]:
    """The transformers a text passes through, and what decides in the end."""
    name = public_name(model)
    if name == "sklearn.pipeline.Pipeline":
        parts = [part for _, part in model.steps if not _does_nothing(part)]
        if not parts:
            return [], model
        more, last = taken_apart(parts[-1])
        return [*parts[:-1], *more], last
    if name is not None and name.endswith("SearchCV") and hasattr(model, "best_estimator_"):
        return taken_apart(model.best_estimator_)
    if name in THRESHOLDS and hasattr(model, "estimator_"):
        steps, last = taken_apart(model.estimator_)
        outer = copy(model)
        outer.estimator_ = last
        return steps, outer
    return [], model


def _does_nothing(part: Any) -> bool:
    return part is None or (isinstance(part, str) and part == "passthrough")
