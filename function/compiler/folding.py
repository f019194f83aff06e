"""Linear steps right before a linear classifier, folded into its weights and intercepts.

What a text's terms are multiplied with there is one matrix after the other: TruncatedSVD's
components, StandardScaler's shares and means. The classifier then reads the terms themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, magnifies_rounding
from function.compiler.sklearn_names import (
    FUNCTION_TRANSFORMER,
    NotCompilable,
    describe,
    public_name,
)

SVD = "sklearn.decomposition.TruncatedSVD"
NORMALIZER = "sklearn.preprocessing.Normalizer"
SCALER = "sklearn.preprocessing.StandardScaler"


def fold(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Fold what follows a TruncatedSVD, and that, into the classifier; return the steps that are
    left, without those that only write zeros out. Raises NotCompilable for what stands there and
    is not linear."""
    steps = _without_dense(steps, classifier)
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


def _without_dense(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Leave out what makes a full matrix of a sparse one, as FunctionTransformer(lambda X:
    X.toarray()) and classes of one's own do."""
    dense = [step for step in steps[1:] if _makes_dense(step)]
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    if dense and (classifier.support is not None or is_magnified):
        raise NotCompilable(
            f"{describe(dense[0])} before a classifier whose sums are rounded otherwise then; "
            "without it the two are compiled"
        )
    has_steps = classifier.forest is not None or bool(classifier.binarize)
    full = [step in dense or not getattr(step, "sparse_output_", True) for step in steps]
    behind = steps[full.index(True) :] if True in full else []
    if has_steps and NORMALIZER in map(public_name, behind):
        raise NotCompilable(
            "Normalizer of a full matrix, which is rounded otherwise than a sparse one, before a "
            "classifier that has steps, as trees; ahead of what makes it full the two are compiled"
        )
    return [step for step in steps if step not in dense]


def _makes_dense(step: Any) -> bool:
    """Whether it gives any numbers as they are, each in its place."""
    is_own = public_name(step) is None
    if public_name(step) != FUNCTION_TRANSFORMER and not is_own:
        return False
    import numpy as np
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-9, 9, (40, 5))
    numbers[rng.random(numbers.shape) < 0.5] = 0.0
    try:
        found = step.transform(csr_matrix(numbers))
    except Exception:  # its own: it wants other input
        return False
    return isinstance(found, np.ndarray) and np.array_equal(found, numbers)


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
