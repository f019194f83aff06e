"""A classifier that was logged without its vectorizer: said so, and joined by the compiler."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pytest
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from function.compiled import artifact
from function.errors import ModelLoadError
from function.model import vectorizers
from function.model.stages import Stages
from function.settings import Settings
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.registry import training_data
from tests.warm import run_python

FRAME, LABELS = training_data()
TEXTS = FRAME["text"].tolist()


def as_pickle(vectorizer: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(vectorizer))


def as_skops(vectorizer: Any, path: Path) -> None:
    skops.io.dump(vectorizer, path)


def as_model(vectorizer: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(vectorizer, path, pip_requirements=[])


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the classifier alone, ``classifier``, as a model in MLflow's format."""
    folder = tmp_path_factory.mktemp("apart")
    features = TfidfVectorizer().fit_transform(TEXTS)
    as_model(LogisticRegression(C=10).fit(features, LABELS), folder / "classifier")
    return folder


def compile_model(
    folder: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line; as a process of its own it is in test_serving_compiled."""
    given = {**clean_environ(), "PYTHONPATH": str(ROOT), **environ}
    return run_python(["-m", "function.compile", *arguments], folder, given)


@pytest.mark.parametrize("save", [as_pickle, joblib.dump, as_skops, as_model])
def test_the_two_become_one_compiled_model(
    apart: Path, tmp_path: Path, save: Callable[[Any, Path], None]
) -> None:
    save(TfidfVectorizer().fit(TEXTS), tmp_path / "vectorizer")
    output = str(tmp_path / "compiled")
    ended = compile_model(
        tmp_path, str(apart / "classifier"), "--vectorizer", "vectorizer", "--output", output
    )
    assert ended.returncode == 0, ended.stderr
    predictor, facts = artifact.load(output)
    assert facts["details"]["vectorizer"] == "vectorizer"
    whole = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(TEXTS, LABELS)
    found = predictor.predict(TEXTS[:100])
    assert [answer.label for answer in found] == whole.predict(TEXTS[:100]).tolist()
    rows = np.array([answer.scores for answer in found])
    assert np.abs(rows - whole.predict_proba(TEXTS[:100])).max() < 1e-9


@pytest.mark.parametrize("uri", ["runs:/{run}/vectorizer.pkl", "models:/words/1"])
def test_a_vectorizer_that_mlflow_keeps_is_found(
    apart: Path, migrated_database: Path, tmp_path: Path, uri: str
) -> None:
    shutil.copy(migrated_database, tmp_path)
    vectorizer = TfidfVectorizer().fit(TEXTS)
    joblib.dump(vectorizer, tmp_path / "vectorizer.pkl")
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(tracking)
    with mlflow.start_run(
        experiment_id=mlflow.create_experiment("apart", str(tmp_path / "artifacts"))
    ) as run:
        mlflow.log_artifact(str(tmp_path / "vectorizer.pkl"))
        mlflow.sklearn.log_model(
            vectorizer, name="words", registered_model_name="words", pip_requirements=[]
        )
    uri = uri.format(run=run.info.run_id)
    arguments = (str(apart / "classifier"), "--vectorizer", uri, "--output", "compiled")
    ended = compile_model(tmp_path, *arguments, MLFLOW_TRACKING_URI=tracking)
    assert ended.returncode == 0, ended.stderr
    assert artifact.load(tmp_path / "compiled")[1]["details"]["vectorizer"] == uri


def text_file(_: Any, path: Path) -> None:
    path.write_text("not a vectorizer")


@pytest.mark.parametrize(
    ("save", "content", "said"),
    [
        (joblib.dump, lambda: TfidfVectorizer().fit(TEXTS[:50]), "not the vectorizer"),
        (joblib.dump, TfidfVectorizer, "Is it fitted"),
        (
            joblib.dump,
            lambda: LogisticRegression().fit([[1], [2]], [0, 1]),
            "a fitted vectorizer is wanted",
        ),
        (joblib.dump, dict, "a fitted vectorizer is wanted"),
        (text_file, lambda: None, "cannot be read as"),
    ],
    ids=["another", "unfitted", "classifier", "dict", "text"],
)
def test_what_does_not_belong_together_is_said(
    apart: Path, tmp_path: Path, save: Callable[[Any, Path], None], content: Any, said: str
) -> None:
    save(content(), tmp_path / "vectorizer")
    arguments = ("--vectorizer", str(tmp_path / "vectorizer"), "--output", str(tmp_path / "out"))
    ended = compile_model(tmp_path, str(apart / "classifier"), *arguments)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


def test_no_such_file_is_said(apart: Path, tmp_path: Path) -> None:
    arguments = ("--vectorizer", "nowhere.pkl", "--output", "out")
    ended = compile_model(tmp_path, str(apart / "classifier"), *arguments)
    assert ended.returncode == 1
    assert "nowhere.pkl" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_model_that_reads_texts_needs_no_vectorizer(tmp_path: Path) -> None:
    whole = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    as_model(whole, tmp_path / "whole")
    joblib.dump(whole[0], tmp_path / "vectorizer")
    arguments = ("--vectorizer", "vectorizer", "--output", "out")
    ended = compile_model(tmp_path, "whole", *arguments)
    assert (ended.returncode, "leave --vectorizer out" in ended.stderr) == (1, True)


def test_a_forbidden_pickle_is_not_loaded_and_skops_alone_is(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        vectorizer = TfidfVectorizer().fit(TEXTS)
        as_pickle(vectorizer, tmp_path / "pickle")
        as_skops(vectorizer, tmp_path / "skops")
        with pytest.raises(ModelLoadError, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids"):
            vectorizers.read_file(tmp_path / "pickle", Settings(), Stages())
        found = vectorizers.read_file(tmp_path / "skops", Settings(), Stages())
        assert found.vocabulary_ == vectorizer.vocabulary_


@pytest.mark.parametrize("saved", ["classifier", "vectorizer"])
def test_either_alone_is_not_served_and_the_way_out_is_named(
    create_app: AppFactory, apart: Path, tmp_path: Path, saved: str
) -> None:
    if saved == "vectorizer":
        as_model(TfidfVectorizer().fit(TEXTS), apart / "vectorizer")
    (tmp_path / "mlruns").mkdir()
    client = create_app(MODEL_URI=str(apart / saved), MLFLOW_TRACKING_URI=str(tmp_path / "mlruns"))
    reply = client.post("/predict", json={"text": "x"})
    assert reply.status_code == 503
    other = {"classifier": "vectorizer", "vectorizer": "classifier"}[saved]
    assert f"without its {other}" in reply.json["detail"]
    assert "python -m function.compile" in reply.json["detail"]
