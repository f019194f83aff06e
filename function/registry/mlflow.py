"""The only room that imports mlflow: a model URI -> lineage, files on disk, the model itself.

mlflow and what it pulls in cost seconds to import, so each function imports it when called.
Every failure leaves as ModelLoadError with the way out in it and the cause kept.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from function.errors import ModelLoadError
from function.registry import modelfile, versions
from function.registry.connection import FAIL_SOON
from function.registry.failures import explained
from function.registry.lineage import Lineage


def connect(tracking_uri: str, model_uri: str) -> None:
    """Import mlflow and point it at the tracking store, which is not asked anything yet."""
    for name, value in FAIL_SOON.items():
        os.environ.setdefault(name, value)
    if urlsplit(tracking_uri).scheme in ("", "file"):
        # mlflow 3 refuses folders unless told otherwise; naming one in MLFLOW_TRACKING_URI does.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    if model_uri.startswith(("models:/", "runs:/")):
        _refuse_missing_store(tracking_uri)
    with explained("MLflow"):
        import mlflow

        mlflow.set_tracking_uri(tracking_uri)


def resolve(model_uri: str) -> Lineage:
    """As versions.resolve."""
    with explained(model_uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and work
        return versions.resolve(_client, model_uri)


def download(lineage: Lineage, workspace: str) -> Path:
    """Bring the model's files into ``workspace``; a plain folder is used where it is."""
    source = lineage.source
    is_folder = urlsplit(source).scheme in ("", "file")
    with explained(lineage.model_uri):
        from mlflow.artifacts import download_artifacts

        return Path(
            download_artifacts(artifact_uri=source, dst_path=None if is_folder else workspace)
        )


def identify(lineage: Lineage, folder: Path) -> Lineage:
    """As versions.identify, with what the model's MLmodel file says."""
    details = modelfile.read(folder)
    with explained(lineage.model_uri):
        return versions.identify(_client, lineage, details)


def deserialize(lineage: Lineage, folder: Path, flavour: str) -> Any:
    """Load the model object: the scikit-learn estimator itself, or a PyFuncModel."""
    with explained(lineage.model_uri, folder):
        if flavour == "sklearn":
            import mlflow.sklearn

            return mlflow.sklearn.load_model(str(folder))
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))


def _client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


def _refuse_missing_store(tracking_uri: str) -> None:
    """mlflow would create the missing database or folder, and then find nothing in it."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("", "file", "sqlite"):
        return
    path = parts.path.removeprefix("/") if parts.scheme == "sqlite" else parts.path
    if path and path != ":memory:" and not Path(path).exists():
        raise ModelLoadError(
            f"MLFLOW_TRACKING_URI={tracking_uri}: {path} does not exist here. Train the demo model"
            " with 'python -m function.demo', or point MLFLOW_TRACKING_URI at your registry."
        )
