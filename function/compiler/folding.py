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

SVD = "sklearn.decomposition.TruncatedSVD"
COMPONENTS = {SVD, "sklearn.decomposition.PCA"}
SCALER = "sklearn.preprocessing.StandardScaler"
LARGEST_WEIGHT = 1e4
"""More come of dividing by next to nothing, as by the deviation of components that have none."""


def fold(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Fold what follows components, or means, and these, into the classifier; return the steps that
    are left, without those that only write zeros out. Raises NotCompilable for what stands there
    and is not linear."""
    left = without_dense(steps, classifier)
    places = [place for place, step in enumerate(left) if _is_of_full_matrix(step)]
    if not places:
        return left
    first = places[0]
    _refuse_what_rounding_changes(left[first], classifier)
    if classifier.weights:  # else it has one answer whatever the text
        for place in reversed(range(first, len(left))):
            _fold_step(left[place], left[:place], classifier, is_sparse=left == [*steps])
        _refuse_large_weights(left[first], classifier)
    return left[:first]


def _is_of_full_matrix(step: Any) -> bool:
    """Whether what it makes has no zeros that could be left out."""
    name = public_name(step)
    return name in COMPONENTS or name == SCALER and bool(step.with_mean)


def _fold_step(
    step: Any, before: Sequence[Any], classifier: FittedClassifier, is_sparse: bool
) -> None:
    """`is_sparse` is whether no step makes a full matrix of a sparse one just so."""
    name = public_name(step)
    if name in COMPONENTS:
        _fold_components(step, classifier)
    elif name == SCALER:
        _fold_scaler(step, classifier)
    elif name == NORMALIZER and is_sparse and _are_exact_components(before):
        _divide_by_length(step, classifier)
    else:
        raise NotCompilable(
            f"{describe(step)} after {describe(before[-1])}; without it, or with a StandardScaler, "
            "or a Normalizer right after TruncatedSVD of a sparse matrix, the two are compiled"
        )


def _are_exact_components(steps: Sequence[Any]) -> bool:
    """Whether what a TruncatedSVD gives is the sums of its terms to the bit: of a text that has
    none of the components, a Normalizer makes a whole vector of what rounding left."""
    *others, last = steps
    return public_name(last) == SVD and not any(map(_is_of_full_matrix, others))


def _fold_components(step: Any, classifier: FittedClassifier) -> None:
    """Follows `_transform` of sklearn/decomposition/_base.py."""
    import numpy as np

    components, weights = fitted(step, "components_"), np.array(classifier.weights)
    if getattr(step, "whiten", False):
        weights /= np.maximum(np.sqrt(step.explained_variance_), np.finfo(float).eps)
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


def _refuse_large_weights(step: Any, classifier: FittedClassifier) -> None:
    largest = max(max(map(abs, row), default=0.0) for row in classifier.weights)
    if not largest <= LARGEST_WEIGHT:
        raise NotCompilable(
            f"{describe(step)} with what follows comes to weights of {largest:.1g}, which magnify "
            "rounding; fewer components are compiled"
        )


def _refuse_what_rounding_changes(step: Any, classifier: FittedClassifier) -> None:
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    is_nearest = classifier.decision["kind"] == "nearest"  # whose ties are by distances
    has_steps = classifier.binarize is not None or classifier.forest is not None
    if is_nearest or has_steps or is_magnified:
        raise NotCompilable(
            f"{describe(step)} before a classifier that has steps, as trees and isotonic "
            "calibration, or NearestCentroid"
        )
