"""Binary classifiers side by side: one versus the rest, and several labels."""

from __future__ import annotations

from collections.abc import Mapping
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


def read_one_vs_rest(model: Any, read: Read) -> FittedClassifier:
    """Read a OneVsRestClassifier, of one label for each text or of several."""
    if getattr(model, "label_binarizer_", None) is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    found = _read_side_by_side(model, classes_of(model), read)
    if found.decision["kind"] in _APART:
        return _apart(found, by="probability", multilabel=model.multilabel_)
    if model.multilabel_:
        found.decision = _each_alone(found.decision)
    elif found.decision["kind"] == "one_vs_rest":
        found.decision["all_zero"] = "zero"  # unlike the linear models' own one-vs-rest
    return found


def read_multi_output(model: Any, read: Read) -> FittedClassifier:
    """Read a MultiOutputClassifier of targets that are 0 or 1; with one of any kind, its own."""
    if not hasattr(model, "estimators_"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    if len(model.estimators_) == 1:
        return read(model.estimators_[0])
    if any(list(part.classes_) != [0, 1] for part in model.estimators_):
        raise NotCompilable(f"{describe(model)} has targets of other values than 0 and 1")
    found = _read_side_by_side(model, [*range(len(model.estimators_))], read)
    if found.decision["kind"] in _APART:
        return _apart(found, by="likelihood", multilabel=True)
    found.decision = _each_alone(found.decision)
    return found


_APART = {"naive_bayes": "bayes_apart", "averaged": "averaged_apart"}


def _apart(found: FittedClassifier, *, by: str, multilabel: bool) -> FittedClassifier:
    kind, more = _APART[found.decision["kind"]], {**found.decision, "by": by}
    found.decision = {**more, "kind": kind, "multilabel": bool(multilabel)}
    return found


def _each_alone(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Several binary decisions side by side as one that gives any number of labels."""
    return {"kind": "multilabel", "link": decision.get("link")}


def _read_side_by_side(model: Any, classes: list[Any], read: Read) -> FittedClassifier:
    """Read the binary models that a model has for its classes, which must be alike."""
    parts = [_read_binary_part(model, part, read) for part in model.estimators_]
    decision = dict(parts[0].decision)
    if any(part.decision != decision for part in parts):
        raise NotCompilable(f"{describe(model)} mixes classifiers")
    if any(part.binarize != parts[0].binarize for part in parts):
        raise NotCompilable(f"{describe(model)} over some that binarize otherwise")
    found = FittedClassifier(classes, [], [], decision, parts[0].binarize)
    for part in parts:
        found.append(part)
    return found


def _read_binary_part(model: Any, part: Any, read: Read) -> FittedClassifier:
    last = flatten(part)[-1]
    if public_name(last) not in {*linear.READERS, *bayes.READERS, *trees.AVERAGED}:
        raise over(model, last, "linear classifiers, naive Bayes, trees and forests")
    return without_layers(model, read(part))
