"""``python -m function.demo``: train the demo model and register it in MLflow."""

from __future__ import annotations

import argparse
import sqlite3
import time
from contextlib import closing

from function.settings import Settings, settings_or_exit
from function.telemetry import console

NAME = "prod-sentiment-classifier"
EPILOG = """examples:
  python -m function.demo                # train and register a new version
  python -m function.demo --if-missing   # only where the registry has none
  python -m function.demo --evaluate     # say first how good it is (twenty seconds more)
  MLFLOW_TRACKING_URI=http://localhost:5000 python -m function.demo
"""


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m function.demo",
        description=f"Train TF-IDF + logistic regression on the sentences that ship with the"
        f" project, and register it as {NAME}: stage Production, alias champion.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--if-missing", action="store_true", help="do nothing where the model is registered"
    )
    parser.add_argument(
        "--evaluate", action="store_true", help="cross-validate, and log that with the model"
    )
    arguments = parser.parse_args()
    console.redact()
    settings = settings_or_exit()
    started = time.monotonic()

    def report(message: str) -> None:
        for line in message.splitlines():
            print(f"demo [{time.monotonic() - started:5.1f} s] {line}", flush=True)

    if arguments.if_missing and _is_served(settings):
        return
    report("loading mlflow and scikit-learn ...")
    with console.needing("local"):
        from function.demo.evaluate import evaluate
        from function.demo.train import train_and_register

    found = evaluate(report) if arguments.evaluate else None
    version = train_and_register(settings.mlflow_tracking_uri, NAME, report, found)
    report(f"registered {NAME} version {version}: stage Production, alias champion")


def _is_served(settings: Settings) -> bool:
    """Whether there is nothing to train: another model is served, or this one is registered.

    The default sqlite database is asked directly; importing mlflow takes two seconds, and this
    runs at every start.
    """
    if f":/{NAME}" not in settings.model_uri:
        return True
    scheme, _, path = settings.mlflow_tracking_uri.partition(":///")
    if scheme != "sqlite":
        return True  # a registry of the user's own: never train into it unasked
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            query = "SELECT 1 FROM model_versions WHERE name = ? AND current_stage = 'Production'"
            return database.execute(query, (NAME,)).fetchone() is not None
    except sqlite3.OperationalError:  # no such file, or no such table yet
        return False


if __name__ == "__main__":
    main()
