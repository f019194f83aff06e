"""The only room that imports mlflow: a model URI -> lineage, files on disk, the model itself.

mlflow and what it pulls in cost seconds to import, so each function imports it when called.
Every failure leaves as ModelLoadError with the way out in it and the cause kept.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from function.errors import ModelLoadError
from function.registry import modelfile, stores, uris, versions
from function.registry.access import FAIL_SOON
from function.registry.failures import explained
from function.registry.lineage import Lineage


def connect(tracking_uri: str, model_uri: str) -> None:
    """Import mlflow and point it at the tracking store, which is not asked anything yet."""
    for name, value in FAIL_SOON.items():
        os.environ.setdefault(name, value)
    # Else what it logs goes to stderr by itself, in another shape and with its secrets.
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    if stores.is_folder(tracking_uri):
        # mlflow 3 refuses folders unless told otherwise; naming one in MLFLOW_TRACKING_URI does.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    # It tells of each try; the load that failed tells of all, with the cause.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    is_asked = uris.scheme(model_uri) in ("models", "runs")
    if is_asked:
        _refuse_missing_store(tracking_uri)
    with explained("MLflow"):
        import mlflow

        mlflow.set_tracking_uri(tracking_uri)
        if is_asked and (profile := _profile(model_uri)):
            mlflow.set_registry_uri(profile)


def resolve(model_uri: str) -> Lineage:
    """As versions.resolve."""
    with explained(model_uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and work
        return versions.resolve(_client, model_uri)


def download(lineage: Lineage, workspace: str) -> Path:
    """Bring the model's files into ``workspace``; a plain folder is used where it is."""
    folder = uris.local_path(lineage.source)
    if folder is not None:
        if not folder.is_dir():
            raise ModelLoadError(f"MODEL_URI={lineage.model_uri}: {folder} is no folder here.")
        return _readable(folder, Path(workspace))
    with explained(lineage.model_uri):
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(artifact_uri=_location(lineage), dst_path=workspace))


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
    from mlflow import MlflowClient, get_tracking_uri

    with stores.others_waiting(get_tracking_uri()):  # a new database is set up right here
        return MlflowClient()


def _readable(folder: Path, workspace: Path) -> Path:
    """The folder, or a copy where mlflow takes characters of its path for those of a URI."""
    if not set(str(folder)) & set("%#?"):
        return folder
    return shutil.copytree(folder, workspace / "model")


def _location(lineage: Lineage) -> str:
    """What to download; mlflow misreads ``models:/`` URIs of names with @ or ? in them."""
    source = lineage.source
    if uris.scheme(source) != "models" or not set(lineage.model_name or "") & set("@?"):
        return source
    path = uris.model_name(source).path
    found = _client().get_model_version_download_uri(lineage.model_name, lineage.version)
    return f"{found}/{path}" if path else str(found)


def _profile(model_uri: str) -> str | None:
    """The registry that the URI itself names: ``models://profile@databricks/name/1``."""
    from mlflow.utils.uri import get_databricks_profile_uri_from_artifact_uri

    found: str | None = get_databricks_profile_uri_from_artifact_uri(model_uri)
    return found


def _refuse_missing_store(tracking_uri: str) -> None:
    """mlflow would create the missing database or folder, and then find nothing in it."""
    path = stores.local_path(tracking_uri)
    if path is not None and not path.exists():
        raise ModelLoadError(
            f"MLFLOW_TRACKING_URI={tracking_uri}: {path} does not exist here. Train the demo model"
            " with 'python -m function.demo', or point MLFLOW_TRACKING_URI at your registry."
        )
