"""Layers between the terms' sums and the decision: MLPClassifier's, and a Normalizer's."""

from __future__ import annotations

import copy
import math
import random
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from function.compiled import native
from function.compiled.artifact import load
from function.compiled.decision import build_decision
from function.compiled.layers import ACTIVATIONS, Layer
from function.compiled.writing import save
from function.compiler import packing
from function.compiler.compiler import NotCompilable, compile_model, translate
from function.compiler.verify import compare
from function.model.sources import answers_of
from function.originals.predictors import SklearnPredictor
from function.predictor import MultilabelPrediction
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline, original, texts_for
from tests.kinds import Case, fit

pytestmark = [
    pytest.mark.usefixtures("way"),
    pytest.mark.filterwarnings(
        "ignore:Stochastic Optimizer.*:sklearn.exceptions.ConvergenceWarning"
    ),
]
LAYER = {"activation": "relu", "weights": [[1.0], [-2.0]], "intercepts": [0.5]}
ONE = {"kind": "one_vs_rest", "link": "logistic", "all_zero": "uniform"}
SPEC: dict[str, Any] = {"kind": "layers", "layers": [LAYER], "decision": ONE}
NAMES = ("no", "yes")


def test_what_comes_out_of_the_last_layer_is_decided() -> None:
    answer = build_decision(SPEC, NAMES, 2)([3.0, -1.0], 1e-9)
    assert answer is not None and answer.label == "yes"
    assert answer.confidence == pytest.approx(1.0 / (1.0 + math.exp(-3.5)))


@pytest.mark.parametrize(
    "edit",
    [
        {"layers": []},
        {"layers": [{**LAYER, "activation": "sine"}]},
        {"layers": [{**LAYER, "weights": [[1.0]]}]},
        {"layers": [{**LAYER, "weights": [[1.0], []]}]},
        {"layers": [{**LAYER, "weights": [[], []], "intercepts": []}]},
        {"layers": [{**LAYER, "weights": [[1.0], [None]]}]},
        {"layers": [{**LAYER, "intercepts": [math.inf]}]},
        {"layers": [{**LAYER, "weights": [[1e280], [1.0]]}]},
        {"layers": [LAYER, LAYER]},
        {"decision": SPEC},
        {"decision": {"kind": "softmax"}},
        {"multilabel": True},
    ],
)
def test_layers_that_cannot_be_are_refused(edit: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"layer|scores"):
        build_decision({**SPEC, **edit}, NAMES, 2)


@pytest.mark.parametrize("score", [1e200, -1e200, 1e308])
def test_scores_that_no_model_has_give_probabilities_all_the_same(score: float) -> None:
    for activation in ACTIVATIONS:
        spec = {**SPEC, "layers": [{**LAYER, "activation": activation}]}
        answer = build_decision(spec, NAMES, 2)([score, -score], -1.0)
        assert answer is not None and answer.scores is not None
        assert all(0.0 <= share <= 1.0 for share in answer.scores)


def test_a_vector_of_next_to_no_length_waits_for_the_faithful_way() -> None:
    decide = build_decision({**SPEC, "layers": [{**LAYER, "activation": "l2"}]}, NAMES, 2)
    assert decide([1e-5, 0.0], 1e-9) is None
    answer = decide([1e-5, 0.0], -1.0)
    assert answer is not None and answer.scores == decide([5.0, 0.0], 1e-9).scores  # type: ignore[union-attr]
    for none in (0.0, 1e-15):
        nothing = decide([none, 0.0], -1.0)
        assert nothing is not None
        assert nothing.confidence == pytest.approx(1.0 / (1.0 + math.exp(-0.5)))


APART = ["red apple", "red pie", "apple pie", "red apple pie"] * 6 + ["blue sky", "blue sea"]
EVEN = ["ok ok good", "box good fine", "box good fine"] * 6


def test_a_text_that_has_none_of_the_components_stays_as_it_is() -> None:
    steps = CountVectorizer(), TruncatedSVD(2, random_state=0), Normalizer(), LogisticRegression()
    model = make_pipeline(*steps).fit(APART, [0, 1, 1, 0] * 6 + [0, 1])
    predictor, _ = compile_model(model, original(model))
    assert compare(predictor, original(model), [*APART, "sky sea", "blue"]).problem is None


def test_a_scaler_of_components_without_variance_is_refused() -> None:
    steps = CountVectorizer(), TruncatedSVD(3, random_state=0), StandardScaler()
    model = make_pipeline(*steps, LogisticRegression()).fit(EVEN, [0, 1, 0] * 6)
    with pytest.raises(NotCompilable, match=r"TruncatedSVD with .* weights of .*e\+1\d, which"):
        translate(model)


def test_scores_that_tie_beyond_any_precision_are_answered_all_the_same() -> None:
    members = [(name, LogisticRegression()) for name in ("one", "two")]
    model = fitted_pipeline(classifier=VotingClassifier(members, voting="soft"))
    model[-1].estimators_[0].intercept_ = np.array([1e17, 1e17, 0.0])
    predictor, agreement = compile_model(model, original(model))
    assert agreement.texts > 40 and len(predictor.predict(["good", "bad"])) == 2


def test_the_rounding_of_layers_inside_a_vote_is_reckoned_with() -> None:
    def units(weight: float) -> object:
        model = fit(Case("voting-neurons", "tfidf", 3))
        neurons = copy.deepcopy(model)
        neurons[-1].estimators_[2].coefs_[1] *= weight
        return translate(neurons).vectorizers[0].units

    assert units(1.0) is not None and units(1e6) is None


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_layer_in_c_is_the_one_in_python(activation: str, way: str) -> None:
    if way == "python":
        pytest.skip("it is about the C code")
    rng = random.Random(activation)
    for _ in range(50):
        count, others, texts = rng.randint(1, 9), rng.randint(1, 5), rng.randint(0, 3)
        rows = [[rng.choice([0.0, rng.gauss(0, 1), 1e200]) for _ in range(count)]] * texts
        added = [rng.gauss(0, 1) for _ in range(count)]
        columns = [tuple(rng.gauss(0, 1) for _ in range(count)) for _ in range(others)]
        layer = Layer(activation, columns, (0.0,) * others)
        totals = bytearray(array("d", [score for row in rows for score in row]).tobytes())
        packed = array("d", added).tobytes()
        found = array("d", native._native.pass_on(totals, packed, activation, layer.packed()))
        for at, row in enumerate(rows):
            sums = [min(one + two, 1e30) for one, two in zip(row, added, strict=True)]
            own = found[at * others : (at + 1) * others].tolist()
            assert own == pytest.approx(layer.of(sums), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("totals", "intercepts", "activation", "weights"),
    [(24, 16, "relu", 16), (16, 0, "relu", 16), (16, 16, "relu", 24), (16, 16, "sine", 16)]
    + [(16, 16, "relu", 0), (16, 8, "relu", 4)],
)
def test_a_layer_of_other_sizes_is_refused_in_c(
    totals: int, intercepts: int, activation: str, weights: int, way: str
) -> None:
    if way == "python":
        pytest.skip("it is about the C code")
    with pytest.raises(ValueError, match=r"activation|bytes"):
        native._native.pass_on(bytearray(totals), bytes(intercepts), activation, bytes(weights))


def test_neurons_of_several_labels_are_compiled(tmp_path: Path) -> None:
    marks = np.array(
        [[int(word in text.lower()) for word in ("the", "is", "not")] for text in TEXTS]
    )
    neurons = MLPClassifier((6,), max_iter=400, tol=1e-3, random_state=0)
    model = make_pipeline(TfidfVectorizer(), neurons).fit(TEXTS, marks)
    asked = answers_of(SklearnPredictor(model, {}))
    save(tmp_path / "model", compile_model(model, asked)[0], {})
    loaded, texts = load(tmp_path / "model")[0], texts_for(3, 100)
    assert loaded.multilabel and compare(loaded, asked, texts).problem is None
    assert {type(answer) for answer in loaded.predict(texts)} == {MultilabelPrediction}


def test_weights_that_are_too_many_to_pack_are_added_up_the_faithful_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = fit(Case("neurons", "tfidf", 3))
    packed = translate(model)
    monkeypatch.setattr(packing, "MOST_PACKED", packed.terms * 12 - 1)
    predictor, _ = compile_model(model, original(model))
    assert packed.vectorizers[0].units is not None and predictor.vectorizers[0].units is None
    assert compare(predictor, original(model), texts_for(3, 100)).problem is None


def test_many_neurons_are_asked_in_a_thread() -> None:
    few, many = (
        translate(
            make_pipeline(TfidfVectorizer(), MLPClassifier(sizes, max_iter=1)).fit(TEXTS, LABELS)
        )
        for sizes in ((4, 4), (700, 700))
    )
    assert few.quick_bytes > 0 and many.quick_bytes < few.quick_bytes / 10
