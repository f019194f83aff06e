"""Decisions of what decision trees add up to.

| kind | follows |
|---|---|
| averaged | DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier, bagged trees |
| boosted | GradientBoostingClassifier, HistGradientBoostingClassifier |
| voted | AdaBoostClassifier |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.numbers import is_number
from function.compiled.probabilities import Decide, logistic, softmax, winner
from function.predictor import Prediction


def build_averaged(spec: Mapping[str, Any], names: Sequence[str]) -> Decide:
    """Return the decision `{"total"}` of a score per class: the sum of as many trees' shares.
    Raises ValueError and KeyError as build_decision."""
    total = positive(spec, "total")

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        # In a file that was made by hand, leaves may hold anything.
        shares = tuple([min(max(score / total, 0.0), 1.0) for score in scores])
        best = winner(shares, margin)
        return None if best is None else Prediction(names[best], shares[best], shares)

    return decide


def build_boosted(spec: Mapping[str, Any], names: Sequence[str]) -> Decide:
    """Return the decision `{"factor", "zero_is_second", "by"}`: the softmax of a score per class
    or, of two classes, the logistic of so many times the second's score, which has it from zero on
    or above zero. `by` is "score" by default; by "probability" scores that are next to one another
    may be as likely, and the first has it. Raises ValueError and KeyError as build_decision."""
    factor, zero_is_second = positive(spec, "factor"), spec["zero_is_second"]
    by_probability = {"score": False, "probability": True}[spec.get("by", "score")]
    if type(zero_is_second) is not bool:
        raise ValueError(f"zero_is_second: {zero_is_second!r}")

    def decide_binary(scores: Sequence[float], margin: float) -> Prediction | None:
        (score,) = scores
        if abs(score) <= margin:
            return None
        share = logistic(factor * score)
        shares = (1.0 - share, share)
        best = score >= 0.0 if zero_is_second else score > 0.0
        if by_probability:
            best = share > 1.0 - share
        return Prediction(names[best], shares[best], shares)

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        shares = tuple(softmax(scores))
        best = winner(shares if by_probability else scores, margin)
        return None if best is None else Prediction(names[best], shares[best], shares)

    return decide_binary if len(names) == 2 else decide


def build_voted(spec: Mapping[str, Any], names: Sequence[str]) -> Decide:
    """Return the decision `{"total"}` of a score per class: the trees' weights, less a share of
    those that are for another, whose sum is `total`. Raises ValueError and KeyError as
    build_decision."""
    total, others = positive(spec, "total"), len(names) - 1

    def decide_binary(scores: Sequence[float], margin: float) -> Prediction | None:
        first, second = [score / total for score in scores]
        lead = second - first
        if abs(lead) <= margin:
            return None
        shares = tuple(softmax([-lead / 2, lead / 2]))
        return Prediction(names[lead > 0.0], shares[lead > 0.0], shares)

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        weighed = [score / total for score in scores]
        best = winner(weighed, margin)
        if best is None:
            return None
        shares = tuple(softmax([score / others for score in weighed]))
        return Prediction(names[best], shares[best], shares)

    return decide_binary if others == 1 else decide


def positive(spec: Mapping[str, Any], name: str) -> float:
    """Return a total or a factor; ValueError for one that cannot be divided by, and KeyError."""
    number = spec[name]
    if not is_number(number) or not 1e-9 <= number <= 1e9:
        raise ValueError(f"{name}: {number!r}")
    return float(number)


BUILDERS: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], Decide]] = {
    "averaged": build_averaged,
    "boosted": build_boosted,
    "voted": build_voted,
}
