"""Calibrated probabilities: sklearn.calibration.CalibratedClassifierCV.

Each member has its own slice of the scores and one calibrator per class, or a single one for the
second of two classes. The members' probabilities are averaged, in their order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from operator import le
from typing import Any

from function.compiled.numbers import is_number, is_slice
from function.compiled.probabilities import Probabilities, joint_to_probabilities, logistic

Calibrate = Callable[[float], float]


def build_calibrated(
    members: Sequence[Mapping[str, Any]], classes: int, scores: int
) -> Probabilities:
    """Return the mean of the members' calibrated probabilities, of so many scores.

    A member is `{"columns": [start, stop], "response": "decision" | "naive_bayes" | "averaged",
    "calibrators": [...]}`, of trees with their number, `total`; a calibrator
    `{"kind": "sigmoid", "a", "b"}` or `{"kind": "isotonic", "x": [...], "y": [...]}`. Raises
    ValueError for what is none of these, and KeyError.
    """
    built = [_build_member(member, classes, scores) for member in members]
    if not built:
        raise ValueError("calibrated by no member")

    def probabilities(scores: Sequence[float]) -> Sequence[float]:
        totals = [0.0] * classes
        for member in built:
            for position, share in enumerate(member(scores)):
                totals[position] += share
        return [total / len(built) for total in totals]

    return probabilities


def _build_member(member: Mapping[str, Any], classes: int, scores: int) -> Probabilities:
    start, stop = member["columns"]
    calibrators = [build_calibrator(calibrator) for calibrator in member["calibrators"]]
    share = _share(member)
    wanted = 1 if classes == 2 else classes
    taken = wanted if share is None else classes
    is_whole = is_slice(start, stop, scores) and stop - start == taken
    if not is_whole or len(calibrators) != wanted:
        raise ValueError(f"a member of {len(calibrators)} calibrators and scores {start}:{stop}")

    def respond(scores: Sequence[float]) -> Sequence[float]:
        own = scores[start:stop]
        if share is None:
            return own
        own = share(own)
        return own[1:] if classes == 2 else own

    def binary(scores: Sequence[float]) -> Sequence[float]:
        positive = calibrators[0](respond(scores)[0])
        return [1.0 - positive, positive]

    def one_vs_rest(scores: Sequence[float]) -> Sequence[float]:
        own = respond(scores)
        shares = [calibrate(score) for calibrate, score in zip(calibrators, own, strict=True)]
        total = sum(shares)
        if total == 0.0:
            return [1.0 / classes] * classes
        return [share / total for share in shares]

    return binary if classes == 2 else one_vs_rest


def _share(member: Mapping[str, Any]) -> Probabilities | None:
    """What makes probabilities of a member's scores, where it is these that are calibrated."""
    response = member["response"]
    if response == "averaged":
        from function.compiled.ensembles import positive

        total = positive(member, "total")
        return lambda scores: [score / total for score in scores]
    return {"naive_bayes": joint_to_probabilities, "decision": None}[response]


def build_calibrator(spec: Mapping[str, Any]) -> Calibrate:
    """Return what makes a response a probability; ValueError for what is no calibrator."""
    if spec["kind"] == "sigmoid":
        a, b = spec["a"], spec["b"]
        if not (is_number(a) and is_number(b)):
            raise ValueError(f"a sigmoid of {a!r} and {b!r}")
        return lambda response: logistic(-(a * response + b))
    if spec["kind"] == "isotonic":
        return _build_isotonic(spec["x"], spec["y"])
    raise ValueError(f"unknown calibrator kind {spec['kind']!r}")


def _build_isotonic(x: Sequence[float], y: Sequence[float]) -> Calibrate:
    """IsotonicRegression(out_of_bounds="clip"): np.interp between thresholds, as it rounds."""
    if not all(map(is_number, [*x, *y])) or not len(x) == len(y) > 0:
        raise ValueError("thresholds that are no pairs of numbers")
    if not (min(y) >= 0.0 and max(y) <= 1.0 and all(map(le, x, x[1:]))):
        raise ValueError("thresholds out of order, or probabilities out of 0 to 1")

    def interpolate(response: float) -> float:
        if response <= x[0]:
            return y[0]
        if response >= x[-1]:
            return y[-1]
        left = bisect_right(x, response) - 1
        if response == x[left]:
            return y[left]
        slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
        # _CalibratedClassifier guards against what is a rounding above 1, and so below 0, too.
        return min(max(slope * (response - x[left]) + y[left], 0.0), 1.0)

    return interpolate
