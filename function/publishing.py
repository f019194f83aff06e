"""Compile a registered model once, and keep the result beside it in MLflow.

Whoever serves the version then fetches the compiled folder, and needs neither MLflow nor
scikit-learn for it. docs/publishing.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from function import __version__
from function.compiled import artifact, writing
from function.compiled.code import only_look
from function.compiled.files import MANIFEST, SUMS, CompiledModelError
from function.compiler.compiler import NotCompilable
from function.compiling import Report, compile_model
from function.errors import ModelLoadError, ModelOutputError
from function.registry import mlflow, published
from function.registry.lineage import Lineage
from function.registry.published import NotPublished, Publication
from function.settings import Settings


def publish(model: Any, texts: Sequence[str] = (), *, allow_code: bool = False) -> None:
    """Compile a registered model and publish it, right after it was logged in a training script.

    ``model`` is what ``mlflow.sklearn.log_model`` returned, or a MODEL_URI; ``texts`` are compared
    too; ``allow_code`` is for a model with functions of its own, which services run where
    ALLOW_MODEL_CODE=true. The registry is the one that MLflow is pointed at; what may be loaded,
    MODEL_FORMATS and SKOPS_TRUSTED_TYPES say. Does nothing where it is published already. Raises
    NotCompilable with the reason, and ModelLoadError where the registry or the model gives cause.

        info = mlflow.sklearn.log_model(pipeline, name="model", registered_model_name="reviews")
        function.publish(info)
    """
    uri = getattr(model, "model_uri", model)
    if not isinstance(uri, str):
        raise TypeError(f"publish() takes a MODEL_URI or what log_model returned, not {uri!r}")
    followed = {name: os.environ.get(name, "") for name in ("MODEL_FORMATS", "SKOPS_TRUSTED_TYPES")}
    settings = Settings.from_environ(followed)
    settings = settings.replace(mlflow_tracking_uri=mlflow.tracking_uri(), model_uri=uri)
    publish_version(settings, Report("publish"), texts, allow_code=allow_code)


def publish_version(
    settings: Settings,
    report: Report,
    texts: Sequence[str] = (),
    vectorizer: str = "",
    allow_code: bool = False,
) -> Publication:
    """The same for ``settings.model_uri``; returns what is published now."""
    report(f"asking {settings.mlflow_tracking_uri} for {settings.model_uri} ...")
    mlflow.connect(settings.mlflow_tracking_uri, settings.model_uri)
    lineage = mlflow.resolve(settings.model_uri)
    version = _version(lineage)
    found = None if vectorizer else _already(lineage)
    if found is None or texts:
        compiled = compile_model(settings, report, texts, vectorizer, allow_code)
    if found is not None:
        report(f"{version} is published already (sha256 {found.digest})")
        return found
    with TemporaryDirectory(prefix="publish-") as workspace:
        folder = Path(workspace, "model")
        digest = writing.save(folder, compiled.predictor, compiled.facts, compiled.code)
        report(f"publishing {version} ...")
        files = mlflow.listed(lineage)
        what = published.publication(
            mlflow.artifacts_of(lineage),
            (folder / SUMS).read_bytes(),
            compiled.original.digest or "",
            files,
            __version__,
            json.loads((folder / MANIFEST).read_bytes())["format"],
        )
        mlflow.publish(lineage, folder, what)
    report(f"published {version} (sha256 {digest})")
    return what


def publish_all_aliases(
    settings: Settings, name: str, report: Report, allow_code: bool = False
) -> dict[str, str]:
    """Publish every version of ``name`` that an alias names; the reasons of those that cannot be,
    by version. Raises ModelLoadError where there is no such model, or no alias."""
    mlflow.connect(settings.mlflow_tracking_uri, f"models:/{name}/1")
    versions = mlflow.aliased_versions(name)
    if not versions:
        raise ModelLoadError(
            f"{name} has no aliases. Publish a version by its number:"
            f" python -m function.compile models:/{name}/3 --publish"
        )
    failures = {}
    for version, aliases in sorted(versions.items(), key=lambda item: int(item[0])):
        report(f"version {version} ({', '.join(f'@{alias}' for alias in sorted(aliases))})")
        try:
            of_version = settings.replace(model_uri=f"models:/{name}/{version}")
            publish_version(of_version, report, allow_code=allow_code)
        except (NotCompilable, ModelLoadError) as exc:
            failures[version] = str(exc)
        except ModelOutputError as exc:
            failures[version] = exc.returned
        if version in failures:
            report(f"version {version} cannot be published: {failures[version]}")
    return failures


def _version(lineage: Lineage) -> str:
    if lineage.version is None or not (lineage.model_id or lineage.run_id):
        raise ModelLoadError(
            f"{lineage.model_uri} is no registered version of one model, made by a run: there is"
            " nothing to publish it with. Register it (mlflow.register_model) and name it as"
            " models:/NAME/VERSION."
        )
    return f"{lineage.model_name} version {lineage.version}"


def _already(lineage: Lineage) -> Publication | None:
    """What is published, where it is whole, belongs to these files and was compiled by this
    version."""
    try:
        found = published.find(lineage)
        if found.compiled_by != __version__:
            return None
        artifact.load(mlflow.published(lineage, found), resolve=only_look)
    except (NotPublished, CompiledModelError):
        return None
    return found
