"""``python -m function.compile``: a model from MLflow to a folder that serves without MLflow."""

from __future__ import annotations

import argparse
from pathlib import Path

from function.compiled import writing
from function.compiled.files import CompiledModelError
from function.compiler.compiler import NotCompilable
from function.compiler.naming import NotForFolders
from function.compiling import Report, compile_model
from function.errors import ModelLoadError, ModelOutputError
from function.publishing import publish_all_aliases, publish_version
from function.settings import settings_or_exit
from function.telemetry import console

EPILOG = """examples:
  python -m function.compile models:/prod-sentiment-classifier/Production --output model
  python -m function.compile models:/reviews@champion --publish --verify texts.txt
  python -m function.compile --publish --all-aliases reviews
  python -m function.compile models:/classifier/3 --vectorizer vectorizer.pkl --output model
  python -m function.compile runs:/RUN/model --vectorizer runs:/RUN/vectorizer.pkl --output model
  python -m function.compile models:/reviews/4 --allow-code --output model
  COMPILED_MODEL=model python -m function.serve

MLFLOW_TRACKING_URI says where the registry is, LABELS renames integer classes.
"""


def main() -> None:
    """Parse the command line and run; exit status 1 with one line where it cannot be done."""
    parser = _parser()
    arguments = parser.parse_args()
    if problem := _problem(arguments):
        parser.error(problem)
    console.redact(*filter(None, [arguments.model_uri]))
    subject = arguments.model_uri or arguments.all_aliases
    try:
        _run(arguments)
    except NotForFolders as exc:
        raise SystemExit(
            f"{subject} cannot be compiled to a folder: {exc}.\nServe it from the registry"
            " instead (MODEL_URI), where its functions run as they are and the rest is compiled."
        ) from None
    except NotCompilable as exc:
        raise SystemExit(
            f"{subject} cannot be compiled: {exc}.\nServe it from the registry"
            " instead (MODEL_URI), where scikit-learn or MLflow itself answers."
        ) from None
    except ModelOutputError as exc:
        raise SystemExit(f"{subject}: {exc.returned}") from None
    except (ModelLoadError, CompiledModelError, OSError) as exc:
        raise SystemExit(str(exc)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m function.compile",
        description="Compile a scikit-learn text model from MLflow: check it against the original,"
        " and write a folder that is served without MLflow, scikit-learn, pandas or numpy, or"
        " publish it: keep that folder beside the model in MLflow, where a service finds it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model_uri", metavar="MODEL_URI", nargs="?", help="models:/..., runs:/... or a folder"
    )
    parser.add_argument("--output", metavar="DIR", help="folder to write")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="write the folder to the model version's own artifacts, and tag the version with it;"
        " nothing is done where it is there already",
    )
    parser.add_argument(
        "--all-aliases",
        metavar="NAME",
        help="with --publish: every version of this registered model that an alias names",
    )
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
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let the folder have functions of the model's own: it names them, and holds the"
        " modules of the model's code_paths; services run them where ALLOW_MODEL_CODE=true",
    )
    return parser


def _problem(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the arguments taken together."""
    if arguments.all_aliases is not None:
        others = (arguments.model_uri, arguments.output, arguments.vectorizer, arguments.verify)
        if not arguments.publish or any(others):
            return "--all-aliases NAME goes with --publish, --allow-code, and with nothing else"
        return None
    if arguments.model_uri is None:
        return "say which model: MODEL_URI, or --publish --all-aliases NAME"
    if arguments.publish == bool(arguments.output):
        return "say where to: --output DIR or --publish"
    return None


def _run(arguments: argparse.Namespace) -> None:
    settings, report = settings_or_exit(), Report()
    if arguments.all_aliases is not None:
        if publish_all_aliases(settings, arguments.all_aliases, report, arguments.allow_code):
            raise SystemExit(1)
        return
    settings = settings.replace(model_uri=arguments.model_uri)
    texts = _lines(arguments.verify) if arguments.verify else []
    if arguments.publish:
        publish_version(settings, report, texts, arguments.vectorizer, arguments.allow_code)
        return
    compiled = compile_model(settings, report, texts, arguments.vectorizer, arguments.allow_code)
    digest = writing.save(arguments.output, compiled.predictor, compiled.facts, compiled.code)
    report(f"wrote {arguments.output} (sha256 {digest})")


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise SystemExit(f"--verify {file}: that is no text in UTF-8, one a line") from None


if __name__ == "__main__":
    main()
