"""Kinds of models beyond those that fitted_models.py multiplies with everything: each on a few
vectorizers, of two and of three classes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC

from tests.fitted_models import LABELS, TEXTS, VECTORIZERS, as_input

KINDS: dict[str, Callable[[], Any]] = {
    "svc": lambda: SVC(kernel="linear"),
    "svc-breaks-ties": lambda: SVC(kernel="linear", break_ties=True),
    "svc-probability": lambda: SVC(kernel="linear", probability=True, random_state=0),
    "nu-svc": lambda: NuSVC(kernel="linear", nu=0.2, decision_function_shape="ovo"),
    "nu-svc-probability": lambda: NuSVC(kernel="linear", probability=True, random_state=0),
    "one-vs-one-svc": lambda: OneVsOneClassifier(LinearSVC(random_state=0)),
    "one-vs-one-logistic": lambda: OneVsOneClassifier(LogisticRegression()),
    "one-vs-one-sgd": lambda: OneVsOneClassifier(SGDClassifier(random_state=0)),
}
ON = ("tfidf", "count", "union-selected")


class Case(NamedTuple):
    kind: str
    vectorizer: str
    classes: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


CASES = [Case(kind, on, classes) for kind in KINDS for on in ON for classes in (2, 3)]


@functools.cache
def fit(case: Case) -> Pipeline:
    """The pipeline, fitted once."""
    chosen = [
        (text, label)
        for text, label in zip(TEXTS, LABELS, strict=True)
        if case.classes == 3 or label != "neutral"
    ]
    texts, labels = [text for text, _ in chosen], [label for _, label in chosen]
    steps = [("vectorizer", VECTORIZERS[case.vectorizer]()), ("classifier", KINDS[case.kind]())]
    model = Pipeline(steps)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The `probability` parameter", FutureWarning)
        return model.fit(as_input(model, texts), labels)
