"""XGBoost's classifiers, fitted here by the package itself, answer as it does, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from function.compiled.artifact import load
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, compile_model, translate
from tests.conftest import without_native
from tests.fitted_models import LABELS, TEXTS, as_input, original, texts_for
from tests.packages import installed

pytestmark = [pytest.mark.slow, pytest.mark.client]
THREE = [sorted({*LABELS}).index(label) for label in LABELS]
TWO = [int("good" in text) for text in TEXTS]
SEVERAL = np.array([[int(word in text) for word in ("good", "is", "not")] for text in TEXTS])
VECTORIZERS: dict[str, Callable[[], Any]] = {
    "tfidf": TfidfVectorizer,
    "count": CountVectorizer,
    "hashing": lambda: HashingVectorizer(n_features=16),  # in which terms cancel one another out
}
COMPILED: dict[str, dict[str, Any]] = {
    "by itself": {"n_estimators": 8},
    "deep": {"n_estimators": 30, "max_depth": 12, "learning_rate": 0.05},
    "base score": {"n_estimators": 5, "base_score": 0.37},
    "forests": {"n_estimators": 4, "num_parallel_tree": 3, "subsample": 0.6},
    "exact": {"n_estimators": 8, "tree_method": "exact", "gamma": 0.5},
    "early stopping": {"n_estimators": 60, "early_stopping_rounds": 3},
}
REFUSED: dict[str, dict[str, Any]] = {
    "booster='dart'; booster='gbtree' is": {"booster": "dart"},
    "booster='gblinear'; booster='gbtree' is": {"booster": "gblinear"},
    "missing=0.0; missing=nan is": {"missing": 0.0},
    "objective='multi:softmax' of 3 classes; 'binary:logistic' of two and 'multi:softprob'": {
        "objective": "multi:softmax"
    },
    "multi_strategy='multi_output_tree'; 'one_output_per_tree' is": {
        "multi_strategy": "multi_output_tree"
    },
}


@pytest.fixture(scope="module")
def xgboost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package; skips where it cannot be had."""
    folder = tmp_path_factory.mktemp("xgboost")
    with installed(folder, "xgboost", "xgboost-cpu==3.2.0") as module:
        yield module


def fitted(xgboost: Any, vectorizer: Any, labels: Any, **options: Any) -> Any:
    table = vectorizer.fit_transform(TEXTS)
    more = {}
    if "early_stopping_rounds" in options:  # where some are wrong
        more = {"eval_set": [(table[:100], [*labels[:60], *labels[:40]])], "verbose": False}
    classifier = xgboost.XGBClassifier(n_jobs=1, random_state=0, **options)
    return make_pipeline(vectorizer, classifier.fit(table, labels, **more))


@pytest.mark.parametrize("labels", [THREE, TWO], ids=["three", "two"])
@pytest.mark.parametrize("vectorizer", VECTORIZERS)
@pytest.mark.parametrize("kind", COMPILED)
def test_xgboost_is_compiled_to_the_bit(
    xgboost: Any, kind: str, vectorizer: str, labels: list[int], tmp_path: Path
) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts_for(3, 150)]
    options = COMPILED[kind]
    if labels is THREE and "base_score" in options:
        options = {**options, "base_score": 0.5}
    model = fitted(xgboost, VECTORIZERS[vectorizer](), labels, **options)
    predictor, _ = compile_model(model, original(model))
    save(tmp_path / "model", predictor, {})
    with without_native():
        python = load(tmp_path / "model")[0]
    names, shares = [*map(str, model.predict(texts))], model.predict_proba(texts).tolist()
    for served in (predictor, load(tmp_path / "model")[0], python):
        answers = served.predict(texts)
        assert [answer.label for answer in answers] == names
        assert [[*(answer.scores or ())] for answer in answers] == shares


def test_trees_after_the_best_iteration_are_left_out(xgboost: Any) -> None:
    model = fitted(xgboost, TfidfVectorizer(), TWO, **COMPILED["early stopping"])
    best, forest = model[-1].best_iteration, translate(model).forest
    assert forest is not None
    assert 0 < best < model[-1].get_booster().num_boosted_rounds() - 1
    assert len(forest.parts["trees"]) == 12 * (best + 1)


def test_a_folder_says_what_is_other_than_in_scikit_learns_trees(
    xgboost: Any, tmp_path: Path
) -> None:
    save(tmp_path / "model", translate(fitted(xgboost, TfidfVectorizer(), TWO)), {})
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["forest"]["missing"] is manifest["forest"]["single_sums"] is True
    assert (manifest["format"], manifest["decision"]) == (4, {"kind": "boosted_single"})


@pytest.mark.filterwarnings("ignore::UserWarning")  # of a parameter that gblinear has not
@pytest.mark.parametrize("reason", REFUSED)
def test_what_xgboost_does_otherwise_is_refused_by_name(xgboost: Any, reason: str) -> None:
    model = fitted(xgboost, TfidfVectorizer(), THREE, n_estimators=2, **REFUSED[reason])
    with pytest.raises(NotCompilable, match=f"XGBClassifier with {reason}"):
        translate(model)


def test_other_objectives_of_two_classes_are_refused_by_name(xgboost: Any) -> None:
    for objective in ("binary:logitraw", "binary:hinge", "multi:softprob"):
        more = {"num_class": 2} if objective == "multi:softprob" else {}
        model = fitted(xgboost, TfidfVectorizer(), TWO, objective=objective, **more)
        with pytest.raises(NotCompilable, match=f"objective='{objective}' of 2 classes"):
            translate(model)


def test_what_does_not_tell_one_of_several_labels_is_refused(xgboost: Any) -> None:
    unfitted = make_pipeline(TfidfVectorizer().fit(TEXTS), xgboost.XGBClassifier())
    for model, reason in (
        (unfitted, "XGBClassifier is not fitted"),
        (fitted(xgboost, TfidfVectorizer(), TWO, n_estimators=0), "n_estimators=0; with any trees"),
        (fitted(xgboost, TfidfVectorizer(), SEVERAL), "several labels per text; of one it is"),
        (fitted(xgboost, TfidfVectorizer(), [0] * len(TEXTS)), "was fitted on a single class"),
    ):
        with pytest.raises(NotCompilable, match=reason):
            translate(model)


def test_categories_are_refused(xgboost: Any) -> None:
    vectorizer = CountVectorizer(binary=True)
    kinds = ["c"] * vectorizer.fit_transform(TEXTS).shape[1]
    more = {"feature_types": kinds, "enable_categorical": True, "max_cat_to_onehot": 1}
    model = fitted(xgboost, vectorizer, TWO, n_estimators=2, **more)
    with pytest.raises(NotCompilable, match="XGBClassifier of categories; of numbers it is"):
        translate(model)


def of_a_column(threshold: float) -> Any:
    columns = [("text", TfidfVectorizer(), "text")]
    return ColumnTransformer(columns, sparse_threshold=threshold)


def full(table: Any) -> Any:
    return table.toarray()


@pytest.mark.parametrize(
    ("make", "is_missing"),
    [
        (lambda: [TfidfVectorizer(), FunctionTransformer(full)], False),
        (lambda: [HashingVectorizer(n_features=16), FunctionTransformer(full)], False),
        (lambda: [of_a_column(0.0)], False),
        (lambda: [of_a_column(1.0)], True),
    ],
    ids=["tfidf", "hashing", "full column", "sparse column"],
)
@pytest.mark.parametrize("labels", [THREE, TWO], ids=["three", "two"])
def test_of_a_full_matrix_nothing_is_missing(
    xgboost: Any, make: Callable[[], list[Any]], is_missing: bool, labels: list[int], tmp_path: Path
) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts_for(3, 150)]
    *steps, last = [*make(), xgboost.XGBClassifier(n_estimators=20, n_jobs=1)]
    model = make_pipeline(*steps, last)
    features = as_input(model, TEXTS)
    model.fit(features, labels)
    for step in steps:
        features = step.transform(features)
    last.fit(csr_matrix(features), labels)  # whose nodes say where what is missing goes
    predictor, _ = compile_model(model, original(model))
    assert predictor.forest is not None and predictor.forest.missing is is_missing
    save(tmp_path / "model", predictor, {})
    with without_native():
        python = load(tmp_path / "model")[0]
    shares = model.predict_proba(as_input(model, texts)).tolist()
    for served in (predictor, load(tmp_path / "model")[0], python):
        assert [[*(answer.scores or ())] for answer in served.predict(texts)] == shares


def test_written_zeros_of_numbers_of_ones_own_are_refused(xgboost: Any) -> None:
    for kind in (np.array, csr_matrix):
        own = FunctionTransformer(lambda texts, kind=kind: kind([[float("!" in t)] for t in texts]))
        union = FeatureUnion([("w", TfidfVectorizer()), ("n", own)])
        model = make_pipeline(union, xgboost.XGBClassifier(n_estimators=2)).fit(TEXTS, TWO)
        if kind is np.array:
            compile_model(model, original(model))
            continue
        with pytest.raises(NotCompilable, match="makes a sparse matrix, whose zeros are missing"):
            translate(model)


def test_members_are_refused_by_name(xgboost: Any) -> None:
    own = xgboost.XGBClassifier(n_estimators=2)
    for classifier in (
        VotingClassifier([("xgb", own)], voting="soft"),
        BaggingClassifier(own, n_estimators=2),
        OneVsRestClassifier(own),
        FixedThresholdClassifier(own, threshold=0.4),
    ):
        model = make_pipeline(TfidfVectorizer(), classifier).fit(TEXTS, TWO)
        with pytest.raises(NotCompilable, match="over XGBClassifier"):
            translate(model)
