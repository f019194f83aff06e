"""A load has a deadline, ends no server, and repeats itself in one line."""

from __future__ import annotations

import gc
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from flask.testing import FlaskClient

from tests.conftest import AppFactory
from tests.fronts import Front, front
from tests.processes import free_port, until
from tests.registry import NAME, Registry

DEADLINE_SECONDS = 5.0
ATTEMPT = "model-load-attempt"


@pytest.fixture
def slow(server_registry: Registry) -> Iterator[Front]:
    """An MLflow server that sends a byte now and then, and would for a quarter of an hour."""
    with front(server_registry.tracking_uri) as listening:
        yield listening
        listening.pause_seconds = 0.0
    until(lambda: not attempts())


@pytest.fixture(autouse=True)
def _folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def attempts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == ATTEMPT]


def predict(client: FlaskClient) -> Any:
    return client.post("/predict", json={"text": "I love it"})


def records(capsys: pytest.CaptureFixture[str], word: str) -> list[dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [record for record in found if word in record["message"]]


@pytest.mark.parametrize("way", ["directly", "through mlflow"])
@pytest.mark.parametrize("what", ["answers", "files"])
def test_a_registry_that_drips_is_given_up_on_and_used_again_when_it_is_well(
    create_app: AppFactory,
    slow: Front,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    what: str,
) -> None:
    if way == "through mlflow":
        monkeypatch.setenv("MLFLOW_SOME_SETTING", "unknown to the quick way")
    client = create_app(
        MLFLOW_TRACKING_URI=slow.url,
        MODEL_URI=f"models:/{NAME}/2",
        LOAD_DEADLINE_SECONDS=str(DEADLINE_SECONDS),
        LOAD_RETRY_SECONDS="0",
    )
    slow.pause_seconds, slow.pauses_in = 0.5, "/artifacts/" if what == "files" else ""
    started = time.monotonic()
    reply = predict(client)
    assert DEADLINE_SECONDS <= time.monotonic() - started < DEADLINE_SECONDS + 5
    assert reply.status_code == 503
    assert f"LOAD_DEADLINE_SECONDS={DEADLINE_SECONDS:g}" in reply.json["detail"]
    assert client.get("/health").json["status"] == "unhealthy"
    (record,) = records(capsys, "load failed")
    assert "connection.py" in record["still_at"] or "mlflow" in record["still_at"]
    until(lambda: not attempts(), 5)  # hung up on, not left to drip
    gc.collect()
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    slow.pause_seconds = 0.0
    reply = predict(client)
    assert reply.status_code == 200
    loaded_at = client.get("/models/info").json["loaded_at"]
    assert records(capsys, "model loaded")[0]["attempts"] == 2
    assert list(Path(tempfile.gettempdir()).iterdir()) == []
    assert client.get("/models/info").json["loaded_at"] == loaded_at


class WaitsInLoad(mlflow.pyfunc.PythonModel):
    """Waits to be told so, the first time it is loaded."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        import os
        import pathlib
        import time

        folder = pathlib.Path(os.environ["MARKS"])
        if not (folder / "waiting").exists():
            (folder / "waiting").touch()
            while not (folder / "go on").exists():
                time.sleep(0.05)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        return ["positive"] * len(model_input)


@pytest.mark.filterwarnings("ignore:.*Add type hints")
def test_a_model_that_comes_too_late_is_dropped_with_its_folder(
    create_app: AppFactory, registry: Registry, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder = tmp_path / "model"
    mlflow.pyfunc.save_model(folder, python_model=WaitsInLoad(), pip_requirements=[])
    client = create_app(
        MODEL_URI=str(folder),
        MLFLOW_TRACKING_URI=registry.tracking_uri,
        LOAD_DEADLINE_SECONDS=str(DEADLINE_SECONDS),
        LOAD_RETRY_SECONDS="0",
        MARKS=str(tmp_path),
    )
    assert predict(client).status_code == 503
    assert (tmp_path / "waiting").exists()
    late = attempts()
    assert len(late) == 1
    assert predict(client).status_code == 200
    loaded_at = client.get("/models/info").json["loaded_at"]
    (tmp_path / "go on").touch()
    until(lambda: not late[0].is_alive())
    gc.collect()
    assert len(list(Path(tempfile.gettempdir()).glob("model-*"))) == 1  # of the model that serves
    assert client.get("/models/info").json["loaded_at"] == loaded_at


def test_a_cause_that_stays_is_told_whole_once_and_then_in_one_line_an_attempt(
    create_app: AppFactory, registry: Registry, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "late.db"
    client = create_app(
        MLFLOW_TRACKING_URI=f"sqlite:///{missing}",
        MODEL_URI=f"models:/{NAME}/2",
        LOAD_RETRY_SECONDS="0",
    )
    for _ in range(4):
        assert predict(client).status_code == 503
    output = capsys.readouterr().out
    lines = [json.loads(line) for line in output.splitlines()]
    loads = [line for line in lines if "model load" in line["message"]]
    assert [line["message"].partition(":")[0] for line in loads] == [
        "model load started",
        "model load failed at stage import",
        "model load failed at stage import, attempt 2",
        "model load failed at stage import, attempt 3",
        "model load failed at stage import, attempt 4",
    ]
    assert ["stack_trace" in line for line in loads] == [False, True, False, False, False]
    assert "late.db does not exist here" in loads[-1]["message"]
    missing.write_bytes(b"")  # another cause: whole again
    assert predict(client).status_code == 503
    assert predict(client).status_code == 503
    loads = records(capsys, "model load")
    assert ["stack_trace" in line for line in loads] == [True, False]
    assert loads[0]["attempts"] == 5


def test_a_server_that_is_away_is_one_line_an_attempt_through_mlflow_too(
    create_app: AppFactory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SOME_SETTING", "unknown to the quick way")
    client = create_app(
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}",
        MODEL_URI=f"models:/{NAME}/2",
        LOAD_RETRY_SECONDS="0",
    )
    predict(client)
    capsys.readouterr()
    for _ in range(3):
        predict(client)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"].partition(":")[0] for line in lines if "status" not in line] == [
        f"model load failed at stage resolve, attempt {attempt}" for attempt in (2, 3, 4)
    ]


class Leaves(mlflow.pyfunc.PythonModel):
    """Raises what is no Exception, where it is told to."""

    def leave(self, where: str) -> None:
        import builtins
        import os
        import pathlib

        name, _, place = pathlib.Path(os.environ["LEAVES"]).read_text().partition(" ")
        if place == where:
            raise getattr(builtins, name)()

    def load_context(self, context):  # type: ignore[no-untyped-def]
        self.leave("load")

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        if len(model_input) == 2:
            self.leave("predict")
        return ["positive"] * len(model_input)


@pytest.mark.filterwarnings("ignore:.*Add type hints")
def test_what_a_models_code_raises_ends_no_server(
    start_server: Any, registry: Registry, tmp_path: Path
) -> None:
    names = ("KeyboardInterrupt", "SystemExit", "GeneratorExit")
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder, leaves = tmp_path / "model", tmp_path / "leaves"
    leaves.write_text("")
    mlflow.pyfunc.save_model(folder, python_model=Leaves(), pip_requirements=[])
    server = start_server(
        imports_mlflow=True,
        MODEL_URI=str(folder),
        MLFLOW_TRACKING_URI=registry.tracking_uri,
        LEAVES=str(leaves),
        LOAD_RETRY_SECONDS="0",
    )
    for name in names:
        leaves.write_text(f"{name} load")
        for _ in range(2):
            reply = server.request("/predict", {"text": "x"})
            assert reply.status == 503
            assert name in reply.json["detail"]
        assert server.request("/health").json["status"] == "unhealthy"
    for name in names:
        leaves.write_text(f"{name} predict")
        for _ in range(2):
            assert server.request("/predict", {"text": "x"}).status == 200
            assert server.request("/predict_batch", {"texts": ["x", "y"]}).status == 500
    assert server.process.poll() is None
