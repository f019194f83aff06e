"""Fixtures: a real registry with small real models, the real app, live servers.

What takes long to import is imported where it is used: the process that hands out the tests needs
none of it, and the workers start when it is through.
"""

from __future__ import annotations

import os

# The workers fill the cores: more threads for linear algebra would spin, waiting for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import compileall
import fcntl
import functools
import gc
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import function
from function.compiled import native, writing
from tests import warm
from tests.processes import LiveServer, free_port, last_line_printed, start_process

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from tests.fitted_models import Combination
    from tests.registry import Registry

ROOT = Path(__file__).parents[1]

# A worker takes a file as a whole; one that begins late must not last. Those that wait for servers
# (first of each pair) take turns with those that reckon, so that the cores always have both.
LONGEST_FIRST = (
    *("test_following", "test_kinds"),
    *("test_server", "test_agreement"),
    *("test_doors", "test_compiler"),
    *("test_deadline", "test_uris"),
    *("test_publishing", "test_vocabularies"),
    *("test_tokens", "test_demo"),
    *("test_disk_cache", "test_patterns"),
    *("test_playground", "test_artifact"),
    *("test_bulk", "test_hashed"),
    *("test_own_code", "test_shortcuts"),
    *("test_live_server", "test_server_memory"),
    *("test_predict", "test_own_functions"),
    *("test_direct", "test_monitoring"),
    *("test_mlflow_scoring", "test_linear"),
    *("test_tracing", "test_sbom"),
)

AppFactory = Callable[..., "FlaskClient"]


def pytest_configure(config: pytest.Config) -> None:
    """Keep bytecode, whatever the environment says of it: hundreds of processes start."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(ROOT / "function", quiet=1)
        processes = warm.offered()
        processes.__enter__()
        config.add_cleanup(lambda: processes.__exit__(None, None, None))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than cores: a worker often waits for what it started."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: what looks for garbage need not look through them."""
    gc.collect()
    gc.freeze()


def in_common(factory: pytest.TempPathFactory) -> Path:
    """The folder of all workers."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Any]) -> Any:
    """What ``build`` made of a folder, for all workers, in whichever came first."""
    place = in_common(factory)
    with (place / f"{name}.pickle").open("a+b") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        if not kept.seek(0, os.SEEK_END):  # as it is now, and not when it was opened
            pickle.dump(build(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))), kept)
        kept.seek(0)
        return pickle.load(kept)


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with nothing in it, to be copied: making one takes seconds."""
    import mlflow

    def build(folder: Path) -> Path:
        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
        with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
            # The default one, made anew with the place for artifacts of whoever opens the copy.
            connection.execute("DELETE FROM experiments")
        return folder / "mlflow.db"

    database: Path = built_once(tmp_path_factory, "database", build)
    return database


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Registry:
    """A sqlite registry with three versions of one small model, the database a worker's own."""
    import mlflow

    from tests.registry import build_registry

    def build(folder: Path) -> Registry:
        shutil.copy(migrated_database, folder)
        return build_registry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")

    built: Registry = built_once(tmp_path_factory, "registry", build)
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(built.tracking_uri.removeprefix("sqlite:///"), folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    return replace(built, tracking_uri=f"sqlite:///{folder}/mlflow.db")


@pytest.fixture(scope="session")
def folder_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A legacy ``mlruns`` folder, which MLflow 3 writes only when asked twice."""
    from tests.registry import build_registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        built: Registry = built_once(
            tmp_path_factory, "legacy", lambda folder: build_registry(str(folder / "mlruns"), None)
        )
        folder = tmp_path_factory.mktemp("legacy") / "mlruns"
        shutil.copytree(built.tracking_uri, folder)
        yield replace(built, tracking_uri=str(folder))


def clean_environ() -> dict[str, str]:
    """The environment without what MLflow writes into it (its tracking URI, when told one)."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}


@pytest.fixture
def no_settings_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way refuses any of mlflow's variables that it does not know."""
    for name in set(os.environ) - set(clean_environ()):
        monkeypatch.delenv(name)


def modules_after(script: str, **environ: str) -> set[str]:
    """The names of the modules that a fresh interpreter has loaded after ``script``."""
    tell = "from function.telemetry import output; output.flush()\nimport sys; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", script + tell],
        cwd=ROOT,
        env={**clean_environ(), **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(last_line_printed(ended.stdout).split())


def start_mlflow_server(folder: Path, port: int) -> LiveServer:
    """A real ``mlflow server``, artifacts through its proxy; it may send webhooks to loopback."""
    from cryptography.fernet import Fernet

    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}"),
        *(f"--backend-store-uri=sqlite:///{folder}/mlflow.db", "--workers=1"),
        f"--artifacts-destination={folder}/artifacts",
    ]
    environ = {
        **clean_environ(),
        # Otherwise it starts seven more processes, for jobs that nobody has here.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    return start_process(command, folder, environ, port, folder)


@pytest.fixture(scope="session")
def server_registry(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Path
) -> Iterator[Registry]:
    """The same three versions behind an MLflow server, which is one for all workers."""
    from tests.registry import build_registry

    started: list[LiveServer] = []

    def build(folder: Path) -> Registry:
        shutil.copy(migrated_database, folder)
        started.append(start_mlflow_server(folder, free_port()))
        return replace(build_registry(started[0].url, None), folder=folder)

    with (in_common(tmp_path_factory) / "mlflow-server.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        registry: Registry = built_once(tmp_path_factory, "mlflow-server", build)
        yield registry
        if started:
            fcntl.flock(users, fcntl.LOCK_EX)  # once no other worker uses it
            (in_common(tmp_path_factory) / "mlflow-server.pickle").unlink()
            started[0].stop()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``python -m function.demo`` was run, with its output in demo.log."""

    def run(folder: Path) -> Path:
        environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
        ended = warm.run_python(["-m", "function.demo"], folder, environ)
        assert ended.returncode == 0, ended.stderr
        (folder / "demo.log").write_text(ended.stdout)
        return folder

    demo: Path = built_once(tmp_path_factory, "demo", run)
    return demo


@pytest.fixture(scope="session")
def compiled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled model's folder, readable by every user."""
    from function.compiler.compiler import translate
    from tests.registry import strings_pipeline

    folder = tmp_path_factory.mktemp("compiled") / "model"
    facts = {"model_uri": "models:/reviews/2", "source": "", "model_name": "reviews"}
    writing.save(folder, translate(strings_pipeline()), {**facts, "version": "2"})
    for parent in folder.parents:
        if Path(tempfile.gettempdir()) in parent.parents:  # pytest's own, for their owner only
            parent.chmod(0o755)
    return folder


@pytest.fixture
def create_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppFactory]:
    """Functions Framework's own app around a fresh ``handle``, under the given environment."""
    import functions_framework

    def create(**environ: str) -> FlaskClient:
        # Nobody listens: there is nothing to warn of.
        for name, value in {"HOST": "127.0.0.1", **environ}.items():
            monkeypatch.setenv(name, value)
        vars(function).pop("handle", None)
        return functions_framework.create_app("handle", str(ROOT / "main.py")).test_client()

    yield create
    vars(function).pop("handle", None)
    for thread in threading.enumerate():  # a load that outlives its test would log into the next
        if thread.name == "model-load":
            thread.join(60)


@pytest.fixture
def client(create_app: AppFactory, registry: Registry) -> FlaskClient:
    """The app in front of the registered model."""
    return create_app(**registry.environ)


def start_framework(folder: Path, imports_mlflow: bool = False, **environ: str) -> LiveServer:
    """Start ``functions-framework`` as a user would, on a free port; ``folder`` has its output."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("functions-framework")),
        "--target=handle",
        f"--port={port}",
        "--host=127.0.0.1",
    ]
    environ = {**clean_environ(), **environ}
    return start_process(command, ROOT, environ, port, folder, imports_mlflow)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Start ``functions-framework``, stopped after the test."""
    started: list[LiveServer] = []

    def start(imports_mlflow: bool = False, **environ: str) -> LiveServer:
        started.append(start_framework(tmp_path, imports_mlflow, **environ))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def fitted() -> Callable[[Combination], Any]:
    """From a combination of scikit-learn parts to its fitted model, each fitted once."""
    from tests.fitted_models import fit

    return functools.cache(fit)


@pytest.fixture(scope="session")
def pipeline() -> Any:
    """The most common combination, fitted."""
    from tests.fitted_models import fitted_pipeline

    return fitted_pipeline()


@pytest.fixture(scope="session")
def combinations() -> Any:
    """Every supported combination of parts."""
    from tests.fitted_models import COMBINATIONS

    return COMBINATIONS


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """Nobody asks what a crash of the machine would leave, and the disk takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@contextmanager
def without_native() -> Iterator[None]:
    """What is compiled or loaded meanwhile is as where there is no C compiler."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_native", None)
        yield


@pytest.fixture(scope="module", params=["native", "python"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """With the C code and without, for modules that are about what a compiled model answers."""
    if request.param == "python":
        with without_native():
            yield request.param
    elif native._native is None:
        pytest.skip("the C code is not built: no C compiler")
    else:
        yield request.param


@pytest.fixture
def rng() -> random.Random:
    """Random, and the same every time."""
    return random.Random(20260)
