"""MLPClassifier: layers of neurons, of which the first reads the terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    layered,
    require_double,
)
from function.compiler.fitted import fitted


def _read_neurons(model: Any) -> FittedClassifier:
    """Follows `_forward_pass_fast` of sklearn/neural_network/_multilayer_perceptron.py, and
    `predict_proba` there: of two classes the last layer has the second's probability alone."""
    classes = classes_of(model)
    first, *others = fitted(model, "coefs_")
    require_double(model, first)
    if model.out_activation_ == "softmax":
        last = {"kind": "softmax"}
    elif model._label_binarizer.y_type_.startswith("multilabel"):
        last = {"kind": "multilabel", "link": "logistic"}
    else:
        last = {"kind": "one_vs_rest", "link": "logistic", "all_zero": "uniform"}
    own, *more = [intercepts.tolist() for intercepts in model.intercepts_]
    layers = [
        {"activation": model.activation, "weights": weights.tolist(), "intercepts": intercepts}
        for weights, intercepts in zip(others, more, strict=True)
    ]
    decision = layered(layers, last) if layers else last
    return FittedClassifier(classes, first.T.tolist(), own, decision)


READERS: Mapping[str, Read] = {"sklearn.neural_network.MLPClassifier": _read_neurons}
