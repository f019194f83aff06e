"""CalibratedClassifierCV: members, each with the calibrators that were fitted to its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.compiler.classifiers import bayes, linear, trees
from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    over,
    without_layers,
)
from function.compiler.sklearn_names import NotCompilable, describe, flatten, public_name

KNOWN_INSIDE = {*linear.READERS, *bayes.READERS, *trees.READERS} - {bayes.BAYES + "BernoulliNB"}


def read_calibrated(model: Any, read: Read) -> FittedClassifier:
    """Read the members' scores, one after the other."""
    members = getattr(model, "calibrated_classifiers_", None)
    if members is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    found = FittedClassifier(classes_of(model), [], [], {"kind": "calibrated", "members": []})
    for member in members:
        if member.method not in ("sigmoid", "isotonic"):
            raise NotCompilable(
                f"CalibratedClassifierCV with method={member.method!r}; 'sigmoid' and "
                "'isotonic' are compiled"
            )
        base = _read_base(model, member, found.classes, read)
        start = len(found.weights)
        found.append(base)
        found.decision["members"].append(
            {
                "columns": [start, len(found.weights)],
                **_response(base.decision),
                "calibrators": [_read_calibrator(part) for part in member.calibrators],
            }
        )
    # Isotonic steps can be steep enough to turn a rounding into a visible difference.
    found.decision["faithful"] = members[0].method == "isotonic"
    return found


def _response(decision: Mapping[str, Any]) -> dict[str, Any]:
    if decision["kind"] == "averaged":
        return {"response": "averaged", "total": decision["total"]}
    return {"response": "naive_bayes" if decision["kind"] == "naive_bayes" else "decision"}


def _read_base(member_of: Any, member: Any, classes: Sequence[Any], read: Read) -> FittedClassifier:
    estimator = member.estimator
    if public_name(estimator) == "sklearn.frozen.FrozenEstimator":
        estimator = estimator.estimator
    last = flatten(estimator)[-1]
    if public_name(last) not in KNOWN_INSIDE:
        raise over(member_of, last, "linear classifiers, MultinomialNB, ComplementNB and trees")
    base = without_layers(member_of, read(estimator))
    if base.classes != list(classes):
        raise NotCompilable("CalibratedClassifierCV with a member that saw only some classes")
    return base


def _read_calibrator(calibrator: Any) -> dict[str, Any]:
    name = type(calibrator).__name__
    if type(calibrator).__module__ == "sklearn.calibration" and name == "_SigmoidCalibration":
        return {"kind": "sigmoid", "a": float(calibrator.a_), "b": float(calibrator.b_)}
    if public_name(calibrator) == "sklearn.isotonic.IsotonicRegression":
        x, y = calibrator.X_thresholds_, calibrator.y_thresholds_
        if calibrator.out_of_bounds == "clip" and x.dtype.name == y.dtype.name == "float64":
            return {"kind": "isotonic", "x": x.tolist(), "y": y.tolist()}
    raise NotCompilable(f"CalibratedClassifierCV with a calibrator {describe(calibrator)}")
