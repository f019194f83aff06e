"""Where a model comes from: a compiled folder, or MLflow and the compiler.

Each source gives a predictor, its lineage, and why the predictor is not a compiled one, with
every stage timed. Nothing heavy is imported until the source that needs it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from function.compiled import garbage
from function.errors import ModelLoadError, RegistryAway
from function.model.folders import (
    BUILT_IN_EXAMPLE,
    Sourced,
    from_cache,
    from_publication,
    keep_nothing,
    last_served,
)
from function.model.stages import Stages as Stages
from function.predictor import Predictor, said
from function.registry.lineage import Lineage
from function.settings import Settings

if TYPE_CHECKING:
    from weakref import finalize

    from function.compiled.predictor import CompiledPredictor
    from function.compiler.verify import Agreement
    from function.registry.trained import Versions


PATIENCE_SECONDS = 10.0
"""Longest that a registry may take where MODEL_CACHE has what was served before."""


class Original(NamedTuple):
    """A model as it was logged: the object itself, the predictor that asks it, and, where that was
    asked for, the SHA-256 of its files and the sources of its modules, by file."""

    model: Any
    predictor: Predictor
    lineage: Lineage
    example: str
    digest: str | None
    code: Mapping[str, bytes] = {}
    files: finalize[..., Any] | None = None
    """What removes its files once the model is gone; None where it needs them no longer."""


def from_registry(settings: Settings, stages: Stages, may_be_stale: bool = True) -> Sourced:
    """What ``settings.model_uri`` means right now: its published compiled folder, else the
    original, compiled where it can be. Where the registry is away, what it meant when it was last
    served, if that may be and MODEL_CACHE has it."""
    kept = last_served(settings) if may_be_stale else None
    try:
        with stages.given_up_after(PATIENCE_SECONDS if kept else None):
            published = _published(settings, stages)
        return published or _original(settings, stages)
    except ModelLoadError as exc:
        if kept is None or not (isinstance(exc, RegistryAway) or stages.is_given_up):
            raise
        stages.registry_away = str(exc)
        return from_cache(kept, settings, stages)


def _original(settings: Settings, stages: Stages) -> Sourced:
    original = load_original(settings, stages)
    predictor, reason = _compiled(original, settings.label_names(), stages)
    with stages.timed("first_prediction"):
        predictor.predict([original.example])
    keep_nothing(settings)
    return Sourced(predictor, original.lineage, reason)


def _published(settings: Settings, stages: Stages) -> Sourced | None:
    """None, with the reason in ``stages``, where the original has to be loaded instead."""
    with stages.timed("import"):
        from function.model import fetching
        from function.registry.published import NotPublished

    def take(way: fetching.Way) -> Sourced | None:
        lineage = fetching.resolve(way, settings, stages)
        try:
            return from_publication(way, lineage, settings, stages)
        except NotPublished as reason:
            stages.not_published = str(reason)
            fetching.refuse_without_mlflow(lineage, reason)
            return None

    return fetching.by_either_way(settings, stages, take)


def load_original(
    settings: Settings, stages: Stages, vectorizer: str = "", to_keep: bool = False
) -> Original:
    """Resolve, download and deserialize the model, and find out which input it takes.

    ``vectorizer``: a file or a URI, for a classifier that was logged apart from its own.
    ``to_keep``: what it is compiled to is to be written down. Raises ModelLoadError, or
    ModelOutputError where the model's answers cannot be read.
    """
    with stages.timed("import"):
        from contextlib import ExitStack
        from shutil import rmtree
        from tempfile import mkdtemp
        from weakref import finalize

        from function.model import fetching, owncode
        from function.registry import modelfile, trained
    with ExitStack() as cleanup:
        workspace = mkdtemp(prefix="model-")
        cleanup.callback(rmtree, workspace, ignore_errors=True)
        lineage, folder = fetching.fetch(settings, stages, workspace)
        with stages.timed("deserialize"):
            model = fetching.deserialize(lineage, folder, settings, stages)
        if vectorizer:
            model, lineage = _joined(model, lineage, vectorizer, settings, stages)
        versions = trained.differing(folder, lineage.details)
        with stages.timed("probe"):
            lineage = _examined(model, lineage, versions)
            predictor = _predictor(model, lineage, settings.label_names(), versions)
        digest = modelfile.digest(folder) if to_keep else None
        code = owncode.sources(folder) if to_keep else {}
        files = None
        example = modelfile.example_text(folder) or BUILT_IN_EXAMPLE
        if predictor.engine == "pyfunc" or owncode.code_folders(folder):
            # Such a model may read its files, and import its modules, whenever it likes.
            files = finalize(model, cleanup.pop_all().close)
    return Original(model, predictor, lineage, example, digest, code, files)


def _examined(model: Any, lineage: Lineage, versions: Versions) -> Lineage:
    """The lineage, which says what the model was trained with, what of then was restored, and what
    to be warned of. Raises ModelLoadError for what would stop the process for good."""
    from function.compiler import patterns
    from function.compiler.eras import restore
    from function.originals.refusals import refuse_readers_of_files
    from function.registry import modelfile

    restored, warnings = [], []
    if modelfile.flavour(lineage.details) == "sklearn":
        refuse_readers_of_files(model)
        restored = restore(model)
        for name, found in patterns.slow_patterns(model):
            warnings.append(patterns.in_words(name, found))
            if found.is_endless:
                raise ModelLoadError(warnings[-1])
    told = {"trained_with": versions, "restored": restored, "warnings": warnings}
    told = {name: value for name, value in told.items() if value}
    return lineage._replace(details={**lineage.details, **told})


def _predictor(
    model: Any, lineage: Lineage, names: Mapping[str, str], versions: Versions
) -> Predictor:
    from function.originals import signatures
    from function.originals.predictors import PyfuncPredictor, SklearnPredictor
    from function.registry import modelfile, trained

    inputs = lineage.details["signature"]["inputs"]
    try:
        if modelfile.flavour(lineage.details) == "sklearn":
            return SklearnPredictor(model, names, signatures.text_column(inputs))
        return PyfuncPredictor(model, names, inputs)
    except ModelLoadError as exc:
        if not versions:
            raise
        words = f"{exc} It was trained with {trained.in_words(versions)}."
        raise ModelLoadError(words) from (exc.__cause__ or exc)


def _joined(
    classifier: Any, lineage: Lineage, vectorizer: str, settings: Settings, stages: Stages
) -> tuple[Any, Lineage]:
    """The classifier behind its vectorizer, and the lineage, which says so."""
    from function.model import fetching, vectorizers
    from function.registry import modelfile
    from function.security.redaction import Redaction

    if modelfile.flavour(lineage.details) != "sklearn":
        raise ModelLoadError(
            f"{lineage.model_uri} is no scikit-learn model: only one can be joined."
        )
    found = fetching.vectorizer(vectorizer, settings, stages)
    named = Redaction(None, vectorizer)(vectorizer)
    details = {**lineage.details, "vectorizer": named}
    return vectorizers.join(found, classifier, named), lineage._replace(details=details)


def _compiled(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[Predictor, str | None]:
    """The compiled predictor, else the original's own and the reason."""
    from weakref import finalize

    from function.compiler.compiler import NotCompilable
    from function.model import batches
    from function.originals.accents import strip_in_linear_time

    try:
        predictor, _ = compile_original(original, names, stages)
    except NotCompilable as exc:
        strip_in_linear_time(original.model)
        return original.predictor, str(exc)
    with stages.timed("verify"):
        batches.share(predictor, original.predictor)
    if predictor.original_from_texts is not None:
        strip_in_linear_time(original.model)
    kept = original.files.detach() if predictor.own_functions and original.files else None
    if kept is not None:  # its functions may want the files for as long as it lives
        finalize(predictor, kept[1])
    return predictor, None


def compile_original(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[CompiledPredictor, Agreement]:
    """Compile the model and check it on the probe texts; raises NotCompilable with the reason.

    Whatever the compiler stumbles over is such a reason: a model of another version may lack any
    attribute. Raises ModelLoadError where no engine could serve the model so.
    """
    from function.compiled.functions import AS_LIST
    from function.compiler.compiler import NotCompilable, check, translate

    if original.predictor.engine != "sklearn":
        raise NotCompilable("only the scikit-learn flavour is compiled")
    try:
        with stages.timed("compile"), garbage.collection_paused():
            given = getattr(original.predictor, "given", AS_LIST)
            predictor = translate(original.model, labels=names, given=given)
        with stages.timed("verify"):
            return predictor, check(predictor, answers_of(original.predictor))
    except (NotCompilable, ModelLoadError):
        raise
    except Exception as exc:
        reason = f"the compiler fails on it ({type(exc).__name__}: {exc})"
        raise NotCompilable(reason) from exc


def answers_of(predictor: Predictor) -> Any:
    """A predictor as verify.Original: texts -> labels, and probability rows where it has any.

    A label is a name, or the tuple of those that apply where the model is multilabel.
    """

    def answer(texts: Sequence[str]) -> tuple[list[Any], list[tuple[float, ...]] | None]:
        found = predictor.predict(texts)
        rows = [item.scores for item in found if item.scores is not None]
        return [said(item) for item in found], rows or None

    return answer
