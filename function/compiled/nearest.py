"""NearestCentroid's decision: how far a text is from each class's mean is a sum of weights too."""

from __future__ import annotations

from collections.abc import Sequence

from function.compiled.faithful import Feature, add_up
from function.compiled.probabilities import Decide, joint_to_probabilities, winner
from function.predictor import Prediction


def build_nearest(names: Sequence[str], scores: int) -> Decide:
    """Return the decision of a score per class, which is the higher the nearer the class, and of
    another per class, where there are so many, whose softmax are the probabilities: these go by
    distances in which each column counts by how little it varies. Raises ValueError for any other
    number of scores."""
    classes = len(names)
    if scores not in (classes, 2 * classes):
        raise ValueError(f"{scores} scores for {classes} classes, of a decision 'nearest'")

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        best = winner(scores[:classes], margin)
        if best is None:
            return None
        if len(scores) == classes:
            return Prediction(names[best], None, None)
        shares = tuple(joint_to_probabilities(scores[classes:]))
        return Prediction(names[best], shares[best], shares)

    return decide


def faithful_scores(
    line: Sequence[Feature], intercepts: Sequence[float], classes: int
) -> list[float]:
    """Return the scores of one text from its line of all matrices. Those of distances are rounded
    as EuclideanArgKmin64 of sklearn/metrics rounds (|x|² - 2 x·c) + |c|²: what ties there ties."""
    square = 0.0
    for value, _ in line:
        square += value * value
    sums = add_up(line, [0.0] * classes + [*intercepts[classes:]])
    distances = [
        max(0.0, square - 2.0 * total - 2.0 * intercept)
        for total, intercept in zip(sums[:classes], intercepts[:classes], strict=True)
    ]
    return [distance / -2.0 for distance in distances] + sums[classes:]
