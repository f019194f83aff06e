"""Linear steps right before a linear classifier, folded into its weights and intercepts.

What a text's terms are multiplied with there is one matrix after the other: the components of
TruncatedSVD or PCA, StandardScaler's shares and means. The classifier then reads the terms
themselves. A Normalizer behind components is not linear: they stay, with a layer behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiled.layers import LAST
from function.compiler.classifiers.fitted import FittedClassifier, layered, magnifies_rounding
from function.compiler.dense import NORMALIZER, without_dense
from function.compiler.fitted import fitted
from function.compiler.sklearn_names import NotCompilable, describe, public_name

COMPONENTS = {"sklearn.decomposition." + name for name in ("PCA", "TruncatedSVD")}
SCALER = "sklearn.preprocessing.StandardScaler"


def fold(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Fold what follows components, or means, and these, into the classifier; return the steps that
    are left, without those that only write zeros out. Raises NotCompilable for what stands there
    and is not linear."""
    steps = without_dense(steps, classifier)
    places = [place for place, step in enumerate(steps) if _is_of_full_matrix(step)]
    if not places:
        return [*steps]
    first = places[0]
    _refuse_what_rounding_changes(steps[first], classifier)
    if classifier.weights:  # else it has one answer whatever the text
        for place in reversed(range(first, len(steps))):
            has_few = any(public_name(step) in COMPONENTS for step in steps[first:place])
            _fold_step(steps[place], steps[first], classifier, has_few)
    return [*steps[:first]]


def _is_of_full_matrix(step: Any) -> bool:
    """Whether what it makes has no zeros that could be left out."""
    name = public_name(step)
    return name in COMPONENTS or name == SCALER and bool(step.with_mean)


def _fold_step(step: Any, first: Any, classifier: FittedClassifier, has_few: bool) -> None:
    name = public_name(step)
    if name in COMPONENTS:
        _fold_components(step, classifier)
    elif name == SCALER:
        _fold_scaler(step, classifier)
    elif name == NORMALIZER and has_few:
        _divide_by_length(step, classifier)
    else:
        raise NotCompilable(
            f"{describe(step)} after {describe(first)}; without it, or with a StandardScaler or a "
            "Normalizer after TruncatedSVD, the two are compiled"
        )


def _fold_components(step: Any, classifier: FittedClassifier) -> None:
    """Follows `_transform` of sklearn/decomposition/_base.py."""
    import numpy as np

    components, weights = fitted(step, "components_"), np.array(classifier.weights)
    if getattr(step, "whiten", False):
        weights = weights / np.maximum(np.sqrt(step.explained_variance_), np.finfo(float).eps)
    classifier.weights = (weights @ components).tolist()
    _take_mean(getattr(step, "mean_", None), classifier)


def _fold_scaler(step: Any, classifier: FittedClassifier) -> None:
    import numpy as np

    if step.scale_ is not None:
        classifier.weights = (np.array(classifier.weights) / step.scale_).tolist()
    _take_mean(step.mean_ if step.with_mean else None, classifier)


def _take_mean(mean: Any, classifier: FittedClassifier) -> None:
    """Of what is multiplied with the weights as they are now."""
    import numpy as np

    if mean is not None:
        moved = np.array(classifier.intercepts) - np.array(classifier.weights) @ mean
        classifier.intercepts = moved.tolist()


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


def _refuse_what_rounding_changes(step: Any, classifier: FittedClassifier) -> None:
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    if classifier.binarize is not None or classifier.forest is not None or is_magnified:
        raise NotCompilable(
            f"{describe(step)} before a classifier that has steps, as trees and isotonic "
            "calibration"
        )
