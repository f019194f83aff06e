"""Log the benchmark's model to a registry once more, publish it, and promote it: a process of its
own, so that the benchmark itself stays free of MLflow.
"""

from __future__ import annotations

import argparse
import warnings

import mlflow

import function


def main() -> None:
    """The command line of this module; `commands.publish_and_bundle` is its only caller."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", help="the MLflow model's folder")
    parser.add_argument("name", help="what to register it as, in MLFLOW_TRACKING_URI")
    parser.add_argument("alias", help="how to promote it")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    mlflow.set_experiment("published")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            mlflow.sklearn.load_model(given.files),
            name="model",
            registered_model_name=given.name,
            pip_requirements=[],
        )
    function.publish(logged)
    version = str(logged.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(given.name, given.alias, version)


if __name__ == "__main__":
    main()
