"""Who is measured: each competitor's packages, files, start command, request shape and settings,
one entry each.

All run one worker and keep their defaults unless `settings` says otherwise; every one serves the
same MLflow model, but for the floors, which serve none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
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
OWN = locked()
# What the images without MLflow have.
SLIM = tuple(
    version_here(package, otherwise)
    for package, otherwise in (
        ("httptools", "0.8.0"),
        ("functions-framework", "3.10.2"),
        ("flask", "3.1.3"),
        ("pydantic", "2.12.5"),
    )
)
_SKLEARN = (version_here("scikit-learn", "1.9.1"), version_here("skops", "0.16.0"))
# 3.18.0 wants an mlflow-skinny 3.18.0, which is not to be had.
_MODEL = (version_here("mlflow", "3.17.2"), *_SKLEARN)
_FASTAPI = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")
_GRANIAN = ("granian==2.8.7",)
_FUNCTIONS = (version_here("functions-framework", "3.10.2"), *_GRANIAN)


@dataclass(frozen=True)
class Competitor:
    """One row of the benchmark."""

    kind: Kind
    name: str
    title: str
    settings: str
    command: Callable[[Site], list[str]]
    requirements: tuple[str, ...]
    shape: shapes.Shape
    environment: Callable[[Site], dict[str, str]] = lambda site: {"MODEL_PATH": site.model.files}
    # What must exist before the first start; written into the site's folder at each run.
    prepare: Callable[[Site], None] = lambda site: None
    # What must run beside it, given a file for its log, and the environment that this adds.
    beside: Beside = lambda site, log: nullcontext({})
    working_folder: Path | None = None  # none: the site's own
    floor: str = "hello-granian"  # the hello world on the same server
    code: tuple[Path, ...] = (PEERS,)  # whose change makes earlier numbers obsolete
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


def _ours(name: str, title: str, started: dict[str, Any], **source: Any) -> Competitor:
    """A row of this project; `source` is where its model comes from."""
    usual = {"working_folder": REPOSITORY, "code": (_CODE,), "why_not": _own_code_missing}
    given = {"requirements": OWN, "shape": shapes.OWN, **usual, **started, **source}
    if "beside" in source:
        given["settings"] += f"; {_BESIDE}"
    return Competitor("ours", name, title, **given)


_CODE = REPOSITORY / "function"
_SERVE = {"settings": "`python -m function.serve`", "command": commands.function_serve}
_BUNDLE = {
    "settings": "`python -I -S serve.pyc`, as the compiled image",
    "command": commands.function_bundle,
}
_GUNICORN = {
    "settings": "gunicorn as Functions Framework starts it: 1 worker, 4 x cores threads",
    "command": commands.functions_framework("handle", REPOSITORY / "main.py"),
    "floor": "hello-gunicorn",
}
_COMPILED: dict[str, Any] = {
    "environment": commands.compiled_environment,
    "prepare": commands.compile_model,
}
_UNBUILT = {
    "settings": f"{_SERVE['settings']}, native.c not built",
    "prepare": commands.compile_model_without_native,
    "working_folder": None,
}
_SQLITE: dict[str, Any] = {"environment": commands.sqlite_environment}
_REGISTRY: dict[str, Any] = {**_SQLITE, "beside": commands.registry_server}
_BESIDE = "an `mlflow server` on the load generator's core, the model's files on the same disk"

_server = partial(Competitor, "server")
_by_hand = partial(Competitor, "by hand", shape=shapes.LABELLED)
_floor = partial(Competitor, "floor", shape=shapes.ANYTHING)
_UVICORN = "uvicorn with uvloop and httptools, 1 worker, `async def`"

COMPETITORS = (
    _ours(
        *("compiled", "this project, compiled", _BUNDLE),
        **{**_COMPILED, "prepare": commands.compile_and_bundle},
    ),
    _ours(
        *("compiled-python", "this project, compiled (pure Python)", _SERVE),
        **{**_COMPILED, **_UNBUILT},
    ),
    _ours("compiled-gunicorn", "this project, compiled (gunicorn)", _GUNICORN, **_COMPILED),
    _ours(
        *("registry-published", "this project, registry, published", _BUNDLE),
        requirements=SLIM,
        environment=commands.published_environment,
        prepare=commands.publish_and_bundle,
        beside=commands.published_registry,
    ),
    _ours("registry", "this project, registry", _SERVE, **_REGISTRY),
    _ours("registry-gunicorn", "this project, registry (gunicorn)", _GUNICORN, **_REGISTRY),
    _ours("registry-sqlite", "this project, registry (sqlite file)", _SERVE, **_SQLITE),
    _server(
        *("mlflow", "mlflow models serve", "`--env-manager local --workers 1`"),
        *(commands.mlflow_serve, _MODEL, shapes.INVOCATIONS),
        environment=commands.with_own_scripts,
    ),
    _server(
        *("mlserver", "MLServer"),
        # Its default of one worker process ends at once here: "There is no current event loop".
        "`parallel_workers` 0 (1, its default, fails on these versions), no debug",
        lambda site: [site.script("mlserver"), "start", str(site.folder)],
        ("mlserver==1.7.1", "mlserver-mlflow==1.7.1", *_MODEL),
        shapes.OPEN_INFERENCE,
        environment=commands.mlserver_environment,
        prepare=commands.write_mlserver_settings,
    ),
    _server(
        *("litserve", "LitServe"),
        "mlflow.pyfunc; 1 worker, 1 API server, no batching (its default)",
        commands.peer("litserve_server.py"),
        ("litserve==0.2.19", *_MODEL),
        shapes.LABELLED_ONE_PATH,
    ),
    _server(
        *("bentoml", "BentoML", "mlflow.pyfunc; 1 worker, no adaptive batching (its default)"),
        *(commands.bentoml_serve, ("bentoml==1.4.40", *_MODEL), shapes.LABELLED),
        environment=commands.bentoml_environment,
    ),
    _server(
        *("fastapi-pyfunc", "FastAPI + mlflow.pyfunc", _UVICORN),
        *(commands.uvicorn("fastapi_pyfunc:app"), (*_FASTAPI, *_MODEL), shapes.LABELLED),
    ),
    _by_hand(
        *("fastapi-sklearn", "by hand: FastAPI + scikit-learn"),
        f"{_UVICORN}; neither mlflow nor pandas is imported",
        *(commands.uvicorn("fastapi_sklearn:app"), (*_FASTAPI, *_SKLEARN)),
    ),
    _by_hand(
        *("fastapi-onnx", "by hand: FastAPI + onnxruntime"),
        f"{_UVICORN}; 1 thread; tokens spelled as Unicode classes",
        commands.uvicorn("fastapi_onnx:app"),
        (*_FASTAPI, *_SKLEARN, "onnxruntime==1.32.0", "skl2onnx==1.20.0"),
        environment=commands.onnx_environment,
        prepare=commands.convert_to_onnx,
    ),
    _floor(
        *("hello-gunicorn", "hello world (gunicorn)", _GUNICORN["settings"]),
        *(commands.functions_framework("hello", PEERS / "hello.py"), _FUNCTIONS),
        floor="hello-gunicorn",
    ),
    _floor(
        *("hello-granian", "hello world (granian)"),
        "Functions Framework's WSGI application on granian, 1 worker, granian's defaults",
        *(commands.granian("wsgi", "hello_wsgi:app"), _FUNCTIONS),
        environment=commands.with_peers,
    ),
    _floor(
        *("bare-loop", "this project's server, a constant"),
        "function/server/ around a function that returns a constant, body read",
        *(commands.peer("bare_loop.py"), OWN),
        environment=commands.bare_loop_environment,
        code=(_CODE, PEERS),
        why_not=_own_code_missing,
    ),
    _floor(
        *("bare-granian-wsgi", "granian's WSGI, a constant"),
        "granian alone, WSGI, body read, 1 worker, 8 blocking threads",
        *(commands.granian("wsgi", "bare_granian:wsgi", "--blocking-threads", "8"), _GRANIAN),
        environment=commands.with_peers,
    ),
    _floor(
        *("bare-granian-rsgi", "granian's RSGI, a constant"),
        "granian alone, RSGI, body read, 1 worker, asyncio",
        *(commands.granian("rsgi", "bare_granian:rsgi", "--loop", "asyncio"), _GRANIAN),
        environment=commands.with_peers,
    ),
)
