"""How each competitor is started: its command line, its environment, the files it wants first."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import locales, progress, servers
from tests.benchmarks.model import Model

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True)
class Site:
    """Where a competitor runs: its interpreter, a folder of its own, the model, and the port to
    listen on.
    """

    python: Path
    folder: Path
    model: Model
    port: int

    def script(self, name: str) -> str:
        """A command installed beside the interpreter."""
        return str(self.python.with_name(name))


def uvicorn(application: str) -> Callable[[Site], list[str]]:
    return lambda site: [
        *(
            str(site.python),
            "-m",
            "uvicorn",
            application,
            "--app-dir",
            str(PEERS),
            "--workers",
            "1",
        ),
        *(
            "--host",
            servers.HOST,
            "--port",
            str(site.port),
            "--log-level",
            "warning",
            "--no-access-log",
        ),
    ]


def mlflow_serve(site: Site) -> list[str]:
    command = [str(site.python), "-m", "mlflow", "models", "serve", "--model-uri", site.model.files]
    return [
        *command,
        "--env-manager",
        "local",
        "--workers",
        "1",
        "--host",
        servers.HOST,
        "--port",
        str(site.port),
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
    ports = {
        "HTTP_PORT": site.port,
        "GRPC_PORT": servers.free_port(),
        "METRICS_PORT": servers.free_port(),
    }
    settings = {"HOST": servers.HOST, "PARALLEL_WORKERS": 0, "DEBUG": "false", **ports}
    return {f"MLSERVER_{name}": str(value) for name, value in settings.items()}


def bentoml_serve(site: Site) -> list[str]:
    command = [
        site.script("bentoml"),
        "serve",
        "bentoml_service:TextClassifier",
        "--working-dir",
        str(PEERS),
    ]
    return [*command, "--host", servers.HOST, "--port", str(site.port)]


def convert_to_onnx(site: Site) -> None:
    command = [
        str(site.python),
        str(PEERS / "onnx_convert.py"),
        site.model.files,
        str(site.folder / "model.onnx"),
    ]
    progress.run("converting the model to ONNX", command)


def onnx_environment(site: Site) -> dict[str, str]:
    labels = ",".join(site.model.labels)
    return {
        "ONNX_MODEL": str(site.folder / "model.onnx"),
        "LABELS": labels,
        **locales.english(site.folder),
    }


def functions_framework(target: str, source: Path) -> Callable[[Site], list[str]]:
    return lambda site: [
        *(site.script("functions-framework"), f"--target={target}", "--source", str(source)),
        *("--host", servers.HOST, "--port", str(site.port)),
    ]


def granian_hello(site: Site) -> list[str]:
    command = [
        str(site.python),
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "hello_wsgi:app",
        "--workers",
        "1",
    ]
    return [*command, "--host", servers.HOST, "--port", str(site.port), "--no-log"]


def function_serve(site: Site) -> list[str]:
    return [str(site.python), "-m", "function.serve"]


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


def allocators() -> dict[str, str]:
    """The images' own settings for memory: this project's rows run as its containers do."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    names = "MALLOC_ARENA_MAX|GLIBC_TUNABLES|_RJEM_MALLOC_CONF"
    return dict(re.findall(rf"({names})=(\S+)", dockerfile))


def compiled_environment(site: Site) -> dict[str, str]:
    return {
        **allocators(),
        "COMPILED_MODEL": str(site.folder / "compiled"),
        "HOST": servers.HOST,
        "PORT": str(site.port),
    }


def sqlite_environment(site: Site) -> dict[str, str]:
    """The registry read from its database file."""
    registry = {"MLFLOW_TRACKING_URI": site.model.tracking_uri, "MODEL_URI": site.model.model_uri}
    return {**allocators(), **registry, "HOST": servers.HOST, "PORT": str(site.port)}


@contextmanager
def registry_server(site: Site, log: Path) -> Iterator[dict[str, str]]:
    """An ``mlflow server`` in front of that database; the environment that points to it."""
    port = servers.free_port()
    url = f"http://{servers.HOST}:{port}"
    command = [
        *(str(site.python), "-m", "mlflow", "server", "--host", servers.HOST, "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", site.model.tracking_uri),
    ]
    # Without the seven processes that it starts for jobs of its own.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    name, version = site.model.model_uri.removeprefix("models:/").split("/")
    asked = f"{url}/api/2.0/mlflow/model-versions/get?name={name}&version={version}"
    with servers.beside(command, environment, site.folder, log, asked):
        yield {"MLFLOW_TRACKING_URI": url}
