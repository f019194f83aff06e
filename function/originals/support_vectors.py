"""SVC and NuSVC with probabilities: labels and probabilities from one pass over the kernel.

Their ``predict`` and ``predict_proba`` each compute the same decision values, one per pair of
classes, which is nearly all that they cost. ``predict`` lets the pairs vote; ``predict_proba``
makes each value a probability (Platt) and couples them (Wu, Lin, Weng 2004), as libsvm does in
svm_predict_probability and multiclass_probability of
https://github.com/scikit-learn/scikit-learn/blob/1.9.1/sklearn/svm/src/libsvm/svm.cpp
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from itertools import combinations
from typing import Any

from function.compiled.coupling import coupled, pairs_of
from function.compiler.sklearn_names import public_name

Joint = Callable[[Any], tuple[list[Any], list[list[float]]]]
"""Features -> labels, and rows of probabilities."""
NAMES = {"sklearn.svm.SVC", "sklearn.svm.NuSVC"}
MOST_CLASSES = 12
"""Beyond, coupling takes longer than asking twice."""
FEW = 8
"""Texts that are coupled one by one sooner than numpy has begun."""


def joint_ask(model: Any) -> Joint | None:
    """How to ask ``model`` for both at once; None for any other model, or one that breaks ties."""
    if public_name(model) not in NAMES or not hasattr(model, "predict_proba"):
        return None
    if model.break_ties or len(model.classes_) > MOST_CLASSES:
        return None
    pairwise = copy(model)
    pairwise.decision_function_shape = "ovo"
    classes = model.classes_.tolist()
    slopes, offsets = model.probA_.tolist(), model.probB_.tolist()
    # Of two classes scikit-learn turns the sign of what libsvm says.
    sign = -1.0 if len(classes) == 2 else 1.0

    def ask(features: Any) -> tuple[list[Any], list[list[float]]]:
        found = pairwise.decision_function(features)
        rows = (sign * found.reshape(len(found), -1)).tolist()
        labels = [classes[_most_votes(row, len(classes))] for row in rows]
        pairs = [pairs_of(row, slopes, offsets, len(classes)) for row in rows]
        return labels, _coupled_all(pairs) if len(rows) > FEW else [
            coupled(pair) or [] for pair in pairs
        ]

    return ask


def _most_votes(values: Sequence[float], classes: int) -> int:
    votes = [0] * classes
    for (one, other), value in zip(combinations(range(classes), 2), values, strict=True):
        votes[one if value > 0 else other] += 1
    return votes.index(max(votes))


def _coupled_all(pairs: list[list[list[float]]]) -> list[list[float]]:
    """The same for many texts at a time; each stops by itself."""
    import numpy

    each = numpy.array(pairs)
    texts, classes, _ = each.shape
    matrix = -each.transpose(0, 2, 1) * each
    places = numpy.arange(classes)
    matrix[:, places, places] = (each**2).sum(axis=1)
    shares = numpy.full((texts, classes), 1.0 / classes)
    left = numpy.arange(texts)
    for _ in range(100):
        products = numpy.einsum("nij,nj->ni", matrix[left], shares[left])
        total = (shares[left] * products).sum(axis=1)
        is_off = numpy.abs(products - total[:, None]).max(axis=1) >= 0.005 / classes
        left, products, total = left[is_off], products[is_off], total[is_off]
        if not len(left):
            break
        shares[left] = _improved(matrix[left], shares[left], products, total)
    return list(shares.tolist())


def _improved(matrix: Any, shares: Any, products: Any, total: Any) -> Any:
    for place in range(shares.shape[1]):
        diagonal, product = matrix[:, place, place], products[:, place]
        step = (total - product) / diagonal
        scale = 1 + step
        shares[:, place] += step
        total = (total + step * (step * diagonal + 2 * product)) / scale / scale
        products = (products + step[:, None] * matrix[:, place]) / scale[:, None]
        shares = shares / scale[:, None]
    return shares
