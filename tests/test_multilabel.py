"""Several labels to a text: from every kind of scikit-learn model, and how they are answered."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from function.errors import ModelLoadError, ModelOutputError
from function.originals.predictors import SklearnPredictor
from function.predictor import MultilabelPrediction, Prediction
from function.protocols.sentiment import render_batch, render_prediction
from tests.registry import training_data

LABELS = ("funny", "sad")
TEXTS = training_data()[0]["text"].tolist()[::12]
MARKS = np.array([[int(word in text.lower()) for word in ("the", "is", "not")] for text in TEXTS])

CLASSIFIERS = {
    "one-vs-rest-margins": OneVsRestClassifier(LinearSVC()),
    "one-vs-rest": OneVsRestClassifier(LogisticRegression(C=10)),
    "one-vs-rest-bayes": OneVsRestClassifier(MultinomialNB()),
    "one-vs-rest-forest": OneVsRestClassifier(RandomForestClassifier(5, random_state=0)),
    "ridge": RidgeClassifier(),
    "multi-output": MultiOutputClassifier(LogisticRegression(C=10)),
    "multi-output-margins": MultiOutputClassifier(LinearSVC()),
    "multi-output-forest": MultiOutputClassifier(RandomForestClassifier(5, random_state=0)),
    "chain": ClassifierChain(LogisticRegression(C=10)),
    "chain-in-another-order": ClassifierChain(LogisticRegression(C=10), order=[2, 0, 1]),
    "forest": RandomForestClassifier(9, random_state=0),
    "extra-trees": ExtraTreesClassifier(9, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "neighbours": KNeighborsClassifier(4),
    "neural": MLPClassifier((4,), max_iter=4000, random_state=0),
    "dummy": DummyClassifier(strategy="most_frequent"),
}


def probability_of_each(model: Any, given: Any) -> Any:
    """Row by row, each label's probability; None where the model gives none."""
    if not hasattr(model, "predict_proba"):
        return None
    found = model.predict_proba(given)
    if not isinstance(found, list):
        return found
    return np.column_stack([part[:, 1] if part.shape[1] == 2 else 0 * part for part in found])


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_labels_and_scores_are_the_models_own(classifier: Any) -> None:
    model = make_pipeline(TfidfVectorizer(), classifier).fit(TEXTS, MARKS)
    predictor = SklearnPredictor(model, {"0": "the", "1": "is", "2": "not"})
    assert (predictor.multilabel, predictor.labels) == (True, ("the", "is", "not"))
    found, rows = predictor.predict(TEXTS), probability_of_each(model, TEXTS)
    expected = [
        tuple(name for name, mark in zip(("the", "is", "not"), row, strict=True) if mark)
        for row in model.predict(TEXTS)
    ]
    assert [answer.labels for answer in found] == expected
    if rows is None:
        assert {answer.scores for answer in found} == {None}
    else:
        assert np.abs(np.array([answer.scores for answer in found]) - rows).max() < 1e-12
    assert [predictor.predict([text])[0].labels for text in TEXTS[:9]] == expected[:9]


def test_labels_without_names_are_numbered() -> None:
    model = make_pipeline(CountVectorizer(), RandomForestClassifier(9)).fit(TEXTS, MARKS == 1)
    assert SklearnPredictor(model, {}).labels == ("0", "1", "2")


def test_marks_may_be_sparse() -> None:
    model = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LinearSVC()))
    model.fit(TEXTS, csr_matrix(MARKS))
    expected = [tuple(np.flatnonzero(row).astype(str)) for row in model.predict(TEXTS).toarray()]
    assert [item.labels for item in SklearnPredictor(model, {}).predict(TEXTS)] == expected


def test_a_label_that_no_text_had_has_probability_zero() -> None:
    marks = MARKS.copy()
    marks[:, 1] = 0
    model = make_pipeline(TfidfVectorizer(), RandomForestClassifier(9)).fit(TEXTS, marks)
    assert {item.scores[1] for item in SklearnPredictor(model, {}).predict(TEXTS)} == {0.0}


def test_one_target_is_an_ordinary_classifier() -> None:
    classes = np.array(["yes" if mark else "no" for mark in MARKS[:, 0]]).reshape(-1, 1)
    lone = MultiOutputClassifier(LogisticRegression())
    model = make_pipeline(TfidfVectorizer(), lone).fit(TEXTS, classes)
    predictor = SklearnPredictor(model, {})
    assert (predictor.multilabel, predictor.labels) == (False, ("no", "yes"))
    found = predictor.predict(TEXTS)
    assert [item.label for item in found] == model.predict(TEXTS).ravel().tolist()
    assert [item.scores for item in found] == [*map(tuple, model.predict_proba(TEXTS)[0].tolist())]


@pytest.mark.parametrize("name", ["multi-output", "chain", "forest", "neighbours", "tree"])
def test_several_targets_are_refused_in_words(name: str) -> None:
    targets = MARKS[:, :2] + MARKS[:, 2:]
    model = make_pipeline(TfidfVectorizer(), CLASSIFIERS[name]).fit(TEXTS, targets)
    with pytest.raises(ModelLoadError, match="answers 2 questions about each text at once"):
        SklearnPredictor(model, {})


class Floats(LogisticRegression):
    """Whose predict gives what no predict should."""

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X)


def test_what_predict_gives_is_never_read_as_probabilities() -> None:
    model = make_pipeline(TfidfVectorizer(), Floats()).fit(TEXTS, MARKS[:, 0])
    with pytest.raises(ModelOutputError) as caught:
        SklearnPredictor(model, {})
    assert "another mark than 0 or 1" in caught.value.returned


def test_a_frame_is_as_good_as_strings() -> None:
    import pandas as pd

    frame = pd.DataFrame({"review": TEXTS})
    columns = make_column_transformer((TfidfVectorizer(), "review"))
    model = make_pipeline(columns, RidgeClassifier()).fit(frame, MARKS)
    expected = [tuple(np.flatnonzero(row).astype(str)) for row in model.predict(frame)]
    assert [item.labels for item in SklearnPredictor(model, {}).predict(TEXTS)] == expected


def test_several_labels_are_listed_and_sentiment_is_null() -> None:
    answer = MultilabelPrediction(("sad",), (0.25, 0.75))
    assert json.loads(render_prediction("x", answer, "3")) == {
        "text": "x",
        "sentiment": None,
        "confidence": None,
        "labels": ["sad"],
        "model_version": "3",
    }


def test_scores_are_each_labels_own() -> None:
    answers = [MultilabelPrediction((), (0.25, 0.5)), MultilabelPrediction(LABELS, (0.75, 1.0))]
    found = json.loads(render_batch(["x", "y"], answers, None, LABELS))["predictions"]
    assert [item["labels"] for item in found] == [[], ["funny", "sad"]]
    assert [item["scores"] for item in found] == [
        {"funny": 0.25, "sad": 0.5},
        {"funny": 0.75, "sad": 1.0},
    ]


def test_labels_without_probabilities_have_no_scores() -> None:
    answer = MultilabelPrediction(("sad",), None)
    assert "scores" not in json.loads(render_prediction("x", answer, "3", LABELS))


def test_one_label_is_answered_without_a_list() -> None:
    assert "labels" not in json.loads(render_prediction("x", Prediction("sad", None, None), "3"))
