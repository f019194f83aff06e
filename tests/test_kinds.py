"""Each further kind of model answers as scikit-learn does, and is explained or says why not."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from function.compiled import explain, links
from function.compiled.artifact import load
from function.compiled.probabilities import joint_to_probabilities
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, compile_model, translate
from function.compiler.verify import compare
from function.errors import NotExplainable
from function.model.sources import answers_of
from function.originals.predictors import SklearnPredictor
from tests.damage import check_flipped
from tests.fitted_models import LABELS, TEXTS, as_input, fitted_pipeline, original, texts_for
from tests.kinds import CASES, KERNELS, Case, fit, hashable

pytestmark = [
    pytest.mark.usefixtures("way"),
    pytest.mark.filterwarnings("ignore:Attribute `prob._` was deprecated:FutureWarning"),
]
SEED = 5


@pytest.fixture(autouse=True)
def compilable(request: pytest.FixtureRequest, way: str) -> None:
    """Skips what is not compiled without the C code; test_kernels.py has such folders."""
    given = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    kind = given["case"].kind if "case" in given else given.get("kind")
    if way == "python" and kind in KERNELS:
        pytest.skip("a kernel is compiled with the C code")


@functools.cache
def answers(case: Case) -> tuple[list[str], Any]:
    """Texts and scikit-learn's answers to them: asked once for both ways."""
    texts = hashable(texts_for(SEED, 120, longest=case.classes - 2))
    return texts, original(fit(case))(texts)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_and_loaded_answers_are_scikit_learns(case: Case, tmp_path: Path) -> None:
    model = fit(case)
    predictor, _ = compile_model(model, original(model))
    save(tmp_path / "model", predictor, {})
    texts, expected = answers(case)
    loaded = load(tmp_path / "model")[0]
    found = compare(loaded, lambda _: expected, texts)
    assert found.problem is None, found
    assert predictor.predict(texts[:40]) == loaded.predict(texts[:40])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_explanation_adds_up_or_is_refused_with_the_reason(case: Case) -> None:
    predictor, texts = translate(fit(case)), texts_for(SEED, 40, longest=0)
    for text, answer in zip(texts, predictor.predict(texts), strict=True):
        try:
            found = predictor.explain(text, answer)
        except NotExplainable as exc:
            assert any(reason in str(exc) for reason in REASONS)
            continue
        assert found.label == answer.label
        total = found.intercept + sum(term.contribution for term in found.terms)
        assert total == pytest.approx(found.score, abs=1e-9)
        assert found.link["probability"] == answer.confidence
        if found.link["kind"] == "nearest":
            others = joint_to_probabilities([*found.link["others"].values()])
            place = [*found.link["others"]].index(answer.label)
            assert others[place] == pytest.approx(answer.confidence, abs=1e-9)
        assert max(found.link["scores"].values()) == found.link["scores"][found.label]


REASONS = (
    "two of the text's terms have the same hash",
    "each two of its labels vote for one of them",
    explain.MACHINES,
    *links.REASONS.values(),
)
MIRRORED: dict[str, Callable[[], Any]] = {
    "svc": lambda: SVC(kernel="linear"),
    "svc-breaks-ties": lambda: SVC(kernel="linear", break_ties=True),
    "svc-rbf": SVC,
    "svc-poly": lambda: SVC(kernel="poly", coef0=1),
    "svc-sigmoid": lambda: SVC(kernel="sigmoid"),
    "one-vs-one": lambda: OneVsOneClassifier(LinearSVC(random_state=0)),
    "nearest": NearestCentroid,
}


def mirrored_corpus(rng: random.Random) -> tuple[list[str], list[str], list[str]]:
    """Texts of classes that are alike but for their words, their classes, and more to ask."""
    names = "abcd"[: rng.randint(2, 4)]
    words = [2 * letter for letter in "abcdef"[: rng.randint(len(names), 6)]]
    first = [rng.choices(range(len(words)), k=rng.randint(1, 5)) for _ in range(rng.randint(1, 3))]
    texts, labels = [], []
    for place, name in enumerate(names):
        for text in first:
            texts.append(" ".join(words[(word + place) % len(words)] for word in text))
            labels.append(name)
    more = [" ".join(rng.choices(words, k=rng.randint(0, 7))) for _ in range(60)]
    return texts, labels, [*texts, *more]


@pytest.mark.filterwarnings(
    "ignore:self.within_class_std_dev_ has at least 1 zero",  # NearestCentroid.fit, of texts that
    "ignore:divide by zero encountered:RuntimeWarning",  # are alike
    "ignore:invalid value encountered:RuntimeWarning",
)
@pytest.mark.parametrize("kind", MIRRORED)
def test_mirrored_classes_tie_as_in_scikit_learn(kind: str) -> None:
    rng = random.Random(kind)
    for vectorizer in [TfidfVectorizer, CountVectorizer] * 15:
        texts, labels, asked = mirrored_corpus(rng)
        times = 2 if kind == "nearest" else 1  # one text of a class has no spread
        model = make_pipeline(vectorizer(), MIRRORED[kind]()).fit(texts * times, labels * times)
        found = compare(translate(model), original(model), asked)
        assert found.problem is None, found


def test_the_nearest_centroid_of_uneven_priors_is_compiled(tmp_path: Path) -> None:
    model = fitted_pipeline(classifier=NearestCentroid(priors=[0.6, 0.3, 0.1]))
    predictor, _ = compile_model(model, original(model))
    assert predictor.decision == {"kind": "naive_bayes"}
    save(tmp_path / "model", predictor, {})
    found = compare(load(tmp_path / "model")[0], original(model), texts_for(SEED, 100))
    assert found.problem is None, found


def test_the_nearest_centroid_of_before_probabilities_gives_labels_only(tmp_path: Path) -> None:
    model = fitted_pipeline(classifier=NearestCentroid())
    texts = texts_for(SEED, 100)
    expected = [str(label) for label in model.predict(as_input(model, texts))]
    del model[-1].class_prior_  # of scikit-learn 1.6 and later
    save(tmp_path / "model", translate(model), {})
    loaded = load(tmp_path / "model")[0]
    answers = loaded.predict(texts)
    assert [(answer.label, answer.scores) for answer in answers] == [(it, None) for it in expected]
    assert loaded.explain(texts[-1], answers[-1]).link["kind"] == "none"


def test_a_threshold_on_a_whole_pipeline_is_compiled() -> None:
    pairs = [pair for pair in zip(TEXTS, LABELS, strict=True) if pair[1] != "neutral"]
    texts, labels = [text for text, _ in pairs], [label for _, label in pairs]
    inside = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model = FixedThresholdClassifier(inside, threshold=0.4).fit(texts, labels)
    predictor, _ = compile_model(model, original(model))
    assert compare(predictor, original(model), texts_for(SEED, 100)).problem is None


WHOLE: dict[str, Callable[[], Any]] = {
    "calibrated": lambda: CalibratedClassifierCV(words(LinearSVC(random_state=0)), cv=3),
    "calibrated-together": lambda: CalibratedClassifierCV(
        words(MultinomialNB()), cv=3, method="isotonic", ensemble=False
    ),
    "calibrated-search": lambda: CalibratedClassifierCV(
        GridSearchCV(words(LogisticRegression()), {"logisticregression__C": [1, 10]}, cv=2), cv=2
    ),
    "calibrated-reduced": lambda: CalibratedClassifierCV(
        make_pipeline(TfidfVectorizer(), TruncatedSVD(8, random_state=0), LogisticRegression()),
        cv=2,
    ),
    "one-vs-rest": lambda: OneVsRestClassifier(words(LinearSVC(random_state=0))),
    "one-vs-rest-logistic": lambda: OneVsRestClassifier(words(LogisticRegression())),
    "voting": lambda: VotingClassifier(
        [("words", words(LogisticRegression())), ("characters", characters(LinearSVC()))]
    ),
    "voting-soft": lambda: VotingClassifier(
        [("words", words(LogisticRegression())), ("characters", characters(MultinomialNB()))],
        voting="soft",
        weights=[2, 1],
    ),
    "voting-trees": lambda: VotingClassifier(
        [
            ("words", words(RandomForestClassifier(5, random_state=0))),
            ("linear", words(LogisticRegression())),
            ("characters", characters(GradientBoostingClassifier(n_estimators=3, random_state=0))),
        ],
        voting="soft",
    ),
    "voting-trees-alone": lambda: VotingClassifier(
        [
            ("words", words(DecisionTreeClassifier(random_state=0))),
            ("characters", characters(AdaBoostClassifier(n_estimators=3, random_state=0))),
        ]
    ),
    "one-search": lambda: GridSearchCV(
        VotingClassifier([("words", words(LogisticRegression()))]), {"voting": ["soft"]}, cv=2
    ),
}


def words(classifier: Any) -> Any:
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), classifier)


def characters(classifier: Any) -> Any:
    return make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)), classifier)


@pytest.mark.parametrize("kind", WHOLE)
def test_classifiers_over_whole_pipelines_are_compiled(kind: str, tmp_path: Path) -> None:
    model = WHOLE[kind]().fit(TEXTS, LABELS)
    predictor, _ = compile_model(model, answers_of(SklearnPredictor(model, {})))
    save(tmp_path / "model", predictor, {})
    texts = texts_for(SEED, 150)
    for served in (predictor, load(tmp_path / "model")[0]):
        found = compare(served, original(model), texts)
        assert found.problem is None, found
    if predictor.decision["kind"] not in links.REASONS:
        explained = predictor.explain(TEXTS[0], predictor.predict(TEXTS[:1])[0])
        total = explained.intercept + sum(term.contribution for term in explained.terms)
        assert total == pytest.approx(explained.score, abs=1e-9)


REFUSED: dict[str, Callable[[], Any]] = {
    "SVC with kernel=.*; 'linear', 'rbf', 'poly' and 'sigmoid' are": lambda: SVC(
        kernel=linear_kernel
    ),
    "OneVsOneClassifier over MultinomialNB": lambda: OneVsOneClassifier(MultinomialNB()),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_covered_is_refused_with_the_reason(reason: str) -> None:
    model = fitted_pipeline(classifier=REFUSED[reason]())
    with pytest.raises(NotCompilable, match=reason):
        translate(model)


DAMAGED = [
    Case("svc-probability", "tfidf", 3),
    Case("voting-soft", "count", 3),
    Case("voting-hard-weighted", "count", 2),
    Case("one-vs-rest-bayes", "tfidf", 3),
    Case("threshold-voting", "tfidf", 2),
    Case("dummy", "count", 3),
    Case("nearest", "count", 3),
    Case("neurons-deep", "count", 3),
    Case("logistic", "svd-normed", 3),
    Case("svc-rbf-probability", "tfidf", 3),
    Case("svc-poly", "count", 2),
    Case("forest", "tfidf", 3),
    Case("boosting", "count", 2),
    Case("calibrated-forest", "count", 3),
    Case("one-vs-rest-forest", "tfidf", 3),
    Case("voting-trees", "union-selected", 3),
    Case("ada-boost", "count", 3),
    Case("logistic", "hashing", 3),
    Case("logistic", "hashing-crowded-no-norm", 2),
]


@pytest.mark.parametrize("case", DAMAGED, ids=str)
def test_whatever_still_loads_gives_probabilities(case: Case, tmp_path: Path) -> None:
    save(tmp_path / "model", translate(fit(case)), {})
    check_flipped(tmp_path / "model", ["", "good", *TEXTS[:10]], random.Random(str(case)))


def test_damaged_support_vectors_do_not_load() -> None:
    predictor = translate(fit(Case("svc", "tfidf", 3)))
    assert predictor.support is not None
    for name, content in predictor.support.parts.items():
        size = 4 if name in ("lengths", "columns") else 8
        damaged = {
            "short": content[:-size],
            "cut": content[:-1],
            "other": b"\xff" * size + content[size:],
        }
        for broken in damaged.values():
            parts = {**predictor.support.parts, name: broken}
            with pytest.raises(ValueError, match=r"support vector|array|bytes"):
                type(predictor.support)(predictor.support.counts, parts).check(predictor.terms)
