"""Classifiers made of others on the same features: voting, bagging, and a threshold on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiled.members import INSIDE, last_kind
from function.compiler.classifiers import trees
from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    magnifies_rounding,
    over,
)
from function.compiler.sklearn_names import NotCompilable, describe, flatten, public_name


def read_voting(model: Any, read: Read) -> FittedClassifier:
    """Read a VotingClassifier, whose members know the classes by their places."""
    classes, is_soft = classes_of(model), model.voting == "soft"
    weights = model._weights_not_none
    found = _Members(model, classes, has_probabilities=is_soft)
    for position, part in enumerate(model.estimators_):
        weight = 1.0 if weights is None else float(weights[position])
        found.add(_read_member(model, part, read), votes=not is_soft, weight=weight)
    return found.finished(sum(map(float, weights)) if weights is not None and is_soft else None)


def read_bagging(model: Any, read: Read) -> FittedClassifier:
    """Read a BaggingClassifier: members without probabilities vote."""
    classes = classes_of(model)
    if all(public_name(part) in trees.TREES for part in model.estimators_):
        return trees.read_bagged(model)
    found = _Members(model, classes, has_probabilities=True)
    for part, features in zip(model.estimators_, model.estimators_features_, strict=True):
        member = _read_member(model, part, read)
        places, columns = features.tolist(), model.n_features_in_
        member.weights = [row and _spread(row, places, columns) for row in member.weights]
        if member.forest is not None:
            member.forest = member.forest.renumbered(places, columns)
        found.add(member, votes=not hasattr(part, "predict_proba"), weight=1.0)
    return found.finished(None)


def read_threshold(model: Any, read: Read) -> FittedClassifier:
    """Read a FixedThresholdClassifier or TunedThresholdClassifierCV."""
    inner = getattr(model, "estimator_", None)
    if inner is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    found = read(inner)
    if last_kind(found.decision) not in (*INSIDE, "members") or len(found.classes) != 2:
        raise over(model, inner, "linear classifiers, naive Bayes and trees, of two classes")
    method, is_of_probability = model.response_method, hasattr(inner, "predict_proba")
    if method != "auto":
        is_of_probability = method == "predict_proba"
    if not is_of_probability and len(found.intercepts) != 1:
        raise NotCompilable(
            f"{describe(model)} with response_method={method!r} of {describe(inner)}; "
            "'predict_proba' is compiled"
        )
    threshold = getattr(model, "best_threshold_", None)
    if threshold is None:
        threshold = model.threshold
    if threshold == "auto":
        threshold = 0.5 if is_of_probability else 0.0
    found.decision = {
        "kind": "threshold",
        "base": found.decision,
        "response": "probability" if is_of_probability else "score",
        "threshold": float(threshold),
        "positive": _positive(model, found.classes),
        "faithful": magnifies_rounding(found.decision, 2),
    }
    return found


def _positive(model: Any, classes: Sequence[Any]) -> int:
    """The place of the class that the threshold is for."""
    if hasattr(model, "_curve_scorer"):
        wanted = model._curve_scorer._get_pos_label()
    else:
        wanted = model.pos_label
    return 1 if wanted is None else classes.index(wanted)


class _Members:
    """The members of one classifier, side by side."""

    def __init__(self, model: Any, classes: list[Any], *, has_probabilities: bool) -> None:
        decision = {"kind": "members", "members": [], "has_probabilities": has_probabilities}
        self._model, self._found = model, FittedClassifier(classes, [], [], decision)
        self._binarize: list[float | None] = []

    def add(self, member: FittedClassifier, *, votes: bool, weight: float) -> None:
        """Add one that knows some of the classes, by their places."""
        found, start = self._found, len(self._found.weights)
        if not votes and last_kind(member.decision) == "labels":
            raise NotCompilable(f"{describe(self._model)} over a member without probabilities")
        found.append(member)
        self._binarize.append(member.binarize)
        found.decision["members"].append(
            {
                "columns": [start, len(found.weights)],
                "decision": member.decision,
                "classes": [int(place) for place in member.classes],
                "votes": votes,
                "weight": weight,
            }
        )

    def finished(self, total: float | None) -> FittedClassifier:
        """Return them as one, divided by the total or, by default, their number."""
        found, members = self._found, self._found.decision["members"]
        if len({*self._binarize}) != 1:
            raise NotCompilable(f"{describe(self._model)} over some that binarize and others")
        found.binarize = self._binarize[0]
        found.decision["total"] = float(len(members)) if total is None else total
        found.decision["faithful"] = any(
            magnifies_rounding(member["decision"], len(member["classes"])) for member in members
        )
        return found


def _read_member(model: Any, part: Any, read: Read) -> FittedClassifier:
    found = read(part)
    if found.decision["kind"] == "constant":
        raise NotCompilable(f"{describe(model)} with a member that saw a single class")
    if last_kind(found.decision) not in INSIDE:
        last = flatten(part)[-1]
        raise over(model, last, "linear classifiers, naive Bayes and trees, on the same features")
    return found


def _spread(row: Sequence[float], features: Sequence[int], columns: int) -> list[float]:
    """Give a member's weights the places of all features; one drawn twice has them both."""
    full = [0.0] * columns
    for place, weight in zip(features, row, strict=True):
        full[place] += weight
    return full
