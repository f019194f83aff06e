"""Scores to a prediction: what each scikit-learn classifier makes of its decision function.

A decision is built from plain data, a mapping with a `kind`, and holds no weights:

| kind | scores | follows |
|---|---|---|
| labels | 1, or one per class | LinearClassifierMixin.predict; no probabilities |
| softmax | one per class | LogisticRegression.predict_proba, three classes or more |
| naive_bayes | one per class | _BaseNB.predict_proba |
| one_vs_rest | 1, or one per class | _predict_proba_lr, SGDClassifier, OneVsRestClassifier |
| calibrated | those of every member | CalibratedClassifierCV.predict_proba |
| pairwise | one per two classes | SVC and NuSVC of a linear kernel, OneVsOneClassifier |
| bayes_apart | two per label | OneVsRestClassifier, MultiOutputClassifier over naive Bayes |
| averaged_apart | two per label | the same over trees, and trees of several labels |
| fixed | any | DummyClassifier |
| members | those of every member | VotingClassifier, BaggingClassifier |
| threshold | those of what it is on | FixedThresholdClassifier, TunedThresholdClassifierCV |
| averaged, voted | one per class | decision trees, forests, AdaBoostClassifier |
| boosted | 1, or one per class | GradientBoostingClassifier, HistGradientBoostingClassifier |
| boosted_single | 1, or one per class | XGBoost's XGBClassifier |
| nearest | one per class, or two | NearestCentroid |
| layers | one per neuron, or component | MLPClassifier; TruncatedSVD and Normalizer before others |
| multilabel | one per label | OneVsRestClassifier, RidgeClassifier, MultiOutputClassifier |
| constant | none | a classifier fitted on a single class |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from typing import Any

from function.compiled.numbers import is_number
from function.compiled.probabilities import (
    Decide,
    Probabilities,
    clipped,
    joint_to_probabilities,
    logistic,
    softmax,
    winner,
)
from function.predictor import Answer, MultilabelPrediction, Prediction

DecisionSpec = Mapping[str, Any]
NEGLIGIBLE = 1e-6
"""One-vs-rest probabilities are divided by their sum. Near zero the division magnifies rounding
without bound (at exactly zero scikit-learn changes rule), so such a sum counts as undecided."""

_make = tuple.__new__  # a third of the time of Prediction(...), which checks names and defaults


def build_decision(spec: DecisionSpec, labels: Sequence[str], scores: int) -> Decide:
    """Return the decision `spec` describes for classes named `labels`, in class order, of so many
    scores.

    Raises ValueError for an unknown kind, and for other scores or numbers than it can take, and
    KeyError for a missing member: a file's fault.
    """
    names = tuple(labels)
    kind = spec["kind"]
    _check_scores(kind, len(names), scores)
    if kind == "labels":
        return _labels_only(names)
    if kind == "softmax":
        return _three_way_softmax(names) if len(names) == 3 else _by_score(names, softmax)
    if kind == "naive_bayes":
        return _by_score(names, joint_to_probabilities)
    if kind == "one_vs_rest":
        uniform = {"uniform": True, "zero": False}[spec["all_zero"]]
        return _one_vs_rest(names, _LINKS[spec["link"]], uniform)
    if kind == "calibrated":
        from function.compiled.calibration import build_calibrated

        return _by_probability(names, build_calibrated(spec["members"], len(names), scores))
    if kind == "pairwise":
        from function.compiled.pairwise import build_pairwise

        return build_pairwise(spec, names)
    if kind == "members":
        from function.compiled.members import build_members

        return build_members(spec, names, scores, build_decision)
    if kind == "threshold":
        from function.compiled.members import build_threshold

        return build_threshold(spec, names, scores, build_decision)
    if kind == "multilabel":
        return _several_labels(names, None if spec["link"] is None else _LINKS[spec["link"]])
    if kind == "constant":
        return lambda scores, margin: Prediction(names[0], 1.0, (1.0,))
    if kind in ("bayes_apart", "averaged_apart"):
        from function.compiled.apart import build_apart

        return build_apart(spec, names, scores)
    if kind == "fixed":
        return _fixed(names, spec["best"], spec["shares"])
    if kind == "nearest":
        from function.compiled.nearest import build_nearest

        return build_nearest(names, scores)
    if kind == "layers":
        from function.compiled.layers import build_layers

        return build_layers(spec, names, scores, build_decision)
    if kind == "boosted_single":
        from function.compiled.single import build_boosted_single

        return build_boosted_single(names)
    from function.compiled.ensembles import BUILDERS

    if kind in BUILDERS:
        return BUILDERS[kind](spec, names)
    raise ValueError(f"unknown decision kind {kind!r}")


def is_multilabel(spec: DecisionSpec) -> bool:
    """Whether the decision gives any number of labels."""
    return spec["kind"] == "multilabel" or bool(spec.get("multilabel"))


_LINKS: Mapping[str, Callable[[float], float]] = {"logistic": logistic, "clipped": clipped}


_ANY = frozenset(
    ("averaged_apart", "bayes_apart", "calibrated", "constant", "fixed")
    + ("layers", "members", "nearest", "threshold")
)
"""Of any number of scores, as far as is known here."""


_OF_SECOND = frozenset(("labels", "one_vs_rest", "boosted", "boosted_single"))
"""That take one score where there are two classes: the second's."""


def _check_scores(kind: str, classes: int, scores: int) -> None:
    is_of_second = kind in _OF_SECOND and classes == 2
    pairs = classes * (classes - 1) // 2
    wanted = {**dict.fromkeys(_ANY, scores), "pairwise": pairs}.get(
        kind, 1 if is_of_second else classes
    )
    is_alone = kind in ("constant", "multilabel", "fixed") if classes == 1 else kind == "constant"
    if scores != wanted or is_alone != (classes == 1):
        raise ValueError(f"{scores} scores for {classes} classes, of a decision {kind!r}")


def _fixed(names: tuple[str, ...], best: int, shares: Sequence[float]) -> Decide:
    if type(best) is not int or not 0 <= best < len(names) or len(shares) != len(names):
        raise ValueError(f"an answer of class {best!r}, of {len(names)}")
    if not all(is_number(share) and 0.0 <= share <= 1.0 for share in shares):
        raise ValueError("probabilities out of 0 to 1")
    answer = Prediction(names[best], shares[best], tuple(shares))
    return lambda scores, margin: answer


def _labels_only(names: tuple[str, ...]) -> Decide:
    def decide_sign(scores: Sequence[float], margin: float) -> Prediction | None:
        if abs(scores[0]) <= margin:
            return None
        return Prediction(names[scores[0] > 0.0], None, None)

    def decide_best(scores: Sequence[float], margin: float) -> Prediction | None:
        best = winner(scores, margin)
        return None if best is None else Prediction(names[best], None, None)

    return decide_sign if len(names) == 2 else decide_best


def _by_score(names: tuple[str, ...], probabilities: Probabilities) -> Decide:
    """The label of the best score."""

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        best = winner(scores, margin)
        if best is None:
            return None
        shares = tuple(probabilities(scores))
        return _make(Prediction, (names[best], shares[best], shares))

    return decide


def _by_probability(names: tuple[str, ...], probabilities: Probabilities) -> Decide:
    """The label of the best probability, which calibration can make another than the score's."""

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        shares = tuple(probabilities(scores))
        best = winner(shares, margin)
        return None if best is None else Prediction(names[best], shares[best], shares)

    return decide


def _three_way_softmax(names: tuple[str, ...]) -> Decide:
    """`_by_score(names, softmax)` unrolled: negative, neutral, positive is the common case, and
    this saves 0.9 of its 1.5 microseconds."""

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        a, b, c = scores
        best = max(a, b, c)
        if (best - a <= margin) + (best - b <= margin) + (best - c <= margin) > 1:
            return None
        winner = 0 if a == best else 1 if b == best else 2
        a, b, c = exp(a - best), exp(b - best), exp(c - best)
        total = a + b + c
        shares = (a / total, b / total, c / total)
        return _make(Prediction, (names[winner], shares[winner], shares))

    return decide


def _one_vs_rest(names: tuple[str, ...], link: Callable[[float], float], uniform: bool) -> Decide:
    """Each class's own probability, normalised; binary models have the second class's only."""

    def decide_binary(scores: Sequence[float], margin: float) -> Prediction | None:
        if abs(scores[0]) <= margin:
            return None
        positive = link(scores[0])
        shares = (1.0 - positive, positive)
        best = scores[0] > 0.0
        return _make(Prediction, (names[best], shares[best], shares))

    def normalised(scores: Sequence[float]) -> Sequence[float]:
        shares = [link(score) for score in scores]
        total = sum(shares)
        if total == 0.0:
            return [1.0 / len(shares)] * len(shares) if uniform else shares
        return [share / total for share in shares]

    def decide(scores: Sequence[float], margin: float) -> Answer | None:
        if margin >= 0.0 and sum([link(score) for score in scores]) < NEGLIGIBLE:
            return None
        return rank(scores, margin)

    rank = _by_score(names, normalised)
    return decide_binary if len(names) == 2 else decide


def _several_labels(names: tuple[str, ...], link: Callable[[float], float] | None) -> Decide:
    """Each label that its own score speaks for, and its own probability where there is one."""

    def decide(scores: Sequence[float], margin: float) -> MultilabelPrediction | None:
        if min(map(abs, scores)) <= margin:
            return None
        applying = tuple([name for name, score in zip(names, scores, strict=True) if score > 0.0])
        return MultilabelPrediction(applying, None if link is None else tuple(map(link, scores)))

    return decide
