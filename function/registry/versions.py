"""Which model version a MODEL_URI means right now, whoever asks the registry.

``uris`` reads it; here the registry is asked for what it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from function.errors import VersionGone
from function.registry import uris
from function.registry.lineage import Lineage


class Client(Protocol):
    """The questions asked of a registry, as ``mlflow.MlflowClient`` takes and answers them."""

    def get_model_version(self, name: str, version: str) -> Any: ...
    def get_model_version_by_alias(self, name: str, alias: str) -> Any: ...
    def get_latest_versions(self, name: str, stages: list[str] | None) -> Sequence[Any]: ...
    def search_model_versions(
        self, filter_string: str, max_results: int = ...
    ) -> Sequence[Any]: ...
    def get_logged_model(self, model_id: str) -> Any: ...


# Connects where the registry is asked at all: a folder needs none.
Connect = Callable[[], Client]


def resolve(connect: Connect, model_uri: str) -> Lineage:
    """The lineage of what ``model_uri`` means, as far as the registry knows it.

    Raises ModelLoadError where the registry answers and has no such version.
    """
    scheme = uris.scheme(model_uri)
    if scheme == "models":
        return _resolve_registered(connect, model_uri, uris.model_name(model_uri))
    if scheme == "runs":
        run = uris.run_path(model_uri)
        return _described(connect(), Lineage(model_uri, run.uri, run_id=run.run_id))
    return Lineage(model_uri, model_uri, model_name=uris.last_name(model_uri))


def glance(connect: Connect, model_uri: str) -> Lineage:
    """Which version is meant: where it is an alias, a stage or ``latest``, in one question."""
    if not uris.moves(model_uri):
        return resolve(connect, model_uri)
    asked = uris.model_name(model_uri)
    if asked.alias:
        version = connect().get_model_version_by_alias(asked.name, asked.alias)
    else:
        version = _newest(connect(), model_uri, asked)
    return _registered(model_uri, version)


def identify(connect: Connect, lineage: Lineage, details: dict[str, Any]) -> Lineage:
    """Complete the lineage with what the downloaded model says of itself (modelfile.read)."""
    known = lineage._replace(
        run_id=lineage.run_id or details["run_id"],
        model_id=lineage.model_id or details["model_id"],
        details=details,
    )
    return _described(connect(), known) if uris.scheme(lineage.model_uri) == "runs" else known


def _resolve_registered(connect: Connect, model_uri: str, asked: uris.ModelName) -> Lineage:
    client = connect()
    if asked.alias:
        version = client.get_model_version_by_alias(asked.name, asked.alias)
    elif not asked.which:
        model = client.get_logged_model(asked.name)
        source = asked.of_version("")
        found = Lineage(model_uri, source, model.name, None, model.source_run_id, model.model_id)
        return _described(client, found)
    elif asked.which.isdigit():
        version = client.get_model_version(asked.name, asked.which)
    else:
        newest = _newest(client, model_uri, asked)
        version = client.get_model_version(asked.name, newest.version)
    source = asked.of_version(str(version.version))
    return _registered(model_uri, version)._replace(source=source)


def _newest(client: Client, model_uri: str, asked: uris.ModelName) -> Any:
    """The newest version in a stage, or of all stages."""
    stages = None if asked.which.lower() == "latest" else [asked.which]
    latest = client.get_latest_versions(asked.name, stages)
    if not latest:
        registered = ", ".join(_versions_and_stages(client, asked.name)) or "none"
        raise VersionGone(
            f"{model_uri}: no version of {asked.name!r} is in stage {asked.which!r}"
            f" (registered: {registered}). Move one there, or change MODEL_URI."
        )
    return max(latest, key=lambda version: int(version.version))


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
        tags=dict(version.tags),
    )


def _model_id(version: Any) -> str | None:
    """The logged model behind a version; stores that leave the field empty have it as source."""
    source = version.source or ""
    by_source = source.removeprefix("models:/") if source.startswith("models:/m-") else None
    return getattr(version, "model_id", None) or by_source


def _described(client: Client, lineage: Lineage) -> Lineage:
    """Add the registered version made from this run or logged model, where there is just one."""
    if not lineage.run_id:
        return lineage
    versions = _search(client, "run_id", lineage.run_id)
    if lineage.model_id:
        versions = [version for version in versions if _model_id(version) == lineage.model_id]
    if len(versions) != 1:
        return lineage
    only = client.get_model_version(versions[0].name, versions[0].version)
    found = _registered(lineage.model_uri, only)
    return found._replace(source=lineage.source, details=lineage.details)


def _versions_and_stages(client: Client, name: str) -> list[str]:
    found = _search(client, "name", name, max_results=20)
    return [f"version {version.version} in {version.current_stage}" for version in found]


def _search(client: Client, field: str, value: str, **limits: int) -> list[Any]:
    """The versions whose ``field`` is ``value``.

    mlflow's filters know no escapes, so what has quotes is searched for with LIKE and a wildcard
    in the place of each, and picked out here.
    """
    pattern = re.sub(r"""['"\\\\]""", "_", value)
    relation = "=" if pattern == value else "LIKE"
    found = client.search_model_versions(f"{field} {relation} '{pattern}'", **limits)
    return [version for version in found if getattr(version, field) == value]
