"""A compiled model's folder to a predictor: one on disk, or one that is published in the registry.

Nothing but the standard library is imported for either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from function.compiled.files import REMEDY, CompiledModelError
from function.errors import ModelLoadError
from function.model.stages import Stages
from function.predictor import Predictor
from function.registry.lineage import Lineage
from function.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from function.compiled.files import Files
    from function.model.fetching import Way

BUILT_IN_EXAMPLE = "This product is amazing!"


class Sourced(NamedTuple):
    """What a source gives; ``not_compiled`` is the reason where the engine is another."""

    predictor: Predictor
    lineage: Lineage
    not_compiled: str | None


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
    try:
        predictor, facts = _answering(_Fetched(files, stages), settings, stages)
    except CompiledModelError as exc:
        raise published.NotPublished(str(exc)) from exc
    of_model = Lineage.from_facts({**facts, "source": lineage.source}).details
    details = {**of_model, "digest": f"sha256:{found.digest}", "compiled_by": found.compiled_by}
    return Sourced(predictor, lineage._replace(details=details), None)


class _Fetched:
    """Files that come from elsewhere as they are read: a stage of their own."""

    def __init__(self, files: Files, stages: Stages) -> None:
        self.named = files.named
        self._files = files
        self._stages = stages

    def read(self, name: str) -> bytes:
        with self._stages.timed("download"):
            return self._files.read(name)

    def read_parts(self, name: str, sizes: Iterable[int]) -> list[bytes]:
        with self._stages.timed("download"):
            return self._files.read_parts(name, sizes)


def _answering(
    place: str | Path | Files, settings: Settings, stages: Stages
) -> tuple[Predictor, dict[str, Any]]:
    """The predictor, which has answered a text, and the lineage that is kept with it.

    Raises CompiledModelError where the folder is damaged or gives no answer.
    """
    from function.compiled import artifact

    with stages.timed("deserialize"):
        predictor, facts = artifact.load(place, settings.label_names())
    with stages.timed("first_prediction"):
        try:
            predictor.predict([BUILT_IN_EXAMPLE])
        except Exception as exc:  # edited, with its sums brought up to date
            problem = f"it gives no answer ({exc!r}); {REMEDY}"
            raise CompiledModelError(problem) from exc
    return predictor, facts
