"""Where a model comes from: a compiled folder on disk, or MLflow and the compiler.

Each source gives a predictor, its lineage, and why the predictor is not a compiled one, with
every stage timed. Nothing heavy is imported until the source that needs it is asked.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple

from function.errors import ModelLoadError
from function.model.lineage import Lineage
from function.model.predictor import Predictor
from function.settings import Settings

if TYPE_CHECKING:
    from function.model.compiled.linear import LinearPredictor
    from function.model.compiler.verify import Agreement

BUILT_IN_EXAMPLE = "This product is amazing!"


class Stages:
    """Times the stages of a load and knows which one is under way."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``."""
        self.current = name
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 6)


class Sourced(NamedTuple):
    """What a source gives; ``not_compiled`` is the reason where the engine is another."""

    predictor: Predictor
    lineage: Lineage
    not_compiled: str | None


class Original(NamedTuple):
    """A model as it was logged: the object itself, and the predictor that asks it."""

    model: Any
    predictor: Predictor
    lineage: Lineage
    example: str


def from_folder(settings: Settings, stages: Stages) -> Sourced:
    """The compiled model in ``settings.compiled_model``; imports the standard library only."""
    with stages.timed("import"):
        from function.model.compiled import artifact
    folder = settings.compiled_model
    with stages.timed("deserialize"):
        try:
            predictor, facts = artifact.load(folder, settings.label_names())
            digest = artifact.digest(folder)
        except artifact.CompiledModelError as exc:
            raise ModelLoadError(f"COMPILED_MODEL={folder}: {exc}") from exc
        lineage = Lineage.from_facts({**facts, "source": folder, "digest": f"sha256:{digest}"})
    with stages.timed("first_prediction"):
        predictor.predict([BUILT_IN_EXAMPLE])
    return Sourced(predictor, lineage, None)


def from_registry(settings: Settings, stages: Stages) -> Sourced:
    """What ``settings.model_uri`` means right now, compiled where it can be."""
    original = load_original(settings, stages)
    predictor, reason = _compiled(original, settings.label_names(), stages)
    with stages.timed("first_prediction"):
        predictor.predict([original.example])
    return Sourced(predictor, original.lineage, reason)


def load_original(settings: Settings, stages: Stages) -> Original:
    """Resolve, download and deserialize the model, and find out which input it takes.

    Raises ModelLoadError, or ModelOutputError where the model's answers cannot be read.
    """
    with stages.timed("import"):
        from function.model import modelfile, registry
        from function.model.predictors import PyfuncPredictor, SklearnPredictor

        registry.connect(settings.mlflow_tracking_uri, settings.model_uri)
    with stages.timed("resolve"):
        lineage = registry.resolve(settings.model_uri)
    with ExitStack() as cleanup:
        workspace = mkdtemp(prefix="model-")
        cleanup.callback(rmtree, workspace, ignore_errors=True)
        with stages.timed("download"):
            folder = registry.download(lineage, workspace)
            lineage = registry.identify(lineage, folder)
        with stages.timed("deserialize"):
            flavour = modelfile.flavour(lineage.details)
            model = registry.deserialize(lineage, folder, flavour)
        with stages.timed("probe"):
            engine = SklearnPredictor if flavour == "sklearn" else PyfuncPredictor
            column = modelfile.text_column(lineage.details)
            predictor = engine(model, settings.label_names(), column)
        example = modelfile.example_text(folder) or BUILT_IN_EXAMPLE
        if flavour == "pyfunc":  # such a model may read its files whenever it likes
            atexit.register(cleanup.pop_all().close)
    return Original(model, predictor, lineage, example)


def _compiled(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[Predictor, str | None]:
    """The compiled predictor, else the original's own and the reason."""
    from function.model.compiler.compiler import NotCompilable

    try:
        predictor, _ = compile_original(original, names, stages)
    except NotCompilable as exc:
        return original.predictor, str(exc)
    return predictor, None


def compile_original(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[LinearPredictor, Agreement]:
    """Compile the model and check it on the probe texts; raises NotCompilable with the reason."""
    from function.model.compiler.compiler import NotCompilable, check, translate

    if original.predictor.engine != "sklearn":
        raise NotCompilable("only the scikit-learn flavour is compiled")
    with stages.timed("compile"):
        predictor = translate(original.model, labels=names)
    with stages.timed("verify"):
        agreement = check(predictor, answers_of(original.predictor))
    return predictor, agreement


def answers_of(predictor: Predictor) -> Any:
    """A predictor as verify.Original: texts -> labels, and probability rows where it has any."""

    def answer(texts: Sequence[str]) -> tuple[list[str], list[tuple[float, ...]] | None]:
        found = predictor.predict(texts)
        rows = [item.scores for item in found if item.scores is not None]
        return [item.label for item in found], rows or None

    return answer
