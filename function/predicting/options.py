"""The command line: what may be given, what goes together, and what it means."""

from __future__ import annotations

import argparse
import sys

KEY_VARIABLE, TOP_TERMS = "API_KEY", 5
EPILOG = """examples:
  python -m function.predict "This product is amazing!" "Terrible service"
  python -m function.predict --input reviews.csv --column review --output answers.csv
  python -m function.predict --input reviews.parquet --model models:/reviews@champion --scores
  python -m function.predict --compiled model --jobs 4 < texts.txt > answers.jsonl
  python -m function.predict --explain --top 3 "Good food, but never again"
  python -m function.predict --url https://sentiment.example.com --input reviews.jsonl \\
      --output answers.jsonl --resume

A line of JSONL is what POST /predict answers; a row that cannot be answered has
{"line": 3, "error": {...}} in its place. A file ending in .csv is written as CSV.

exit status:
  0    every row is answered
  1    some rows are answered with an error
  2    the command line, the input or the output is not right
  3    the model or the service cannot be had, or not any longer
  130  interrupted (Ctrl-C)
  141  nobody reads the output any more

The model is what COMPILED_MODEL or MODEL_URI and MLFLOW_TRACKING_URI name, as for the service,
unless --url, --model or --compiled say otherwise. LABELS, MAX_TEXT_LENGTH and the other settings
of a model hold here too: python -m function.settings lists them.
"""


def parser() -> argparse.ArgumentParser:
    """Of the whole command line."""
    made = argparse.ArgumentParser(
        prog="python -m function.predict",
        description="Classify texts: arguments, lines of stdin, or a column of a file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("texts", metavar="TEXT", nargs="*", help="texts; without any, stdin's lines")
    reading = made.add_argument_group("input")
    reading.add_argument(
        *("--input", "-i"),
        metavar="FILE",
        help="CSV, JSONL, Parquet (with pyarrow) or lines of text, by its name's end; - is stdin",
    )
    reading.add_argument(
        "--input-format",
        choices=("lines", "csv", "jsonl", "parquet"),
        help="what the input is, where its name does not say so",
    )
    reading.add_argument(
        *("--column", "-c"),
        metavar="NAME",
        help="column, or key of JSONL, that has the texts (default: text, or the only column)",
    )
    _add_model_options(made)
    _add_output_options(made)
    return made


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    asking = parser.add_argument_group("model")
    which = asking.add_mutually_exclusive_group()
    which.add_argument("--url", metavar="URL", help="a running service")
    which.add_argument("--model", metavar="URI", help="a model in the registry: models:/name@alias")
    which.add_argument("--compiled", metavar="DIR", help="a folder function.compile wrote")
    asking.add_argument(
        "--key",
        metavar="KEY",
        help=f"API key or token for --url; better in {KEY_VARIABLE}, where ps does not show it",
    )
    asking.add_argument(
        *("--jobs", "-j"),
        metavar="N",
        type=_count,
        help="processes that answer (default: all cores; 1 where the model is not compiled)",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    writing = parser.add_argument_group("output")
    writing.add_argument("--output", "-o", metavar="FILE", help="file to write (default: stdout)")
    writing.add_argument(
        *("--format", "-f"),
        choices=("table", "csv", "jsonl"),
        help="default: table on a terminal, csv for a file ending so, else jsonl",
    )
    writing.add_argument("--scores", action="store_true", help="add the probability of each label")
    writing.add_argument(
        "--explain",
        action="store_true",
        help="add the words that decided, each with what it gave or took (compiled models)",
    )
    writing.add_argument(
        "--top", metavar="N", type=_count, help=f"how many of them (default: {TOP_TERMS})"
    )
    writing.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last whole answer in --output FILE, where there is one",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


def problem_of(given: argparse.Namespace) -> str | None:
    """What is wrong with the arguments taken together."""
    if given.texts and given.input:
        return "texts are arguments or --input FILE, not both"
    if given.texts and (given.column or given.input_format):
        return "--column and --input-format go with --input FILE, or with stdin"
    if given.resume and not given.output:
        return "--resume goes with --output FILE"
    if given.resume and format_name(given) == "table":
        return "--resume goes with --format jsonl or csv"
    if given.url and given.jobs:
        return "--jobs is for a model in this process, not for --url"
    if given.explain and given.scores and given.url:
        return "--explain goes without --scores where a service is asked"
    if given.top and not given.explain:
        return "--top goes with --explain"
    if given.key and not given.url:
        return "--key goes with --url"
    return None


def format_name(given: argparse.Namespace) -> str:
    """The format that is asked for, or that the output suggests."""
    if given.format:
        return str(given.format)
    if given.output:
        return "csv" if given.output.lower().endswith(".csv") else "jsonl"
    return "table" if sys.stdout.isatty() else "jsonl"
