"""Labels read off probabilities, and both from one pass, are what the model itself says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, NuSVC

from function.demo.sentences import read_sentences
from function.originals.accents import strip_in_linear_time
from function.originals.predictors import SklearnPredictor
from tests.benchmarks.originals import MODELS
from tests.registry import training_data

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def check(model: Any, texts: list[str]) -> None:
    """Compare the predictor with the model, in one batch and alone."""
    predictor = SklearnPredictor(model, {})
    found, rows = predictor.predict(texts), model.predict_proba(texts)
    assert [answer.label for answer in found] == [str(item) for item in model.predict(texts)]
    assert np.abs(np.array([answer.scores for answer in found]) - rows).max() < 1e-12
    alone = [predictor.predict([text])[0] for text in texts[:20]]
    assert [answer.label for answer in alone] == [answer.label for answer in found[:20]]
    assert np.abs(np.array([answer.scores for answer in alone]) - rows[:20]).max() < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_original_that_is_measured_answers_as_itself(name: str) -> None:
    sentences = read_sentences()[::6]
    labels = [sentence.label for sentence in sentences]
    if "threshold" in name:
        labels = ["positive" if label == "positive" else "other" for label in labels]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MODELS[name]()
        if name == "union":  # of three million weights, however good
            model.set_params(logisticregression__max_iter=3)
        model.fit([sentence.text for sentence in sentences], labels)
    check(model, [sentence.text for sentence in read_sentences()[::19]])


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_support_vectors_are_asked_once_for_both(kind: Any, classes: int) -> None:
    texts = training_data()[0]["text"].tolist()[:120]
    numbers = [len(text) % classes for text in texts]
    options = {"nu": 0.2} if kind is NuSVC else {"kernel": "linear"}
    machine = kind(probability=True, random_state=0, **options)
    check(make_pipeline(CountVectorizer(), machine).fit(texts, numbers), texts)


def test_a_tie_goes_where_the_model_says() -> None:
    texts = training_data()[0]["text"].tolist()[:120]
    numbers = [len(text) % 3 for text in texts]
    for weights in ("uniform", "distance"):
        neighbours = KNeighborsClassifier(4, weights=weights)
        check(make_pipeline(CountVectorizer(), neighbours).fit(texts, numbers), texts)


@pytest.mark.parametrize("accents", ["unicode", "ascii"])
def test_accents_are_stripped_in_linear_time_where_nothing_is_compiled(accents: str) -> None:
    texts = ["Crème brûlée", "cafe\u0301 au lait", "ﬁn ½ Ǆ ạ̈", "naïve 好"]
    vectorizer = HashingVectorizer(strip_accents=accents, n_features=64)
    model = make_pipeline(vectorizer, LogisticRegression()).fit(texts, list("abab"))
    expected = vectorizer.transform(texts).toarray()
    strip_in_linear_time(model)
    assert np.array_equal(vectorizer.transform(texts).toarray(), expected)
    marks = "a" + "\u0301\u0323" * 50_000  # two minutes the other way
    assert vectorizer.build_preprocessor()(marks) == "a"
