"""Calibrated probabilities: sklearn.calibration.CalibratedClassifierCV over linear members.

Each member has its own slice of the scores and one calibrator per class, or a single one for the
second of two classes. The members' probabilities are averaged, in their order.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.probabilities import Probabilities, joint_to_probabilities, logistic

Calibrate = Callable[[float], float]


def build_calibrated(members: Sequence[Mapping[str, Any]], classes: int) -> Probabilities:
    """Return the mean of the members' calibrated probabilities.

    A member is `{"columns": [start, stop], "response": "decision" | "naive_bayes",
    "calibrators": [...]}`; a calibrator `{"kind": "sigmoid", "a", "b"}` or
    `{"kind": "isotonic", "x": [...], "y": [...]}`.
    """
    built = [_build_member(member, classes) for member in members]

    def probabilities(scores: Sequence[float]) -> Sequence[float]:
        totals = [0.0] * classes
        for member in built:
            for position, share in enumerate(member(scores)):
                totals[position] += share
        return [total / len(built) for total in totals]

    return probabilities


def _build_member(member: Mapping[str, Any], classes: int) -> Probabilities:
    start, stop = member["columns"]
    calibrators = [_build_calibrator(calibrator) for calibrator in member["calibrators"]]
    naive_bayes = member["response"] == "naive_bayes"

    def respond(scores: Sequence[float]) -> Sequence[float]:
        own = scores[start:stop]
        if not naive_bayes:
            return own
        own = joint_to_probabilities(own)
        return own[1:] if classes == 2 else own

    def binary(scores: Sequence[float]) -> Sequence[float]:
        positive = calibrators[0](respond(scores)[0])
        return [_at_most_one(1.0 - positive), _at_most_one(positive)]

    def one_vs_rest(scores: Sequence[float]) -> Sequence[float]:
        own = respond(scores)
        shares = [calibrate(score) for calibrate, score in zip(calibrators, own, strict=True)]
        total = sum(shares)
        if total == 0.0:
            return [1.0 / classes] * classes
        return [_at_most_one(share / total) for share in shares]

    return binary if classes == 2 else one_vs_rest


def _at_most_one(share: float) -> float:
    """_CalibratedClassifier's own guard against probabilities a rounding above 1."""
    return 1.0 if 1.0 < share <= 1.0 + 1e-5 else share


def _build_calibrator(spec: Mapping[str, Any]) -> Calibrate:
    if spec["kind"] == "sigmoid":
        a, b = spec["a"], spec["b"]
        return lambda response: logistic(-(a * response + b))
    if spec["kind"] == "isotonic":
        return _build_isotonic(spec["x"], spec["y"])
    raise ValueError(f"unknown calibrator kind {spec['kind']!r}")


def _build_isotonic(x: Sequence[float], y: Sequence[float]) -> Calibrate:
    """IsotonicRegression(out_of_bounds="clip"): np.interp between thresholds, as it rounds."""

    def interpolate(response: float) -> float:
        if response <= x[0]:
            return y[0]
        if response >= x[-1]:
            return y[-1]
        left = bisect_right(x, response) - 1
        slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
        return slope * (response - x[left]) + y[left]

    return interpolate
