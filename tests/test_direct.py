"""Straight from an MLflow server: the same model, lineage and messages as through mlflow."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from function.errors import ModelLoadError
from function.model.fetching import Way
from function.model.sources import Stages, from_registry
from function.registry import mlflow as through_mlflow
from function.registry import skopsfile
from function.registry.access import NeedsMlflow
from function.registry.connection import Connection
from function.registry.direct import DirectSource
from function.registry.lineage import Lineage
from function.settings import Settings
from tests.conftest import ROOT, clean_environ
from tests.fronts import front, passed_on, write_certificate
from tests.processes import Reply, free_port
from tests.registry import NAME, Registry, strings_pipeline, text_signature

pytestmark = pytest.mark.usefixtures("no_settings_of_mlflow")

TEXT = "I love it"
FORMS = [
    "models:/{name}/Production",
    "models:/{name}/production",
    "models:/{name}@champion",
    "models:/{name}/1",
    "models:/{name}/3",
    "models:/{name}/latest",
    "models:/{model_id}",
]


def fetched(way: Way, tracking_uri: str, model_uri: str) -> tuple[Lineage, Path]:
    """What one way makes of the URI, from start to end."""
    way.connect(tracking_uri, model_uri)
    lineage = way.resolve(model_uri)
    folder = way.download(lineage, tempfile.mkdtemp())
    return way.identify(lineage, folder), folder


def fetched_directly(tracking_uri: str, model_uri: str) -> tuple[Lineage, Path]:
    with DirectSource() as direct:
        return fetched(direct, tracking_uri, model_uri)


def load(tracking_uri: str, model_uri: str) -> tuple[Any, Stages]:
    """What the service loads, and the stages it took."""
    stages = Stages()
    return from_registry(Settings(tracking_uri, model_uri), stages), stages


def message(action: Callable[[], Any]) -> str:
    """What the failure says."""
    with pytest.raises(ModelLoadError) as failure:
        action()
    return str(failure.value)


@pytest.fixture(autouse=True)
def _folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def odd_models(server_registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Models behind the server that mlflow must load, and one whose files are not behind it."""
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    client = MlflowClient()
    artifacts = tmp_path_factory.mktemp("beside") / "artifacts"
    beside = client.create_experiment("beside the server", artifacts.as_uri())
    common: dict[str, Any] = {
        "name": "model",
        "signature": text_signature(),
        "pip_requirements": [],
    }
    pipeline = strings_pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mlflow.start_run(experiment_id=beside):
            mlflow.sklearn.log_model(pipeline, registered_model_name="beside", **common)
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                pipeline,
                registered_model_name="pickled",
                serialization_format="cloudpickle",
                **common,
            )
            mlflow.pyfunc.log_model(
                python_model=AlwaysPositive(), registered_model_name="python", **common
            )
    return server_registry.tracking_uri


class AlwaysPositive(mlflow.pyfunc.PythonModel):
    """Not of scikit-learn."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        return ["positive"] * len(model_input)


@pytest.mark.parametrize("form", FORMS)
def test_the_lineage_is_mlflows_own_for_every_form(server_registry: Registry, form: str) -> None:
    uri = form.format(name=NAME, model_id=server_registry.model_id)
    lineage, folder = fetched_directly(server_registry.tracking_uri, uri)
    expected, its_folder = fetched(through_mlflow, server_registry.tracking_uri, uri)
    assert lineage == expected
    names = {path.name for path in its_folder.iterdir()} - {"registered_model_meta"}
    assert {path.name for path in folder.iterdir()} == names
    assert all((folder / name).read_bytes() == (its_folder / name).read_bytes() for name in names)


def test_a_plain_model_and_a_folder_are_loaded_without_importing_mlflow(
    server_registry: Registry, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    folder = mlflow.artifacts.download_artifacts(
        f"models:/{NAME}/1", dst_path=str(tmp_path / "copy")
    )
    script = (
        "import sys\n"
        "from function.model.sources import Stages, from_registry\n"
        "from function.settings import Settings\n"
        "for uri in sys.argv[2:]:\n"
        "    stages = Stages()\n"
        "    found = from_registry(Settings(sys.argv[1], uri), stages)\n"
        f"    print(found.predictor.predict([{TEXT!r}])[0].label, found.predictor.engine,\n"
        "          stages.through_mlflow, *stages.seconds)\n"
        "print('mlflow' in sys.modules)\n"
    )
    uris = [f"models:/{NAME}/Production", folder]
    ended = subprocess.run(
        [sys.executable, "-c", script, server_registry.tracking_uri, *uris],
        **{"cwd": ROOT, "env": clean_environ(), "capture_output": True, "text": True},
    )
    stages = "import resolve download deserialize probe compile verify first_prediction"
    loaded = f"positive compiled None {stages}\n"
    assert (ended.stdout, ended.stderr) == (f"{loaded}{loaded}False\n", "")


BASIC = {"MLFLOW_TRACKING_USERNAME": "user", "MLFLOW_TRACKING_PASSWORD": "pässword"}
TOKEN = {"MLFLOW_TRACKING_TOKEN": "a-token"}
SENT = [
    ({}, "", None),
    (BASIC, "", "Basic dXNlcjpww6Rzc3dvcmQ="),
    (TOKEN, "", "Bearer a-token"),
    ({**BASIC, **TOKEN}, "", "Basic dXNlcjpww6Rzc3dvcmQ="),
    ({"MLFLOW_TRACKING_USERNAME": "user"}, "", None),
    ({}, "me:my%40secret@", "Basic bWU6bXlAc2VjcmV0"),
    ({**BASIC, **TOKEN}, "me:my%40secret@", "Basic bWU6bXlAc2VjcmV0"),
    (TOKEN, "me@", "Bearer a-token"),
]


@pytest.mark.parametrize(("environ", "user", "expected"), SENT)
def test_the_credentials_sent_are_those_mlflow_sends(
    server_registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    user: str,
    expected: str | None,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with front(server_registry.tracking_uri) as listening:
        uri = listening.url.replace("//", f"//{user}")
        fetched_directly(uri, f"models:/{NAME}/1")
        assert listening.credentials() == {expected}
        assert not any("mlflow" in request.user_agent for request in listening.asked)
        listening.asked.clear()
        fetched(through_mlflow, uri, f"models:/{NAME}/1")
        assert listening.credentials() == {expected}


def test_a_prefix_of_the_tracking_uri_is_kept(server_registry: Registry) -> None:
    def below(path: str) -> Reply:
        if not path.startswith("/below/here/api/"):
            return Reply(404, {}, b"")
        return passed_on(server_registry.tracking_uri + path.removeprefix("/below/here"))

    with front(server_registry.tracking_uri, below) as listening:
        for slash in ("", "/"):
            uri = f"{listening.url}/below/here{slash}"
            assert fetched_directly(uri, f"models:/{NAME}@champion")[0].version == "2"


def test_over_tls_the_operators_own_authority_is_trusted_and_no_other(
    server_registry: Registry, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    uri = f"models:/{NAME}/1"
    with front(server_registry.tracking_uri, certificate=certificate) as listening:
        with pytest.raises(NeedsMlflow, match="TLS"):
            fetched_directly(listening.url, uri)
        assert listening.asked == []
        for name in ("REQUESTS_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH"):
            monkeypatch.setenv(name, str(certificate))
            assert fetched_directly(listening.url, uri)[0].version == "1"
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "certificate.pem")


def test_a_redirect_takes_no_credentials_to_another_host(
    server_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in BASIC.items():
        monkeypatch.setenv(name, value)
    with front(server_registry.tracking_uri) as elsewhere:

        def redirect(path: str) -> Reply:
            return Reply(307, {"Location": elsewhere.url + path}, b"")

        with front(server_registry.tracking_uri, redirect) as listening:
            with pytest.raises(NeedsMlflow):
                fetched_directly(listening.url, f"models:/{NAME}/1")
            assert elsewhere.asked == []
            found, stages = load(listening.url, f"models:/{NAME}/1")
    assert found.predictor.predict([TEXT])[0].label == "positive"
    assert stages.through_mlflow == "the server answered 307"
    assert elsewhere.credentials() == {None}


@pytest.mark.parametrize(
    "item",
    [
        {"path": "../evil", "is_dir": False},
        {"path": "/tmp/evil", "is_dir": False},
        {"path": "..", "is_dir": True},
        {"path": "..\\evil", "is_dir": False},
        {"path": "%2e%2e%2fevil", "is_dir": False},
        {"path": "a/../../evil", "is_dir": True},
    ],
)
def test_a_listing_that_leaves_the_workspace_is_refused(
    server_registry: Registry, tmp_path: Path, item: dict[str, Any]
) -> None:
    def listing(path: str) -> Reply | None:
        if "/mlflow-artifacts/artifacts?" in path:
            return as_json({"files": [item]})
        return Reply(200, {}, b"evil") if "evil" in path else None

    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with front(server_registry.tracking_uri, listing) as listening, DirectSource() as direct:
        direct.connect(listening.url, f"models:/{NAME}/1")
        lineage = direct.resolve(f"models:/{NAME}/1")
        with pytest.raises(NeedsMlflow):
            direct.download(lineage, str(workspace))
        assert [path.name for path in tmp_path.rglob("*")] == ["workspace", "MLmodel"]
        message(lambda: load(listening.url, f"models:/{NAME}/1"))
    assert not list(tmp_path.rglob("*evil*"))
    assert not Path("/tmp/evil").exists()


def as_json(value: Any) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


@pytest.mark.parametrize(
    "model_uri",
    [
        f"models:/{NAME}/99",
        f"models:/{NAME}/Staging",
        f"models:/{NAME}/Producton",
        f"models:/{NAME}@absent",
        f"models:/{NAME}",
        "models:/nobody/1",
        "models:/nobody/latest",
        "models:/m-0123456789",
        "models:/m-../../x",
        "runs:/0123456789/model",
    ],
)
def test_a_model_that_is_not_there_is_told_as_by_mlflow(
    server_registry: Registry, model_uri: str
) -> None:
    expected = message(lambda: fetched(through_mlflow, server_registry.tracking_uri, model_uri))
    assert message(lambda: load(server_registry.tracking_uri, model_uri)) == expected


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401, {}, b"who are you?"),
        Reply(403, {}, b'{"error_code": "PERMISSION_DENIED", "message": "not you"}'),
        Reply(404, {"Content-Type": "text/html"}, b"<html>"),
        Reply(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
        Reply(200, {}, b"[]"),
        Reply(200, {}, b'{"model_version": 1}'),
    ],
)
def test_an_answer_that_is_none_is_told_as_by_mlflow(reply: Reply) -> None:
    with front("http://127.0.0.1:1", lambda path: reply) as listening:
        uri = f"models:/{NAME}/1"
        expected = message(lambda: fetched(through_mlflow, listening.url, uri))
        assert message(lambda: load(listening.url, uri)) == expected


def test_a_server_that_is_down_or_silent_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    for uri, seconds in ((f"http://user:secret@127.0.0.1:{free_port()}", 0.0), (silent, 2.0)):
        started = time.monotonic()
        told = message(lambda uri=uri: load(uri, f"models:/{NAME}/1"))
        assert seconds <= time.monotonic() - started < seconds + 2
        assert "cannot be reached" in told and "secret" not in told


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_file_cut_short_is_fetched_again_through_mlflow(server_registry: Registry) -> None:
    cut: list[str] = []

    def cut_once(path: str) -> Reply | None:
        if cut or not path.endswith("model.skops"):
            return None
        cut.append(path)
        whole = passed_on(server_registry.tracking_uri + path)
        return Reply(200, {"Content-Length": str(len(whole.body))}, whole.body[:-1])

    with front(server_registry.tracking_uri, cut_once) as listening:
        found, stages = load(listening.url, f"models:/{NAME}/1")
    assert found.predictor.engine == "compiled"
    assert stages.through_mlflow == "an answer was cut short"


@pytest.mark.parametrize(
    ("name", "engine", "reason"),
    [
        ("beside", "compiled", None),
        ("pickled", "compiled", "the model is no plain skops file"),
        ("python", "pyfunc", "the model is no plain skops file"),
    ],
)
def test_every_kind_of_model_is_loaded_the_quick_way_or_through_mlflow(
    odd_models: str, name: str, engine: str, reason: str | None
) -> None:
    found, stages = load(odd_models, f"models:/{name}/1")
    uri = MlflowClient(odd_models).get_run(str(found.lineage.run_id)).info.artifact_uri
    assert uri.startswith("file:" if name == "beside" else "mlflow-artifacts:")
    assert found.predictor.engine == engine
    assert found.predictor.predict([TEXT])[0].label == "positive"
    assert stages.through_mlflow == reason
    lineage, _ = fetched(through_mlflow, odd_models, f"models:/{name}/1")
    assert found.lineage == lineage


@pytest.mark.parametrize("name", ["pickled", "python"])
def test_of_a_model_that_is_refused_its_description_alone_is_fetched_and_mlflow_not_asked(
    odd_models: str, name: str
) -> None:
    with front(odd_models) as listening:
        stages = Stages()
        settings = Settings(listening.url, f"models:/{name}/1", model_formats="skops")
        told = message(lambda: from_registry(settings, stages))
    assert told.startswith("MODEL_FORMATS=skops forbids")
    fetched = [asked.path for asked in listening.asked if "/artifacts/" in asked.path]
    assert [path.rpartition("/")[2] for path in fetched] == ["MLmodel"]
    assert stages.through_mlflow is None


def test_files_in_a_store_of_their_own_are_fetched_by_mlflow(server_registry: Registry) -> None:
    def in_a_bucket(path: str) -> Reply | None:
        elsewhere = {"artifact_uri": "no-such-scheme://bucket/model"}
        return as_json(elsewhere) if "get-download-uri" in path else None

    with front(server_registry.tracking_uri, in_a_bucket) as listening:
        uri = f"models:/{NAME}/1"
        expected = message(lambda: fetched(through_mlflow, listening.url, uri))
        assert "no-such-scheme" in expected
        assert message(lambda: load(listening.url, uri)) == expected


@pytest.mark.parametrize(
    "environ",
    [
        {"MLFLOW_TRACKING_AWS_SIGV4": "true"},
        {"MLFLOW_TRACKING_AUTH": "some-plugin"},
        {"MLFLOW_TRACKING_CLIENT_CERT_PATH": "/client.pem"},
        {"MLFLOW_TRACKING_INSECURE_TLS": "true"},
        {"MLFLOW_REGISTRY_URI": "http://another"},
        {"MLFLOW_WORKSPACE": "team"},
        {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5"},
        {"MLFLOW_HTTP_REQUEST_TIMEOUT": "0"},
        {"HTTP_PROXY": "http://127.0.0.1:1"},
        {"all_proxy": "http://127.0.0.1:1"},
        {"NETRC": __file__},
        {"HOME": "{home}"},
    ],
    ids=lambda environ: next(iter(environ)),
)
def test_settings_that_only_mlflow_follows_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_text("[mlflow]\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    with pytest.raises(NeedsMlflow):
        Connection("http://mlflow.example.com")


@pytest.mark.parametrize(
    "tracking_uri",
    [
        "sqlite:///mlflow.db",
        "mlruns",
        "databricks",
        "databricks://profile",
        "http://",
        "http://h?x",
    ],
)
def test_other_stores_are_left_to_mlflow(tracking_uri: str) -> None:
    with pytest.raises(NeedsMlflow):
        Connection(tracking_uri)


def test_a_proxy_that_is_not_for_this_host_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", ".example.com")
    Connection("http://mlflow.example.com").close()


def shout(texts: list[str]) -> list[str]:
    """A function that skops does not know."""
    return [text.upper() for text in texts]


def test_a_function_is_trusted_where_the_operator_says_so_and_only_there(tmp_path: Path) -> None:
    folder, name = tmp_path / "model", f"{__name__}.shout"
    model = make_pipeline(FunctionTransformer(shout), strings_pipeline())
    mlflow.sklearn.save_model(model, folder, pip_requirements=[], skops_trusted_types=[name])
    file = skopsfile.find(folder)
    assert file is not None
    assert skopsfile.load(file.path, [name]).predict([TEXT]) == ["positive"]
    assert f"not trusted: {name}." in message(lambda: skopsfile.load(file.path, []))
    assert f"not trusted: {name}." in message(lambda: load("sqlite:///none.db", str(folder)))
    # Whatever the model itself says of it.
    (folder / "MLmodel").write_text((folder / "MLmodel").read_text().replace("shout", "whisper"))
    assert skopsfile.load(file.path, [name]).predict([TEXT]) == ["positive"]


@pytest.mark.parametrize(
    ("saved", "environ"),
    [
        ({"serialization_format": "cloudpickle"}, {}),
        ({"serialization_format": "pickle"}, {}),
        ({"code_paths": [__file__]}, {}),
        ({}, {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "False"}),
        ({}, {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "yes"}),
    ],
)
def test_what_is_no_plain_skops_file_is_left_to_mlflow(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saved: dict[str, Any],
    environ: dict[str, str],
) -> None:
    folder = tmp_path / "model"
    mlflow.sklearn.save_model(strings_pipeline(), folder, pip_requirements=[], **saved)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert skopsfile.find(folder) is None
