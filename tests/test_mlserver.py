"""The Open Inference Protocol v2 beside a real MLServer on the same model, and asked by the types
that MLServer's clients have."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import mlflow.sklearn
import pytest
from mlflow.models import infer_signature

from tests import clients
from tests.clients.v2_requests import FAILED, FRAME, REFUSED, REQUESTS, TEXTS, infer
from tests.conftest import clean_environ
from tests.documents import DOCUMENTS
from tests.doors import start_door
from tests.processes import LiveServer, free_port, start_process
from tests.registry import EXAMPLE, frame_pipeline
from tests.test_inference_v2 import tensor

pytestmark = pytest.mark.client

JSON = "application/json"
STATUSES = {REFUSED: {(422, 400)}, FAILED: {(500, 400), (500, 422)}}
"""Theirs and ours."""


class Inferred(NamedTuple):
    """The status, and of a good answer its first tensor: datatype, sizes but for ones, data."""

    status: int
    datatype: str = ""
    sizes: tuple[int, ...] = ()
    data: list[Any] = []
    id: str | None = None


def ask(server: LiveServer, payload: Any, model: str = "model") -> Any:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return server.request(f"/v2/models/{model}/infer", data=data)


def inferred(server: LiveServer, payload: Any) -> Inferred:
    reply = ask(server, payload)
    if reply.status != 200:
        return Inferred(reply.status)
    first = reply.json["outputs"][0]
    sizes = tuple(size for size in first["shape"] if size != 1)
    asked_id = reply.json.get("id") if isinstance(payload, dict) and "id" in payload else None
    return Inferred(200, first["datatype"], sizes, first["data"], asked_id)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for MLflow, and the same as scikit-learn's own file beside it."""
    folder = tmp_path_factory.mktemp("v2-model") / "model"
    pipeline = frame_pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of itself
        mlflow.sklearn.save_model(
            pipeline,
            folder,
            signature=infer_signature(EXAMPLE, ["positive"]),
            pip_requirements=[],
        )
    joblib.dump(pipeline, folder / "model.joblib")
    return folder


@pytest.fixture(scope="module")
def mlserver() -> Path:
    return clients.python_of(clients.MLSERVER)


@pytest.fixture(scope="module")
def theirs(
    model: Path, mlserver: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """MLServer with the model twice: by its runtime for MLflow, and by the one for scikit-learn."""
    folder, port = tmp_path_factory.mktemp("mlserver"), free_port()
    runtimes = {
        "model": ("mlserver_mlflow.MLflowRuntime", model),
        "sklearn": ("mlserver_sklearn.SKLearnModel", model / "model.joblib"),
    }
    for name, (implementation, files) in runtimes.items():
        (folder / name).mkdir()
        settings = {"name": name, "implementation": implementation}
        described = json.dumps({**settings, "parameters": {"uri": str(files)}})
        (folder / name / "model-settings.json").write_text(described)
    environ = {
        **clean_environ(),
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(free_port()),
        "MLSERVER_METRICS_PORT": str(free_port()),
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_DEBUG": "false",
    }
    command = [str(mlserver.with_name("mlserver")), "start", str(folder)]
    server = start_process(command, folder, environ, port, folder)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ours(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("ours")
    environ = {"COMPILED_MODEL": "", "MODEL_URI": str(model)}
    server = start_door("serve", Path(), folder, imports_mlflow=True, **environ)
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


def test_what_mlserver_answers_is_answered_alike_but_for_what_the_readme_lists(
    theirs: LiveServer, ours: LiveServer
) -> None:
    differing = set()
    for name, (payload, reason) in REQUESTS.items():
        wanted, found = inferred(theirs, payload), inferred(ours, payload)
        if found != wanted:
            differing.add(name)
        if reason in STATUSES:
            assert (wanted.status, found.status) in STATUSES[reason]
    assert differing == {name for name, (_, reason) in REQUESTS.items() if reason}
    assert len(REQUESTS) >= 25


def test_the_readme_lists_each_difference() -> None:
    for _, reason in REQUESTS.values():
        assert reason in DOCUMENTS


def test_outputs_are_named_as_mlservers_own_runtime_names_them(
    theirs: LiveServer, ours: LiveServer
) -> None:
    """Its runtime for scikit-learn; the one for MLflow answers the same whatever is asked for."""
    for names in (["predict"], ["predict_proba"], ["predict_proba", "predict"]):
        outputs = [{"name": name} for name in names]
        payload = infer(tensor(TEXTS), outputs=outputs, parameters=FRAME)
        wanted = ask(theirs, payload, "sklearn").json["outputs"]
        found = ask(ours, payload).json["outputs"]
        assert [it["name"] for it in found] == [it["name"] for it in wanted] == names
        for one, other in zip(found, wanted, strict=True):
            assert one["datatype"] == other["datatype"]
            assert one["data"] == pytest.approx(other["data"], abs=1e-9)
            assert [*one["shape"], 1][:2] == other["shape"]


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v2", "GET"),
        ("/v2/health/live", "GET"),
        ("/v2/health/ready", "GET"),
        ("/v2/models/model", "GET"),
        ("/v2/models/model/ready", "GET"),
        ("/v2/models/others", "GET"),
        ("/v2/models/others/ready", "GET"),
        ("/v2/models/others/infer", "POST"),
        ("/v2/models/model/versions/9", "GET"),
        ("/v2/models/model/versions/9/infer", "POST"),
        ("/v2/models/model/infer", "GET"),
        ("/v2/repository/index", "POST"),
    ],
)
def test_every_path_has_mlservers_status(
    theirs: LiveServer, ours: LiveServer, path: str, method: str
) -> None:
    payload = infer(tensor(TEXTS)) if method == "POST" else None
    wanted, found = (
        server.request(path, payload, method=method).status for server in (theirs, ours)
    )
    assert found == wanted


def test_mlservers_own_types_make_the_requests_and_read_the_answers(
    theirs: LiveServer, ours: LiveServer, mlserver: Path
) -> None:
    wanted, found = (
        clients.said_by(mlserver, "mlserver_types.py", server.url, "model")
        for server in (theirs, ours)
    )
    outputs, _ = found.pop("outputs"), wanted.pop("outputs")
    assert found == wanted
    assert found["strings"] == found["base64"] == found["frame"] == outputs["predict"]
    assert [max(row) > 1 / 3 for row in outputs["predict_proba"]] == [True] * len(found["strings"])


def test_what_is_announced_as_something_else_is_refused(ours: LiveServer) -> None:
    body = json.dumps(infer(tensor(TEXTS))).encode()
    for given, status in {
        "text/plain": 415,
        "application/xml": 415,
        f"{JSON}; charset=utf-8": 200,
        "application/octet-stream": 200,
    }.items():
        headers = {"Content-Type": given}
        reply = ours.request("/v2/models/model/infer", data=body, headers=headers)
        assert reply.status == status
