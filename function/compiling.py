"""A model from MLflow, compiled and compared with the original, with progress on stderr.

What ``python -m function.compile`` writes to a folder, and ``function.publish`` to the registry.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from function import __version__
from function.compiled import writing
from function.compiled.files import CompiledModelError
from function.compiled.predictor import CompiledPredictor
from function.compiler import naming
from function.compiler.compiler import NotCompilable, check
from function.compiler.verify import Agreement, compare
from function.model import foldercode
from function.model.sources import Original, answers_of, compile_original, load_original
from function.model.stages import Stages
from function.registry.trained import in_words
from function.security.redaction import Redaction
from function.settings import Settings
from function.telemetry.logs import timestamp

CHUNK = 200


class Compiled(NamedTuple):
    """A predictor, and the original that it agrees with."""

    predictor: CompiledPredictor
    original: Original

    @property
    def code(self) -> Mapping[str, bytes]:
        """The sources of the modules that its functions are in."""
        return self.original.code

    @property
    def facts(self) -> dict[str, object]:
        """The lineage to keep with it, without places of the machine that compiled."""
        lineage = self.original.lineage
        facts = {**lineage._asdict(), "compiled_at": timestamp(), "compiled_by": __version__}
        del facts["source"], facts["tags"]
        facts["model_uri"] = Redaction(None, lineage.model_uri)(lineage.model_uri)
        return facts


class Report:
    """Progress on stderr, without secrets: lines with the time passed, and a bar for long
    comparisons."""

    def __init__(self, name: str = "compile") -> None:
        self._name = name
        self._started = time.monotonic()
        self._redact = Redaction()

    def __call__(self, message: str) -> None:
        passed = time.monotonic() - self._started
        print(f"{self._name} [{passed:5.1f} s] {self._redact(message)}", file=sys.stderr)

    def progress(self, steps: Iterator[Agreement], total: int) -> Agreement:
        """Draw a bar (on a terminal) while the agreement grows; returns the last one."""
        agreement = Agreement(0, 0, 0.0)
        for agreement in steps:
            if sys.stderr.isatty():
                filled = 40 * agreement.texts // total
                bar = "#" * filled + "-" * (40 - filled)
                print(f"\r[{bar}] {agreement.texts}/{total} texts", end="", file=sys.stderr)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return agreement


def compile_model(
    settings: Settings,
    report: Report,
    texts: Sequence[str] = (),
    vectorizer: str = "",
    allow_code: bool = False,
) -> Compiled:
    """Compile ``settings.model_uri``, and compare it with the original on ``texts`` too.

    ``vectorizer`` is a file or a URI, for a classifier that was logged apart from its own;
    ``allow_code`` lets a folder have functions of the model's own. Raises NotCompilable with the
    reason, ModelLoadError and ModelOutputError.
    """
    report(f"loading {settings.model_uri} from {settings.mlflow_tracking_uri} ...")
    stages = Stages()
    original = load_original(settings, stages, vectorizer, to_keep=True)
    details = original.lineage.details
    if "trained_with" in details:
        report(f"trained with {in_words(details['trained_with'])}")
    for phrase in details.get("restored", ()):
        report(f"compiled as it was trained, {phrase}")
    for warning in (*stages.ran_code, *details.get("warnings", ())):
        report(f"warning: {warning}")
    report("compiling and checking against the original ...")
    predictor, agreement = compile_original(original, settings.label_names(), stages)
    if own := predictor.own_functions:
        naming.refuse_nameless(predictor)
        if not allow_code:
            raise naming.NotForFolders(
                "a compiled folder holds no code by itself, and the model has functions of its own"
                f" ({', '.join(own)}); --allow-code puts them into it, for services with"
                " ALLOW_MODEL_CODE=true"
            )
        predictor = _as_in_a_folder(predictor, original)
        report(f"{', '.join(own)}: run by services with ALLOW_MODEL_CODE=true, and no others")
        if modules := ", ".join(naming.needed(predictor, original.code)):
            report(f"warning: not in the model's code_paths, so to be installed there: {modules}")
    for package in predictor.packages:
        report(f"to be installed where it is served: {package}")
    report(f"{predictor.terms} terms; probe texts: {_summary(agreement)}")
    if texts:
        agreement = report.progress(_compare_in_chunks(predictor, original, texts), len(texts))
        report(f"texts to verify with: {_summary(agreement)}")
        if agreement.problem:
            raise NotCompilable(f"on the texts to verify with, {agreement.problem}")
    return Compiled(predictor, original)


def _as_in_a_folder(predictor: CompiledPredictor, original: Original) -> CompiledPredictor:
    """The predictor as it is read from a folder, with modules that are made of their sources, and
    compared anew. Raises NotCompilable where it is another then."""
    naming.refuse_nameless(predictor)
    with TemporaryDirectory(prefix="compile-") as workspace:
        folder = Path(workspace, "model")
        try:
            writing.save(folder, predictor, {}, original.code)
            found, _ = foldercode.load(folder, {}, Stages())
            check(found, answers_of(original.predictor))
        except (CompiledModelError, NotCompilable) as exc:
            told = str(exc).replace(f"{folder}/", "")
            raise naming.NotForFolders(
                f"with its functions as a folder has them, {told}. They get a list of texts, and"
                " modules (.py) of its code_paths without the files beside these"
            ) from exc
    return found


def _compare_in_chunks(
    predictor: CompiledPredictor, original: Original, texts: Sequence[str]
) -> Iterator[Agreement]:
    """The agreement so far, after each chunk."""
    found = Agreement(0, 0, 0.0)
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        found += compare(predictor, answers_of(original.predictor), chunk)
        yield found


def _summary(agreement: Agreement) -> str:
    same = agreement.texts - agreement.differing
    return (
        f"{same} of {agreement.texts} labels equal,"
        f" largest probability difference {agreement.largest_difference:.1e}"
    )
