"""Who is measured: each competitor's packages, files, start command, request shape and settings,
one entry each.

All run one worker and keep their defaults unless `settings` says otherwise; every one serves the
same MLflow model.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.benchmarks import commands, shapes
from tests.benchmarks.commands import PEERS, REPOSITORY, Site
from tests.benchmarks.envs import locked, version_here

# server: a serving product; by hand: what a skilled user would write instead; floor: no model at
# all; ours: this project
Kind = Literal["server", "by hand", "floor", "ours"]

Beside = Callable[[Site, Path], AbstractContextManager[dict[str, str]]]

# What users install; this interpreter has pytest too, which skops imports where it can.
_OWN = locked(REPOSITORY / "requirements.txt")
_MLFLOW = version_here("mlflow", "3.17.2")
_MODEL = (_MLFLOW, version_here("scikit-learn", "1.9.1"), version_here("skops", "0.16.0"))
_FASTAPI = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")
_FUNCTIONS = (version_here("functions-framework", "3.10.2"), version_here("granian", "2.8.7"))


@dataclass(frozen=True)
class Competitor:
    """One row of the benchmark."""

    name: str
    title: str
    kind: Kind
    shape: shapes.Shape
    settings: str
    command: Callable[[Site], list[str]]
    requirements: tuple[str, ...]
    environment: Callable[[Site], dict[str, str]] = lambda site: {"MODEL_PATH": site.model.files}
    # What must exist before the first start; written into the site's folder at each run.
    prepare: Callable[[Site], None] = lambda site: None
    # What must run beside it, given a file for its log, and the environment that this adds.
    beside: Beside = lambda site, log: nullcontext({})
    working_folder: Path | None = None  # none: the site's own
    floor: str = "hello-granian"  # the hello world on the same server
    why_not: Callable[[], str | None] = lambda: None


def _own_code_missing() -> str | None:
    """Why this project's rows cannot be measured, if they cannot."""
    for module in ("function", "function.serve", "function.compile"):
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            return f"the module {module} is not importable from here: run from the repository root"
    return None


def _ours(
    name: str, title: str, settings: str, command: Callable[[Site], list[str]], **source: Any
) -> Competitor:
    """A row of this project; `source` is where its model comes from."""
    return Competitor(
        name=name,
        title=title,
        kind="ours",
        shape=shapes.OWN,
        settings=settings,
        command=command,
        requirements=_OWN,
        floor="hello-gunicorn" if name.endswith("gunicorn") else "hello-granian",
        why_not=_own_code_missing,
        **{"working_folder": REPOSITORY, **source},
    )


_COMPILED: dict[str, Any] = {
    "environment": commands.compiled_environment,
    "prepare": commands.compile_model,
}
_SQLITE: dict[str, Any] = {"environment": commands.sqlite_environment}
_REGISTRY: dict[str, Any] = {**_SQLITE, "beside": commands.registry_server}
_BESIDE = "an `mlflow server` on the load generator's core, the model's files on the same disk"

_UVICORN = "uvicorn with uvloop and httptools, 1 worker, `async def`"
_FRAMEWORK_SETTINGS = "gunicorn as Functions Framework starts it: 1 worker, 4 x cores threads"

COMPETITORS = (
    _ours(
        "compiled",
        "this project, compiled",
        "`python -m function.serve`",
        commands.function_serve,
        **_COMPILED,
    ),
    _ours(
        "compiled-python",
        "this project, compiled (pure Python)",
        "`python -m function.serve`, native.c not built",
        commands.function_serve,
        working_folder=None,
        environment=commands.compiled_environment,
        prepare=commands.compile_model_without_native,
    ),
    _ours(
        "compiled-gunicorn",
        "this project, compiled (gunicorn)",
        _FRAMEWORK_SETTINGS,
        commands.functions_framework("handle", REPOSITORY / "main.py"),
        **_COMPILED,
    ),
    _ours(
        "registry",
        "this project, registry",
        f"`python -m function.serve`; {_BESIDE}",
        commands.function_serve,
        **_REGISTRY,
    ),
    _ours(
        "registry-gunicorn",
        "this project, registry (gunicorn)",
        f"{_FRAMEWORK_SETTINGS}; {_BESIDE}",
        commands.functions_framework("handle", REPOSITORY / "main.py"),
        **_REGISTRY,
    ),
    _ours(
        "registry-sqlite",
        "this project, registry (sqlite file)",
        "`python -m function.serve`",
        commands.function_serve,
        **_SQLITE,
    ),
    Competitor(
        name="mlflow",
        title="mlflow models serve",
        kind="server",
        shape=shapes.INVOCATIONS,
        settings="`--env-manager local --workers 1`",
        command=commands.mlflow_serve,
        requirements=_MODEL,
        environment=commands.with_own_scripts,
    ),
    Competitor(
        name="mlserver",
        title="MLServer",
        kind="server",
        shape=shapes.OPEN_INFERENCE,
        # Its default of one worker process ends at once here: "There is no current event loop".
        settings="`parallel_workers` 0 (1, its default, fails on these versions), no debug",
        command=lambda site: [site.script("mlserver"), "start", str(site.folder)],
        requirements=("mlserver==1.7.1", "mlserver-mlflow==1.7.1", *_MODEL),
        environment=commands.mlserver_environment,
        prepare=commands.write_mlserver_settings,
    ),
    Competitor(
        name="litserve",
        title="LitServe",
        kind="server",
        shape=shapes.LABELLED_ONE_PATH,
        settings="mlflow.pyfunc; 1 worker, 1 API server, no batching (its default)",
        command=lambda site: [str(site.python), str(PEERS / "litserve_server.py"), str(site.port)],
        requirements=("litserve==0.2.19", *_MODEL),
    ),
    Competitor(
        name="bentoml",
        title="BentoML",
        kind="server",
        shape=shapes.LABELLED,
        settings="mlflow.pyfunc; 1 worker, no adaptive batching (its default)",
        command=commands.bentoml_serve,
        requirements=("bentoml==1.4.39", *_MODEL),
        environment=lambda site: {
            **commands.with_own_scripts(site),
            "BENTOML_HOME": str(site.folder / "bentoml"),
        },
    ),
    Competitor(
        name="fastapi-pyfunc",
        title="FastAPI + mlflow.pyfunc",
        kind="server",
        shape=shapes.LABELLED,
        settings=_UVICORN,
        command=commands.uvicorn("fastapi_pyfunc:app"),
        requirements=(*_FASTAPI, *_MODEL),
    ),
    Competitor(
        name="fastapi-sklearn",
        title="by hand: FastAPI + scikit-learn",
        kind="by hand",
        shape=shapes.LABELLED,
        settings=f"{_UVICORN}; neither mlflow nor pandas is imported",
        command=commands.uvicorn("fastapi_sklearn:app"),
        requirements=(*_FASTAPI, *_MODEL[1:]),
    ),
    Competitor(
        name="fastapi-onnx",
        title="by hand: FastAPI + onnxruntime",
        kind="by hand",
        shape=shapes.LABELLED,
        settings=f"{_UVICORN}; 1 thread; tokens spelled as Unicode classes",
        command=commands.uvicorn("fastapi_onnx:app"),
        requirements=(*_FASTAPI, *_MODEL[1:], "onnxruntime==1.32.0", "skl2onnx==1.20.0"),
        environment=commands.onnx_environment,
        prepare=commands.convert_to_onnx,
    ),
    Competitor(
        name="hello-gunicorn",
        title="hello world (gunicorn)",
        kind="floor",
        shape=shapes.ANYTHING,
        settings=_FRAMEWORK_SETTINGS,
        command=commands.functions_framework("hello", PEERS / "hello.py"),
        requirements=_FUNCTIONS,
        floor="hello-gunicorn",
    ),
    Competitor(
        name="hello-granian",
        title="hello world (granian)",
        kind="floor",
        shape=shapes.ANYTHING,
        settings="Functions Framework's WSGI application on granian, 1 worker, granian's defaults",
        command=commands.granian_hello,
        requirements=_FUNCTIONS,
        environment=lambda site: {"PYTHONPATH": str(PEERS)},
    ),
)
