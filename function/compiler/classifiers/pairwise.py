"""Classifiers that have a score for each two classes: SVC and NuSVC, and OneVsOneClassifier.

With a linear kernel the support vectors of a pair add up to one line of weights, `coef_`; with
another there are no weights.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from function.compiled import native
from function.compiled.kernels import Kernel, KernelVectors
from function.compiled.support import SupportVectors
from function.compiler.classifiers import linear
from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    over,
    require_double,
)
from function.compiler.sklearn_names import NotCompilable, describe, flatten, public_name


def _read_support_vectors(model: Any) -> FittedClassifier:
    classes = classes_of(model)
    if model.kernel not in ("linear", "rbf", "poly", "sigmoid"):
        raise NotCompilable(
            f"{describe(model)} with kernel={model.kernel!r}; 'linear', 'rbf', 'poly' and 'sigmoid'"
            " are compiled"
        )
    if model.kernel != "linear" and native._native is None:
        raise NotCompilable(
            f"{describe(model)} with kernel={model.kernel!r} without the C code, where "
            "scikit-learn is quicker; python -m function.build builds it"
        )
    if model.break_ties and model.decision_function_shape == "ovo":
        raise NotCompilable(f"{describe(model)} with break_ties of decision_function_shape='ovo'")
    # A positive score is to speak for the second class of a pair: so it is where there are two.
    sign = 1.0 if len(classes) == 2 else -1.0
    breaks_ties = bool(model.break_ties) and len(classes) > 2
    decision = {
        "kind": "pairwise",
        "zero": "first" if breaks_ties else "second",
        "ties": "confidence" if breaks_ties else "first",
        "platt": _platt(model),
    }
    support, intercepts = _support(model), (sign * model.intercept_).tolist()
    weights: list[list[float]] = [[] for _ in intercepts]
    if not support.alone:
        weights = (sign * model.coef_.toarray()).tolist()
    return FittedClassifier(classes, weights, intercepts, decision, support=support)


def _support(model: Any) -> SupportVectors:
    vectors, duals = model.support_vectors_, model._dual_coef_
    if not hasattr(vectors, "indptr"):
        raise NotCompilable(
            f"{describe(model)} was fitted on a full matrix; on the sparse one it is compiled"
        )
    require_double(model, vectors)
    vectors.sort_indices()
    parts = {
        "lengths": array("I", (vectors.indptr[1:] - vectors.indptr[:-1]).tolist()),
        "columns": array("I", vectors.indices.tolist()),
        "values": array("d", vectors.data.tolist()),
        "coefficients": array("d", duals.toarray().ravel().tolist()),
        "ignored": array("I"),  # compiler.py knows
    }
    content = {name: numbers.tobytes() for name, numbers in parts.items()}
    counts = model.n_support_.tolist()
    if model.kernel == "linear":
        return SupportVectors(counts, content)
    kernel = Kernel(model.kernel, float(model._gamma), int(model.degree), float(model.coef0))
    return KernelVectors(counts, content, kernel, model.shape_fit_[1])


def _platt(model: Any) -> list[list[float]] | None:
    if not hasattr(model, "predict_proba"):
        return None
    slopes, offsets = model._probA.tolist(), model._probB.tolist()  # probA_ warns of its end
    if not slopes:
        raise NotCompilable(f"{describe(model)} with probability=True, set after it was fitted")
    return [slopes, offsets]


def read_one_vs_one(model: Any, read: Read) -> FittedClassifier:
    """Read a OneVsOneClassifier over linear models."""
    classes = classes_of(model)
    decision = {"kind": "pairwise", "zero": "first", "ties": "confidence", "platt": None}
    found = FittedClassifier(classes, [], [], decision)
    for part in model.estimators_:
        last = flatten(part)[-1]
        if public_name(last) not in linear.READERS:
            raise over(model, last, "linear classifiers")
        found.append(read(part))
    return found


READERS: Mapping[str, Read] = {
    "sklearn.svm.NuSVC": _read_support_vectors,
    "sklearn.svm.SVC": _read_support_vectors,
}
