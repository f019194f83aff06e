"""Which classifier is read by which function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from function.compiled.functions import AS_LIST, Before
from function.compiled.numbers import is_number
from function.compiler.classifiers import (
    bayes,
    boosters,
    centroids,
    dummy,
    ensembles,
    linear,
    neural,
    pairwise,
    trees,
    xgboost,
)
from function.compiler.classifiers.calibrated import read_calibrated
from function.compiler.classifiers.fitted import FittedClassifier, Read
from function.compiler.classifiers.side_by_side import read_multi_output, read_one_vs_rest
from function.compiler.folding import fold
from function.compiler.own_numbers import refuse_numbers_alone
from function.compiler.sklearn_names import (
    THRESHOLDS,
    NotCompilable,
    describe,
    flatten,
    public_name,
)
from function.compiler.vectorizers import read_vectorizers

READERS: Mapping[str, Read] = {
    **linear.READERS,
    **bayes.READERS,
    **centroids.READERS,
    **neural.READERS,
    **pairwise.READERS,
    **dummy.READERS,
    **trees.READERS,
    **boosters.READERS,
    **xgboost.READERS,
}
OVER_OTHERS: Mapping[str, Callable[[Any, Read], FittedClassifier]] = {
    "sklearn.multiclass.OneVsOneClassifier": pairwise.read_one_vs_one,
    "sklearn.multiclass.OneVsRestClassifier": read_one_vs_rest,
    "sklearn.multioutput.MultiOutputClassifier": read_multi_output,
    "sklearn.calibration.CalibratedClassifierCV": read_calibrated,
    "sklearn.ensemble.AdaBoostClassifier": trees.read_ada_boost,
    "sklearn.ensemble.BaggingClassifier": ensembles.read_bagging,
    "sklearn.ensemble.VotingClassifier": ensembles.read_voting,
    **dict.fromkeys(THRESHOLDS, ensembles.read_threshold),
}
"""Made of other classifiers, which are read by the function given."""


def read_model(model: Any, given: Before = AS_LIST) -> FittedClassifier:
    """Return what a classifier computes, together with its vectorizers where it is a pipeline, or
    is made of pipelines; `given` is what it takes, and they too. Raises NotCompilable as
    read_classifier."""
    steps = flatten(model)
    if not steps:
        raise NotCompilable("the model is empty")
    found = read_classifier(steps[-1], given)
    if len(steps) == 1:
        return found
    if found.vectorizers is not None:
        raise NotCompilable(f"{describe(steps[-1])} over pipelines, behind other steps")
    found.vectorizers = read_vectorizers(fold(steps[:-1], found), given)
    refuse_numbers_alone(found.vectorizers)
    _check_columns(found)
    return found


def _check_columns(found: FittedClassifier) -> None:
    fitted_on = {len(row) for row in found.weights if row}
    if found.forest is not None:
        fitted_on.add(found.forest.columns)
    if not fitted_on <= {found.columns}:
        raise NotCompilable(
            f"the classifier was fitted on other columns than these {found.columns}"
        )


def read_classifier(model: Any, given: Before) -> FittedClassifier:
    """Return what `model` computes. Raises NotCompilable naming what it cannot carry over."""
    kind = type(model)
    name = public_name(model) or f"{kind.__module__}.{kind.__qualname__}"
    if name in READERS:
        found = READERS[name](model)
    elif name in OVER_OTHERS:
        found = OVER_OTHERS[name](model, partial(read_model, given=given))
    else:
        raise NotCompilable(
            f"{describe(model)} is not a classifier the compiler knows; LogisticRegression, "
            "LinearSVC, SGDClassifier, MultinomialNB and others in docs/compiled.md are"
        )
    _refuse_unusable(model, found)
    return found


def _refuse_unusable(model: Any, found: FittedClassifier) -> None:
    if not all(all(map(is_number, row)) for row in (found.intercepts, *found.weights)):
        raise NotCompilable(f"{describe(model)} has weights that are infinite or not a number")
    if len(found.classes) < 2 and found.decision["kind"] not in ("constant", "multilabel", "fixed"):
        raise NotCompilable(f"{describe(model)} was fitted on a single class")
