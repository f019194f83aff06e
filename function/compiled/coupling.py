"""Probabilities of each two classes to one for each class: what SVC and NuSVC do with them.

Platt's sigmoid and the coupling of Wu, Lin and Weng (2004), step by step as libsvm's
svm_predict_probability and multiclass_probability in
https://github.com/scikit-learn/scikit-learn/blob/1.9.1/sklearn/svm/src/libsvm/svm.cpp
The steps end once they are small, not at the solution, so nothing shorter gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import exp

SMALLEST = 1e-7
MOST_STEPS = 100


def pairs_of(
    values: Sequence[float], slopes: Sequence[float], offsets: Sequence[float], classes: int
) -> list[list[float]]:
    """For each two classes, the probability of the first of them, given libsvm's decision values
    in the order of `combinations`."""
    found = [[0.0] * classes for _ in range(classes)]
    pairs = combinations(range(classes), 2)
    for (one, other), value, slope, offset in zip(pairs, values, slopes, offsets, strict=True):
        share = _sigmoid(value * slope + offset)
        share = min(max(share, SMALLEST), 1 - SMALLEST)
        found[one][other], found[other][one] = share, 1 - share
    return found


def _sigmoid(exponent: float) -> float:
    if exponent >= 0:
        return exp(-exponent) / (1.0 + exp(-exponent))
    return 1.0 / (1.0 + exp(exponent))


def coupled(pairs: Sequence[Sequence[float]], margin: float = -1.0) -> list[float] | None:
    """One probability per class from those of the pairs.

    None where it is within the margin whether there is to be another step: rounding could then
    change the probabilities by as much as a step.
    """
    places = range(len(pairs))
    matrix = [[-pairs[j][i] * pairs[i][j] for j in places] for i in places]
    for i in places:
        matrix[i][i] = sum([pairs[j][i] ** 2 for j in places])
    shares, enough = [1.0 / len(pairs)] * len(pairs), 0.005 / len(pairs)
    for _ in range(max(MOST_STEPS, len(pairs))):
        products = [sum([x * p for x, p in zip(row, shares, strict=True)]) for row in matrix]
        total = sum([p * x for p, x in zip(shares, products, strict=True)])
        error = max([abs(x - total) for x in products])
        if abs(error - enough) <= margin:
            return None
        if error < enough:
            break
        for i, row in enumerate(matrix):
            step = (total - products[i]) / row[i]
            shares[i] += step
            total = (total + step * (step * row[i] + 2 * products[i])) / (1 + step) / (1 + step)
            products = [(x + step * y) / (1 + step) for x, y in zip(products, row, strict=True)]
            shares = [share / (1 + step) for share in shares]
    return shares
