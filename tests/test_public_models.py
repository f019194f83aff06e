"""Models that others trained and ship in packages: each answers here as it does by itself.

A profanity classifier (TF-IDF, calibrated LinearSVC) and five of spam (ComplementNB, logistic
regression, random forest, SVC, XGBoost), each in a file apart from its vectorizer. The packages
are fetched, unpacked and not installed; skipped where they cannot be had.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pytest
from flask.testing import FlaskClient
from sklearn.pipeline import make_pipeline

from function.compiled import artifact
from function.demo.sentences import read_sentences
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.warm import run_python

pytestmark = [pytest.mark.slow, pytest.mark.client]

PACKAGES = ("alt-profanity-check==1.9.1", "spam-detector-ai==2.3.1")
PROFANITY = ("profanity_check/data/vectorizer.joblib", "profanity_check/data/model.joblib")
SPAM = "spam_detector_ai/models/{0}/{1}_{2}.joblib"
MODELS = {
    "profanity": PROFANITY,
    **{
        f"spam-{folder}": (
            SPAM.format(folder, name, "vectoriser"),
            SPAM.format(folder, name, "model"),
        )
        for folder, name in (
            ("bayes", "naive_bayes"),
            ("logistic_regression", "logistic_regression"),
            ("random_forest", "random_forest"),
            ("svm", "svm"),
            ("xgb", "xgb"),
        )
    },
}
RUDE = ["You stupid bastard!", "WINNER!! Claim your free prize, text WIN to 80086 now"]
TEXTS = RUDE + [item.text for item in read_sentences()[::5]]


class Wrapped(mlflow.pyfunc.PythonModel):
    """As people log a model whose class they do not want to think about."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return self.pipeline.predict(model_input["text"].tolist()).tolist()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' files; skips where there are none to be had."""
    folder = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--retries=1"]
    ended = subprocess.run([*pip, f"--dest={folder}", *PACKAGES], capture_output=True, text=True)
    if ended.returncode != 0:
        pytest.skip(f"the packages cannot be had: {ended.stderr.strip().splitlines()[-1:]}")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


def loaded(packages: Path, name: str) -> tuple[Any, Any]:
    """The vectorizer and the classifier, fitted with scikit-learn 1.9.0 and 1.9.1. The original is
    what the version here makes of them."""
    if name == "spam-xgb":
        pytest.importorskip("xgboost")
    vectorizer, classifier = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return joblib.load(packages / vectorizer), joblib.load(packages / classifier)


def asked(client: FlaskClient) -> list[dict[str, Any]]:
    """What the service says of TEXTS, in batches of 100."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(TEXTS), 100):
        body = {"texts": TEXTS[start : start + 100], "return_scores": True}
        reply = client.post("/predict_batch", json=body)
        assert reply.status_code == 200, reply.text
        found += reply.json["predictions"]
    return found


def check(found: list[dict[str, Any]], model: Any, has_scores: bool = True) -> None:
    """Labels equal, probabilities within 1e-9."""
    assert len(TEXTS) >= 1000
    assert [item["sentiment"] for item in found] == [str(item) for item in model.predict(TEXTS)]
    if has_scores and hasattr(model, "predict_proba"):
        rows = np.array([[*item["scores"].values()] for item in found])
        assert np.abs(rows - model.predict_proba(TEXTS)).max() < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_as_one_pipeline(create_app: AppFactory, packages: Path, tmp_path: Path, name: str) -> None:
    model = make_pipeline(*loaded(packages, name))
    mlflow.sklearn.save_model(
        model, tmp_path / "model", serialization_format="cloudpickle", pip_requirements=[]
    )
    client = create_app(MODEL_URI=str(tmp_path / "model"), MLFLOW_TRACKING_URI=str(tmp_path))
    check(asked(client), model)
    engine = client.get("/models/info").json["engine"]
    assert engine == "compiled"


@pytest.mark.parametrize("name", MODELS)
def test_as_a_python_model(
    create_app: AppFactory, packages: Path, tmp_path: Path, name: str
) -> None:
    model = make_pipeline(*loaded(packages, name))
    mlflow.pyfunc.save_model(tmp_path / "model", python_model=Wrapped(model), pip_requirements=[])
    client = create_app(MODEL_URI=str(tmp_path / "model"), MLFLOW_TRACKING_URI=str(tmp_path))
    check(asked(client), model, has_scores=False)


@pytest.mark.parametrize("name", MODELS)
def test_logged_apart_and_joined_by_the_compiler(packages: Path, tmp_path: Path, name: str) -> None:
    vectorizer, classifier = loaded(packages, name)
    mlflow.sklearn.save_model(
        classifier, tmp_path / "model", serialization_format="cloudpickle", pip_requirements=[]
    )
    file, output = str(packages / MODELS[name][0]), str(tmp_path / "compiled")
    command = ["-m", "function.compile", str(tmp_path / "model"), "--vectorizer", file]
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
    ended = run_python([*command, "--output", output], tmp_path, environ)
    assert ended.returncode == 0, ended.stderr
    predictor, _ = artifact.load(output)
    answers = predictor.predict(TEXTS)
    model = make_pipeline(vectorizer, classifier)
    assert [answer.label for answer in answers] == [str(item) for item in model.predict(TEXTS)]
    if hasattr(model, "predict_proba"):
        rows = np.array([answer.scores for answer in answers])
        assert np.abs(rows - model.predict_proba(TEXTS)).max() < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_the_classifier_alone_is_refused_in_words(
    create_app: AppFactory, packages: Path, tmp_path: Path, name: str
) -> None:
    _, classifier = loaded(packages, name)
    mlflow.sklearn.save_model(
        classifier, tmp_path / "model", serialization_format="cloudpickle", pip_requirements=[]
    )
    client = create_app(MODEL_URI=str(tmp_path / "model"), MLFLOW_TRACKING_URI=str(tmp_path))
    reply = client.post("/predict", json={"text": "hello"})
    assert reply.status_code == 503
    assert "without its vectorizer" in reply.json["detail"]
