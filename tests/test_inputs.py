"""Whatever a scikit-learn model was fitted on, it is asked in a way that it reads as texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from function.errors import ModelLoadError
from function.originals.predictors import SklearnPredictor
from tests.input_shapes import CASES, Case
from tests.registry import training_data

TEXTS = training_data()[0]["text"].tolist()[1::40]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_answers_are_the_models_own_in_a_batch_and_alone(case: Case) -> None:
    model = case.fitted()
    predictor = SklearnPredictor(model, {}, case.signed)
    found = predictor.predict(TEXTS)
    given = case.given(TEXTS)
    assert [answer.label for answer in found] == model.predict(given).tolist()
    if hasattr(model, "predict_proba"):
        rows = np.array([answer.scores for answer in found])
        assert np.abs(rows - model.predict_proba(given)).max() < 1e-12
    assert [predictor.predict([text])[0].label for text in TEXTS] == [a.label for a in found]


def numbers() -> tuple[Any, list[int]]:
    """What a vectorizer makes of the texts, and a class for each."""
    return TfidfVectorizer().fit_transform(TEXTS), [place % 2 for place in range(len(TEXTS))]


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        KNeighborsClassifier(1),
        RandomForestClassifier(3),
        make_pipeline(TfidfTransformer(), LogisticRegression()),
        make_pipeline(TruncatedSVD(2), LogisticRegression()),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_a_classifier_without_its_vectorizer_is_told_so(classifier: Any) -> None:
    features, classes = numbers()
    with pytest.raises(ModelLoadError) as caught:
        SklearnPredictor(classifier.fit(features, classes), {})
    message = str(caught.value)
    assert f"wants {features.shape[1]} numbers" in message
    assert "without its vectorizer" in message
    assert "--vectorizer FILE" in message


def test_a_classifier_of_named_numbers_is_told_so_too() -> None:
    features, classes = numbers()
    table = pd.DataFrame(features.toarray()).rename(columns=str)
    with pytest.raises(ModelLoadError, match="without its vectorizer"):
        SklearnPredictor(LogisticRegression().fit(table, classes), {})


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (TfidfVectorizer(), "TfidfVectorizer"),
        (make_pipeline(CountVectorizer(), TfidfTransformer()), "TfidfTransformer"),
        (make_pipeline(CountVectorizer(), "passthrough"), "CountVectorizer"),
    ],
    ids=["vectorizer", "pipeline", "passthrough"],
)
def test_a_vectorizer_without_a_classifier_is_told_so(model: Any, named: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        SklearnPredictor(model.fit(TEXTS), {})
    assert "without its classifier" in str(caught.value)
    assert named in str(caught.value)
    assert "--vectorizer" in str(caught.value)


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (LinearRegression(), "regressor"),
        (DecisionTreeRegressor(), "regressor"),
        (TransformedTargetRegressor(LinearRegression()), "regressor"),
        (KMeans(2, n_init=1), "clusterer"),
        (IsolationForest(n_estimators=3), "outlier detector"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_classifier_is_refused(last: Any, kind: str) -> None:
    model = make_pipeline(TfidfVectorizer(), last).fit(TEXTS, range(len(TEXTS)))
    with pytest.raises(ModelLoadError, match=f"a {kind}: it predicts"):
        SklearnPredictor(model, {})


def test_a_model_of_two_texts_is_refused_with_their_names() -> None:
    table = pd.DataFrame({"title": TEXTS, "body": TEXTS})
    both = make_column_transformer((TfidfVectorizer(), "title"), (TfidfVectorizer(), "body"))
    model = make_pipeline(both, LogisticRegression()).fit(table, numbers()[1])
    with pytest.raises(ModelLoadError, match="title, body"):
        SklearnPredictor(model, {})


class Undecided(LogisticRegression):
    """With the method, as every subclass has it, and nothing behind it."""

    def predict_proba(self, X: Any) -> Any:
        raise NotImplementedError


def test_probabilities_that_are_not_implemented_are_none() -> None:
    model = make_pipeline(TfidfVectorizer(), Undecided()).fit(TEXTS, numbers()[1])
    assert {answer.confidence for answer in SklearnPredictor(model, {}).predict(TEXTS)} == {None}
