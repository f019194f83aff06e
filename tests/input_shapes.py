"""Models by what they were fitted on: each is asked rightly in one shape only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from tests.registry import training_data

Given = Callable[[Sequence[str]], Any]


def strings(texts: Sequence[str]) -> Any:
    return list(texts)


def array(texts: Sequence[str]) -> Any:
    return np.array(list(texts), dtype=object)


def matrix(texts: Sequence[str]) -> Any:
    return array(texts).reshape(-1, 1)


def series(texts: Sequence[str]) -> Any:
    return pd.Series(list(texts), name="review")


def frame(texts: Sequence[str]) -> Any:
    return pd.DataFrame({"review": list(texts)})


def wide(texts: Sequence[str]) -> Any:
    return pd.DataFrame({"id": range(len(texts)), "review": list(texts)})


class Case(NamedTuple):
    """An unfitted model, and what it is fitted on and asked with."""

    build: Callable[[], Any]
    given: Given = strings
    is_binary: bool = False
    signed: str | None = None
    """The column's name in the signature, where nothing else says it."""

    def fitted(self) -> Any:
        """The model, fitted on every third of the small set of sentences."""
        texts, labels = training_data()
        if self.is_binary:
            labels = ["positive" if label == "positive" else "other" for label in labels]
        return self.build().fit(self.given(texts["text"].tolist()[::3]), labels[::3])


class Lowered(TransformerMixin, BaseEstimator):
    """A cleaning step of the kind that people write, for a list or a Series of strings."""

    def fit(self, X: Any, y: Any = None) -> Lowered:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> list[str]:
        return [str(text).lower() for text in X]


class BySeries(Lowered):
    def transform(self, X: Any) -> Any:
        return X.str.lower()


class ByColumn(Lowered):
    def transform(self, X: Any) -> Any:
        return X["review"].str.lower()


class ByPlace(Lowered):
    def transform(self, X: Any) -> Any:
        return X.iloc[:, 0]


class Lengths(Lowered):
    def transform(self, X: Any) -> Any:
        return np.array([[len(text), text.count("!")] for text in X])


def _words() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))


def _margins() -> Any:
    return make_pipeline(TfidfVectorizer(), LinearSVC())


def _flat(X: Any) -> Any:
    return np.asarray(X, dtype=object).ravel()


def _after(step: Any, classifier: Any = None) -> Any:
    return make_pipeline(step, TfidfVectorizer(), classifier or LogisticRegression(C=10))


def _flattened() -> Any:
    return make_pipeline(FunctionTransformer(_flat), TfidfVectorizer())


CASES = {
    "list": Case(_words),
    "ndarray": Case(_words, array),
    "series": Case(_words, series),
    "hashing": Case(lambda: make_pipeline(HashingVectorizer(), SGDClassifier())),
    "search": Case(lambda: GridSearchCV(_words(), {"logisticregression__C": [1, 10]}, cv=2)),
    "nested": Case(lambda: Pipeline([("none", None), ("all", _words())])),
    "identity": Case(lambda: _after(FunctionTransformer())),
    "calibrated": Case(lambda: CalibratedClassifierCV(_margins(), cv=2)),
    "calibrated-together": Case(lambda: CalibratedClassifierCV(_margins(), cv=2, ensemble=False)),
    "calibrated-frame": Case(
        lambda: CalibratedClassifierCV(
            make_pipeline(make_column_transformer((TfidfVectorizer(), "review")), LinearSVC()), cv=2
        ),
        frame,
    ),
    "one-vs-rest": Case(lambda: OneVsRestClassifier(_words())),
    "one-vs-rest-margins": Case(lambda: OneVsRestClassifier(_margins())),
    "output-code": Case(lambda: OutputCodeClassifier(_words(), random_state=0)),
    "vote": Case(lambda: VotingClassifier([("a", _words()), ("b", _margins())])),
    "soft-vote": Case(
        lambda: VotingClassifier(
            [("a", _words()), ("b", make_pipeline(CountVectorizer(), MultinomialNB()))],
            voting="soft",
        )
    ),
    "stack": Case(lambda: StackingClassifier([("a", _words()), ("b", _margins())], cv=2)),
    "bagging": Case(
        lambda: BaggingClassifier(_after(FunctionTransformer(_flat)), 3, random_state=0), matrix
    ),
    "bagging-frame": Case(
        lambda: BaggingClassifier(_after(FunctionTransformer(_flat)), 3, random_state=0), frame
    ),
    "threshold": Case(lambda: FixedThresholdClassifier(_words(), threshold=0.2), is_binary=True),
    "tuned-threshold": Case(lambda: TunedThresholdClassifierCV(_words(), cv=2), is_binary=True),
    "frozen": Case(
        lambda: make_pipeline(
            FrozenEstimator(TfidfVectorizer().fit(training_data()[0]["text"])),
            LogisticRegression(C=10),
        )
    ),
    "squeezed-frame": Case(lambda: _after(FunctionTransformer(np.squeeze)), frame),
    "squeezed-matrix": Case(lambda: _after(FunctionTransformer(np.squeeze)), matrix),
    "raveled-matrix": Case(lambda: _after(FunctionTransformer(_flat)), matrix),
    "own-step": Case(lambda: _after(Lowered())),
    "own-step-calibrated": Case(
        lambda: CalibratedClassifierCV(_after(Lowered(), LinearSVC()), cv=2)
    ),
    "own-step-one-vs-rest": Case(lambda: OneVsRestClassifier(_after(Lowered()))),
    "own-step-of-series": Case(lambda: _after(BySeries()), series),
    "own-step-of-frame": Case(lambda: _after(ByPlace()), frame),
    "own-step-calibrated-frame": Case(
        lambda: CalibratedClassifierCV(_after(ByPlace(), LinearSVC()), cv=2), frame
    ),
    "selector": Case(lambda: _after(FunctionTransformer(ByColumn().transform)), frame),
    "columns": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), "review")]), LogisticRegression()
        ),
        frame,
    ),
    "columns-passthrough": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), "review")], remainder="passthrough"),
            LogisticRegression(),
        ),
        frame,
    ),
    "columns-of-a-wider-frame": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), "review"), ("id", "drop", ["id"])]),
            LogisticRegression(),
        ),
        wide,
    ),
    "columns-twice": Case(
        lambda: make_pipeline(
            ColumnTransformer(
                [("words", TfidfVectorizer(), "review"), ("counts", CountVectorizer(), "review")]
            ),
            LogisticRegression(),
        ),
        frame,
    ),
    "columns-by-names": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", _flattened(), ["review"])]), LogisticRegression()
        ),
        frame,
    ),
    "columns-by-place": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), 0)]), LogisticRegression()
        ),
        matrix,
    ),
    "columns-by-places": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", _flattened(), [0])]), LogisticRegression()
        ),
        matrix,
    ),
    "columns-by-place-of-a-frame": Case(
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), 0)]), LogisticRegression()
        ),
        frame,
    ),
    "union": Case(
        lambda: make_pipeline(
            FeatureUnion([("words", TfidfVectorizer()), ("lengths", Lengths())]),
            LogisticRegression(max_iter=5000),
        )
    ),
    "union-of-selectors": Case(
        lambda: make_pipeline(
            FeatureUnion(
                [
                    ("words", make_pipeline(ByColumn(), TfidfVectorizer())),
                    ("counts", make_pipeline(ByColumn(), CountVectorizer())),
                ]
            ),
            LogisticRegression(),
        ),
        frame,
        signed="review",
    ),
    "always-the-same": Case(lambda: make_pipeline(TfidfVectorizer(), DummyClassifier())),
    "always-the-same-alone": Case(DummyClassifier),
}
