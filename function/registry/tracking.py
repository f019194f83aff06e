"""MLflow's REST API, as far as finding a model version and fetching its files takes it.

https://mlflow.org/docs/latest/api_reference/rest-api.html; the artifact proxy is what
``mlflow.store.artifact.mlflow_artifacts_repo`` asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from function.registry.access import NeedsMlflow
from function.registry.connection import Connection

_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# mlflow keeps prompts among the registered models, and finds none by such a name.
_PROMPT_TAG = "mlflow.prompt.is_prompt"


class Version(NamedTuple):
    """A model version, the fields as ``mlflow.entities.model_registry.ModelVersion`` has them."""

    name: str
    version: str
    run_id: str | None
    current_stage: str
    source: str
    aliases: list[str]
    tags: dict[str, str]


class LoggedModel(NamedTuple):
    """A logged model, the fields as ``mlflow.entities.LoggedModel`` has them."""

    name: str
    model_id: str
    source_run_id: str
    artifact_location: str


class TrackingServer:
    """A versions.Client that answers what ``mlflow.MlflowClient`` does, and fetches files.

    Raises as Connection does, and KeyError, TypeError or ValueError for JSON of another shape.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._connection = Connection(tracking_uri)

    def close(self) -> None:
        self._connection.close()

    def hang_up(self) -> None:
        """From another thread: end the request under way, and let no other begin."""
        self._connection.hang_up()

    def get_model_version(self, name: str, version: str) -> Version:
        """GET mlflow/model-versions/get."""
        found = self._connection.get(f"{_API}/model-versions/get", name=name, version=version)
        return _version(found["model_version"])

    def get_model_version_by_alias(self, name: str, alias: str) -> Version:
        """GET mlflow/registered-models/alias."""
        found = self._connection.get(f"{_API}/registered-models/alias", name=name, alias=alias)
        return _version(found["model_version"])

    def get_latest_versions(self, name: str, stages: list[str] | None) -> Sequence[Version]:
        """POST mlflow/registered-models/get-latest-versions; of every stage where none is given."""
        question = {"name": name, **({"stages": stages} if stages else {})}
        path = f"{_API}/registered-models/get-latest-versions"
        return _versions(self._connection.post(path, question))

    def search_model_versions(
        self, filter_string: str, max_results: int = 10_000
    ) -> Sequence[Version]:
        """GET mlflow/model-versions/search, the first page."""
        query: dict[str, str | int] = {"filter": filter_string, "max_results": max_results}
        return _versions(self._connection.get(f"{_API}/model-versions/search", **query))

    def get_logged_model(self, model_id: str) -> LoggedModel:
        """GET mlflow/logged-models/<id>."""
        found = self._connection.get(f"{_API}/logged-models/{model_id}")["model"]["info"]
        names = ("name", "model_id", "source_run_id", "artifact_uri")
        return LoggedModel(*(found.get(name, "") for name in names))

    def location(self, source: str) -> str:
        """Where the files of ``models:/name/version`` or ``models:/m-<id>`` are.

        GET mlflow/model-versions/get-download-uri, followed as mlflow's
        ModelsArtifactRepository follows it: a version's may be those of a logged model.
        """
        name, of_version, version = source.removeprefix("models:/").partition("/")
        if "/" in version:
            raise NeedsMlflow("the model is in a folder below its version's")
        if of_version:
            path = f"{_API}/model-versions/get-download-uri"
            found: str = self._connection.get(path, name=name, version=version)["artifact_uri"]
            if not found.startswith("models:/m-"):
                return found
            name = found.removeprefix("models:/")
        return self.get_logged_model(name).artifact_location

    def files(self, location: str, skipped: str = "") -> dict[str, int]:
        """Every file below ``location``, relative to it, and its size in bytes; not those in the
        folder ``skipped``. GET mlflow-artifacts/artifacts?path=."""
        return dict(self._files(_root(location), "", skipped))

    def pieces(self, location: str, path: str) -> Iterator[bytes]:
        """One of the files, as it comes: GET mlflow-artifacts/artifacts/<path>."""
        return self._connection.pieces(f"{_ARTIFACTS}/{_root(location)}/{path}")

    def save(self, location: str, path: str, folder: str) -> None:
        """The same into ``folder``."""
        file = f"{folder}/{path}"
        os.makedirs(os.path.dirname(file), exist_ok=True)
        self._connection.save(f"{_ARTIFACTS}/{_root(location)}/{path}", file)

    def _files(self, root: str, folder: str, skipped: str) -> Iterator[tuple[str, int]]:
        for item in self._connection.get(_ARTIFACTS, path=root + folder).get("files", []):
            name = item["path"]
            if "/" in name or name in ("", ".", ".."):
                raise NeedsMlflow("the server lists a file outside the model")
            path = f"{folder}/{name}".removeprefix("/")
            if not item["is_dir"]:
                yield path, int(item.get("file_size", -1))
            elif path != skipped:
                yield from self._files(root, f"/{path}", skipped)


def _root(location: str) -> str:
    """A folder's path within the artifact store; only the tracking server's own is asked."""
    scheme, _, path = location.partition(":")
    root = path.strip("/")
    if scheme != "mlflow-artifacts" or path.startswith("//") or not root:
        place = scheme if root else "a folder"
        raise NeedsMlflow(f"the files are in {place}, not behind the server")
    return root


def _versions(answer: dict[str, Any]) -> list[Version]:
    return [_version(found) for found in answer.get("model_versions", [])]


def _version(found: dict[str, Any]) -> Version:
    tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}
    if _PROMPT_TAG in tags:
        raise NeedsMlflow("a prompt is no model")
    return Version(
        name=found["name"],
        version=found["version"],
        run_id=found.get("run_id"),
        current_stage=found.get("current_stage", ""),
        source=found.get("source", ""),
        aliases=found.get("aliases", []),
        tags=tags,
    )
