"""A model in MLflow's default scikit-learn format: one skops file, which skops can read alone.

``mlflow.sklearn.load_model`` does nothing else with such a model, and takes a second to import.
What is done here follows ``load_model`` and ``_load_model_from_local_file`` of
https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/sklearn/__init__.py
but for one thing: which types the model says are to be trusted. Who can write the model writes that
too; ``skopstypes`` says which are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from function.compiled import garbage
from function.errors import ModelLoadError
from function.registry import modelfile


class SkopsFile(NamedTuple):
    """Where the estimator is, and whether the model has modules of its own (``code_paths``)."""

    path: Path
    has_code: bool


def of(folder: Path) -> SkopsFile | None:
    """The skops file of the model in ``folder``; None for any other flavour or format."""
    if modelfile.flavour(modelfile.read(folder)) != "sklearn":
        return None
    flavour = modelfile.facts(folder)["flavors"]["sklearn"]
    name = flavour.get("pickled_model")
    if flavour.get("serialization_format") != "skops" or not name:
        return None
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelLoadError("The model's file is not in its folder, as MLmodel has it.")
    return SkopsFile(path, bool(flavour.get("code")))


def find(folder: Path) -> SkopsFile | None:
    """The skops file that skops can read alone; None where mlflow must load the model."""
    file = of(folder)
    return file if file is not None and is_read_alone(file) else None


def is_read_alone(file: SkopsFile) -> bool:
    """Whether skops can read it alone: not with modules of its own, nor in a process that mlflow
    forbids to deserialize (it counts skops files too: a model names the types to trust itself)."""
    allowed = os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower()
    return allowed in ("true", "1") and not file.has_code


def load(path: Path, trusted: Sequence[str]) -> Any:
    """What is in the file; ``trusted`` are types beside those that always are.

    Raises ModelLoadError, with their names, before anything is made of a type that is not trusted.
    """
    with garbage.collection_paused():
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        try:  # most models hold nothing more, and to list their types first takes as long again
            return skops.io.load(path, trusted=trusted)
        except UntrustedTypesFoundException:
            from function.registry import skopstypes

            return skops.io.load(path, trusted=skopstypes.permitted(path, trusted))
