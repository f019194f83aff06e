"""A compiled model through the service: from the registry in memory, and from a folder on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from function.demo.sentences import read_sentences
from tests.conftest import ROOT, AppFactory, clean_environ, modules_after
from tests.registry import Registry, frame_pipeline, text_signature
from tests.warm import run_python

TEXTS = [
    "Absolutely wonderful, I love it",
    "Terrible and broken",
    "???",
    "Just okay \u00e9\U0001f600",
]


def run_compile(
    registry: Registry, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """``python -m function.compile``."""
    environ = {**clean_environ(), "MLFLOW_TRACKING_URI": registry.tracking_uri, **environ}
    return run_python(["-m", "function.compile", *arguments], ROOT, environ)


@pytest.fixture(scope="module")
def compiled(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in Production, compiled by the command line as a user would."""
    folder = tmp_path_factory.mktemp("compiled") / "model"
    ended = subprocess.run(
        [sys.executable, "-m", "function.compile", registry.environ["MODEL_URI"]]
        + ["--output", str(folder)],
        cwd=ROOT,
        env={**clean_environ(), "MLFLOW_TRACKING_URI": registry.tracking_uri},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return folder


def test_a_registry_model_is_compiled_when_loaded(
    create_app: AppFactory, registry: Registry
) -> None:
    info = create_app(**registry.environ).get("/models/info").json
    assert (info["engine"], info["not_compiled"]) == ("compiled", None)
    assert info["terms"] > 100
    stages = ["import", "resolve", "download", "deserialize", "probe", "compile", "verify"]
    assert list(info["load_timings_seconds"]) == [*stages, "first_prediction"]


def test_compiled_answers_are_scikit_learns_own(create_app: AppFactory, registry: Registry) -> None:
    mlflow.set_tracking_uri(registry.tracking_uri)
    original = mlflow.sklearn.load_model(registry.environ["MODEL_URI"])
    frame = pd.DataFrame({"text": TEXTS})
    client = create_app(**registry.environ)
    reply = client.post("/predict_batch", json={"texts": TEXTS, "return_scores": True}).json
    assert [item["sentiment"] for item in reply["predictions"]] == list(original.predict(frame))
    for item, row in zip(reply["predictions"], original.predict_proba(frame), strict=True):
        assert list(item["scores"].values()) == pytest.approx(list(row), abs=1e-9)


def test_another_model_is_served_by_scikit_learn_with_the_reason(
    create_app: AppFactory,
    registry: Registry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = frame_pipeline(KNeighborsClassifier())
    mlflow.sklearn.save_model(
        model,
        tmp_path / "model",
        pip_requirements=[],
        signature=text_signature(),
        serialization_format="cloudpickle",
    )
    client = create_app(
        MODEL_URI=str(tmp_path / "model"), MLFLOW_TRACKING_URI=registry.tracking_uri
    )
    info = client.get("/models/info").json
    assert info["engine"] == "sklearn"
    assert "KNeighborsClassifier" in info["not_compiled"]
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    loaded = next(record for record in records if record["message"] == "model loaded")
    assert loaded["not_compiled"] == info["not_compiled"]


def test_a_compiled_folder_is_served_with_its_lineage(
    create_app: AppFactory, registry: Registry, compiled: Path
) -> None:
    client = create_app(COMPILED_MODEL=str(compiled), MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    from_folder = client.get("/models/info").json
    assert from_folder["engine"] == "compiled"
    assert (from_folder["version"], from_folder["stage"]) == ("2", "Production")
    assert from_folder["run_id"] == registry.run_id
    assert from_folder["aliases"] == ["champion"]
    assert from_folder["digest"].startswith("sha256:")
    assert from_folder["signature"]["inputs"][0]["name"] == "text"
    answer = client.post("/predict", json={"text": TEXTS[0]}).json
    assert (answer["sentiment"], answer["model_version"]) == ("positive", "2")


def test_folder_and_registry_give_the_same_bytes(
    create_app: AppFactory, registry: Registry, compiled: Path
) -> None:
    payload = {"texts": [s.text for s in read_sentences()[:100]], "return_scores": True}
    by_registry = create_app(**registry.environ).post("/predict_batch", json=payload).data
    by_folder = create_app(COMPILED_MODEL=str(compiled)).post("/predict_batch", json=payload).data
    assert by_folder == by_registry


def test_a_compiled_folder_is_served_without_any_heavy_package(compiled: Path) -> None:
    loaded = modules_after(
        "import functions_framework as ff\n"
        "client = ff.create_app('handle', 'main.py').test_client()\n"
        "assert client.post('/predict', json={'text': 'I love it'}).status_code == 200\n"
        "assert client.get('/health/ready').status_code == 200\n",
        COMPILED_MODEL=str(compiled),
    )
    heavy = {"mlflow", "sklearn", "pandas", "numpy", "scipy", "skops", "pydantic", "yaml"}
    assert not {name.partition(".")[0] for name in loaded} & heavy


def test_what_few_models_have_is_not_imported_for_the_others(compiled: Path) -> None:
    loaded = modules_after(
        "from function.compiled.artifact import load\n"
        f"load({str(compiled)!r})[0].predict(['good'])\n"
    )
    few = ("hashed", "murmur", "functions", "code", "runs", "support", "pairwise", "members")
    few = (*few, "apart", "native_hashed", "nearest")
    assert "function.compiled.predictor" in loaded
    assert not loaded & {f"function.compiled.{name}" for name in few}


def test_labels_rename_the_classes_of_a_compiled_folder(
    create_app: AppFactory, compiled: Path
) -> None:
    client = create_app(COMPILED_MODEL=str(compiled), LABELS="positive=good,negative=bad")
    assert client.post("/predict", json={"text": TEXTS[0]}).json["sentiment"] == "good"


def test_labels_that_name_no_class_are_refused_and_the_classes_named(
    create_app: AppFactory, compiled: Path
) -> None:
    client = create_app(COMPILED_MODEL=str(compiled), LABELS="0=negative,1=positive")
    reply = client.post("/predict", json={"text": TEXTS[0]})
    assert reply.status_code == 503
    assert "the model's classes are negative, neutral, positive" in reply.json["detail"]


def test_a_damaged_folder_is_refused_with_the_reason(
    create_app: AppFactory, compiled: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for item in compiled.iterdir():
        (copy / item.name).write_bytes(item.read_bytes())
    table = (copy / "vectorizer.0").read_bytes()
    (copy / "vectorizer.0").write_bytes(table[:-8])
    reply = create_app(COMPILED_MODEL=str(copy)).post("/predict", json={"text": "x y"})
    assert reply.status_code == 503
    assert "vectorizer.0" in reply.json["detail"]
    assert "compile the model again" in reply.json["detail"]


def test_verify_compares_on_the_users_own_texts(registry: Registry, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(sentence.text for sentence in read_sentences()[:500]))
    output = tmp_path / "model"
    ended = run_compile(
        registry, registry.environ["MODEL_URI"], "--output", str(output), "--verify", str(texts)
    )
    assert ended.returncode == 0, ended.stderr
    assert "500 of 500 labels equal, largest probability difference" in ended.stderr
    assert (output / "manifest.json").exists()


def test_what_cannot_be_compiled_ends_with_the_reason_and_writes_nothing(
    registry: Registry, tmp_path: Path
) -> None:
    model = frame_pipeline(KNeighborsClassifier())
    mlflow.sklearn.save_model(
        model, tmp_path / "neighbours", pip_requirements=[], serialization_format="cloudpickle"
    )
    ended = run_compile(registry, str(tmp_path / "neighbours"), "--output", str(tmp_path / "model"))
    assert ended.returncode == 1
    assert "KNeighborsClassifier" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("model_uri", "named"), [("models:/nobody/1", "nobody"), ("models:/reviews/77", "77")]
)
def test_compiling_a_model_that_is_not_there_ends_with_one_line(
    registry: Registry, tmp_path: Path, model_uri: str, named: str
) -> None:
    ended = run_compile(registry, model_uri, "--output", str(tmp_path / "model"))
    assert ended.returncode == 1
    assert named in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_server_timing_shows_the_stages_to_the_request_that_waited(
    create_app: AppFactory, registry: Registry
) -> None:
    client = create_app(**registry.environ)
    cold = client.post("/predict", json={"text": "x y"}).headers["Server-Timing"]
    warm = client.post("/predict", json={"text": "x y"}).headers["Server-Timing"]
    assert cold.startswith("total;dur=") and ", deserialize;dur=" in cold
    assert warm.startswith("total;dur=") and "," not in warm
    assert client.get("/nowhere").headers["Server-Timing"].startswith("total;dur=")
