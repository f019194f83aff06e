"""Pairs of classes that vote: SVC, NuSVC and OneVsOneClassifier.

There is a score for each two classes, in the order of `combinations`, and above zero it speaks for
the second of them. Follows svm_predict_values of libsvm, and _ovr_decision_function of
sklearn/utils/multiclass.py, which tells between equal votes by the scores themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from function.compiled.coupling import coupled, pairs_of
from function.compiled.numbers import is_number
from function.compiled.probabilities import Decide, winner
from function.predictor import Prediction

Rank = Callable[[Sequence[float], float], int | None]
"""Scores and a margin to the place of the class, or None where that is within the margin."""


def build_pairwise(spec: Mapping[str, Any], names: Sequence[str]) -> Decide:
    """Return the decision `{"zero", "ties", "platt"}`.

    `zero` is the class of a pair, "first" or "second", that has the vote of a score of exactly
    zero; of equal votes, `ties` says, the "first" class has it or the one of more "confidence".
    `platt` is None, or the slopes and the offsets of libsvm's probabilities. Raises ValueError and
    KeyError as build_decision.
    """
    classes, zero_is_second = len(names), {"first": False, "second": True}[spec["zero"]]
    by_confidence = {"first": False, "confidence": True}[spec["ties"]]
    rank = _rank(classes, zero_is_second, by_confidence)
    if spec["platt"] is None:
        return _without_probabilities(names, rank)
    slopes, offsets = spec["platt"]
    for numbers in (slopes, offsets):
        if len(numbers) != classes * (classes - 1) // 2 or not all(map(is_number, numbers)):
            raise ValueError(f"platt: no number for each two of {classes} classes")

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        best = rank(scores, margin)
        if best is None:
            return None
        shares = coupled(pairs_of([-x for x in scores], slopes, offsets, classes), margin)
        return None if shares is None else Prediction(names[best], shares[best], tuple(shares))

    return decide


def _without_probabilities(names: Sequence[str], rank: Rank) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        best = rank(scores, margin)
        return None if best is None else Prediction(names[best], None, None)

    return decide


def _rank(classes: int, zero_is_second: bool, by_confidence: bool) -> Rank:
    pairs = [*combinations(range(classes), 2)]

    def rank(scores: Sequence[float], margin: float) -> int | None:
        if min(map(abs, scores)) <= margin:
            return None
        votes = [0.0] * classes
        for pair, score in zip(pairs, scores, strict=True):
            votes[pair[score > 0.0 or (zero_is_second and score == 0.0)]] += 1.0
        if not by_confidence:
            return votes.index(max(votes))
        weighed = [v + c for v, c in zip(votes, _confidences(scores), strict=True)]
        return winner(weighed, margin)

    def _confidences(scores: Sequence[float]) -> list[float]:
        """Of each class, its scores' sum between -1/3 and 1/3."""
        sums = [0.0] * classes
        for (one, other), score in zip(pairs, scores, strict=True):
            sums[one] -= score
            sums[other] += score
        return [total / (3.0 * (abs(total) + 1.0)) for total in sums]

    return rank
