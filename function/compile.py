"""``python -m function.compile``: a model from MLflow to a folder that serves without MLflow."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from function import __version__
from function.compiled import artifact, writing
from function.compiled.linear import LinearPredictor
from function.compiler.compiler import NotCompilable
from function.compiler.verify import Agreement, compare
from function.errors import ModelLoadError, ModelOutputError
from function.model.sources import Original, answers_of, compile_original, load_original
from function.model.stages import Stages
from function.registry.trained import in_words
from function.security.redaction import Redaction
from function.settings import settings_or_exit
from function.telemetry import console
from function.telemetry.logs import timestamp

EPILOG = """examples:
  python -m function.compile models:/prod-sentiment-classifier/Production --output model
  python -m function.compile models:/reviews@champion --output model --verify texts.txt
  python -m function.compile models:/classifier/3 --vectorizer vectorizer.pkl --output model
  python -m function.compile runs:/RUN/model --vectorizer runs:/RUN/vectorizer.pkl --output model
  COMPILED_MODEL=model python -m function.serve

MLFLOW_TRACKING_URI says where the registry is, LABELS renames integer classes.
"""
CHUNK = 200


def main() -> None:
    """Parse the command line and run; exit status 1 with one line where it cannot be done."""
    arguments = _parser().parse_args()
    console.redact(arguments.model_uri)
    try:
        _run(arguments.model_uri, arguments.output, arguments.verify, arguments.vectorizer)
    except NotCompilable as exc:
        raise SystemExit(
            f"{arguments.model_uri} cannot be compiled: {exc}.\nServe it from the registry"
            " instead (MODEL_URI), where scikit-learn or MLflow itself answers."
        ) from None
    except ModelOutputError as exc:
        raise SystemExit(f"{arguments.model_uri}: {exc.returned}") from None
    except (ModelLoadError, artifact.CompiledModelError, OSError) as exc:
        raise SystemExit(str(exc)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m function.compile",
        description="Compile a scikit-learn text model from MLflow: check it against the original,"
        " and write a folder that is served without MLflow, scikit-learn, pandas or numpy.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model_uri", metavar="MODEL_URI", help="models:/..., runs:/... or a folder")
    parser.add_argument("--output", metavar="DIR", required=True, help="folder to write")
    parser.add_argument(
        "--vectorizer",
        metavar="FILE",
        default="",
        help="the vectorizer, where the classifier was logged without it: a skops, joblib or pickle"
        " file, or its MLflow URI (models:/..., runs:/...)",
    )
    parser.add_argument(
        "--verify",
        metavar="FILE",
        help="also compare compiled and original on your own texts, one per line, before writing",
    )
    return parser


def _run(model_uri: str, output: str, texts_file: str | None, vectorizer: str) -> None:
    settings = settings_or_exit().replace(model_uri=model_uri)
    texts = Path(texts_file).read_text(encoding="utf-8").splitlines() if texts_file else []
    report = _Report()
    report(f"loading {model_uri} from {settings.mlflow_tracking_uri} ...")
    stages = Stages()
    original = load_original(settings, stages, vectorizer)
    details = original.lineage.details
    if "trained_with" in details:
        report(f"trained with {in_words(details['trained_with'])}")
    for phrase in details.get("restored", ()):
        report(f"compiled as it was trained, {phrase}")
    for warning in details.get("warnings", ()):
        report(f"warning: {warning}")
    report("compiling and checking against the original ...")
    predictor, agreement = compile_original(original, settings.label_names(), stages)
    report(f"{predictor.terms} terms; probe texts: {_summary(agreement)}")
    if texts:
        agreement = report.progress(_compare_in_chunks(predictor, original, texts), len(texts))
        report(f"{texts_file}: {_summary(agreement)}")
        if agreement.problem:
            raise NotCompilable(f"on {texts_file}, {agreement.problem}")
    digest = writing.save(output, predictor, _facts(original))
    report(f"wrote {output} (sha256 {digest})")


def _compare_in_chunks(
    predictor: LinearPredictor, original: Original, texts: list[str]
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


def _facts(original: Original) -> dict[str, object]:
    facts = {**original.lineage._asdict(), "compiled_at": timestamp(), "compiled_by": __version__}
    facts.pop("source")  # a place on the machine that compiled
    facts["model_uri"] = Redaction(None, original.lineage.model_uri)(original.lineage.model_uri)
    return facts


class _Report:
    """Progress on stderr: lines with the time passed, and a bar for long comparisons."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, message: str) -> None:
        print(f"compile [{time.monotonic() - self._started:5.1f} s] {message}", file=sys.stderr)

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


if __name__ == "__main__":
    main()
