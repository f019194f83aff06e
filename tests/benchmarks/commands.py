"""How each competitor is started: its command line, its environment, the files it wants first."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import locales, progress, servers
from tests.benchmarks.model import Model

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "peers"
_REST_SECONDS = 3
PUBLISHED, ALIAS = "published", "champion"


@dataclass(frozen=True)
class Site:
    """Where a competitor runs: its interpreter, a folder of its own, the model, and the port to
    listen on.
    """

    python: Path
    folder: Path
    model: Model
    port: int

    @property
    def address(self) -> tuple[str, ...]:
        """The options that most servers have for where to listen."""
        return ("--host", servers.HOST, "--port", str(self.port))

    def script(self, name: str) -> str:
        """A command installed beside the interpreter."""
        return str(self.python.with_name(name))


def uvicorn(application: str) -> Callable[[Site], list[str]]:
    return lambda site: [
        *(str(site.python), "-m", "uvicorn", application, "--app-dir", str(PEERS)),
        *("--workers", "1", "--log-level", "warning", "--no-access-log", *site.address),
    ]


def mlflow_serve(site: Site) -> list[str]:
    return [
        *(str(site.python), "-m", "mlflow", "models", "serve", "--model-uri", site.model.files),
        *("--env-manager", "local", "--workers", "1", *site.address),
    ]


def with_own_scripts(site: Site) -> dict[str, str]:
    """Some servers start their workers by name from PATH."""
    return {
        "MODEL_PATH": site.model.files,
        "PATH": f"{site.python.parent}{os.pathsep}{os.environ['PATH']}",
    }


def write_mlserver_settings(site: Site) -> None:
    model = {
        "name": "model",
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": site.model.files},
    }
    (site.folder / "model-settings.json").write_text(json.dumps(model))


def mlserver_environment(site: Site) -> dict[str, str]:
    others = {name: servers.free_port() for name in ("GRPC_PORT", "METRICS_PORT")}
    settings = {"HOST": servers.HOST, "HTTP_PORT": site.port, "PARALLEL_WORKERS": 0, **others}
    return {f"MLSERVER_{name}": str(value) for name, value in settings.items()} | {
        "MLSERVER_DEBUG": "false"
    }


def bentoml_serve(site: Site) -> list[str]:
    return [
        *(site.script("bentoml"), "serve", "bentoml_service:TextClassifier"),
        *("--working-dir", str(PEERS), *site.address),
    ]


def bentoml_environment(site: Site) -> dict[str, str]:
    return {**with_own_scripts(site), "BENTOML_HOME": str(site.folder / "bentoml")}


def peer(script: str) -> Callable[[Site], list[str]]:
    """A script of peers/ that takes its port as its one argument."""
    return lambda site: [str(site.python), str(PEERS / script), str(site.port)]


def convert_to_onnx(site: Site) -> None:
    script, output = PEERS / "onnx_convert.py", site.folder / "model.onnx"
    command = [str(site.python), str(script), site.model.files, str(output)]
    progress.run("converting the model to ONNX", command)


def onnx_environment(site: Site) -> dict[str, str]:
    model = {"ONNX_MODEL": str(site.folder / "model.onnx"), "LABELS": ",".join(site.model.labels)}
    return {**model, **locales.english(site.folder)}


def functions_framework(target: str, source: Path) -> Callable[[Site], list[str]]:
    return lambda site: [
        *(site.script("functions-framework"), f"--target={target}", "--source", str(source)),
        *site.address,
    ]


def granian(interface: str, application: str, *options: str) -> Callable[[Site], list[str]]:
    return lambda site: [
        *(str(site.python), "-m", "granian", "--interface", interface, application),
        *("--workers", "1", *options, *site.address, "--no-log"),
    ]


def with_peers(site: Site) -> dict[str, str]:
    return {"PYTHONPATH": str(PEERS)}


def function_serve(site: Site) -> list[str]:
    return [str(site.python), "-m", "function.serve"]


def function_bundle(site: Site) -> list[str]:
    return [str(site.python), "-I", "-S", str(site.folder / "serve.pyc")]


def compile_and_bundle(site: Site) -> None:
    """The model, and the start in one file, as the Dockerfile does."""
    compile_model(site)
    _bundle(site)


def publish_and_bundle(site: Site) -> None:
    """The model in a registry of its own, published, and the start in one file."""
    for path in (site.folder / "published.db", site.folder / "artifacts"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with publishing_registry(site, site.folder / "publishing.log") as registry:
        publish_again(site, registry)
    _bundle(site)


def publish_again(site: Site, registry: dict[str, str]) -> None:
    """One more version of the model in that registry, published and promoted."""
    command = [sys.executable, "-m", "tests.benchmarks.publish", site.model.files, PUBLISHED, ALIAS]
    environment = {**registry, "PYTHONPATH": str(REPOSITORY)}
    progress.run("logging the model again, and publishing it", command, environment)


def _bundle(site: Site) -> None:
    command = [str(site.python), "-m", "function.bundle", str(site.folder / "serve.pyc")]
    progress.run("writing the bundle", command, {"PYTHONPATH": str(REPOSITORY)})


def compile_model(site: Site) -> None:
    shutil.rmtree(site.folder / "compiled", ignore_errors=True)
    command = [str(site.python), "-m", "function.compile", site.model.model_uri, "--output"]
    environment = {"MLFLOW_TRACKING_URI": site.model.tracking_uri, "PYTHONPATH": str(REPOSITORY)}
    progress.run("compiling the model", [*command, str(site.folder / "compiled")], environment)


def compile_model_without_native(site: Site) -> None:
    """As compile_model, and the package beside it as where there is no C compiler."""
    compile_model(site)
    package = site.folder / "function"
    shutil.rmtree(package, ignore_errors=True)
    unbuilt = shutil.ignore_patterns("*.so")
    shutil.copytree(REPOSITORY / "function", package, ignore=unbuilt)
    shutil.copy(REPOSITORY / "main.py", site.folder)


def bare_loop_environment(site: Site) -> dict[str, str]:
    return {**_own_environment(site), "PYTHONPATH": str(REPOSITORY)}


def compiled_environment(site: Site) -> dict[str, str]:
    return {**_own_environment(site), "COMPILED_MODEL": str(site.folder / "compiled")}


def sqlite_environment(site: Site) -> dict[str, str]:
    """The registry read from its database file."""
    registry = {"MLFLOW_TRACKING_URI": site.model.tracking_uri, "MODEL_URI": site.model.model_uri}
    return {**_own_environment(site), **registry}


def published_environment(site: Site) -> dict[str, str]:
    return {**_own_environment(site), "MODEL_URI": f"models:/{PUBLISHED}@{ALIAS}"}


def _own_environment(site: Site) -> dict[str, str]:
    return {**allocators(), "HOST": servers.HOST, "PORT": str(site.port)}


def allocators() -> dict[str, str]:
    """The images' own settings for memory: this project's rows run as its containers do."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"(MALLOC_ARENA_MAX|GLIBC_TUNABLES)=(\S+)", dockerfile))


@contextmanager
def registry_server(site: Site, log: Path) -> Iterator[dict[str, str]]:
    """An ``mlflow server`` in front of that database; the environment that points to it."""
    name, version = site.model.model_uri.removeprefix("models:/").split("/")
    asked = f"/api/2.0/mlflow/model-versions/get?name={name}&version={version}"
    store = ("--backend-store-uri", site.model.tracking_uri)
    with _mlflow_server(site, log, str(site.python), store, asked) as registry:
        yield registry


@contextmanager
def published_registry(site: Site, log: Path) -> Iterator[dict[str, str]]:
    """As ``publishing_registry``, and it has been asked for all of that before, and is at rest: a
    registry runs for weeks, and its first answers take several times as long."""
    from function.model.sources import Stages, from_registry
    from function.settings import Settings

    with publishing_registry(site, log) as registry:
        for _ in range(3):
            found = Settings(registry["MLFLOW_TRACKING_URI"], f"models:/{PUBLISHED}@{ALIAS}")
            from_registry(found, Stages())
        time.sleep(_REST_SECONDS)
        yield registry


@contextmanager
def publishing_registry(site: Site, log: Path) -> Iterator[dict[str, str]]:
    """An ``mlflow server`` in front of the registry where the model is published, artifacts and
    all; its own packages are not those of who serves the model."""
    store = (
        *("--backend-store-uri", f"sqlite:///{site.folder}/published.db"),
        *("--artifacts-destination", str(site.folder / "artifacts")),
    )
    with _mlflow_server(site, log, sys.executable, store, "/health") as registry:
        yield registry


@contextmanager
def _mlflow_server(
    site: Site, log: Path, python: str, store: tuple[str, ...], asked: str
) -> Iterator[dict[str, str]]:
    door = replace(site, port=servers.free_port())
    command = [python, "-m", "mlflow", "server", *door.address, "--workers", "1", *store]
    # Without the seven processes that it starts for jobs of its own.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    url = f"http://{servers.HOST}:{door.port}"
    with servers.beside(command, environment, site.folder, log, url + asked):
        yield {"MLFLOW_TRACKING_URI": url}
