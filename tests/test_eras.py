"""Models of older scikit-learn versions: as they were trained, or the versions in the reason."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import scipy.sparse as sp
import yaml
from scipy.special import expit
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from function.compiler.compiler import compile_model
from function.compiler.eras import restore
from function.compiler.parts import parts_of
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline, original
from tests.warm import run_python

BINARY = [str(label == "positive") for label in LABELS]


def compiled_rows(model: Any) -> list[Any]:
    """The compiled model's probabilities of TEXTS, having been found equal to the original's."""
    predictor, _ = compile_model(model, original(model))
    return [answer.scores for answer in predictor.predict(TEXTS)]


def one_vs_rest(model: Any) -> np.ndarray:
    shares = expit(model.decision_function(TEXTS))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "attributes",
    [
        {"multi_class": "ovr"},
        {"multi_class": "auto", "solver": "liblinear"},
        {"multi_class": "deprecated", "solver": "liblinear"},
        {"solver": "liblinear"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [LogisticRegression, LogisticRegressionCV])
def test_one_vs_rest_of_before_1_8_is_not_made_a_softmax(kind, attributes):
    options = {"use_legacy_attributes": False, "l1_ratios": (0,), "Cs": 2, "scoring": "accuracy"}
    model = fitted_pipeline(classifier=kind(**(options if kind is LogisticRegressionCV else {})))
    softmax = model.predict_proba(TEXTS)
    vars(model[-1]).update(attributes)
    vars(model[-1]).pop("use_legacy_attributes", None)  # as before there was such a parameter
    assert compiled_rows(model) == pytest.approx(one_vs_rest(model), abs=1e-12)
    assert np.abs(softmax - one_vs_rest(model)).max() > 0.01
    assert len(restore(model)) == 1


@pytest.mark.parametrize("rule", ["multinomial", "auto", "deprecated"])
def test_a_softmax_of_three_stays_one(rule):
    model = fitted_pipeline()
    softmax = model.predict_proba(TEXTS)
    model[-1].multi_class = rule
    assert compiled_rows(model) == pytest.approx(softmax, abs=1e-12)
    assert restore(model) == []


def test_multinomial_of_two_classes_is_a_softmax_over_the_score_and_its_negative():
    model = fitted_pipeline(labels=BINARY)
    model[-1].multi_class = "multinomial"
    positive = expit(2 * model.decision_function(TEXTS))
    expected = np.c_[1 - positive, positive]
    assert compiled_rows(model) == pytest.approx(expected, abs=1e-12)
    assert model.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-12)


def test_the_idf_of_before_1_5_counts():
    model = fitted_pipeline(TfidfVectorizer(ngram_range=(1, 2)))
    expected, inner = model.predict_proba(TEXTS), model[0]._tfidf
    inner._idf_diag = sp.diags([inner.idf_], offsets=[0], format="csr")
    del inner.idf_
    assert compiled_rows(model) == pytest.approx(expected, abs=1e-12)
    assert restore(model) == []


def test_a_ridge_of_before_1_8_has_its_classes():
    model = fitted_pipeline(classifier=RidgeClassifier())
    expected = [*model.predict(TEXTS)]
    del model[-1].classes_
    predictor, _ = compile_model(model, original(model))
    assert [answer.label for answer in predictor.predict(TEXTS)] == expected


@pytest.mark.parametrize(("penalty", "chosen"), [("l1", 1e-5), ("l2", "mean")])
def test_a_selection_of_before_1_8_selects_what_it_did(penalty, chosen):
    selector = SelectFromModel(LogisticRegression(), threshold=chosen)
    model = fitted_pipeline(make_pipeline(TfidfVectorizer(), selector))
    expected = model.predict_proba(TEXTS)
    selector.threshold = None
    for inner in (selector.estimator, selector.estimator_):
        inner.penalty, inner.l1_ratio = penalty, None
    assert compiled_rows(model) == pytest.approx(expected, abs=1e-12)


def test_parts_of_what_is_not_compiled_are_as_they_were_trained_too():
    parts = [("one", LogisticRegression()), ("other", MultinomialNB())]
    model = fitted_pipeline(classifier=VotingClassifier(parts, voting="soft"))
    inner, other = model[-1].estimators_
    features = model[:-1].transform(TEXTS)
    scores = expit(inner.decision_function(features))
    expected = (scores / scores.sum(axis=1, keepdims=True) + other.predict_proba(features)) / 2
    inner.multi_class = "ovr"
    assert len(restore(model)) == 1
    assert model.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-12)


def test_leaves_that_count_samples_are_shares_again():
    model = fitted_pipeline(classifier=RandomForestClassifier(5, random_state=0))
    expected = model.predict_proba(TEXTS)
    for tree in model[-1].estimators_:
        tree.tree_.value[:] = tree.tree_.value * tree.tree_.weighted_n_node_samples[:, None, None]
    assert model.predict_proba(TEXTS).max() > 1
    assert restore(model) == ["DecisionTreeClassifier: leaves' counts as of scikit-learn 1.3"]
    assert model.predict_proba(TEXTS) == pytest.approx(expected, abs=1e-12)
    assert restore(model) == []


def test_a_chain_of_before_1_7_finds_its_estimator():
    rows = np.array([[label == "positive", label != "neutral"] for label in LABELS], dtype=int)
    model = fitted_pipeline(classifier=ClassifierChain(LogisticRegression()), labels=rows)
    expected = model.predict(TEXTS)
    model[-1].base_estimator = model[-1].__dict__.pop("estimator")
    restore(model)
    assert (model.predict(TEXTS) == expected).all()


def test_parts_are_found_in_lists_dictionaries_and_arrays_once():
    shared = MultinomialNB()
    model = SGDClassifier()
    model.held = [{"a": shared}, (shared, np.array([LinearSVC(), None], dtype=object))]
    model.itself = model
    assert [type(part).__name__ for part in parts_of(model)].count("MultinomialNB") == 1
    assert {type(part).__name__ for part in parts_of(model)} == {
        "SGDClassifier",
        "MultinomialNB",
        "LinearSVC",
    }


def save_as_of(model: Any, folder: Path, **versions: str) -> dict[str, str]:
    """Save a model whose MLmodel file says other versions; returns what serves it."""
    mlflow.sklearn.save_model(
        model, folder, pip_requirements=[], serialization_format="cloudpickle"
    )
    facts = yaml.safe_load((folder / "MLmodel").read_text())
    facts["flavors"]["sklearn"]["sklearn_version"] = "1.5.2"
    facts["flavors"]["python_function"]["python_version"] = "3.8.1"
    (folder / "MLmodel").write_text(yaml.safe_dump(facts))
    pins = [f"{name}=={version}" for name, version in versions.items()]
    (folder / "requirements.txt").write_text("\n".join(["mlflow==1.0", "numpy", *pins]))
    (folder.parent / "mlruns").mkdir()
    return {"MLFLOW_TRACKING_URI": str(folder.parent / "mlruns"), "MODEL_URI": str(folder)}


def test_the_versions_of_training_are_told_where_they_differ(
    create_app: AppFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fitted_pipeline()
    model[-1].multi_class = "ovr"
    environ = save_as_of(model, tmp_path / "model", scipy="1.0", **{"no-such-package": "2"})
    info = create_app(**environ).get("/models/info").json
    told = {name: both["trained"] for name, both in info["trained_with"].items()}
    assert told == {"python": "3.8.1", "scikit-learn": "1.5.2", "scipy": "1.0"} | {
        "no-such-package": "2"
    }
    assert info["trained_with"]["no-such-package"]["installed"] is None
    assert info["restored"] == ["LogisticRegression: multi_class='ovr' as of scikit-learn 1.7"]
    assert info["engine"] == "compiled"
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (loaded,) = [record for record in records if record["message"] == "model loaded"]
    assert loaded["trained_with"] == info["trained_with"]
    assert loaded["restored"] == info["restored"]


def test_compile_tells_them_and_keeps_them_in_the_folder(
    create_app: AppFactory, tmp_path: Path
) -> None:
    model = fitted_pipeline()
    model[-1].multi_class = "ovr"
    environ = save_as_of(model, tmp_path / "model")
    command = ["-m", "function.compile", environ["MODEL_URI"], "--output"]
    ended = run_python([*command, str(tmp_path / "compiled")], ROOT, {**clean_environ(), **environ})
    assert ended.returncode == 0, ended.stderr
    assert "trained with python 3.8.1 (here: " in ended.stderr
    assert "scikit-learn 1.5.2 (here: " in ended.stderr
    assert "as it was trained, LogisticRegression: multi_class='ovr'" in ended.stderr
    info = create_app(COMPILED_MODEL=str(tmp_path / "compiled")).get("/models/info").json
    assert info["trained_with"]["scikit-learn"]["trained"] == "1.5.2"


def test_a_model_that_fails_under_this_version_is_told_with_that_of_training(
    create_app: AppFactory, tmp_path: Path
) -> None:
    model = fitted_pipeline(classifier=NearestCentroid())
    del model[-1].class_prior_
    client = create_app(**save_as_of(model, tmp_path / "model"))
    reply = client.post("/predict", json={"text": "good"})
    assert reply.status_code == 503
    assert "scikit-learn 1.5.2 (here: " in reply.json["detail"]


def test_whatever_the_compiler_stumbles_over_leaves_the_original_to_answer(
    create_app: AppFactory, tmp_path: Path
) -> None:
    model = fitted_pipeline()
    model[-1].multi_class = np.array(["ovr", "auto"])  # which nothing but the compiler reads
    client = create_app(**save_as_of(model, tmp_path / "model"))
    info = client.get("/models/info").json
    assert info["engine"] == "sklearn"
    assert "the compiler fails on it (ValueError: The truth value" in info["not_compiled"]


TRAINING = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
texts, labels = pickle.load(sys.stdin.buffer)
found = []
for classifier in (
    LogisticRegression(), LogisticRegression(multi_class="ovr"),
    LogisticRegression(solver="liblinear"), LogisticRegression(multi_class="multinomial"),
    LogisticRegressionCV(Cs=2, cv=2), LogisticRegressionCV(Cs=2, cv=2, solver="liblinear"),
    CalibratedClassifierCV(LinearSVC(), cv=2), RidgeClassifier(),
    AdaBoostClassifier(n_estimators=5, random_state=0),
):
    for kept in (3, 2):
        chosen = [at for at, label in enumerate(labels) if kept == 3 or label != "neutral"]
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), classifier)
        model.fit([texts[at] for at in chosen], np.array(labels)[chosen])
        rows = model.predict_proba(texts).tolist() if hasattr(model, "predict_proba") else None
        found.append((pickle.dumps(model), model.predict(texts).tolist(), rows))
sys.stdout.buffer.write(pickle.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.client
@pytest.mark.parametrize("version", ["1.4.2", "1.5.2", "1.7.2"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_models_of_older_versions_answer_as_they_did_there(version: str, tmp_path: Path) -> None:
    python = old_python(version, tmp_path)
    given = pickle.dumps((TEXTS, LABELS))
    trained = subprocess.run([python, "-c", TRAINING], input=given, capture_output=True)
    assert trained.returncode == 0, trained.stderr
    for dumped, labels, rows in pickle.loads(trained.stdout):
        model = pickle.loads(dumped)
        restore(model)
        assert model.predict(TEXTS).tolist() == labels, model
        if rows is not None:
            assert model.predict_proba(TEXTS) == pytest.approx(np.array(rows), abs=1e-9), model
        if not isinstance(model[-1], AdaBoostClassifier):
            compile_model(model, original(model))


def old_python(version: str, folder: Path) -> str:
    """A Python with that version of scikit-learn; skips where it cannot be had."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("no uv to install another scikit-learn with")
    python = str(folder / "venv" / "bin" / "python")
    packages = [f"scikit-learn=={version}", "numpy<2", "scipy<1.14"]
    made = [
        subprocess.run([uv, "venv", "--python", sys.executable, str(folder / "venv")]),
        subprocess.run([uv, "pip", "install", "--python", python, *packages]),
    ]
    if any(ended.returncode for ended in made):
        pytest.skip(f"scikit-learn {version} cannot be installed for this Python")
    return python
