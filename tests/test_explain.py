"""Explanations are exact: scikit-learn's own coefficients, values and decision functions.

Here on each vectorizer and each classifier; test_agreement.py has all combinations of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from function.compiled.predictor import CompiledPredictor
from function.compiler.compiler import translate
from function.explanation import Explanation
from tests.explanations import check, probability_of
from tests.fitted_models import COMBINATIONS, TEXTS, Combination, fitted_pipeline, random_text

pytestmark = pytest.mark.usefixtures("way")
Fitted = Callable[[Combination], Any]
HANDFUL = ["", "Good good, BAD\n the box! Café ﬁne 非常差 so-so", "qqqq zzzz"]
CHOSEN = [
    it
    for it in COMBINATIONS
    if it.vectorizer == "tfidf"
    or it.classifier == "bernoulli-as-is"
    or (it.classifier == "logistic" and it.classes == 3)
    or (it.classifier == "bernoulli-threshold" and it.vectorizer == "union")
]


def explained(predictor: CompiledPredictor, text: str, label: str | None = None) -> Explanation:
    return predictor.explain(text, predictor.predict([text])[0], label)


@pytest.mark.parametrize("combination", CHOSEN, ids=str)
def test_a_model_is_explained_by_its_own_coefficients(
    combination: Combination, fitted: Fitted
) -> None:
    model, rng = fitted(combination), random.Random(str(combination))
    predictor = translate(model)
    for text in [*HANDFUL, rng.choice(TEXTS), random_text(rng)]:
        check(model, predictor, text)
        check(model, predictor, text, rng.choice(predictor.labels))


@pytest.mark.parametrize("text", HANDFUL)
def test_the_default_label_is_the_predicted_one_and_the_probability_its_confidence(
    text: str,
) -> None:
    predictor = translate(fitted_pipeline())
    answer = predictor.predict([text])[0]
    explanation = predictor.explain(text, answer)
    assert explanation.label == answer.label
    assert explanation.link["probability"] == answer.confidence


def test_the_two_classes_of_one_row_are_each_others_negative(fitted: Fitted) -> None:
    predictor = translate(fitted(Combination("tfidf", "logistic", 2)))
    one, other = [explained(predictor, TEXTS[0], label) for label in predictor.labels or ()]
    assert one.score == -other.score and one.intercept == -other.intercept
    assert [it.contribution for it in one.terms] == [-it.contribution for it in other.terms]
    shares = [it.link["probability"] for it in (one, other)]
    assert sum(shares) == pytest.approx(1.0)


def test_a_text_without_a_known_term_has_its_intercept(fitted: Fitted) -> None:
    explanation = explained(translate(fitted(Combination("tfidf", "logistic", 3))), "qqqq zzzz")
    assert explanation.score == explanation.intercept and not explanation.terms
    places = {it.term: it.spans for it in explanation.unknown}
    assert places == {"qqqq": [(0, 4)], "zzzz": [(5, 9)], "qqqq zzzz": [(0, 9)]}


def test_of_several_vectorizers_a_term_says_whose_it_is(fitted: Fitted) -> None:
    explanation = explained(translate(fitted(Combination("union", "logistic", 3))), "so good")
    assert {it.vectorizer for it in explanation.terms} == {0, 1, 2}
    one = explained(translate(fitted_pipeline()), "so good")
    assert {it.vectorizer for it in [*one.terms, *one.unknown]} == {None}


@pytest.mark.parametrize(
    ("classifier", "kind"),
    [
        (OneVsRestClassifier(LogisticRegression()), "sigmoid"),
        (OneVsRestClassifier(LinearSVC()), "none"),
        (RidgeClassifier(), "none"),
    ],
)
def test_each_of_several_labels_is_explained(classifier: Any, kind: str) -> None:
    marks = np.array([[int(word in text) for word in ("good", "bad", "the")] for text in TEXTS])
    model = make_pipeline(TfidfVectorizer(), classifier).fit(TEXTS, marks)
    predictor = translate(model)
    for text in [*TEXTS[:5], *HANDFUL]:
        scores = model.decision_function([text])[0]
        assert explained(predictor, text).label == str(scores.argmax())
        for place, score in enumerate(scores):
            explanation = explained(predictor, text, str(place))
            assert abs(explanation.score - score) < 1e-9
            assert explanation.link["kind"] == kind
            probability = probability_of(explanation)
            assert explanation.link["probability"] == pytest.approx(probability, abs=1e-12)
            total = explanation.intercept + sum(it.contribution for it in explanation.terms)
            assert abs(total - score) < 1e-9


def test_a_model_of_one_class_is_explained() -> None:
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, ["fine"] * len(TEXTS))
    explanation = explained(translate(model), TEXTS[0])
    given = model[:-1].transform([TEXTS[0]])
    assert abs(explanation.score - model[-1].predict_joint_log_proba(given)[0][0]) < 1e-9
    assert (explanation.link["kind"], explanation.link["probability"]) == ("constant", 1.0)


def test_contributions_are_shap_values_but_for_what_a_term_adds_on_average() -> None:
    """shap.LinearExplainer with independent features: phi_j = w_j (x_j - mean of x_j), and the base
    is the score of the mean (Lundberg and Lee 2017, corollary 1)."""
    model = fitted_pipeline()
    given = model[0].transform(TEXTS).toarray()
    means, columns = given.mean(axis=0), model[0].vocabulary_
    predictor = translate(model)
    for place, label in enumerate(predictor.labels or ()):
        weights, base = (
            model[1].coef_[place],
            model[1].coef_[place] @ means + model[1].intercept_[place],
        )
        for row, text in list(enumerate(TEXTS))[::10]:
            explanation, values = explained(predictor, text, label), weights * (given[row] - means)
            assert abs(base + values.sum() - explanation.score) < 1e-9
            own = {columns[it.term]: it.contribution for it in explanation.terms}
            for column, value in enumerate(values):
                assert abs(own.get(column, 0.0) - weights[column] * means[column] - value) < 1e-12


def test_a_label_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in"):
        explained(translate(fitted_pipeline()), "good", "splendid")


def test_an_explanation_counts_no_terms_again() -> None:
    predictor = translate(fitted_pipeline(TfidfVectorizer(ngram_range=(1, 2))))
    answer, before = predictor.predict(["so good qqqq"])[0], predictor.terms_met
    predictor.explain("so good qqqq", answer)
    assert predictor.terms_met == before
