"""The MLmodel file and the examples beside it: what a downloaded model says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from function.errors import ModelLoadError
from function.registry.published import FOLDER


def facts(folder: Path) -> dict[str, Any]:
    """The MLmodel file as it is; raises ModelLoadError where there is none."""
    path = folder / "MLmodel"
    if not path.is_file():
        raise ModelLoadError(
            f"{folder} is not an MLflow model: it has no MLmodel file. Point MODEL_URI at the"
            " folder or run path that the model was logged to."
        )
    import yaml

    # The C parser takes a fiftieth of the time; a PyYAML built without it has the other only.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))


def read(folder: Path) -> dict[str, Any]:
    """The facts the service uses: ids, flavours, versions, signature, size in bytes."""
    given = facts(folder)
    flavours = given.get("flavors") or {}
    signature = given.get("signature") or {}
    return {
        "run_id": given.get("run_id"),
        "model_id": given.get("model_id"),
        "flavours": sorted(flavours),
        "loader_module": (flavours.get("python_function") or {}).get("loader_module"),
        "mlflow_version": given.get("mlflow_version"),
        "sklearn_version": (flavours.get("sklearn") or {}).get("sklearn_version"),
        "signature": {
            side: json.loads(signature[side]) if signature.get(side) else None
            for side in ("inputs", "outputs")
        },
        "size_bytes": _size_bytes(folder),
    }


def digest(folder: Path) -> str:
    """SHA-256 of the model's own files, their names and contents."""
    sums = (f"{sha256(file.read_bytes()).hexdigest()}  {name}\n" for name, file in _files(folder))
    return sha256("".join(sums).encode()).hexdigest()


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for _, file in _files(folder))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """The model's own, by name: not the note that mlflow writes beside those it downloads, nor what
    was compiled from them."""
    named = ((str(item.relative_to(folder)), item) for item in folder.rglob("*") if item.is_file())
    return sorted(
        (name, item)
        for name, item in named
        if item.name != "registered_model_meta" and not name.startswith(f"{FOLDER}/")
    )


def flavour(details: Mapping[str, Any]) -> str:
    """``sklearn`` where pyfunc would only wrap the estimator, or knows no way to ask it; else
    ``pyfunc``."""
    is_native = details["loader_module"] in ("mlflow.sklearn", None)
    return "sklearn" if "sklearn" in details["flavours"] and is_native else "pyfunc"


def example_text(folder: Path) -> str | None:
    """The first string of the logged input example, or None where there is none."""
    path = folder / "serving_input_example.json"
    try:
        return _first_text(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _first_text(example: Any) -> str | None:
    """Search the values of MLflow's scoring payload, skipping the column names."""
    if isinstance(example, str):
        return example if example.strip() else None
    if isinstance(example, dict):
        values = [value for key, value in example.items() if key != "columns"]
    else:
        values = example if isinstance(example, list) else []
    return next(filter(None, map(_first_text, values)), None)
