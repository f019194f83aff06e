"""A real MLflow server with versions of one model to promote, and the service that follows it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

import function
from tests.doors import start_door
from tests.processes import LiveServer
from tests.registry import strings_pipeline, text_signature

ALIAS = "champion"
SECRET = "a secret that both sides know"


def log_version(
    tracking_uri: str, name: str, model: Any = None, publish: bool = True, **options: Any
) -> str:
    """Log, register and publish a version; its number."""
    mlflow.set_tracking_uri(tracking_uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(
                model if model is not None else strings_pipeline(),
                name="model",
                signature=text_signature(),
                registered_model_name=name,
                pip_requirements=[],
                **options,
            )
    version = str(info.registered_model_version)
    if publish:
        function.publish(f"models:/{name}/{version}")
    return version


def promote(tracking_uri: str, name: str, version: str) -> None:
    MlflowClient(tracking_uri).set_registered_model_alias(name, ALIAS, version)


def follow(
    tracking_uri: str, name: str, folder: Path, is_awaited: bool = True, **given: Any
) -> LiveServer:
    """The service, which asks every half second, once it serves."""
    environ = {
        "COMPILED_MODEL": "",
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MODEL_URI": f"models:/{name}@{ALIAS}",
        "MODEL_REFRESH_SECONDS": "0.5",
        "LOAD_RETRY_SECONDS": "0.2",
    }
    folder.mkdir(exist_ok=True)
    server = start_door("serve", Path(), folder, **{**environ, **given})
    assert not is_awaited or wait_until(lambda: server.request("/health/ready").status == 200, 60)
    return server


def served(server: LiveServer) -> str:
    """The version that answers."""
    version: str = server.request("/predict", {"text": "lovely"}).json["model_version"]
    return version


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to hold in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
