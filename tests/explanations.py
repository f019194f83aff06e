"""Explanations by another way: a fitted scikit-learn model's own attributes, read here anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import exp
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from function.compiled.predictor import CompiledPredictor
from function.explanation import Explanation
from tests.fitted_models import as_input


class Linear(NamedTuple):
    """What a classifier adds up for one class."""

    weights: Any
    intercept: float
    threshold: float | None = None


def linear_of(classifier: Any, place: int) -> Linear:
    """A class's row of coefficients, from the classifier's own attributes."""
    if isinstance(classifier, CalibratedClassifierCV):
        members = [linear_of(it.estimator, place) for it in classifier.calibrated_classifiers_]
        weights, intercepts, _ = zip(*members, strict=True)
        return Linear(np.mean(weights, axis=0), float(np.mean(intercepts)))
    if isinstance(classifier, BernoulliNB):
        present = classifier.feature_log_prob_[place]
        absent = np.log(1 - np.exp(present))
        prior = classifier.class_log_prior_[place]
        return Linear(present - absent, prior + absent.sum(), classifier.binarize)
    if isinstance(classifier, MultinomialNB | ComplementNB):
        prior = classifier.class_log_prior_[place] * isinstance(classifier, MultinomialNB)
        return Linear(classifier.feature_log_prob_[place], prior)
    if isinstance(classifier, OneVsRestClassifier):
        rows = [linear_of(part, 1) for part in classifier.estimators_]
    else:
        rows = np.atleast_2d(classifier.coef_)
        intercepts = np.broadcast_to(np.ravel(classifier.intercept_), len(rows))
        rows = [Linear(*pair) for pair in zip(rows, intercepts, strict=True)]
    if len(rows) == 1 and len(classifier.classes_) == 2 and place == 0:
        return Linear(-rows[0].weights, -rows[0].intercept)
    return rows[0] if len(rows) == 1 else rows[place]


def leaves(step: Any) -> Iterator[CountVectorizer]:
    """The vectorizers of a fitted step, in the order of their columns."""
    if isinstance(step, CountVectorizer):
        yield step
    parts: Any = {
        Pipeline: lambda: step.steps,
        FeatureUnion: lambda: step.transformer_list,
        ColumnTransformer: lambda: step.transformers_,
    }.get(type(step), tuple)()
    for part in parts:
        yield from leaves(part[1])


def selection_of(step: Any) -> Any:
    """Which of all columns reach the classifier."""
    if isinstance(step, Pipeline):
        for _, part in step.steps:
            if isinstance(part, SelectKBest):
                return part.get_support()
    return np.ones(sum(len(leaf.vocabulary_) for leaf in leaves(step)), bool)


@lru_cache(maxsize=1)
def columns_of(step: Any) -> list[dict[str, int | None]]:
    """By vectorizer, the column in which a term reaches the classifier, None where it does not."""
    selection, start, found = selection_of(step), 0, []
    places = np.cumsum(selection) - 1
    for leaf in leaves(step):
        columns = {term: start + int(column) for term, column in leaf.vocabulary_.items()}
        found.append({t: int(places[c]) if selection[c] else None for t, c in columns.items()})
        start += len(columns)
    return found


def check(model: Any, predictor: CompiledPredictor, text: str, label: str | None = None) -> None:
    """The explanation is what scikit-learn's own numbers say it must be."""
    answer = predictor.predict([text])[0]
    explanation = predictor.explain(text, answer, label)
    assert explanation.label == (answer.label if label is None else label)
    _check_terms(model, explanation, text)
    decision = _decision_of(model, text, explanation.label)
    assert decision is None or abs(decision - explanation.score) < 1e-9
    answered, probability = explanation.link["probability"], probability_of(explanation)
    if label is None:
        assert answered == answer.confidence
    if probability is not None:
        assert answered == pytest.approx(probability, abs=1e-9)
    elif explanation.link["kind"] == "one-vs-rest normalised":  # of nothing but zeros
        assert answered in (0.0, 1.0 / len(explanation.link["scores"]))
    else:
        assert answered is None


def _check_terms(model: Any, explanation: Explanation, text: str) -> None:
    """Value by value and weight by weight."""
    vectorizer, classifier = model.steps[0][1], model.steps[-1][1]
    place = [str(label) for label in classifier.classes_].index(explanation.label)
    weights, intercept, threshold = linear_of(classifier, place)
    given = _features(vectorizer, text).toarray()[0]
    if threshold is not None:
        given = (given > threshold).astype(float)
    assert explanation.intercept == pytest.approx(intercept, rel=1e-12, abs=1e-12)
    assert abs(given @ weights + intercept - explanation.score) < 1e-9
    total = explanation.intercept + sum(term.contribution for term in explanation.terms)
    assert abs(total - explanation.score) < 1e-9
    columns, found, terms = columns_of(vectorizer), np.zeros(len(given)), {}
    for term in explanation.terms:
        column = columns[term.vectorizer or 0][term.term]
        terms.setdefault(term.vectorizer or 0, set()).add(term.term)
        assert term.contribution == term.value * term.weight
        if column is None:
            assert term.weight == 0.0
        else:
            assert term.weight == pytest.approx(weights[column], rel=1e-12, abs=1e-300)
            found[column] = term.value
    assert np.abs(found - given).max() < 1e-12
    sizes = [abs(term.contribution) for term in explanation.terms]
    assert sizes == sorted(sizes, reverse=True)
    for position, leaf in enumerate(leaves(vectorizer)):
        unknown = {it.term for it in explanation.unknown if (it.vectorizer or 0) == position}
        assert not unknown & leaf.vocabulary_.keys()
        assert terms.get(position, set()) | unknown == set(leaf.build_analyzer()(text))


@lru_cache(maxsize=4)
def _features(vectorizer: Any, text: str) -> Any:
    steps = make_pipeline(vectorizer)
    return steps.transform(as_input(steps, [text]))


def _decision_of(model: Any, text: str, label: str) -> float | None:
    """What scikit-learn itself says, where it says it."""
    classifier = model[-1]
    place = [*classifier.classes_].index(label)
    given = _features(model.steps[0][1], text)
    if hasattr(classifier, "decision_function"):
        scores = np.atleast_1d(classifier.decision_function(given)[0])
        return float(scores[place] if len(scores) > 1 else scores[0] * (1, -1)[place == 0])
    if hasattr(classifier, "predict_joint_log_proba"):
        return float(classifier.predict_joint_log_proba(given)[0][place])
    return None


def probability_of(explanation: Explanation) -> float | None:
    """The link, followed by hand from the scores."""
    link, label = explanation.link, explanation.label
    score = link["scores"][label]
    assert score == explanation.score
    match link["kind"]:
        case "none":
            return None
        case "sigmoid":
            return float(expit(score))
        case "clipped":
            return (min(max(score, -1), 1) + 1) / 2
        case "softmax":
            return float(softmax([*link["scores"].values()])[[*link["scores"]].index(label)])
        case "one-vs-rest normalised":
            each = expit if link["each"] == "sigmoid" else lambda x: (np.clip(x, -1, 1) + 1) / 2
            shares = {label: float(each(score)) for label, score in link["scores"].items()}
            assert shares == pytest.approx(link["shares"], abs=1e-15)
            return shares[label] / sum(shares.values()) if any(shares.values()) else None
        case "calibrated":
            own = [probability_of_member(member, label) for member in link["members"]]
            means = np.mean([[*member["scores"].values()] for member in link["members"]], axis=0)
            assert means == pytest.approx([*link["scores"].values()], abs=1e-9)
            return float(np.mean(own))
    raise AssertionError(link)


def probability_of_member(member: Mapping[str, Any], label: str) -> float:
    scores, calibrated = member["scores"], member["calibrated"]
    responses = scores
    if member["response"] == "softmax":
        responses = dict(zip(scores, softmax([*scores.values()]), strict=True))
    for name, calibrator in member["calibrators"].items():
        if calibrator["kind"] == "sigmoid":
            made = 1 / (1 + exp(calibrator["a"] * responses[name] + calibrator["b"]))
            assert made == pytest.approx(calibrated[name], abs=1e-12)
    if len(scores) == 2:
        assert sum(calibrated.values()) == pytest.approx(1.0)
    total = sum(calibrated.values())
    share = calibrated[label] / total if total else 1 / len(scores)
    assert member["probability"] == pytest.approx(share)
    return float(member["probability"])
