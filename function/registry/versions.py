"""Which model version a MODEL_URI means right now, whoever asks the registry.

The forms are MLflow's: ``models:/name/<version|stage|latest>``, ``models:/name@alias``,
``models:/m-<id>``, ``runs:/<run>/<path>``, else a local folder or artifact URI.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from function.errors import ModelLoadError
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
    scheme, _, rest = model_uri.partition(":/")
    if scheme == "models":
        return _resolve_registered(connect(), model_uri, rest.lstrip("/"))
    if scheme == "runs":
        run_id = rest.lstrip("/").partition("/")[0]
        return _described(connect(), Lineage(model_uri, model_uri, run_id=run_id))
    return Lineage(model_uri, model_uri, model_name=Path(rest or model_uri).name)


def identify(connect: Connect, lineage: Lineage, details: dict[str, Any]) -> Lineage:
    """Complete the lineage with what the downloaded model says of itself (modelfile.read)."""
    known = lineage._replace(
        run_id=lineage.run_id or details["run_id"],
        model_id=lineage.model_id or details["model_id"],
        details=details,
    )
    return _described(connect(), known) if lineage.model_uri.startswith("runs:/") else known


def _resolve_registered(client: Client, model_uri: str, rest: str) -> Lineage:
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
        found = Lineage(model_uri, model_uri, model.name, None, model.source_run_id, model.model_id)
        return _described(client, found)
    if which.isdigit():
        return _registered(model_uri, client.get_model_version(name, which))
    latest = client.get_latest_versions(name, None if which.lower() == "latest" else [which])
    if not latest:
        registered = ", ".join(_versions_and_stages(client, name)) or "none"
        raise ModelLoadError(
            f"{model_uri}: no version of {name!r} is in stage {which!r}"
            f" (registered: {registered}). Move one there, or change MODEL_URI."
        )
    newest = max(latest, key=lambda version: int(version.version))
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


def _described(client: Client, lineage: Lineage) -> Lineage:
    """Add the registered version made from this run or logged model, where there is just one."""
    if not lineage.run_id:
        return lineage
    versions = client.search_model_versions(f"run_id = '{lineage.run_id}'")
    if lineage.model_id:
        versions = [version for version in versions if _model_id(version) == lineage.model_id]
    if len(versions) != 1:
        return lineage
    only = client.get_model_version(versions[0].name, versions[0].version)
    found = _registered(lineage.model_uri, only)
    return found._replace(source=lineage.source, details=lineage.details)


def _versions_and_stages(client: Client, name: str) -> list[str]:
    found = client.search_model_versions(f"name = '{name}'", max_results=20)
    return [f"version {version.version} in {version.current_stage}" for version in found]
