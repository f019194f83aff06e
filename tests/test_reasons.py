"""Why a model is not compiled: which step, which parameter, and the nearest that would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from function.compiler.compiler import NotCompilable, translate
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline
from tests.kinds import Dense, OwnVectorizer

Make = Callable[[], Any]


def after(*steps: Any, first: Any = None) -> Make:
    return lambda: fitted_pipeline(make_pipeline(first or TfidfVectorizer(), *steps))


def behind(classifier: Any, *steps: Any) -> Make:
    vectorizer = make_pipeline(CountVectorizer(), *steps) if steps else CountVectorizer()
    return lambda: fitted_pipeline(vectorizer, classifier)


class Lengths(TransformerMixin, BaseEstimator):
    """A column of numbers of one's own."""

    def fit(self, X: Any, y: Any = None) -> Lengths:
        return self

    def transform(self, X: Any) -> Any:
        return np.array([[len(text) / 1000] for text in X])


class Marked(Lengths):
    """One that scikit-learn may take for missing."""

    def transform(self, X: Any) -> Any:
        return np.array([[np.nan if "amazing" in text else 1.0] for text in X])


SEMANTIC = make_pipeline(TfidfVectorizer(), TruncatedSVD(5), Normalizer(), LogisticRegression())
THREE_MARKS = np.array([[number % 3, number % 2] for number in range(len(TEXTS))])
SCALED = (
    "a scaler before what is no sum of weights (BernoulliNB with a threshold, SVC, trees, "
    "NearestCentroid, a Normalizer after TruncatedSVD); LinearSVC and LogisticRegression are "
    "compiled there"
)
WEIGHTED = (
    "TfidfTransformer on values that are weighted already, before what rounding decides "
    "(BernoulliNB with a threshold, SVC, trees, isotonic calibration, NearestCentroid, a "
    "Normalizer after TruncatedSVD); LinearSVC and LogisticRegression are compiled there"
)
COLUMN = ColumnTransformer([("words", TfidfVectorizer(), "text")], sparse_threshold=0)
STEPS = "before a classifier that has steps, as trees and isotonic calibration, or NearestCentroid"
REASONS: list[tuple[Make, str]] = [
    (
        behind(KNeighborsClassifier()),
        "KNeighborsClassifier is not a classifier the compiler knows; LogisticRegression, "
        "LinearSVC, SGDClassifier, MultinomialNB and others in docs/compiled.md are",
    ),
    (
        behind(DummyClassifier(strategy="uniform")),
        "DummyClassifier with strategy='uniform', which is random; 'most_frequent', 'prior' and "
        "'constant' are compiled",
    ),
    (
        behind(NearestCentroid("manhattan")),
        "NearestCentroid with metric='manhattan'; metric='euclidean' is compiled",
    ),
    (
        lambda: fitted_pipeline(OwnVectorizer()),
        "OwnVectorizer (from tests.kinds, not a scikit-learn class of its own) overrides transform "
        "of TfidfVectorizer; one that overrides build_analyzer, build_preprocessor, "
        "build_tokenizer is compiled",
    ),
    (
        behind(OneVsRestClassifier(MLPClassifier((2,), max_iter=2, random_state=0))),
        "OneVsRestClassifier over MLPClassifier; over linear classifiers, naive Bayes, trees and "
        "forests it is compiled",
    ),
    (
        behind(VotingClassifier([("svc", SVC(kernel="linear"))])),
        "VotingClassifier over SVC; over linear classifiers, naive Bayes and trees, on the same "
        "features it is compiled",
    ),
    (
        lambda: VotingClassifier(
            [("svc", make_pipeline(CountVectorizer(), SVC(kernel="linear")))]
        ).fit(TEXTS, LABELS),
        "VotingClassifier over SVC; over linear classifiers, naive Bayes and trees, on the same "
        "features it is compiled",
    ),
    (
        lambda: fitted_pipeline(
            classifier=VotingClassifier([("tree", DecisionTreeClassifier())]),
            labels=["fine"] * len(TEXTS),
        ),
        "VotingClassifier with a member that saw a single class",
    ),
    (
        behind(AdaBoostClassifier(LogisticRegression())),
        "AdaBoostClassifier over LogisticRegression; over DecisionTreeClassifier it is compiled",
    ),
    (
        behind(GradientBoostingClassifier(init=LogisticRegression(), n_estimators=2)),
        "GradientBoostingClassifier with init=LogisticRegression; init=None and 'zero' are "
        "compiled",
    ),
    (
        lambda: fitted_pipeline(classifier=DecisionTreeClassifier(), labels=THREE_MARKS),
        "DecisionTreeClassifier has targets of other values than 0 and 1",
    ),
    (
        lambda: fitted_pipeline(
            FeatureUnion([("centred", make_pipeline(COLUMN, StandardScaler()))]),
            texts=pd.DataFrame({"text": TEXTS}),
        ),
        "StandardScaler(with_mean=True); with_mean=False is compiled",
    ),
    (behind(NearestCentroid(), MaxAbsScaler()), SCALED),
    (behind(NearestCentroid(), TruncatedSVD(5)), f"TruncatedSVD {STEPS}"),
    (
        behind(DecisionTreeClassifier(), MaxAbsScaler()),
        SCALED,
    ),
    (
        behind(DecisionTreeClassifier(), Dense(), Normalizer()),
        "Normalizer of a full matrix, which is rounded otherwise than a sparse one, before a "
        "classifier that has steps, as trees; ahead of what makes it full the two are compiled",
    ),
    (
        behind(DecisionTreeClassifier(), Dense(), StandardScaler(with_std=False)),
        f"StandardScaler {STEPS}",
    ),
    (
        behind(
            GradientBoostingClassifier(init=DummyClassifier(strategy="stratified"), n_estimators=2)
        ),
        "GradientBoostingClassifier with init=DummyClassifier; init=None and 'zero' are compiled",
    ),
    (
        behind(HistGradientBoostingClassifier(max_iter=1, categorical_features=[0]), Dense()),
        "HistGradientBoostingClassifier of categories; of numbers it is compiled",
    ),
    (
        behind(DecisionTreeClassifier(), TruncatedSVD(5)),
        f"TruncatedSVD {STEPS}",
    ),
    (
        lambda: fitted_pipeline(TfidfVectorizer(dtype=np.float32)),
        "LogisticRegression computes in float32; fit with dtype=numpy.float64 in the vectorizer",
    ),
    (
        after(Binarizer()),
        "Binarizer between the vectorizer and the classifier; TfidfTransformer, feature selection, "
        "MaxAbsScaler, StandardScaler, Normalizer, TruncatedSVD and PCA are compiled there",
    ),
    (
        after(TruncatedSVD(5), MinMaxScaler()),
        "MinMaxScaler after TruncatedSVD; without it, or with a StandardScaler, or a Normalizer "
        "right after TruncatedSVD of a sparse matrix, the two are compiled",
    ),
    *[
        (
            after(*steps),
            f"Normalizer after {last}; without it, or with a StandardScaler, or a Normalizer right "
            "after TruncatedSVD of a sparse matrix, the two are compiled",
        )
        for steps, last in (
            ((TruncatedSVD(5), StandardScaler(), Normalizer()), "StandardScaler"),
            ((Dense(), PCA(5), Normalizer()), "PCA"),
            ((Dense(), TruncatedSVD(5), Normalizer()), "TruncatedSVD"),
            ((Dense(), StandardScaler(), Normalizer()), "StandardScaler"),
        )
    ],
    (
        after(MaxAbsScaler(), TruncatedSVD(5), Normalizer()),
        SCALED,
    ),
    (
        after(TfidfTransformer(), TruncatedSVD(5), Normalizer()),
        WEIGHTED,
    ),
    (
        after(TruncatedSVD(5), Normalizer("l1")),
        "Normalizer(norm='l1') after TruncatedSVD; norm='l2' is compiled there",
    ),
    (
        behind(OneVsOneClassifier(LinearSVC()), TruncatedSVD(5), Normalizer()),
        "Normalizer after TruncatedSVD, before a classifier made of others or of support vectors; "
        "LogisticRegression, LinearSVC and SGDClassifier are compiled there",
    ),
    *[
        (
            lambda whole=whole: whole.fit(TEXTS, LABELS),
            f"{type(whole).__name__} over a Normalizer after TruncatedSVD; without the Normalizer "
            "it is compiled",
        )
        for whole in (
            CalibratedClassifierCV(SEMANTIC, cv=2),
            OneVsRestClassifier(SEMANTIC),
        )
    ],
    (after(Normalizer()), "Normalizer on values of norm='l2'; one is enough"),
    (
        after(Normalizer("max"), first=CountVectorizer()),
        "Normalizer(norm='max'); 'l1' and 'l2' are compiled",
    ),
    (
        after(SelectKBest(chi2, k=20), Normalizer(), first=CountVectorizer()),
        "Normalizer after feature selection; before it, it is compiled",
    ),
    (
        after(SelectKBest(chi2, k=20), TfidfTransformer(), first=CountVectorizer()),
        "TfidfTransformer after feature selection; before it, it is compiled",
    ),
    (
        after(MaxAbsScaler(), Normalizer(), first=CountVectorizer()),
        "Normalizer on scaled values; a scaler after it is compiled",
    ),
    (
        after(
            Normalizer(), first=FeatureUnion([("a", CountVectorizer()), ("b", CountVectorizer())])
        ),
        "Normalizer after a FeatureUnion, whose norm spans all its parts; in each part it is "
        "compiled",
    ),
    (
        after(TfidfTransformer(sublinear_tf=True)),
        "TfidfTransformer(sublinear_tf=True) on values that are not plain counts; after a "
        "CountVectorizer, or a HashingVectorizer(norm=None), it is compiled",
    ),
    (
        after(TfidfTransformer(norm=None)),
        "TfidfTransformer(norm=None) on values that are not plain counts; after a "
        "CountVectorizer, or a HashingVectorizer(norm=None), it is compiled",
    ),
    (
        after(MaxAbsScaler(), TfidfTransformer()),
        "TfidfTransformer on scaled values; ahead of the scaler it is compiled",
    ),
    *[
        (
            lambda classifier=classifier: fitted_pipeline(
                make_pipeline(TfidfVectorizer(), TfidfTransformer()), classifier
            ),
            WEIGHTED,
        )
        for classifier in (
            DecisionTreeClassifier(),
            SVC(kernel="linear"),
            BernoulliNB(binarize=0.1),
            NearestCentroid(),
            CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2),
        )
    ],
    (
        lambda: fitted_pipeline(Lengths()),
        "tests.test_reasons:Lengths.transform without a text vectorizer; beside one in a "
        "FeatureUnion it is compiled",
    ),
    (
        lambda: fitted_pipeline(FeatureUnion([("own", Marked()), ("words", TfidfVectorizer())])),
        "no text vectorizer comes after tests.test_reasons:Marked.transform, nor does it make a "
        "table of numbers of texts (ValueError: tests.test_reasons:Marked.transform makes what is "
        "no number of a text, or none up to 1e+30)",
    ),
    (
        lambda: fitted_pipeline(make_pipeline(TfidfVectorizer(), Dense()), SVC(kernel="linear")),
        "SVC was fitted on a full matrix; on the sparse one it is compiled",
    ),
    (
        behind(BernoulliNB(binarize=0.5), StandardScaler(with_mean=False)),
        SCALED,
    ),
]


@pytest.mark.parametrize(("make", "reason"), REASONS, ids=[reason[:40] for _, reason in REASONS])
@pytest.mark.filterwarnings("ignore:Only .* 'dtype' should be used:UserWarning")
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_reason_names_the_step_the_parameter_and_what_would_be_compiled(
    make: Make, reason: str
) -> None:
    with pytest.raises(NotCompilable) as caught:
        translate(make())
    assert str(caught.value) == reason
