"""Fitted scikit-learn classifiers to weights, intercepts and a decision (see decision.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from function.compiled.numbers import is_number
from function.compiler.eras import logistic_rule
from function.compiler.sklearn_names import NotCompilable, describe, public_name

LINEAR = "sklearn.linear_model."
BAYES = "sklearn.naive_bayes."
NAIVE_BAYES = {BAYES + name for name in ("MultinomialNB", "ComplementNB", "BernoulliNB")}
LABELS_ONLY = {
    "sklearn.svm.LinearSVC",
    LINEAR + "PassiveAggressiveClassifier",
    LINEAR + "Perceptron",
    LINEAR + "RidgeClassifier",
    LINEAR + "RidgeClassifierCV",
}
LOGISTIC = {LINEAR + "LogisticRegression", LINEAR + "LogisticRegressionCV"}


@dataclass(slots=True)
class FittedClassifier:
    """One classifier as read from scikit-learn."""

    classes: list[Any]
    weights: list[list[float]]
    """One list per score, each with a weight per column."""
    intercepts: list[float]
    decision: dict[str, Any]
    binarize: float | None = None


def read_classifier(model: Any) -> FittedClassifier:
    """Return what `model` computes. Raises NotCompilable naming what it cannot carry over."""
    name = public_name(model)
    read = _READERS.get(name) if name is not None else None
    if read is None:
        raise NotCompilable(f"{describe(model)} is not a classifier the compiler knows")
    found = read(model)
    _refuse_unusable(model, found)
    return found


def _refuse_unusable(model: Any, found: FittedClassifier) -> None:
    values = [found.intercepts, *found.weights]
    if not all(is_number(value) for row in values for value in row):
        raise NotCompilable(f"{describe(model)} has weights that are infinite or not a number")
    if len(found.classes) < 2 and found.decision["kind"] not in ("constant", "multilabel"):
        raise NotCompilable(f"{describe(model)} was fitted on a single class")


def _classes(model: Any) -> list[Any]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    if getattr(classes, "ndim", None) != 1:
        raise NotCompilable(f"{describe(model)} has more than one output")
    values: list[Any] = classes.tolist()
    return values


def _read_linear(model: Any, decision: Mapping[str, Any]) -> FittedClassifier:
    """Read any model whose decision function is X @ coef_.T + intercept_."""
    import numpy as np

    classes = _classes(model)
    is_of_second = len(classes) == 2 and decision["kind"] != "multilabel"
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    coef = np.atleast_2d(coef)
    if coef.dtype != np.float64:
        raise NotCompilable(f"{describe(model)} computes in {coef.dtype}")
    if coef.shape[0] != (1 if is_of_second else len(classes)):
        raise NotCompilable(f"{describe(model)} has {coef.shape[0]} scores, {len(classes)} classes")
    intercepts = np.broadcast_to(np.ravel(model.intercept_), (coef.shape[0],))
    return FittedClassifier(classes, coef.tolist(), intercepts.tolist(), dict(decision))


def _read_labels_only(model: Any) -> FittedClassifier:
    binarizer = getattr(model, "_label_binarizer", None)
    if binarizer is not None and binarizer.y_type_.startswith("multilabel"):
        return _read_linear(model, {"kind": "multilabel", "link": None})
    return _read_linear(model, {"kind": "labels"})


def _one_vs_rest(link: str, all_zero: str) -> dict[str, str]:
    return {"kind": "one_vs_rest", "link": link, "all_zero": all_zero}


def _read_logistic(model: Any) -> FittedClassifier:
    _classes(model)
    rule = logistic_rule(model)
    if rule == "softmax":
        return _read_linear(model, {"kind": "softmax"})
    found = _read_linear(model, _one_vs_rest("logistic", "uniform"))
    if rule == "softmax_of_two":  # of the score and its negative: logistic of twice the score
        found.weights = [[2.0 * weight for weight in row] for row in found.weights]
        found.intercepts = [2.0 * intercept for intercept in found.intercepts]
    return found


def _read_sgd(model: Any) -> FittedClassifier:
    link = {"log_loss": "logistic", "modified_huber": "clipped"}.get(model.loss)
    decision = {"kind": "labels"} if link is None else _one_vs_rest(link, "uniform")
    return _read_linear(model, decision)


def _read_naive_bayes(model: Any) -> FittedClassifier:
    classes = _classes(model)
    kind = "naive_bayes" if len(classes) > 1 else "constant"
    weights, intercepts, binarize = model.feature_log_prob_, model.class_log_prior_, None
    name = public_name(model)
    if name == BAYES + "ComplementNB" and len(classes) > 1:
        intercepts = intercepts * 0.0  # _joint_log_likelihood adds the prior to a lone class only
    if name == BAYES + "BernoulliNB":
        weights, intercepts, binarize = _bernoulli(model)
    if weights.dtype.name != "float64":
        raise NotCompilable(f"{describe(model)} computes in {weights.dtype.name}")
    return FittedClassifier(
        classes, weights.tolist(), intercepts.tolist(), {"kind": kind}, binarize
    )


def _bernoulli(model: Any) -> tuple[Any, Any, float | None]:
    """BernoulliNB._joint_log_likelihood: absent terms count too, so their sum is the intercept."""
    import numpy as np

    # Infinite without smoothing, not a number where counts were not binarized: refused later.
    with np.errstate(divide="ignore", invalid="ignore"):
        absent = np.log(1 - np.exp(model.feature_log_prob_))
    weights = model.feature_log_prob_ - absent
    threshold = None if model.binarize is None else float(model.binarize)
    return weights, model.class_log_prior_ + absent.sum(axis=1), threshold


def _read_one_vs_rest(model: Any) -> FittedClassifier:
    if getattr(model, "label_binarizer_", None) is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    found = _read_side_by_side(model, _classes(model))
    if model.multilabel_:
        found.decision = _each_alone(found.decision)
    elif found.decision["kind"] == "one_vs_rest":
        found.decision["all_zero"] = "zero"  # unlike the linear models' own one-vs-rest
    return found


def _read_multi_output(model: Any) -> FittedClassifier:
    if not hasattr(model, "estimators_"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    if len(model.estimators_) == 1:
        return read_classifier(model.estimators_[0])
    if any(list(part.classes_) != [0, 1] for part in model.estimators_):
        raise NotCompilable(f"{describe(model)} has targets of other values than 0 and 1")
    found = _read_side_by_side(model, [*range(len(model.estimators_))])
    found.decision = _each_alone(found.decision)
    return found


def _each_alone(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Several binary decisions side by side as one that gives any number of labels."""
    return {"kind": "multilabel", "link": decision.get("link")}


def _read_side_by_side(model: Any, classes: list[Any]) -> FittedClassifier:
    """Read the binary linear models that a model has for its classes, which must be alike."""
    parts = [_read_binary_part(model, part) for part in model.estimators_]
    decision = dict(parts[0].decision)
    if any(part.decision != decision for part in parts):
        raise NotCompilable(f"{describe(model)} mixes classifiers")
    return FittedClassifier(
        classes,
        [part.weights[0] for part in parts],
        [part.intercepts[0] for part in parts],
        decision,
    )


def _read_binary_part(model: Any, part: Any) -> FittedClassifier:
    if public_name(part) not in LINEAR_MODELS:
        raise NotCompilable(f"{describe(model)} over {describe(part)}")
    return read_classifier(part)


def _read_calibrated(model: Any) -> FittedClassifier:
    members = getattr(model, "calibrated_classifiers_", None)
    if members is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    found = FittedClassifier(_classes(model), [], [], {"kind": "calibrated", "members": []})
    for member in members:
        if member.method not in ("sigmoid", "isotonic"):
            raise NotCompilable(f"CalibratedClassifierCV with method {member.method!r}")
        base = _read_calibrated_base(member, found.classes)
        start = len(found.weights)
        found.weights += base.weights
        found.intercepts += base.intercepts
        found.decision["members"].append(
            {
                "columns": [start, len(found.weights)],
                "response": "naive_bayes" if base.decision["kind"] == "naive_bayes" else "decision",
                "calibrators": [_read_calibrator(part) for part in member.calibrators],
            }
        )
    # Isotonic steps can be steep enough to turn a rounding into a visible difference.
    found.decision["faithful"] = members[0].method == "isotonic"
    return found


def _read_calibrated_base(member: Any, classes: Sequence[Any]) -> FittedClassifier:
    estimator = member.estimator
    if public_name(estimator) == "sklearn.frozen.FrozenEstimator":
        estimator = estimator.estimator
    name = public_name(estimator)
    if name not in LINEAR_MODELS | NAIVE_BAYES or name == BAYES + "BernoulliNB":
        raise NotCompilable(f"CalibratedClassifierCV over {describe(estimator)}")
    base = read_classifier(estimator)
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


LINEAR_MODELS = LOGISTIC | LABELS_ONLY | {LINEAR + "SGDClassifier"}
_READERS: dict[str, Callable[[Any], FittedClassifier]] = {
    **dict.fromkeys(LOGISTIC, _read_logistic),
    **dict.fromkeys(LABELS_ONLY, _read_labels_only),
    **dict.fromkeys(NAIVE_BAYES, _read_naive_bayes),
    LINEAR + "SGDClassifier": _read_sgd,
    "sklearn.multiclass.OneVsRestClassifier": _read_one_vs_rest,
    "sklearn.multioutput.MultiOutputClassifier": _read_multi_output,
    "sklearn.calibration.CalibratedClassifierCV": _read_calibrated,
}
