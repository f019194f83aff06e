"""DummyClassifier: one answer, whatever the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, Read, classes_of
from function.compiler.sklearn_names import NotCompilable, describe


def _read_dummy(model: Any) -> FittedClassifier:
    classes, strategy = classes_of(model), model._strategy
    if strategy not in ("most_frequent", "prior", "constant"):
        raise NotCompilable(
            f"{describe(model)} with strategy={strategy!r}, which is random; 'most_frequent', "
            "'prior' and 'constant' are compiled"
        )
    priors = model.class_prior_.tolist()
    best = priors.index(max(priors))
    if strategy == "constant":
        best = classes.index(model.constant)
    shares = priors if strategy == "prior" else [float(n == best) for n in range(len(classes))]
    return FittedClassifier(classes, [], [0.0], {"kind": "fixed", "best": best, "shares": shares})


READERS: Mapping[str, Read] = {"sklearn.dummy.DummyClassifier": _read_dummy}
