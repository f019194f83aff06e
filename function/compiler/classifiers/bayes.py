"""Naive Bayes: a joint log likelihood that is linear in the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    require_double,
)

BAYES = "sklearn.naive_bayes."


def _read_multinomial(model: Any) -> FittedClassifier:
    return _naive_bayes(model, model.feature_log_prob_, model.class_log_prior_)


def _read_complement(model: Any) -> FittedClassifier:
    intercepts = model.class_log_prior_
    if len(model.classes_) > 1:
        intercepts = intercepts * 0.0  # _joint_log_likelihood adds the prior to a lone class only
    return _naive_bayes(model, model.feature_log_prob_, intercepts)


def _read_bernoulli(model: Any) -> FittedClassifier:
    """BernoulliNB._joint_log_likelihood: absent terms count too, so their sum is the intercept."""
    import numpy as np

    # Infinite without smoothing, not a number where counts were not binarized: refused later.
    with np.errstate(divide="ignore", invalid="ignore"):
        absent = np.log(1 - np.exp(model.feature_log_prob_))
    weights = model.feature_log_prob_ - absent
    found = _naive_bayes(model, weights, model.class_log_prior_ + absent.sum(axis=1))
    found.binarize = None if model.binarize is None else float(model.binarize)
    return found


def _naive_bayes(model: Any, weights: Any, intercepts: Any) -> FittedClassifier:
    classes = classes_of(model)
    require_double(model, weights)
    kind = "naive_bayes" if len(classes) > 1 else "constant"
    return FittedClassifier(classes, weights.tolist(), intercepts.tolist(), {"kind": kind})


READERS: Mapping[str, Read] = {
    BAYES + "MultinomialNB": _read_multinomial,
    BAYES + "ComplementNB": _read_complement,
    BAYES + "BernoulliNB": _read_bernoulli,
}
