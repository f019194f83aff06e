"""Every form of MODEL_URI, from every kind of tracking store, loads the right version."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from tests.conftest import AppFactory
from tests.fronts import front
from tests.processes import free_port
from tests.registry import NAME, Registry


@pytest.fixture(params=["registry", "server_registry", "folder_registry"])
def any_registry(request: pytest.FixtureRequest) -> Registry:
    """The same versions in sqlite, behind a server, and in a folder."""
    found: Registry = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(
    ("form", "version", "stage", "aliases"),
    [
        ("models:/{name}/Production", "2", "Production", ["champion"]),
        ("models:/{name}@champion", "2", "Production", ["champion"]),
        ("models:/{name}/1", "1", "Archived", []),
        ("models:/{name}/latest", "3", None, []),
        ("models:/{model_id}", "2", "Production", ["champion"]),
        ("runs:/{run_id}/model", "2", "Production", ["champion"]),
    ],
)
def test_each_model_uri_form_reports_version_run_stage_and_aliases(
    create_app: AppFactory,
    any_registry: Registry,
    form: str,
    version: str,
    stage: str | None,
    aliases: list[str],
) -> None:
    ids = {"model_id": any_registry.model_id, "run_id": any_registry.run_id}
    uri = form.format(name=NAME, **ids)
    client = create_app(MLFLOW_TRACKING_URI=any_registry.tracking_uri, MODEL_URI=uri)
    reply = client.post("/predict", json={"text": "I love it"})
    assert reply.status_code == 200, reply.text
    assert (reply.json["sentiment"], reply.json["model_version"]) == ("positive", version)
    info = client.get("/models/info").json
    assert info["model_uri"] == uri
    assert (info["model_name"], info["version"]) == (NAME, version)
    assert (info["stage"], info["aliases"]) == (stage, aliases)
    assert info["run_id"]
    if version == "2":
        assert (info["run_id"], info["model_id"]) == (any_registry.run_id, any_registry.model_id)


def test_a_local_folder_is_served_and_shows_its_run(
    create_app: AppFactory, registry: Registry
) -> None:
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder = mlflow.artifacts.download_artifacts(f"models:/{registry.model_id}")
    client = create_app(MODEL_URI=folder, MLFLOW_TRACKING_URI=registry.tracking_uri)
    assert client.post("/predict", json={"text": "I love it"}).json["sentiment"] == "positive"
    info = client.get("/models/info").json
    assert (info["version"], info["stage"], info["aliases"]) == (None, None, [])
    assert (info["run_id"], info["model_id"]) == (registry.run_id, registry.model_id)


def test_a_file_uri_is_served_without_any_tracking_store(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder = mlflow.artifacts.download_artifacts(f"models:/{registry.model_id}")
    nowhere = f"sqlite:///{tmp_path}/none.db"
    client = create_app(MODEL_URI=f"file://{folder}", MLFLOW_TRACKING_URI=nowhere)
    assert client.post("/predict", json={"text": "I love it"}).json["sentiment"] == "positive"
    assert not (tmp_path / "none.db").exists()


def test_a_server_that_is_away_and_comes_back_is_loaded_from_without_a_restart(
    create_app: AppFactory, server_registry: Registry
) -> None:
    port = free_port()
    client = create_app(
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}",
        MODEL_URI=f"models:/{NAME}@champion",
        LOAD_RETRY_SECONDS="0",
    )
    assert client.post("/predict", json={"text": "I love it"}).status_code == 503
    with front(server_registry.tracking_uri, port=port):
        assert client.post("/predict", json={"text": "I love it"}).status_code == 200
    assert client.post("/predict", json={"text": "I love it"}).status_code == 200
