"""Kinds of models beyond those that fitted_models.py multiplies with everything: each on a few
vectorizers, of two and of three classes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from tests.fitted_models import LABELS, TEXTS, VECTORIZERS, as_input

MEMBERS = [("logistic", LogisticRegression()), ("bayes", MultinomialNB())]
KINDS: dict[str, Callable[[], Any]] = {
    "svc": lambda: SVC(kernel="linear"),
    "svc-breaks-ties": lambda: SVC(kernel="linear", break_ties=True),
    "svc-probability": lambda: SVC(kernel="linear", probability=True, random_state=0),
    "nu-svc": lambda: NuSVC(kernel="linear", nu=0.2, decision_function_shape="ovo"),
    "nu-svc-probability": lambda: NuSVC(kernel="linear", probability=True, random_state=0),
    "one-vs-one-svc": lambda: OneVsOneClassifier(LinearSVC(random_state=0)),
    "one-vs-one-logistic": lambda: OneVsOneClassifier(LogisticRegression()),
    "one-vs-one-sgd": lambda: OneVsOneClassifier(SGDClassifier(random_state=0)),
    "one-vs-rest-bayes": lambda: OneVsRestClassifier(MultinomialNB(alpha=0.01)),
    "one-vs-rest-complement": lambda: OneVsRestClassifier(ComplementNB()),
    "one-vs-rest-bernoulli": lambda: OneVsRestClassifier(BernoulliNB()),
    "nearest": NearestCentroid,
    "dummy": DummyClassifier,
    "dummy-most-frequent": lambda: DummyClassifier(strategy="most_frequent"),
    "dummy-constant": lambda: DummyClassifier(strategy="constant", constant="positive"),
    "voting-soft": lambda: VotingClassifier(MEMBERS, voting="soft", weights=[1, 2.5]),
    "voting-soft-even": lambda: VotingClassifier(MEMBERS, voting="soft"),
    "voting-hard": lambda: VotingClassifier([*MEMBERS, ("svc", LinearSVC(random_state=0))]),
    "voting-hard-weighted": lambda: VotingClassifier(MEMBERS, weights=[0.5, 2]),
    "voting-huber": lambda: VotingClassifier(
        [MEMBERS[0], ("huber", SGDClassifier("modified_huber", random_state=0))], voting="soft"
    ),
    "bagging-logistic": lambda: BaggingClassifier(
        LogisticRegression(), 4, max_features=0.6, bootstrap_features=True, random_state=1
    ),
    "bagging-svc": lambda: BaggingClassifier(LinearSVC(random_state=0), 5, random_state=0),
    "bagging-bernoulli": lambda: BaggingClassifier(BernoulliNB(), 3, random_state=0),
}
ON_SOME: dict[str, Callable[[], Any]] = {
    "svc-rbf": SVC,
    "svc-rbf-probability": lambda: SVC(C=10, gamma=0.5, probability=True, random_state=0),
    "svc-rbf-breaks-ties": lambda: SVC(gamma="auto", break_ties=True),
    "nu-svc-rbf": lambda: NuSVC(nu=0.2, decision_function_shape="ovo"),
    "svc-poly": lambda: SVC(kernel="poly", degree=2, coef0=0.3),
    "svc-sigmoid": lambda: SVC(kernel="sigmoid", coef0=-0.1),
    "nearest-shrunken": lambda: NearestCentroid(shrink_threshold=0.2),
    "nearest-priors": lambda: NearestCentroid(priors="empirical"),
    "neurons": lambda: MLPClassifier((12,), max_iter=20, random_state=0),
    "neurons-deep": lambda: MLPClassifier(
        (9, 6), activation="tanh", alpha=0.1, max_iter=20, random_state=0
    ),
    "neurons-logistic": lambda: MLPClassifier(
        (5,), activation="logistic", max_iter=20, random_state=0
    ),
    "neurons-none": lambda: MLPClassifier((), max_iter=20, random_state=0),
    "voting-neurons": lambda: VotingClassifier(
        [*MEMBERS, ("neurons", MLPClassifier((7,), max_iter=20, random_state=0))], voting="soft"
    ),
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "extra-tree": lambda: ExtraTreeClassifier(max_leaf_nodes=12, random_state=0),  # best first
    "forest": lambda: RandomForestClassifier(9, random_state=0),
    "forest-balanced": lambda: RandomForestClassifier(
        5, max_depth=4, class_weight="balanced", criterion="entropy", random_state=0
    ),
    "one-vs-rest-forest": lambda: OneVsRestClassifier(RandomForestClassifier(5, random_state=0)),
    "calibrated-forest": lambda: CalibratedClassifierCV(
        RandomForestClassifier(5, random_state=0), cv=3
    ),
    "calibrated-boosting": lambda: CalibratedClassifierCV(
        GradientBoostingClassifier(n_estimators=3, random_state=0), method="isotonic", cv=3
    ),
    "extra-trees": lambda: ExtraTreesClassifier(7, min_samples_leaf=2, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=12, random_state=0),
    "boosting-from-zero": lambda: GradientBoostingClassifier(
        n_estimators=5, init="zero", subsample=0.7, random_state=0
    ),
    "ada-boost": lambda: AdaBoostClassifier(n_estimators=10, random_state=0),
    "ada-boost-deep": lambda: AdaBoostClassifier(
        ExtraTreeClassifier(max_depth=3, random_state=0), n_estimators=6, random_state=0
    ),
    "bagging-tree": lambda: BaggingClassifier(
        n_estimators=6, max_samples=0.2, max_features=0.5, bootstrap_features=True, random_state=0
    ),
    "bagging-boosting": lambda: BaggingClassifier(
        GradientBoostingClassifier(n_estimators=3), 3, max_features=0.7, random_state=0
    ),
    "voting-trees": lambda: VotingClassifier(
        [
            ("forest", RandomForestClassifier(5, random_state=0)),
            *MEMBERS,
            ("boosting", GradientBoostingClassifier(n_estimators=4, random_state=0)),
        ],
        voting="soft",
        weights=[2, 1, 1, 0.5],
    ),
    "voting-trees-hard": lambda: VotingClassifier(
        [*MEMBERS, ("ada", AdaBoostClassifier(n_estimators=4, random_state=0))]
    ),
}
"""On three vectorizers each: what they do with values is the same wherever these come from."""
KERNELS = frozenset(kind for kind in ON_SOME if kind.startswith(("svc-", "nu-svc-")))
"""Those that are compiled where the C code is built."""
OF_TWO: dict[str, Callable[[], Any]] = {
    "threshold": lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.4),
    "threshold-first": lambda: FixedThresholdClassifier(
        LogisticRegression(), threshold=0.45, pos_label="negative"
    ),
    "threshold-score": lambda: FixedThresholdClassifier(
        LinearSVC(random_state=0), threshold=-0.2, response_method="decision_function"
    ),
    "threshold-auto": lambda: FixedThresholdClassifier(MultinomialNB()),
    "threshold-voting": lambda: FixedThresholdClassifier(
        VotingClassifier(MEMBERS, voting="soft"), threshold=0.6
    ),
    "boosting-exponential": lambda: GradientBoostingClassifier(
        n_estimators=12, loss="exponential", random_state=0
    ),
    "threshold-forest": lambda: FixedThresholdClassifier(
        RandomForestClassifier(9, random_state=0), threshold=0.3
    ),
    "threshold-boosting": lambda: FixedThresholdClassifier(
        GradientBoostingClassifier(n_estimators=9, random_state=0),
        threshold=0.2,
        response_method="decision_function",
    ),
    "threshold-tuned": lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=3),
}
ON = ("tfidf", "count", "union-selected")
HASHED: dict[str, Callable[[], Any]] = {
    "hashing": lambda: HashingVectorizer(n_features=2**12, ngram_range=(1, 2)),
    "hashing-crowded": lambda: HashingVectorizer(n_features=50),
    "hashing-crowded-l1": lambda: HashingVectorizer(n_features=50, norm="l1"),
    "hashing-crowded-no-norm": lambda: HashingVectorizer(n_features=50, norm=None),
    "hashing-crowded-binary": lambda: HashingVectorizer(n_features=50, binary=True),
    "hashing-char": lambda: HashingVectorizer(
        n_features=1000, analyzer="char_wb", ngram_range=(2, 3), lowercase=False
    ),
    "hashing-tfidf": lambda: make_pipeline(
        HashingVectorizer(n_features=200, norm=None), TfidfTransformer()
    ),
    "hashing-positive-tfidf": lambda: make_pipeline(
        HashingVectorizer(n_features=200, norm=None, alternate_sign=False),
        TfidfTransformer(sublinear_tf=True),
    ),
    "hashing-union": lambda: FeatureUnion(
        [("hashed", HashingVectorizer(n_features=100)), ("words", TfidfVectorizer())],
        transformer_weights={"hashed": 0.3},
    ),
    "hashing-selected": lambda: make_pipeline(
        HashingVectorizer(n_features=500), VarianceThreshold(0.001)
    ),
}
SCALED: dict[str, Callable[[], Any]] = {
    "scaled-most": lambda: make_pipeline(CountVectorizer(), MaxAbsScaler()),
    "scaled-selected": lambda: make_pipeline(
        TfidfVectorizer(), VarianceThreshold(1e-3), StandardScaler(with_mean=False)
    ),
    "scaled-in-a-union": lambda: FeatureUnion(
        [
            ("scaled", make_pipeline(TfidfVectorizer(), MaxAbsScaler())),
            ("words", CountVectorizer()),
        ],
        transformer_weights={"scaled": 2.0},
    ),
    "weighted-twice": lambda: make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), TfidfTransformer(norm="l1")
    ),
    "hashed-weighted": lambda: make_pipeline(HashingVectorizer(n_features=300), TfidfTransformer()),
    "normed": lambda: make_pipeline(CountVectorizer(), Normalizer()),
    "normed-l1": lambda: make_pipeline(
        CountVectorizer(), TfidfTransformer(norm=None), Normalizer("l1"), MaxAbsScaler()
    ),
    "dense": lambda: make_pipeline(
        TfidfVectorizer(), FunctionTransformer(lambda found: found.toarray(), accept_sparse=True)
    ),
    "dense-selected": lambda: make_pipeline(
        CountVectorizer(), VarianceThreshold(1e-2), Dense(), VarianceThreshold(2e-2)
    ),
    "svd": lambda: make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2)), TruncatedSVD(20, random_state=0)
    ),
    "svd-normed": lambda: make_pipeline(
        TfidfVectorizer(), TruncatedSVD(12, random_state=0), Normalizer(copy=False)
    ),
    "pca": lambda: make_pipeline(
        TfidfVectorizer(), Dense(), StandardScaler(), PCA(9, random_state=0, whiten=True)
    ),
    "centred": lambda: make_pipeline(CountVectorizer(), Dense(), StandardScaler()),
    "svd-scaled": lambda: make_pipeline(
        TfidfVectorizer(), TruncatedSVD(10, random_state=0), StandardScaler()
    ),
}
DENSE: dict[str, Callable[[], Any]] = {
    "hist-boosting": lambda: HistGradientBoostingClassifier(max_iter=9, min_samples_leaf=5),
}
USUAL: dict[str, Callable[[], Any]] = {
    "logistic": LogisticRegression,
    "linear-svc": lambda: LinearSVC(random_state=0),
    "bernoulli": BernoulliNB,
    "multinomial": MultinomialNB,
}


class Dense(TransformerMixin, BaseEstimator):
    """As people write it for classifiers that want a full matrix."""

    def fit(self, X: Any, y: Any = None) -> Dense:
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X.todense())


class OwnVectorizer(TfidfVectorizer):
    """Overrides more than how a text's terms are made."""

    def transform(self, raw_documents: Any) -> Any:
        return super().transform([2 * text for text in raw_documents])


class Case(NamedTuple):
    kind: str
    vectorizer: str
    classes: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


CASES = [Case(kind, on, classes) for kind in KINDS for on in ON for classes in (2, 3)]
CASES += [
    Case(kind, on, classes)
    for kind in ("logistic", "linear-svc")
    for on in HASHED
    for classes in (2, 3)
]
CASES += [Case(kind, on, 3) for kind in ("bernoulli", "svc") for on in HASHED]
CASES += [
    Case(kind, on, classes)
    for kind in ON_SOME
    for on, classes in (("count", 2), ("tfidf", 3), ("union-selected", 3))
]
CASES += [
    Case(kind, on, 3)
    for kind in ("svc-rbf", "forest", "boosting")
    for on in ("hashing-crowded", "hashing-tfidf", "hashing-union", "hashing-selected")
]
CASES += [
    Case(kind, on, classes)
    for kind in ("logistic", "linear-svc")
    for on in SCALED
    for classes in (2, 3)
]
CASES += [Case("bernoulli", on, 2) for on in ("scaled-most", "scaled-in-a-union")]
CASES += [Case("neurons", "svd-normed", 3), Case("neurons-deep", "hashing-union", 3)]
CASES += [
    Case(kind, on, classes)
    for kind in ("forest", "hist-boosting")
    for on in ("dense", "dense-selected")
    for classes in (2, 3)
]
CASES += [Case(kind, on, 2) for kind in OF_TWO for on in ON]
CASES += [Case("multinomial", "hashing-positive-tfidf", classes) for classes in (2, 3)]


@functools.cache
def fit(case: Case) -> Pipeline:
    """The pipeline, fitted once."""
    chosen = [
        (text, label)
        for text, label in zip(TEXTS, LABELS, strict=True)
        if case.classes == 3 or label != "neutral"
    ]
    texts, labels = [text for text, _ in chosen], [label for _, label in chosen]
    vectorizer = {**VECTORIZERS, **HASHED, **SCALED}[case.vectorizer]()
    model = Pipeline(
        [
            ("vectorizer", vectorizer),
            ("classifier", {**KINDS, **ON_SOME, **USUAL, **OF_TWO, **DENSE}[case.kind]()),
        ]
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The `probability` parameter", FutureWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)  # of neurons: nobody minds here
        return model.fit(as_input(model, texts), labels)


def hashable(texts: list[str]) -> list[str]:
    """Those that scikit-learn can hash: it encodes them, which half a surrogate pair is not for."""
    return [text for text in texts if not any("\ud800" <= it <= "\udfff" for it in text)]
