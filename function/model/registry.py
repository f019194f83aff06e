"""The only room that imports mlflow: a model URI -> lineage, files on disk, the model itself.

mlflow and what it pulls in cost seconds to import, so each function imports it when called.
Every failure leaves as ModelLoadError with the way out in it and the cause kept.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from function.errors import ModelLoadError
from function.model import modelfile
from function.model.failures import explain
from function.model.lineage import Lineage

# mlflow retries an unreachable server for minutes (7 times, back-off doubling from 2 s) while a
# cold request waits. The service retries by itself, so fail soon; an operator's own value wins.
_FAIL_SOON = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def connect(tracking_uri: str, model_uri: str) -> None:
    """Import mlflow and point it at the tracking store, which is not asked anything yet."""
    for name, value in _FAIL_SOON.items():
        os.environ.setdefault(name, value)
    if urlsplit(tracking_uri).scheme in ("", "file"):
        # mlflow 3 refuses folders unless told otherwise; naming one in MLFLOW_TRACKING_URI does.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    if model_uri.startswith(("models:/", "runs:/")):
        _refuse_missing_store(tracking_uri)
    with _explained("MLflow"):
        import mlflow

        mlflow.set_tracking_uri(tracking_uri)


def resolve(model_uri: str) -> Lineage:
    """Find the model version that ``model_uri`` means right now.

    The forms are MLflow's: ``models:/name/<version|stage|latest>``, ``models:/name@alias``,
    ``models:/m-<id>``, ``runs:/<run>/<path>``, else a local folder or artifact URI.
    """
    with _explained(model_uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and work
        scheme, _, rest = model_uri.partition(":/")
        if scheme == "models":
            return _resolve_registered(model_uri, rest.lstrip("/"))
        if scheme == "runs":
            run_id = rest.lstrip("/").partition("/")[0]
            return _described(Lineage(model_uri, model_uri, run_id=run_id))
        return Lineage(model_uri, model_uri, model_name=Path(rest or model_uri).name)


def download(lineage: Lineage, workspace: str) -> Path:
    """Bring the model's files into ``workspace``; a plain folder is used where it is."""
    source = lineage.source
    is_folder = urlsplit(source).scheme in ("", "file")
    with _explained(lineage.model_uri):
        from mlflow.artifacts import download_artifacts

        return Path(
            download_artifacts(artifact_uri=source, dst_path=None if is_folder else workspace)
        )


def identify(lineage: Lineage, folder: Path) -> Lineage:
    """Complete the lineage with what the downloaded model says of itself."""
    details = modelfile.read(folder)
    known = replace(
        lineage,
        run_id=lineage.run_id or details["run_id"],
        model_id=lineage.model_id or details["model_id"],
        details=details,
    )
    with _explained(lineage.model_uri):
        return _described(known) if lineage.model_uri.startswith("runs:/") else known


def deserialize(lineage: Lineage, folder: Path, flavour: str) -> Any:
    """Load the model object: the scikit-learn estimator itself, or a PyFuncModel."""
    with _explained(lineage.model_uri, folder):
        if flavour == "sklearn":
            import mlflow.sklearn

            return mlflow.sklearn.load_model(str(folder))
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))


def _resolve_registered(model_uri: str, rest: str) -> Lineage:
    client = _client()
    name, slash, which = rest.partition("/")
    base, at, alias = name.partition("@")
    if at and not slash:
        return _registered(model_uri, client.get_model_version_by_alias(base, alias))
    if not slash and not name.startswith("m-"):
        raise ModelLoadError(
            f"MODEL_URI={model_uri} names no version. Add one (/3, /latest), a stage (/Production)"
            " or an alias (@champion)."
        )
    if not slash:
        model = client.get_logged_model(rest)
        return _described(
            Lineage(model_uri, model_uri, model.name, None, model.source_run_id, model.model_id)
        )
    if which.isdigit():
        return _registered(model_uri, client.get_model_version(name, which))
    stages = None if which.lower() == "latest" else [which]
    found = client.get_latest_versions(name, stages)
    if not found:
        registered = ", ".join(_versions_and_stages(client, name)) or "none"
        raise ModelLoadError(
            f"{model_uri}: no version of {name!r} is in stage {which!r}"
            f" (registered: {registered}). Move one there, or change MODEL_URI."
        )
    newest = max(found, key=lambda version: int(version.version))
    return _registered(model_uri, client.get_model_version(name, newest.version))


def _registered(model_uri: str, version: Any) -> Lineage:
    return Lineage(
        model_uri=model_uri,
        source=f"models:/{version.name}/{version.version}",
        model_name=version.name,
        version=str(version.version),
        run_id=version.run_id or None,
        model_id=_model_id(version),
        stage=None if version.current_stage in (None, "None") else version.current_stage,
        aliases=tuple(sorted(version.aliases)),
    )


def _model_id(version: Any) -> str | None:
    """The logged model behind a version; stores that leave the field empty have it as source."""
    source = version.source or ""
    by_source = source.removeprefix("models:/") if source.startswith("models:/m-") else None
    return getattr(version, "model_id", None) or by_source


def _described(lineage: Lineage) -> Lineage:
    """Add the registered version made from this run or logged model, where there is just one."""
    if not lineage.run_id:
        return lineage
    client = _client()
    versions = client.search_model_versions(f"run_id = '{lineage.run_id}'")
    if lineage.model_id:
        versions = [version for version in versions if _model_id(version) == lineage.model_id]
    if len(versions) != 1:
        return lineage
    only = client.get_model_version(versions[0].name, versions[0].version)
    found = _registered(lineage.model_uri, only)
    return replace(found, source=lineage.source, details=lineage.details)


def _versions_and_stages(client: Any, name: str) -> list[str]:
    found = client.search_model_versions(f"name = '{name}'", max_results=20)
    return [f"version {version.version} in {version.current_stage}" for version in found]


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


@contextmanager
def _explained(subject: str, folder: Path | None = None) -> Iterator[None]:
    try:
        yield
    except ModelLoadError:
        raise
    except Exception as exc:
        raise ModelLoadError(explain(exc, subject, folder)) from exc
