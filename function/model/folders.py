"""A compiled model's folder to a predictor: one on disk, or one that is published in the registry.

Nothing but the standard library is imported for either.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from function.compiled.files import REMEDY, SUMS, CompiledModelError, Folder, sha256_of
from function.errors import ModelLoadError
from function.model.stages import Stages
from function.predictor import Predictor
from function.registry.lineage import Lineage
from function.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from function.compiled.files import Files
    from function.model.disk import DiskCache, Kept
    from function.model.fetching import Way
    from function.registry.published import Publication

BUILT_IN_EXAMPLE = "This product is amazing!"


class Sourced(NamedTuple):
    """What a source gives; ``not_compiled`` is the reason where the engine is another, and
    ``is_stale`` says that the registry did not."""

    predictor: Predictor
    lineage: Lineage
    not_compiled: str | None
    is_stale: bool = False


def from_folder(settings: Settings, stages: Stages) -> Sourced:
    """The compiled model in ``settings.compiled_model``."""
    with stages.timed("import"):
        from function.compiled import artifact
    folder = settings.compiled_model
    try:
        predictor, facts = _answering(folder, settings, stages)
        digest = artifact.digest(folder)
    except CompiledModelError as exc:
        raise ModelLoadError(f"COMPILED_MODEL={folder}: {exc}") from exc
    facts = {"model_uri": folder, **facts, "source": folder, "digest": f"sha256:{digest}"}
    return Sourced(predictor, Lineage.from_facts(facts), None)


def from_publication(way: Way, lineage: Lineage, settings: Settings, stages: Stages) -> Sourced:
    """The compiled folder that is published for a version; NotPublished, with the reason, where
    there is none that belongs to it and can be served."""
    from function.registry import published

    found = published.find(lineage)
    with stages.timed("download"):
        files = way.published(lineage, found)
    cache = _disk_cache(settings)
    try:
        if cache is None:
            return _sourced(files, found, lineage, settings, stages)
        return _through(cache, files, found, lineage, settings, stages)
    except CompiledModelError as exc:
        raise published.NotPublished(str(exc)) from exc


def last_served(settings: Settings) -> Kept | None:
    """What MODEL_URI meant when it was last served, where MODEL_CACHE has it."""
    cache = _disk_cache(settings)
    if cache is None:
        return None
    return cache.last_served(settings.mlflow_tracking_uri, settings.model_uri)


def keep_nothing(settings: Settings) -> None:
    """What is served now is no published folder: MODEL_CACHE is not to bring back one before it."""
    cache = _disk_cache(settings)
    if cache is not None:
        cache.serves_another(settings.mlflow_tracking_uri, settings.model_uri)


def from_cache(kept: Kept, settings: Settings, stages: Stages) -> Sourced:
    """That, without a question to the registry; ModelLoadError where it is damaged."""
    afresh = Stages()  # those of the load that failed may have been given up
    folder = Folder(os.path.join(settings.model_cache, kept.publication.digest))
    try:
        found = _sourced(folder, kept.publication, kept.lineage, settings, afresh)
    except CompiledModelError as exc:
        raise ModelLoadError(f"MODEL_CACHE={settings.model_cache}: {exc}") from exc
    stages.seconds.update(afresh.seconds)
    return found._replace(is_stale=True)


def _disk_cache(settings: Settings) -> DiskCache | None:
    if not settings.model_cache:
        return None
    from function.model.disk import DiskCache

    return DiskCache(settings.model_cache, settings.model_cache_megabytes * 1_000_000)


def _through(
    cache: DiskCache,
    files: Files,
    found: Publication,
    lineage: Lineage,
    settings: Settings,
    stages: Stages,
) -> Sourced:
    """The kept folder, or the files, which are kept from then on; remembers what is served."""
    from function.model.disk import Kept

    def load(files: Files) -> Sourced:
        return _sourced(files, found, lineage, settings, stages)

    sourced = None
    if folder := cache.folder(found):
        try:
            sourced = load(folder)
        except CompiledModelError:  # damaged, or another process took it away
            cache.forget(found)
    try:
        if sourced is None:
            with cache.keeping(found, files) as written:
                sourced = load(written)
        kept = Kept(lineage, found)
        cache.served(settings.mlflow_tracking_uri, settings.model_uri, kept)
    except OSError as exc:
        stages.not_cached = f"MODEL_CACHE={settings.model_cache}: {exc.strerror}"
    return sourced or load(files)


def _sourced(
    files: Files, found: Publication, lineage: Lineage, settings: Settings, stages: Stages
) -> Sourced:
    """The published folder's model, under the sums that the tag has of it."""
    predictor, facts = _answering(_Fetched(files, found.sums, stages), settings, stages)
    of_model = Lineage.from_facts({**facts, "source": lineage.source}).details
    details = {**of_model, "digest": f"sha256:{found.digest}", "compiled_by": found.compiled_by}
    return Sourced(predictor, lineage._replace(details=details), None)


class _Fetched:
    """Files that come from elsewhere as they are read, which is a stage of its own."""

    def __init__(self, files: Files, sums: str, stages: Stages) -> None:
        self.named = files.named
        self._files = files
        self._sums = sums.encode()
        self._stages = stages

    def read(self, name: str, sizes: Iterable[int] = ()) -> tuple[list[bytes], str]:
        if name == SUMS:
            return [self._sums], sha256_of([self._sums])
        with self._stages.timed("download"):
            return self._files.read(name, sizes)


def _answering(
    place: str | Path | Files, settings: Settings, stages: Stages
) -> tuple[Predictor, dict[str, Any]]:
    """The predictor, which has answered a text, and the lineage that is kept with it.

    Raises CompiledModelError where the folder is damaged or gives no answer.
    """
    with stages.timed("deserialize"):
        predictor, facts = _load(place, settings, stages)
    with stages.timed("first_prediction"):
        try:
            predictor.predict([BUILT_IN_EXAMPLE])
        except CompiledModelError:  # of what it needs
            raise
        except Exception as exc:  # edited, with its sums brought up to date
            problem = f"it gives no answer ({exc!r}); {REMEDY}"
            raise CompiledModelError(problem) from exc
    return predictor, facts


def _load(
    place: str | Path | Files, settings: Settings, stages: Stages
) -> tuple[Predictor, dict[str, Any]]:
    if settings.allow_model_code:
        from function.model import foldercode

        return foldercode.load(place, settings.label_names(), stages)
    from function.compiled import artifact

    return artifact.load(place, settings.label_names())
