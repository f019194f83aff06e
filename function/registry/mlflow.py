"""The only room that imports mlflow: a model URI -> lineage, files on disk, the model itself.

mlflow and what it pulls in cost seconds to import, so each function imports it when called.
Every failure leaves as ModelLoadError with the way out in it and the cause kept.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from function.compiled.files import Files
from function.errors import ModelLoadError
from function.registry import modelfile, stores, uris, versions
from function.registry import published as published_folders
from function.registry.access import FAIL_SOON
from function.registry.failures import explained
from function.registry.lineage import Lineage
from function.registry.published import NotPublished, Publication, PublishedFiles

if TYPE_CHECKING:
    from function.registry.formats import Permit


def is_installed() -> bool:
    """Whether there is mlflow here, or mlflow-skinny; imports neither."""
    from importlib.util import find_spec

    return find_spec("mlflow") is not None


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


def tracking_uri() -> str:
    """The tracking store that mlflow is pointed at in this process."""
    import mlflow

    return str(mlflow.get_tracking_uri())


def resolve(model_uri: str) -> Lineage:
    """As versions.resolve."""
    with explained(model_uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and work
        return versions.resolve(_client, model_uri)


def glance(model_uri: str) -> Lineage:
    """As versions.glance."""
    with explained(model_uri), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return versions.glance(_client, model_uri)


def download(lineage: Lineage, workspace: str, permit: Permit | None = None) -> Path:
    """Bring the model's files into ``workspace``; a plain folder is used where it is."""
    folder = uris.local_path(lineage.source)
    if folder is not None:
        if not folder.is_dir():
            raise ModelLoadError(
                f"MODEL_URI={lineage.model_uri}: {folder} is no folder here. Give {uris.FORMS}."
            )
        return _readable(folder, Path(workspace))
    with explained(lineage.model_uri):
        location = _location(lineage)
        if permit is not None:
            with TemporaryDirectory(prefix="model-") as place:
                permit(Path(_download(f"{location}/MLmodel", place)).parent)
        return Path(_download(location, workspace))


def published(lineage: Lineage, found: Publication) -> Files:
    """The published folder's files, in memory; NotPublished where the version's own are not those
    it was made from, or the folder is not there."""
    published_folders.check_listing(found, listed(lineage))
    with TemporaryDirectory(prefix="published-") as workspace:
        try:
            folder = Path(_download(f"{found.location}/{found.path}", workspace))
        except Exception as exc:
            raise NotPublished(f"{found.path} is not among its artifacts") from exc
        files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }

    def ask(name: str) -> Iterator[bytes]:
        if name not in files:
            raise NotPublished(f"{found.path}/{name} is not among its artifacts")
        yield files[name]

    return PublishedFiles(found, ask)


def listed(lineage: Lineage) -> dict[str, int]:
    """The model's own files, and their sizes in bytes."""
    from mlflow.artifacts import list_artifacts

    location = artifacts_of(lineage) if lineage.model_id else _location(lineage)

    def below(folder: str) -> Iterator[tuple[str, int]]:
        for item in list_artifacts(artifact_uri=f"{location}/{folder}".rstrip("/")):
            path = f"{folder}/{item.path.rpartition('/')[2]}".removeprefix("/")
            if not item.is_dir:
                yield path, -1 if item.file_size is None else item.file_size
            elif path != published_folders.FOLDER:
                yield from below(path)

    with explained(lineage.model_uri):
        return dict(below(""))


def artifacts_of(lineage: Lineage) -> str:
    """Where the logged model's artifacts are, or the run's: a published folder is among them."""
    with explained(lineage.model_uri):
        if lineage.model_id:
            return str(_client().get_logged_model(lineage.model_id).artifact_location)
        return str(_client().get_run(lineage.run_id).info.artifact_uri)


def publish(lineage: Lineage, folder: Path, what: Publication) -> None:
    """Put the compiled folder among the version's artifacts, and then set its tag."""
    with explained(lineage.model_uri):
        client = _client()
        if lineage.model_id:
            client.log_model_artifacts(lineage.model_id, str(folder), what.path)
        else:
            client.log_artifacts(lineage.run_id, str(folder), what.path)
        client.set_model_version_tag(lineage.model_name, lineage.version, *what.to_tag())


def aliased_versions(name: str) -> dict[str, list[str]]:
    """The versions of a registered model that aliases name, and their aliases."""
    found: dict[str, list[str]] = {}
    with explained(name):
        for alias, version in _client().get_registered_model(name).aliases.items():
            found.setdefault(str(version), []).append(alias)
    return found


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


def _download(uri: str, workspace: str) -> str:
    from mlflow.artifacts import download_artifacts

    return str(download_artifacts(artifact_uri=uri, dst_path=workspace))


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
            " with 'python -m function.demo', or point MLFLOW_TRACKING_URI at your registry"
            " (a server's begins with http:// or https://)."
        )
