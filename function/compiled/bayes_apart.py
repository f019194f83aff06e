"""Naive Bayes classifiers side by side, each of one label and not: OneVsRestClassifier and
MultiOutputClassifier over MultinomialNB and its like.

Two scores for each label, its absence's and its presence's joint log likelihood. They have no
decision function, so OneVsRestClassifier compares their probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.probabilities import joint_to_probabilities, winner
from function.predictor import Answer, MultilabelPrediction, Prediction

SMALL = 1e-6
"""As decision.NEGLIGIBLE."""

Decide = Callable[[Sequence[float], float], Answer | None]


def build_bayes_apart(spec: Mapping[str, Any], names: Sequence[str], scores: int) -> Decide:
    """Return the decision `{"multilabel", "by"}`: a label of several applies by its "probability",
    above a half, or by the "likelihood" that is greater. Raises ValueError and KeyError as
    build_decision."""
    by_likelihood = {"probability": False, "likelihood": True}[spec["by"]]
    multilabel = spec["multilabel"]
    labels = 1 if multilabel is False and len(names) == 2 else len(names)
    if type(multilabel) is not bool or scores != 2 * labels:
        raise ValueError(f"{scores} scores, of two for each of {labels} labels")
    if multilabel:
        return _several(names, by_likelihood)
    return _of_two(names) if labels == 1 else _of_more(names)


def _shares(scores: Sequence[float]) -> list[float]:
    """Of each label, the probability that it applies."""
    pairs = zip(scores[::2], scores[1::2], strict=True)
    return [joint_to_probabilities(pair)[1] for pair in pairs]


def _several(names: Sequence[str], by_likelihood: bool) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        shares = _shares(scores)
        leads = [share - 0.5 for share in shares]
        if by_likelihood:
            leads = [own - other for other, own in zip(scores[::2], scores[1::2], strict=True)]
        if min(map(abs, leads)) <= margin:
            return None
        applying = [name for name, lead in zip(names, leads, strict=True) if lead > 0.0]
        return MultilabelPrediction(tuple(applying), tuple(shares))

    return decide


def _of_two(names: Sequence[str]) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        (share,) = _shares(scores)
        if abs(share - 0.5) <= margin:
            return None
        shares, best = (1.0 - share, share), share > 0.5
        return Prediction(names[best], shares[best], shares)

    return decide


def _of_more(names: Sequence[str]) -> Decide:
    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        shares = _shares(scores)
        best, total = winner(shares, margin), sum(shares)
        # Where hardly any probability is left, the division magnifies what rounding did to it.
        if best is None or margin >= 0.0 and total < SMALL:
            return None
        divided = tuple([share / total for share in shares] if total else shares)
        return Prediction(names[best], divided[best], divided)

    return decide
