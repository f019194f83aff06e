"""Decision trees: the same leaf as scikit-learn, in C and in Python, and no file leads astray."""

from __future__ import annotations

import json
import random
import tracemalloc
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from function.compiled.artifact import load
from function.compiled.decision import build_decision
from function.compiled.forest import LEAF, NODE, TREE, Forest
from function.compiled.predictor import CompiledPredictor
from function.compiled.probabilities import softmax
from function.compiled.writing import save
from function.compiler.classifiers import trees
from function.compiler.compiler import NotCompilable, compile_model, translate
from function.compiler.forests import pack_forest
from function.compiler.verify import compare
from function.model.sources import answers_of
from function.originals.predictors import SklearnPredictor
from tests.conftest import without_native
from tests.fitted_models import LABELS, TEXTS, as_input, fitted_pipeline, original, texts_for
from tests.forests import random_flags, random_parts, random_values
from tests.kinds import Case, fit

pytestmark = pytest.mark.usefixtures("way")
COLUMNS = 9
TREES = {
    "trees": TREE.pack(0, 0, 2),
    "nodes": NODE.pack(0.5, 1, 2) + NODE.pack(0.0, LEAF, 0) + NODE.pack(0.0, LEAF, 2),
    "values": array("d", [0.25, 0.75, 1.0, 0.0]).tobytes(),
}
DAMAGES: dict[str, dict[str, Any]] = {
    "a tree cut short": {"trees": TREES["trees"][:-1]},
    "a node cut short": {"nodes": TREES["nodes"][:-1]},
    "a number cut short": {"values": TREES["values"][:-1]},
    "a tree too many": {"trees": TREES["trees"] * 2},
    "a tree that begins elsewhere": {"trees": TREE.pack(1, 0, 2)},
    "nodes of no tree": {"trees": b""},
    "a score that there is not": {"trees": TREE.pack(0, 1, 2)},
    "more scores than there are": {"trees": TREE.pack(0, 2**32 - 1, 2)},
    "a node that leads to itself": {"nodes": NODE.pack(0.5, 1, 0) + TREES["nodes"][16:]},
    "a node that leads on twice": {"nodes": NODE.pack(0.5, 1, 1) + TREES["nodes"][16:]},
    "a node that leads out": {"nodes": NODE.pack(0.5, 1, 3) + TREES["nodes"][16:]},
    "a node without another": {"nodes": NODE.pack(0.5, 1, 1)},
    "a feature that there is not": {"nodes": NODE.pack(0.5, COLUMNS, 2) + TREES["nodes"][16:]},
    "a threshold that is none": {"nodes": NODE.pack(np.nan, 1, 2) + TREES["nodes"][16:]},
    "a leaf without numbers": {"values": TREES["values"][:-8]},
    "a leaf far out": {"nodes": TREES["nodes"][:-16] + NODE.pack(0.0, LEAF, LEAF)},
    "a number that is infinite": {"values": array("d", [0.25, 0.75, 1.0, np.inf]).tobytes()},
    "a start that is too large": {"starts": [0.0, 1e300]},
}


def forest(parts: dict[str, Any], scores: int = 2, **more: Any) -> Forest:
    starts = parts.get("starts", [0.0] * scores)
    given = {"columns": COLUMNS, "single": True, "alone": True, **more}
    return Forest(starts, parts, **given)


def test_a_value_on_the_threshold_goes_to_the_left() -> None:
    found = forest(TREES)
    assert found.scores([]) == found.scores([(1, 0.5)]) == [0.25, 0.75]
    assert found.scores([(0, 9.0), (1, 0.5000001)]) == [1.0, 0.0]


def test_values_are_rounded_before_they_are_compared() -> None:
    barely = 0.5 + 1e-9  # 0.5 in single precision
    assert forest(TREES).scores([(1, barely)]) == [0.25, 0.75]
    assert forest(TREES, single=False).scores([(1, barely)]) == [1.0, 0.0]


def test_a_column_that_a_text_has_not_may_be_missing() -> None:
    right = forest(TREES, missing=True)
    turned = {**TREES, "nodes": NODE.pack(-0.5, COLUMNS + 1, 2) + TREES["nodes"][16:]}
    left = forest(turned, missing=True)
    assert right.scores([]) == right.scores([(1, 0.6)]) == [1.0, 0.0]
    assert right.scores([(0, 9.0), (1, 0.0)]) == right.scores([(1, 0.5)]) == [0.25, 0.75]
    assert left.scores([]) == left.scores([(1, 0.4)]) == [1.0, 0.0]
    assert left.scores([(0, 9.0), (1, 0.5)]) == left.scores([(1, 0.6)]) == [0.25, 0.75]
    assert left.scores([(2, 1.0)]) == left.scores([])  # nothing is left of the text before


def test_sums_may_be_rounded_as_they_grow() -> None:
    starts, leaves = np.float32([0.1, -7.7]), np.float32([0.3, 1e-7])
    parts = {
        "trees": b"".join(TREE.pack(place, 0, 2) for place in range(50)),
        "nodes": NODE.pack(0.0, LEAF, 0) * 50,
        "values": array("d", leaves.tolist()).tobytes(),
        "starts": starts.tolist(),
    }
    expected = starts.copy()
    for _ in range(50):
        expected += leaves
    assert forest(parts, single_sums=True).scores([]) == expected.tolist()
    assert forest(parts).scores([]) != expected.tolist()


def test_what_no_column_or_no_sum_could_be_is_refused() -> None:
    beyond = {**TREES, "nodes": NODE.pack(0.5, 2 * COLUMNS, 2) + TREES["nodes"][16:]}
    with pytest.raises(ValueError, match="tree|node"):
        forest(beyond, missing=True)
    with pytest.raises(ValueError, match="too large for single precision"):
        forest({**TREES, "starts": [0.0, 1e30]}, single_sums=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_trees_that_lead_nowhere_are_refused(damage: str) -> None:
    forest(TREES)
    with pytest.raises(ValueError, match=r"tree|node|leaves|forest"):
        forest({**TREES, **DAMAGES[damage]})


@pytest.mark.parametrize("seed", range(40))
def test_both_ways_come_to_the_same_bits(seed: int) -> None:
    rng = random.Random(seed)
    columns, scores, flags = rng.randrange(12), rng.randint(1, 4), random_flags(rng)
    starts = [rng.uniform(-1, 1) for _ in range(scores)]
    parts = random_parts(rng, columns * (1 + flags["missing"]), scores)
    texts = [random_values(rng, columns) for _ in range(30)]
    one = Forest(starts, parts, columns=columns, alone=True, **flags)
    with without_native():
        other = Forest(starts, parts, columns=columns, alone=True, **flags)
    assert [*map(one.scores, texts)] == [*map(other.scores, texts)]


def test_values_next_to_a_threshold_are_told_apart_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.random((400, 1))
    model = DecisionTreeClassifier(random_state=0).fit(numbers, rng.integers(0, 3, 400))
    inner = model.tree_.threshold[model.tree_.feature == 0]
    near = [np.nextafter(np.float32(it), np.float32(side)) for it in inner for side in (-9, 9)]
    asked = np.concatenate([inner, inner * (1 + 1e-9), np.array(near, dtype=float)])
    found = trees.read_tree(model).forest
    assert found is not None
    served = pack_forest(found, alone=True)
    shares = [served.scores([(0, number)]) for number in asked]
    assert shares == model.predict_proba(asked[:, None]).tolist()


def test_a_folder_of_trees_is_of_the_format_that_has_them(tmp_path: Path) -> None:
    save(tmp_path / "model", translate(fit(Case("forest", "tfidf", 3))), {})
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert (manifest["format"], manifest["forest"]["alone"]) == (4, True)
    assert manifest["forest"].keys() == {"starts", "single", "alone", "sizes"}
    terms = len(load(tmp_path / "model")[0].vectorizers[0].table) // 8
    assert terms == load(tmp_path / "model")[0].terms  # no weights beside the trees


def test_both_ways_begin_with_the_intercepts_of_a_folder_made_by_hand() -> None:
    model = translate(fit(Case("boosting", "tfidf", 3)))
    given = (model.labels or (), model.vectorizers, [0.5, -9.0, 0.25], model.decision)
    answers = CompiledPredictor(*given, forest=model.forest).predict(TEXTS[:9])
    scores = [model.faithful_scores(text) for text in TEXTS[:9]]
    for row, answer in zip(scores, answers, strict=True):
        moved = [score + more for score, more in zip(row, given[2], strict=True)]
        assert answer.scores == pytest.approx(softmax(moved))


def test_a_large_forest_takes_little_more_memory_than_what_serves() -> None:
    rng = np.random.default_rng(0)
    numbers, wanted = rng.random((2000, 5)), rng.integers(0, 2, 2000)
    model = RandomForestClassifier(12, random_state=0).fit(numbers, wanted)
    tracemalloc.start()
    try:
        found = trees.read_forest(model).forest
        assert found is not None
        served = pack_forest(found.renumbered(range(5), 5), alone=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 9 * sum(map(len, served.parts.values()))


def test_more_trees_are_asked_in_a_thread_sooner() -> None:
    few, many = [
        translate(fitted_pipeline(classifier=RandomForestClassifier(count, random_state=0)))
        for count in (2, 60)
    ]
    assert 0 < many.quick_bytes < few.quick_bytes


@pytest.mark.parametrize("texts", [0, 1, 7])
def test_any_number_of_texts_is_answered(texts: int) -> None:
    predictor = translate(fit(Case("voting-trees", "union-selected", 3)))
    alone = [predictor.predict([text])[0] for text in TEXTS[:texts]]
    assert predictor.predict(TEXTS[:texts]) == alone


def test_trees_behind_functions_of_ones_own_are_compiled() -> None:
    vectorizer = TfidfVectorizer(tokenizer=backwards, token_pattern=None, lowercase=False)
    model = fitted_pipeline(vectorizer, RandomForestClassifier(7, random_state=0))
    predictor, _ = compile_model(model, original(model))
    assert compare(predictor, original(model), texts_for(1, 100)).problem is None


def backwards(text: str) -> list[str]:
    return [word[::-1] for word in text.split()]


def test_boosting_of_before_1_6_is_answered_by_the_rule_it_was_trained_by() -> None:
    for labels in (None, ["good" if "good" in text else "bad" for text in TEXTS]):
        boosting = AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4)
        model = fitted_pipeline(classifier=boosting, labels=labels)
        by_class = model.predict_proba(TEXTS)
        model[-1].algorithm = "SAMME.R"
        predictor, _ = compile_model(model, original(model))
        rows = np.array([answer.scores for answer in predictor.predict(TEXTS)])
        assert np.abs(rows - by_class).max() > 1e-3
        assert np.abs(rows - model.predict_proba(TEXTS)).max() < 1e-9


@pytest.mark.parametrize("classes", [2, 3])
def test_histogram_boosting_compares_in_double_precision(classes: int) -> None:
    rng = np.random.default_rng(classes)
    numbers = rng.random((300, 4)) * (rng.random((300, 4)) < 0.6)
    wanted = (numbers.sum(axis=1) * classes / 2.5).astype(int).clip(0, classes - 1)
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5).fit(numbers, wanted)
    found = trees.read_hist_gradient_boosting(model)
    assert found.forest is not None
    served = pack_forest(found.forest, alone=True)
    assert not served.single
    scores = [served.scores([*enumerate(row)]) for row in numbers.tolist()]
    expected = model.decision_function(numbers).reshape(300, -1)
    assert scores == expected.tolist()


SINGLE: dict[str, Callable[[], Any]] = {
    "tree": DecisionTreeClassifier,
    "forest": lambda: RandomForestClassifier(3),
    "ada-boost": AdaBoostClassifier,
}


@pytest.mark.parametrize("kind", SINGLE)
def test_trees_of_a_single_class_always_answer_it(kind: str) -> None:
    model = fitted_pipeline(classifier=SINGLE[kind](), labels=["fine"] * len(TEXTS))
    predictor, _ = compile_model(model, original(model))
    assert predictor.predict(["anything"])[0][:2] == ("fine", 1.0)


def test_what_answers_alike_whatever_the_text_may_stand_behind_a_reduction() -> None:
    reduced = make_pipeline(TfidfVectorizer(), TruncatedSVD(3), StandardScaler())
    single = ["fine"] * len(TEXTS)
    for classifier, labels in ((DecisionTreeClassifier(), single), (DummyClassifier(), None)):
        model = fitted_pipeline(reduced, classifier, labels=labels)
        predictor, _ = compile_model(model, original(model))
        assert compare(predictor, original(model), TEXTS).problem is None


@pytest.mark.parametrize("threshold", [0, 1])
def test_a_norm_behind_a_table_of_full_columns_is_left_to_scikit_learn(threshold: int) -> None:
    """Which is full where the share of values that are not zero is the threshold at least."""
    table = ColumnTransformer([("text", CountVectorizer(), "text")], sparse_threshold=threshold)
    model = make_pipeline(table, Normalizer(), DecisionTreeClassifier(random_state=0))
    model.fit(as_input(model, TEXTS), LABELS)
    if threshold == 1:
        compile_model(model, original(model))
    else:
        with pytest.raises(NotCompilable, match="Normalizer of a full matrix"):
            translate(model)


MARKS = np.array([[int(word in text.lower()) for word in ("good", "is", "not")] for text in TEXTS])
SEVERAL: dict[str, Callable[[], Any]] = {
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "forest": lambda: RandomForestClassifier(6, random_state=0),
    "one-vs-rest": lambda: OneVsRestClassifier(RandomForestClassifier(6, random_state=0)),
    "multi-output": lambda: MultiOutputClassifier(RandomForestClassifier(6, random_state=0)),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_trees_of_several_labels_give_those_that_apply(kind: str, tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), SEVERAL[kind]()).fit(TEXTS, MARKS)
    expected = answers_of(SklearnPredictor(model, {}))
    predictor, _ = compile_model(model, expected)
    save(tmp_path / "model", predictor, {})
    for served in (predictor, load(tmp_path / "model")[0]):
        found = compare(served, expected, texts_for(2, 150))
        assert served.multilabel and found.problem is None, found


def test_where_labels_go_by_probability_scores_next_to_one_another_tie() -> None:
    by_score = {"kind": "boosted", "factor": 1.0, "zero_is_second": False}
    scores = [-0.8985773467291605, -0.6232792859399607, -0.6232792859399606]
    for spec, best, second in (
        (by_score, "c", "b"),
        ({**by_score, "by": "score"}, "c", "b"),
        ({**by_score, "by": "probability"}, "b", "a"),
    ):
        answer = build_decision(spec, "abc", 3)(scores, -1.0)
        of_two = build_decision(spec, "ab", 1)([1e-17], -1.0)
        assert answer is not None and answer.label == best
        assert of_two is not None and of_two.label == second
    with pytest.raises(KeyError):
        build_decision({**by_score, "by": "chance"}, "abc", 3)
