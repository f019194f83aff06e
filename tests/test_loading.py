"""Loading seen from outside: cold crowds, failures an operator can act on, recovery."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
from flask.testing import FlaskClient

from function.compiled.predictor import CompiledPredictor
from function.predictor import Prediction
from tests.conftest import AppFactory
from tests.processes import free_port
from tests.registry import EXAMPLE, NAME, Registry, frame_pipeline


def refusal(client: FlaskClient) -> str:
    """The detail of the 503 that a prediction gets."""
    reply = client.post("/predict", json={"text": "anyone there?"})
    assert reply.status_code == 503
    assert reply.content_type == "application/problem+json"
    assert int(reply.headers["Retry-After"]) >= 1
    assert client.get("/health").json["status"] == "unhealthy"
    assert client.get("/health/ready").status_code == 503
    detail: str = reply.json["detail"]
    return detail


def test_fifty_cold_requests_load_once_and_all_get_answers(
    create_app: AppFactory, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(**registry.environ).application

    def ask(number: int) -> Any:
        return app.test_client().post("/predict", json={"text": f"number {number}"})

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(ask, range(50)))
    assert [reply.status_code for reply in replies] == [200] * 50
    assert [reply.json["text"] for reply in replies] == [f"number {n}" for n in range(50)]
    assert capsys.readouterr().out.count('"model load started"') == 1


def test_a_missing_database_is_named_with_the_way_out(
    create_app: AppFactory, tmp_path: Path
) -> None:
    detail = refusal(create_app(MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/none.db"))
    assert "none.db" in detail
    assert "python -m function.demo" in detail
    assert not (tmp_path / "none.db").exists()


def test_an_unreachable_server_is_said_to_be_unreachable(create_app: AppFactory) -> None:
    uri = f"http://user:secret@127.0.0.1:{free_port()}"
    detail = refusal(create_app(MLFLOW_TRACKING_URI=uri))
    assert "cannot be reached" in detail
    assert "MLFLOW_TRACKING_URI" in detail
    assert "secret" not in detail


@pytest.mark.parametrize(
    ("model_uri", "named"),
    [
        ("models:/nobody/Production", "nobody"),
        (f"models:/{NAME}/Staging", "version 2 in Production"),
        (f"models:/{NAME}/Producton", "Producton"),
        (f"models:/{NAME}@absent", "absent"),
        (f"models:/{NAME}/99", "99"),
        ("models:/m-0123456789", "m-0123456789"),
        ("runs:/0123456789/model", "0123456789"),
        ("/no/such/folder", "/no/such/folder"),
    ],
)
def test_a_model_that_is_not_there_is_named(
    create_app: AppFactory, registry: Registry, model_uri: str, named: str
) -> None:
    detail = refusal(create_app(MLFLOW_TRACKING_URI=registry.tracking_uri, MODEL_URI=model_uri))
    assert named in detail
    assert "MODEL_URI" in detail


def copied_model(registry: Registry, folder: Path) -> Path:
    """The registered model's files, free to be broken."""
    mlflow.set_tracking_uri(registry.tracking_uri)
    source = mlflow.artifacts.download_artifacts(f"models:/{registry.model_id}")
    return Path(shutil.copytree(source, folder / "copy"))


def test_a_missing_dependency_is_named(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "model"

    class NeedsMore(mlflow.pyfunc.PythonModel):
        def load_context(self, context):  # type: ignore[no-untyped-def]
            import a_package_nobody_has  # noqa: F401

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return ["x"] * len(model_input)

    mlflow.pyfunc.save_model(folder, python_model=NeedsMore(), pip_requirements=[])
    client = create_app(MODEL_URI=str(folder), MLFLOW_TRACKING_URI=registry.tracking_uri)
    assert "a_package_nobody_has" in refusal(client)


def test_a_folder_that_is_no_model_is_said_to_be_none(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    client = create_app(MODEL_URI=str(tmp_path), MLFLOW_TRACKING_URI=registry.tracking_uri)
    assert "no MLmodel file" in refusal(client)


def test_a_damaged_model_of_another_version_names_both_versions(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    folder = copied_model(registry, tmp_path)
    facts = (folder / "MLmodel").read_text()
    installed = mlflow.__version__
    newer = facts.replace(f"mlflow_version: {installed}", "mlflow_version: 99.1")
    (folder / "MLmodel").write_text(newer)
    (folder / "model.skops").write_bytes(b"not a model")
    client = create_app(MODEL_URI=str(folder), MLFLOW_TRACKING_URI=registry.tracking_uri)
    detail = refusal(client)
    assert "mlflow 99.1" in detail
    assert installed in detail


def test_a_database_of_another_mlflow_version_is_said_to_be_one(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    database = tmp_path / "old.db"
    shutil.copy(registry.tracking_uri.removeprefix("sqlite:///"), database)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    connection.close()
    detail = refusal(create_app(MLFLOW_TRACKING_URI=f"sqlite:///{database}"))
    assert "another MLflow version" in detail


def test_a_failed_load_is_logged_once_and_whole(
    create_app: AppFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_app(MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/none.db")
    for _ in range(5):
        client.post("/predict", json={"text": "hello"})
    output = capsys.readouterr().out
    assert output.count('"stack_trace"') == 1
    assert "ModelLoadError" in output
    assert "none.db does not exist here" in output.partition('"stack_trace"')[2]


def test_when_the_registry_comes_back_so_does_the_service(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    database = Path(registry.tracking_uri.removeprefix("sqlite:///"))
    late = tmp_path / "late.db"
    client = create_app(
        MLFLOW_TRACKING_URI=f"sqlite:///{late}",
        MODEL_URI=registry.environ["MODEL_URI"],
        LOAD_RETRY_SECONDS="0",
    )
    refusal(client)
    shutil.copy(database, late)
    # The first of these may still join the load that the last probe began.
    statuses = [client.post("/predict", json={"text": "I love it"}).status_code for _ in range(2)]
    assert statuses[-1] == 200
    assert client.get("/health").json["status"] == "healthy"


def test_a_request_does_not_wait_longer_than_it_is_told(
    create_app: AppFactory, registry: Registry
) -> None:
    client = create_app(LOAD_TIMEOUT_SECONDS="0", **registry.environ)
    reply = client.post("/predict", json={"text": "hurry"})
    assert reply.status_code == 503
    assert "still loading" in reply.json["detail"]


def test_credentials_reach_neither_response_nor_log(
    create_app: AppFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_app(MLFLOW_TRACKING_URI=f"http://user:hunter2@127.0.0.1:{free_port()}")
    detail = refusal(client)
    output = capsys.readouterr().out
    assert "stack_trace" in output
    assert "hunter2" not in detail + output


def test_a_failed_load_leaves_no_copy_of_the_model_behind(
    create_app: AppFactory, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("function.registry.modelfile.flavour", lambda details: 1 / 0)
    client = create_app(LOAD_RETRY_SECONDS="0", **registry.environ)
    assert client.post("/predict", json={"text": "x"}).status_code == 503
    assert client.post("/predict", json={"text": "x"}).status_code == 503
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_model_uri_without_a_version_is_told_so(
    create_app: AppFactory, registry: Registry
) -> None:
    client = create_app(MLFLOW_TRACKING_URI=registry.tracking_uri, MODEL_URI=f"models:/{NAME}")
    assert "names no version" in refusal(client)


@pytest.mark.parametrize("kind", ["cloudpickle", "pickle", "skops"])
@pytest.mark.parametrize("value", ["false", "0", "no"])
def test_a_model_that_must_not_be_deserialized_is_told_so_with_the_way_out(
    create_app: AppFactory, registry: Registry, tmp_path: Path, kind: str, value: str
) -> None:
    folder = tmp_path / "model"
    mlflow.sklearn.save_model(
        frame_pipeline(), folder, pip_requirements=[], serialization_format=kind
    )
    detail = refusal(
        create_app(
            MODEL_URI=str(folder),
            MLFLOW_TRACKING_URI=registry.tracking_uri,
            MLFLOW_ALLOW_PICKLE_DESERIALIZATION=value,
        )
    )
    assert "MLFLOW_ALLOW_PICKLE_DESERIALIZATION" in detail
    if value == "no":
        assert "neither true nor false" in detail
    else:
        assert f"a {kind} file" in detail
        assert "COMPILED_MODEL" in detail and "log the model with skops" not in detail


def test_ready_means_the_models_own_example_was_answered(
    create_app: AppFactory, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = CompiledPredictor.predict

    def spy(self: CompiledPredictor, texts: Sequence[str]) -> list[Prediction]:
        asked.extend(texts)
        return answer(self, texts)

    monkeypatch.setattr(CompiledPredictor, "predict", spy)
    create_app(**registry.environ).get("/models/info")
    assert asked[-1] == EXAMPLE["text"][0]
