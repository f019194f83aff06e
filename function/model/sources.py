"""Where a model comes from: a compiled folder on disk, or MLflow and the compiler.

Each source gives a predictor, its lineage, and why the predictor is not a compiled one, with
every stage timed. Nothing heavy is imported until the source that needs it is asked.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from function.compiled import garbage
from function.errors import ModelLoadError
from function.predictor import Predictor, said
from function.registry.lineage import Lineage
from function.settings import Settings

if TYPE_CHECKING:
    from function.compiled.linear import LinearPredictor
    from function.compiler.verify import Agreement

BUILT_IN_EXAMPLE = "This product is amazing!"


class Stages:
    """Times the stages of a load and knows which one is under way.

    ``through_mlflow`` is why the load took the long way; None where it did not.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = "start"
        self.through_mlflow: str | None = None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record how long the block takes under ``name``; a stage begun again adds up."""
        self.current = name
        start = time.perf_counter()
        try:
            yield
        finally:
            before = self.seconds.get(name, 0.0)
            self.seconds[name] = round(before + time.perf_counter() - start, 6)


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
        from function.compiled import artifact
    folder = settings.compiled_model
    with stages.timed("deserialize"):
        try:
            predictor, facts = artifact.load(folder, settings.label_names())
            digest = artifact.digest(folder)
        except artifact.CompiledModelError as exc:
            raise ModelLoadError(f"COMPILED_MODEL={folder}: {exc}") from exc
        facts = {"model_uri": folder, **facts, "source": folder, "digest": f"sha256:{digest}"}
        lineage = Lineage.from_facts(facts)
    with stages.timed("first_prediction"):
        try:
            predictor.predict([BUILT_IN_EXAMPLE])
        except Exception as exc:  # edited, with its sums brought up to date
            problem = f"it gives no answer ({exc!r}); {artifact.REMEDY}"
            raise ModelLoadError(f"COMPILED_MODEL={folder}: {problem}") from exc
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
        from function.model.originals import PyfuncPredictor, SklearnPredictor
        from function.registry import modelfile
    with ExitStack() as cleanup:
        workspace = mkdtemp(prefix="model-")
        cleanup.callback(rmtree, workspace, ignore_errors=True)
        lineage, folder = _fetch(settings, stages, workspace)
        with stages.timed("deserialize"):
            flavour = modelfile.flavour(lineage.details)
            model = _deserialize(lineage, folder, flavour)
        with stages.timed("probe"):
            engine = SklearnPredictor if flavour == "sklearn" else PyfuncPredictor
            column = modelfile.text_column(lineage.details)
            predictor = engine(model, settings.label_names(), column)
        example = modelfile.example_text(folder) or BUILT_IN_EXAMPLE
        if flavour == "pyfunc":  # such a model may read its files whenever it likes
            atexit.register(cleanup.pop_all().close)
    return Original(model, predictor, lineage, example)


def _fetch(settings: Settings, stages: Stages, workspace: str) -> tuple[Lineage, Path]:
    """The model's lineage and files: the quick way where it is known to be exact, else mlflow's."""
    with stages.timed("import"):
        from function.registry import mlflow as through_mlflow
        from function.registry.connection import NeedsMlflow
        from function.registry.direct import DirectSource
    try:
        with DirectSource() as direct:
            return _fetch_by(direct, settings, stages, workspace)
    except NeedsMlflow as reason:
        stages.through_mlflow = str(reason)
    return _fetch_by(through_mlflow, settings, stages, workspace)


class Way(Protocol):
    """How a model is found and fetched: DirectSource, or ``registry.mlflow``."""

    def connect(self, tracking_uri: str, model_uri: str) -> None: ...
    def resolve(self, model_uri: str) -> Lineage: ...
    def download(self, lineage: Lineage, workspace: str) -> Path: ...
    def identify(self, lineage: Lineage, folder: Path) -> Lineage: ...


def _fetch_by(way: Way, settings: Settings, stages: Stages, workspace: str) -> tuple[Lineage, Path]:
    with stages.timed("import"):
        way.connect(settings.mlflow_tracking_uri, settings.model_uri)
    with stages.timed("resolve"):
        lineage = way.resolve(settings.model_uri)
    with stages.timed("download"):
        folder = way.download(lineage, mkdtemp(dir=workspace))
        return way.identify(lineage, folder), folder


def _deserialize(lineage: Lineage, folder: Path, flavour: str) -> Any:
    """The estimator by skops alone where that is all mlflow would do, else what mlflow gives."""
    from function.registry import mlflow, skopsfile
    from function.registry.failures import explained

    if file := skopsfile.find(folder):
        with explained(lineage.model_uri, folder):
            return skopsfile.load(file)
    return mlflow.deserialize(lineage, folder, flavour)


def _compiled(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[Predictor, str | None]:
    """The compiled predictor, else the original's own and the reason."""
    from function.compiler.compiler import NotCompilable

    try:
        predictor, _ = compile_original(original, names, stages)
    except NotCompilable as exc:
        return original.predictor, str(exc)
    return predictor, None


def compile_original(
    original: Original, names: Mapping[str, str], stages: Stages
) -> tuple[LinearPredictor, Agreement]:
    """Compile the model and check it on the probe texts; raises NotCompilable with the reason."""
    from function.compiler.compiler import NotCompilable, check, translate

    if original.predictor.engine != "sklearn":
        raise NotCompilable("only the scikit-learn flavour is compiled")
    with stages.timed("compile"), garbage.collection_paused():
        predictor = translate(original.model, labels=names)
    with stages.timed("verify"):
        agreement = check(predictor, answers_of(original.predictor))
    return predictor, agreement


def answers_of(predictor: Predictor) -> Any:
    """A predictor as verify.Original: texts -> labels, and probability rows where it has any.

    A label is a name, or the tuple of those that apply where the model is multilabel.
    """

    def answer(texts: Sequence[str]) -> tuple[list[Any], list[tuple[float, ...]] | None]:
        found = predictor.predict(texts)
        rows = [item.scores for item in found if item.scores is not None]
        return [said(item) for item in found], rows or None

    return answer
