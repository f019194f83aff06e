"""Classifiers of one label and not, side by side: OneVsRestClassifier and MultiOutputClassifier
over naive Bayes or trees, and trees of several labels themselves.

Two scores for each label, its absence's and its presence's: joint log likelihoods, or the sums of
the trees' shares. They have no decision function, so OneVsRestClassifier compares probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.ensembles import positive
from function.compiled.probabilities import Decide, joint_to_probabilities, winner
from function.predictor import Answer, MultilabelPrediction, Prediction

SMALL = 1e-6
"""As decision.NEGLIGIBLE."""

Weigh = Callable[[Sequence[float]], list[tuple[float, float]]]
"""Scores to what speaks against each label, and for it."""
Share = Callable[[tuple[float, float]], float]
"""That to the probability that the label applies."""


def build_apart(spec: Mapping[str, Any], names: Sequence[str], scores: int) -> Decide:
    """Return the decision `{"multilabel", "by"}`, of trees with their number, `total`: a label of
    several applies by its "probability", above a half, or where what speaks for it, the
    "likelihood", is greater. Raises ValueError and KeyError as build_decision."""
    by_likelihood = {"probability": False, "likelihood": True}[spec["by"]]
    multilabel = spec["multilabel"]
    labels = 1 if multilabel is False and len(names) == 2 else len(names)
    if type(multilabel) is not bool or scores != 2 * labels:
        raise ValueError(f"{scores} scores, of two for each of {labels} labels")
    is_of_trees = spec["kind"] == "averaged_apart"
    weigh = _averages(positive(spec, "total")) if is_of_trees else _pairs
    share = _tree_share if is_of_trees else _bayes_share
    if multilabel:
        return _several(names, weigh, share, by_likelihood)
    return _of_two(names, weigh, share) if labels == 1 else _of_more(names, weigh, share)


def _pairs(scores: Sequence[float]) -> list[tuple[float, float]]:
    return [*zip(scores[::2], scores[1::2], strict=True)]


def _averages(total: float) -> Weigh:
    return lambda scores: [(absent / total, own / total) for absent, own in _pairs(scores)]


def _bayes_share(pair: tuple[float, float]) -> float:
    return joint_to_probabilities(pair)[1]


def _tree_share(pair: tuple[float, float]) -> float:
    return min(max(pair[1], 0.0), 1.0)  # see ensembles.build_averaged


def _several(names: Sequence[str], weigh: Weigh, share: Share, by_likelihood: bool) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        pairs = weigh(scores)
        shares = [*map(share, pairs)]
        leads = [own - 0.5 for own in shares]
        if by_likelihood:
            leads = [own - absent for absent, own in pairs]
        if min(map(abs, leads)) <= margin:
            return None
        applying = [name for name, lead in zip(names, leads, strict=True) if lead > 0.0]
        return MultilabelPrediction(tuple(applying), tuple(shares))

    return decide


def _of_two(names: Sequence[str], weigh: Weigh, share: Share) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        (pair,) = weigh(scores)
        own = share(pair)
        if abs(own - 0.5) <= margin:
            return None
        shares, best = (1.0 - own, own), own > 0.5
        return Prediction(names[best], shares[best], shares)

    return decide


def _of_more(names: Sequence[str], weigh: Weigh, share: Share) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        shares = [*map(share, weigh(scores))]
        best, total = winner(shares, margin), sum(shares)
        # Where hardly any probability is left, the division magnifies what rounding did to it.
        if best is None or margin >= 0.0 and total < SMALL:
            return None
        divided = tuple([own / total for own in shares] if total else shares)
        return Prediction(names[best], divided[best], divided)

    return decide
