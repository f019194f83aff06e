"""Classifiers whose decision function is X @ coef_.T + intercept_."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    require_double,
)
from function.compiler.eras import logistic_rule
from function.compiler.sklearn_names import NotCompilable, describe

LINEAR = "sklearn.linear_model."


def read_coefficients(model: Any, decision: Mapping[str, Any]) -> FittedClassifier:
    """Read the weights and intercepts of any such model."""
    import numpy as np

    classes = classes_of(model)
    is_of_second = len(classes) == 2 and decision["kind"] != "multilabel"
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    coef = np.atleast_2d(coef)
    require_double(model, coef)
    if coef.shape[0] != (1 if is_of_second else len(classes)):
        raise NotCompilable(f"{describe(model)} has {coef.shape[0]} scores, {len(classes)} classes")
    intercepts = np.broadcast_to(np.ravel(model.intercept_), (coef.shape[0],))
    return FittedClassifier(classes, coef.tolist(), intercepts.tolist(), dict(decision))


def _read_labels_only(model: Any) -> FittedClassifier:
    binarizer = getattr(model, "_label_binarizer", None)
    if binarizer is not None and binarizer.y_type_.startswith("multilabel"):
        return read_coefficients(model, {"kind": "multilabel", "link": None})
    return read_coefficients(model, {"kind": "labels"})


def _one_vs_rest(link: str) -> dict[str, str]:
    return {"kind": "one_vs_rest", "link": link, "all_zero": "uniform"}


def _read_logistic(model: Any) -> FittedClassifier:
    classes_of(model)
    rule = logistic_rule(model)
    if rule == "softmax":
        return read_coefficients(model, {"kind": "softmax"})
    found = read_coefficients(model, _one_vs_rest("logistic"))
    if rule == "softmax_of_two":  # of the score and its negative: logistic of twice the score
        found.weights = [[2.0 * weight for weight in row] for row in found.weights]
        found.intercepts = [2.0 * intercept for intercept in found.intercepts]
    return found


def _read_sgd(model: Any) -> FittedClassifier:
    link = {"log_loss": "logistic", "modified_huber": "clipped"}.get(model.loss)
    return read_coefficients(model, {"kind": "labels"} if link is None else _one_vs_rest(link))


READERS: Mapping[str, Read] = {
    LINEAR + "LogisticRegression": _read_logistic,
    LINEAR + "LogisticRegressionCV": _read_logistic,
    LINEAR + "SGDClassifier": _read_sgd,
    LINEAR + "PassiveAggressiveClassifier": _read_labels_only,
    LINEAR + "Perceptron": _read_labels_only,
    LINEAR + "RidgeClassifier": _read_labels_only,
    LINEAR + "RidgeClassifierCV": _read_labels_only,
    "sklearn.svm.LinearSVC": _read_labels_only,
}
