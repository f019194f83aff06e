"""MODEL_FORMATS: models are code, but for those that hold data only.

A pickle runs whatever it holds when it is loaded, and a Python model or one with modules of its own
is code as it stands. A scikit-learn model in one skops file is data. Compiled and published folders
never come here: they are data too, but where ALLOW_MODEL_CODE lets them be more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from function.errors import ModelLoadError
from function.registry import modelfile, skopsfile
from function.settings import Settings

Permit = Callable[[Path], object]
"""Raises ModelLoadError where the model in a folder, which may hold its MLmodel file alone yet, is
not to be loaded."""

_LOADER = re.compile(r"mlflow\.[a-z_.]{1,40}").fullmatch
_WAYS_OUT = (
    'Log a scikit-learn model with serialization_format="skops" and without code_paths, or publish'
    " its compiled form where loading it is allowed (python -m function.compile MODEL_URI"
    " --publish): both are data only."
)


def early_permit(settings: Settings) -> Permit | None:
    """Asked once the MLmodel file is here, before the rest is fetched; None where all may be."""
    if settings.model_formats == "any":
        return None
    return lambda folder: permit(folder, settings)


def permit(folder: Path, settings: Settings) -> str | None:
    """What of the model in ``folder`` runs code when it is loaded, in words; None for data only.

    Raises ModelLoadError where MODEL_FORMATS does not allow that.
    """
    code = _code_in(folder)
    if code:
        permit_code(f"the model is {code}", settings)
    return code


def permit_code(told: str, settings: Settings) -> None:
    """Raise ModelLoadError where MODEL_FORMATS does not allow what ``told`` names."""
    if settings.model_formats != "any":
        raise ModelLoadError(
            f"MODEL_FORMATS={settings.model_formats} forbids loading it: {told}, which runs code of"
            f" its own when it is loaded. {_WAYS_OUT} Or set MODEL_FORMATS=any if you trust whoever"
            " can write it."
        )


def warning(code: str) -> str:
    """What the operator is told where ``code`` was loaded."""
    return (
        f"loaded {code}, which runs code of its own when it is loaded: whoever can write it"
        f" can run code here. {_WAYS_OUT} MODEL_FORMATS=skops then refuses all else."
    )


def _code_in(folder: Path) -> str | None:
    if file := skopsfile.of(folder):
        return "a skops file with modules of its own (code_paths)" if file.has_code else None
    flavours = modelfile.facts(folder)["flavors"]
    if modelfile.flavour(modelfile.read(folder)) == "sklearn":
        named = flavours["sklearn"].get("serialization_format", "pickle")
        return f"a {named} file" if named in ("pickle", "cloudpickle") else "a file of another kind"
    python = flavours.get("python_function") or {}
    if "python_model" in python:
        return "a python_function model, a cloudpickle file"
    if "model_code_path" in python:
        return "a python_function model, logged as code"
    loader = str(python.get("loader_module"))
    return f"a python_function model of {loader if _LOADER(loader) else 'an unknown kind'}"
