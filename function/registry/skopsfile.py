"""A model in MLflow's default scikit-learn format: one skops file, which skops can read alone.

``mlflow.sklearn.load_model`` does nothing else with such a model, and takes a second to import.
What is done here follows ``load_model`` and ``_load_model_from_local_file`` of
https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/sklearn/__init__.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from function.compiled import garbage
from function.registry import modelfile


class SkopsFile(NamedTuple):
    """Where the estimator is, and which types beyond skops' own it may be made of."""

    path: Path
    trusted: list[str] | None


def find(folder: Path) -> SkopsFile | None:
    """The skops file of the model in ``folder``; None where mlflow must load the model.

    That is any other flavour or format, a model with code of its own, and a process that mlflow
    forbids to deserialize (it counts skops files too: a model names the types to trust itself).
    """
    if os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower() not in ("true", "1"):
        return None
    if modelfile.flavour(modelfile.read(folder)) != "sklearn":
        return None
    flavour = modelfile.facts(folder)["flavors"]["sklearn"]
    name = flavour.get("pickled_model")
    if flavour.get("serialization_format") != "skops" or flavour.get("code") or not name:
        return None
    return SkopsFile(folder / name, flavour.get("skops_trusted_types"))


def load(file: SkopsFile) -> Any:
    """The estimator; raises UntrustedTypesFoundException where it holds a type not trusted."""
    with garbage.collection_paused():
        import skops.io

        return skops.io.load(file.path, trusted=file.trusted)
