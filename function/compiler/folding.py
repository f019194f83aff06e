"""Linear steps right before a linear classifier, folded into its weights and intercepts.

What a text's terms are multiplied with there is one matrix after the other: TruncatedSVD's
components, StandardScaler's shares and means. The classifier then reads the terms themselves. A
Normalizer behind TruncatedSVD is not linear: the components stay, with a layer behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiled.layers import LAST
from function.compiler.classifiers.fitted import FittedClassifier, layered, magnifies_rounding
from function.compiler.dense import NORMALIZER, without_dense
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
        if name == SCALER:
            _fold_scaler(step, classifier)
        elif name == NORMALIZER:
            _divide_by_length(step, classifier)
        else:
            raise NotCompilable(
                f"{describe(step)} after TruncatedSVD; without it, or with a StandardScaler or a "
                "Normalizer there, the two are compiled"
            )
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


def _divide_by_length(step: Any, classifier: FittedClassifier) -> None:
    """Make a layer of the classifier, of which each component is a score."""
    import numpy as np

    decision = classifier.decision
    if step.norm != "l2":
        raise NotCompilable(
            f"Normalizer(norm={step.norm!r}) after TruncatedSVD; norm='l2' is compiled there"
        )
    is_sum = classifier.support is None and all(classifier.weights)
    if decision["kind"] not in (*LAST, "layers") or not is_sum:
        raise NotCompilable(
            "Normalizer after TruncatedSVD, before a classifier made of others or of support "
            "vectors; LogisticRegression, LinearSVC and SGDClassifier are compiled there"
        )
    weights = np.array(classifier.weights)
    layer = {
        "activation": "l2",
        "weights": weights.T.tolist(),
        "intercepts": [*classifier.intercepts],
    }
    classifier.decision = layered([layer], decision)
    classifier.weights = np.identity(weights.shape[1]).tolist()
    classifier.intercepts = [0.0] * weights.shape[1]


def _refuse_what_rounding_changes(classifier: FittedClassifier) -> None:
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    if classifier.binarize is not None or classifier.forest is not None or is_magnified:
        raise NotCompilable(
            "TruncatedSVD before a classifier that has steps, as trees and isotonic calibration"
        )
