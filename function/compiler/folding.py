"""Linear steps right before a linear classifier, folded into its weights and intercepts.

What a text's terms are multiplied with there is one matrix after the other: TruncatedSVD's
components, StandardScaler's shares and means. The classifier then reads the terms themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, magnifies_rounding
from function.compiler.dense import without_dense
from function.compiler.sklearn_names import NotCompilable, describe, public_name

SVD = "sklearn.decomposition.TruncatedSVD"
SCALER = "sklearn.preprocessing.StandardScaler"


def fold(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Fold what follows a TruncatedSVD, and that, into the classifier; return the steps that are
    left, without those that only write zeros out. Raises NotCompilable for what stands there and
    is not linear."""
    steps = without_dense(steps, classifier)
    names = [public_name(step) for step in steps]
    if SVD not in names:
        return [*steps]
    _refuse_what_rounding_changes(classifier)
    first = names.index(SVD)
    if not classifier.weights:  # whatever the text, it has one answer
        return [*steps[:first]]
    for step, name in zip(reversed(steps[first + 1 :]), reversed(names[first + 1 :]), strict=True):
        if name != SCALER:
            raise NotCompilable(
                f"{describe(step)} after TruncatedSVD; without it, or with a StandardScaler there, "
                "the two are compiled"
            )
        _fold_scaler(step, classifier)
    import numpy as np

    classifier.weights = (np.array(classifier.weights) @ steps[first].components_).tolist()
    return [*steps[:first]]


def _fold_scaler(step: Any, classifier: FittedClassifier) -> None:
    import numpy as np

    weights = np.array(classifier.weights)
    if step.scale_ is not None:
        weights = weights / step.scale_
    if step.with_mean:
        classifier.intercepts = (np.array(classifier.intercepts) - weights @ step.mean_).tolist()
    classifier.weights = weights.tolist()


def _refuse_what_rounding_changes(classifier: FittedClassifier) -> None:
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    if classifier.binarize is not None or classifier.forest is not None or is_magnified:
        raise NotCompilable(
            "TruncatedSVD before a classifier that has steps, as trees and isotonic calibration"
        )
