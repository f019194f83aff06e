"""What a MODEL_URI and a tracking URI name: as MLflow reads them, or as they are meant."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.utils.models import _parse_model_uri

from function.errors import ModelLoadError
from function.model.sources import Sourced, Stages, from_registry
from function.registry import mlflow as through_mlflow
from function.registry import stores, uris
from function.registry.access import NeedsMlflow
from function.registry.connection import Connection
from function.settings import Settings
from tests.conftest import ROOT, clean_environ
from tests.registry import NAME, Registry, another_version
from tests.warm import run_python

ODD_NAMES = ["team@reviews", "it's", 'say "hi"', "both'\"", "back\\slash", "my model", "kritík"]
NOT_IN_FOLDERS = ["my%20model", "what?", "a#b", "100%"]  # a name is a file name there


@pytest.fixture(autouse=True)
def _no_settings_of_mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in set(os.environ) - set(clean_environ()):
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    mlflow.set_registry_uri("")


def load(tracking_uri: str, model_uri: str) -> tuple[Sourced, Stages]:
    stages = Stages()
    return from_registry(Settings(tracking_uri, model_uri), stages), stages


def told(tracking_uri: str, model_uri: str) -> str:
    with pytest.raises(ModelLoadError) as refused:
        load(tracking_uri, model_uri)
    return refused.value.told


@pytest.mark.parametrize(
    "uri",
    [
        "models:/reviews/3",
        "models:/reviews/Production",
        "models:/reviews/LATEST",
        "models:/reviews@champion",
        "models:/team@reviews@champion",
        "models:/team@reviews/3",
        "models:///reviews/3",
        "Models:/reviews/3",
        "models:/m-0123",
        "models:/my model/3",
        "models:/my%20model@a",
        "models:/reviews@latest",
    ],
)
def test_a_name_a_version_and_an_alias_are_split_as_mlflow_splits_them(uri: str) -> None:
    expected = _parse_model_uri(uri)
    found = uris.model_name(uri)
    assert found.name == (expected.name or expected.model_id)
    assert found.alias == (expected.alias or "")
    latest = found.which if found.which.lower() == "latest" else ""
    assert found.which == (expected.version or expected.stage or latest)
    assert not found.path


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/reviews/Production/", uris.ModelName("reviews", "Production")),
        ("models:/reviews@champion/", uris.ModelName("reviews", alias="champion")),
        ("models:/reviews//3", uris.ModelName("reviews", "3")),
        ("models://reviews/3", uris.ModelName("reviews", "3")),
        ("models://team@reviews@champion", uris.ModelName("team@reviews", alias="champion")),
        ("models:/reviews/3/inner/model", uris.ModelName("reviews", "3", path="inner/model")),
        ("models:/reviews@champion/inner", uris.ModelName("reviews", "", "champion", "inner")),
        (
            "models://prod@databricks/reviews/3",
            uris.ModelName("reviews", "3", profile="prod@databricks"),
        ),
        (
            "models://scope:key@databricks/a.b.c@x",
            uris.ModelName("a.b.c", alias="x", profile="scope:key@databricks"),
        ),
    ],
)
def test_what_mlflow_reads_in_one_place_only_is_read_as_it_is_meant(
    uri: str, expected: uris.ModelName
) -> None:
    assert uris.model_name(uri) == expected


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("models:/", "names no model"),
        ("models:", "names no model"),
        ("models:/@champion", "either side of the @"),
        ("models:/reviews@", "either side of the @"),
        ("models:/team/reviews/Production", "no slash"),
        ("models:/reviews", "names no version"),
        ("models:/reviews/", "names no version"),
    ],
)
def test_what_names_no_model_is_refused_with_the_forms(uri: str, problem: str) -> None:
    with pytest.raises(ModelLoadError, match=problem) as refused:
        uris.model_name(uri)
    assert "MODEL_URI" in str(refused.value)


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
@pytest.mark.parametrize("store", ["registry", "server_registry", "folder_registry"])
def test_names_of_every_kind_are_found_and_served(
    request: pytest.FixtureRequest, store: str
) -> None:
    registry: Registry = request.getfixturevalue(store)
    mlflow.set_tracking_uri(registry.tracking_uri)
    client = MlflowClient()
    source = f"models:/to-copy/{another_version('to-copy').version}"
    for name in ODD_NAMES + ([] if store == "folder_registry" else NOT_IN_FOLDERS):
        client.copy_model_version(source, name)
        client.transition_model_version_stage(name, "1", "Production")
        client.set_registered_model_alias(name, "champion", "1")
        for form in ("/1", "/PRODUCTION/", "@champion", "@latest"):
            found, _ = load(registry.tracking_uri, f"models:/{name}{form}")
            assert (found.lineage.model_name, found.lineage.version) == (name, "1")
            assert found.predictor.predict(["I love it"])[0].label == "positive"
        detail = told(registry.tracking_uri, f"models:/{name}/Staging")
        assert "version 1 in Production" in detail
        client.delete_registered_model(name)


def test_the_quick_way_and_mlflow_agree_on_odd_names(server_registry: Registry) -> None:
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    client = MlflowClient()
    source = another_version("to-copy")
    client.copy_model_version(f"models:/to-copy/{source.version}", "team@reviews")
    uri = "models:/team@reviews/1"
    found, stages = load(server_registry.tracking_uri, uri)
    assert stages.through_mlflow is None
    through_mlflow.connect(server_registry.tracking_uri, uri)
    lineage = through_mlflow.resolve(uri)
    folder = through_mlflow.download(lineage, tempfile.mkdtemp())
    assert through_mlflow.identify(lineage, folder) == found.lineage
    client.delete_registered_model("team@reviews")


def test_a_model_in_a_folder_below_its_version_is_found(
    registry: Registry, model_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "outer" / "inner")
    mlflow.set_tracking_uri(registry.tracking_uri)
    client = MlflowClient()
    client.create_registered_model("nested")
    client.create_model_version("nested", str(tmp_path / "outer"))
    found, _ = load(registry.tracking_uri, "models:/nested/1/inner/")
    assert found.lineage.version == "1"
    client.delete_registered_model("nested")


@pytest.mark.parametrize("form", ["runs:/{}/model/", "runs://{}/model", "RUNS:/{}//model"])
def test_a_run_is_found_however_its_slashes_are_set(registry: Registry, form: str) -> None:
    found, _ = load(registry.tracking_uri, form.format(registry.run_id))
    assert found.lineage.version == "2"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [("runs:/abc", "add its path"), ("runs:/", "add its path"), ("runs:/it's/model", "it's")],
)
def test_a_run_that_is_none_is_told_so(registry: Registry, uri: str, problem: str) -> None:
    assert problem in told(registry.tracking_uri, uri)


@pytest.fixture(scope="module")
def model_folder(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder = tmp_path_factory.mktemp("download")
    uri = f"models:/{registry.model_id}"
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))


@pytest.mark.parametrize("pickled", [False, True], ids=["skops", "cloudpickle"])
@pytest.mark.parametrize("name", ["plain", "my model", "100%", "a%20b", "ünï", "a#b"])
def test_a_folder_is_found_as_a_path_and_as_a_percent_encoded_uri(
    model_folder: Path, tmp_path: Path, name: str, pickled: bool
) -> None:
    folder = tmp_path / name
    if pickled:
        model = mlflow.sklearn.load_model(str(model_folder))
        mlflow.sklearn.save_model(
            model, folder, pip_requirements=[], serialization_format="cloudpickle"
        )
    else:
        shutil.copytree(model_folder, folder)
    encoded = folder.as_uri()
    forms = [str(folder), f"{folder}/", encoded, f"{encoded}/", encoded.replace("//", "", 1)]
    for uri in (*forms, encoded.replace("file://", "file://localhost")):
        found, _ = load("sqlite:///none.db", uri)
        assert found.predictor.predict(["I love it"])[0].label == "positive"
        assert found.lineage.model_name == name
    assert not Path("none.db").exists()


def test_an_mlruns_folder_and_a_database_are_found_by_their_encoded_uris(
    folder_registry: Registry, registry: Registry, tmp_path: Path
) -> None:
    for name in ("my runs", "100%"):
        shutil.copytree(folder_registry.tracking_uri, tmp_path / name)
        for uri in ((tmp_path / name).as_uri(), str(tmp_path / name), f"{tmp_path / name}/"):
            found, _ = load(uri, f"models:/{NAME}@champion")
            assert found.lineage.version == "2"
    database = tmp_path / "my db.db"
    shutil.copy(registry.tracking_uri.removeprefix("sqlite:///"), database)
    for uri in (f"sqlite:///{database}", f"sqlite+pysqlite:///{database}"):
        assert load(uri, f"models:/{NAME}@champion")[0].lineage.version == "2"
    for missing in ("sqlite+pysqlite:///no/such.db", "sqlite:///no/such.db?timeout=3"):
        assert "no/such.db does not exist here" in told(missing, f"models:/{NAME}/1")


@pytest.mark.parametrize("uri", ["localhost:5000", "tcp://10.0.0.1:5000", "user:pw@host:5000"])
def test_a_tracking_uri_of_no_known_kind_is_told_so(uri: str) -> None:
    detail = told(uri, f"models:/{NAME}/1")
    assert "MLFLOW_TRACKING_URI" in detail and "http(s)://HOST:PORT" in detail
    assert uri not in detail


def test_a_registry_that_the_uri_names_itself_is_asked() -> None:
    uri = "models://no-such-profile@databricks/reviews/3"
    with pytest.raises(ModelLoadError) as refused:
        load("sqlite:///:memory:", uri)
    assert mlflow.get_registry_uri() == "databricks://no-such-profile"
    assert "no-such-profile" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_PORT", "tcp://10.96.0.7:5000"),
        ("MLFLOW_SERVICE_HOST", "10.96.0.7"),
        ("MLFLOW_SERVICE_PORT", "5000"),
        ("MLFLOW_SERVICE_PORT_HTTP", "5000"),
        ("MLFLOW_PORT_5000_TCP", "tcp://10.96.0.7:5000"),
        ("MLFLOW_PORT_5000_TCP_PROTO", "tcp"),
        ("MLFLOW_PORT_5000_TCP_PORT", "5000"),
        ("MLFLOW_PORT_5000_TCP_ADDR", "10.96.0.7"),
        ("MLFLOW_TRACKING_PORT", "tcp://10.96.0.7:80"),
        ("MLFLOW_TRACKING_SERVICE_HOST", "10.96.0.7"),
        ("MLFLOW_HOST", "0.0.0.0"),
    ],
)
def test_what_a_kubernetes_service_named_mlflow_sets_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    Connection("http://mlflow.example.com").close()
    monkeypatch.setenv("MLFLOW_EXPORT_LEVEL", "1")
    with pytest.raises(NeedsMlflow, match="MLFLOW_EXPORT_LEVEL"):
        Connection("http://mlflow.example.com")


FIRST_CONTACT = (
    "import sys, time, warnings\n"
    "warnings.simplefilter('ignore')\n"
    "from function.registry import mlflow\n"
    "mlflow.connect('sqlite:///' + sys.argv[1], 'models:/reviews/1')\n"
    "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
    "print(len(mlflow._client().search_experiments()))\n"
)


def test_of_two_processes_on_one_fresh_database_the_second_waits(tmp_path: Path) -> None:
    database = tmp_path / "fresh.db"
    database.touch()
    command = ["-c", FIRST_CONTACT, str(database), str(time.time() + 3)]
    with ThreadPoolExecutor(3) as pool:
        environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
        started = [pool.submit(run_python, command, tmp_path, environ) for _ in range(3)]
    ended = [process.result() for process in started]
    assert [process.stdout for process in ended] == ["1\n"] * 3, ended


def test_a_folder_that_cannot_be_locked_is_used_as_it_is(tmp_path: Path) -> None:
    for uri in (f"sqlite:///{tmp_path}/gone/x.db", "sqlite://", "http://h", "databricks"):
        with stores.others_waiting(uri):
            pass
    assert stores.local_path("databricks") is None
