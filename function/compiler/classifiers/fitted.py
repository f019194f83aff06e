"""What is read of a classifier, and what every reader asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from function.compiled.support import SupportVectors
from function.compiler.fitted import FittedVectorizer
from function.compiler.forests import FittedForest
from function.compiler.sklearn_names import NotCompilable, describe


@dataclass(slots=True)
class FittedClassifier:
    """One classifier as read from scikit-learn."""

    classes: list[Any]
    weights: list[list[float]]
    """One list per score, each with a weight per column; none where no text changes the score."""
    intercepts: list[float]
    decision: dict[str, Any]
    binarize: float | None = None
    support: SupportVectors | None = None
    """By the columns that reach the classifier."""
    forest: FittedForest | None = None
    """Whose scores' lists of weights are empty; by the same columns."""
    vectorizers: list[FittedVectorizer] | None = None
    """What makes these columns of a text, where the classifier was read together with that."""

    @property
    def columns(self) -> int:
        """How many there are of the vectorizers that it was read with."""
        return sum(len(vectorizer.kept) for vectorizer in self.vectorizers or ())

    def append(self, part: FittedClassifier) -> None:
        """Add another's scores after these: on the same columns, or on its own after these."""
        own, more = self.columns, part.columns
        if self.intercepts and (own > 0) != (more > 0):
            raise NotCompilable("some members have a vectorizer of their own, and others have not")
        self.forest = self._forest_beside(part)
        self.weights = [row and row + [0.0] * more for row in self.weights]
        self.weights += [row and [0.0] * own + row for row in part.weights]
        self.intercepts += part.intercepts
        if part.vectorizers is not None:
            self.vectorizers = [*(self.vectorizers or ()), *part.vectorizers]

    def _forest_beside(self, part: FittedClassifier) -> FittedForest | None:
        any_forest = self.forest or part.forest
        if any_forest is None:
            return None
        before = self.columns
        columns = before + part.columns or any_forest.columns
        own = self.forest or FittedForest([], columns, [0.0] * len(self.intercepts))
        more = part.forest or FittedForest([], columns, [0.0] * len(part.intercepts))
        return replace(own, columns=columns).beside(
            more.renumbered([*range(before, columns)], columns)
        )


Read = Callable[[Any], FittedClassifier]
"""A fitted classifier to what it computes; NotCompilable where it cannot be carried over."""


def classes_of(model: Any) -> list[Any]:
    """Return the classes in the order of the model's scores."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise NotCompilable(f"{describe(model)} is not fitted")
    if getattr(classes, "ndim", None) != 1:
        raise NotCompilable(f"{describe(model)} has more than one output")
    values: list[Any] = classes.tolist()
    return values


def over(model: Any, part: Any, known: str) -> NotCompilable:
    """What a classifier made of another is refused with: there only the known are compiled."""
    return NotCompilable(f"{describe(model)} over {describe(part)}; over {known} it is compiled")


def without_layers(model: Any, part: FittedClassifier) -> FittedClassifier:
    """Return the part of a model that makes something of its scores; layers' are no scores."""
    if part.decision["kind"] == "layers":
        raise NotCompilable(
            f"{describe(model)} over a Normalizer after TruncatedSVD; without the Normalizer it is "
            "compiled"
        )
    return part


def require_double(model: Any, numbers: Any) -> None:
    """Refuse what is not computed in double precision."""
    if numbers.dtype.name != "float64":
        raise NotCompilable(
            f"{describe(model)} computes in {numbers.dtype.name}; fit with dtype=numpy.float64 "
            "in the vectorizer"
        )


def each_decision(decision: Mapping[str, Any], scores: int) -> Iterator[tuple[Any, int]]:
    """Yield it and those that it is made of, each with how many scores it is of."""
    yield decision, scores
    if decision["kind"] == "threshold":
        yield from each_decision(decision["base"], scores)
    for member in decision["members"] if decision["kind"] == "members" else ():
        start, stop = member["columns"]
        yield from each_decision(member["decision"], stop - start)


def layered(layers: list[dict[str, Any]], decision: dict[str, Any]) -> dict[str, Any]:
    """Return the decision with these layers before it, ahead of those that it has."""
    if decision["kind"] == "layers":
        return {**decision, "layers": [*layers, *decision["layers"]]}
    is_multilabel = decision["kind"] == "multilabel"
    return {"kind": "layers", "layers": layers, "decision": decision, "multilabel": is_multilabel}


def magnifies_rounding(decision: Mapping[str, Any], classes: int) -> bool:
    """Whether what is made of the scores magnifies a rounding beyond any bound: steps, and clipped
    probabilities divided by a sum that may be next to nothing."""
    if decision["kind"] == "layers":
        return magnifies_rounding(decision["decision"], classes)
    is_divided = decision["kind"] == "one_vs_rest" and classes > 2
    return bool(decision.get("faithful")) or decision.get("link") == "clipped" and is_divided
