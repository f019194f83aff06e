"""A decision function's scores to probabilities, each as scikit-learn or scipy rounds it, and the
best of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from math import exp, log
from operator import sub, truediv
from typing import Any

from function.predictor import Answer

PLAIN = ("labels", "softmax", "naive_bayes", "one_vs_rest", "calibrated")
"""The kinds of decisions that give one label and are made of no others."""

Probabilities = Callable[[Sequence[float]], Sequence[float]]
Decide = Callable[[Sequence[float], float], Answer | None]
"""Scores and a margin to a prediction, or to None where the two best are within the margin:
rounding could then tip the label, and the caller comes back with scores summed in scikit-learn's
own order and a margin below zero, which always gets an answer."""
Build = Callable[[Mapping[str, Any], Sequence[str], int], Decide]
"""decision.build_decision, for decisions that are made of others."""


def softmax(scores: Sequence[float]) -> list[float]:
    """sklearn.utils.extmath.softmax for one row."""
    best = max(scores)
    powers = [*map(exp, map(sub, scores, repeat(best)))]
    return [*map(truediv, powers, repeat(sum(powers)))]


def joint_to_probabilities(scores: Sequence[float]) -> list[float]:
    """_BaseNB: exp(joint - logsumexp(joint)), whose rounding softmax does not share."""
    best = max(scores)
    evidence = log(sum(map(exp, map(sub, scores, repeat(best))))) + best
    return [*map(exp, map(sub, scores, repeat(evidence)))]


def logistic(score: float) -> float:
    """scipy.special.expit, where an infinite exp(-score) gives 0.0."""
    try:
        return 1.0 / (1.0 + exp(-score))
    except OverflowError:
        return 0.0


def clipped(score: float) -> float:
    """SGDClassifier's probability for loss="modified_huber"."""
    return (max(-1.0, min(1.0, score)) + 1.0) / 2.0


def winner(scores: Sequence[float], margin: float) -> int | None:
    """Return which is the best, ties to the first as in np.argmax; None where another is within the
    margin."""
    others = [*scores]  # sorting them takes twice the time
    best = max(others)
    place = others.index(best)
    del others[place]
    return None if best - max(others) <= margin else place
