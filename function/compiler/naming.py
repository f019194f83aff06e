"""Which functions a folder can name: those that are found again by module and name.

It holds no pickle: a function is what its module makes when it is imported. Names are those of
name_of (functions.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from function.compiled.code import is_dotted
from function.compiled.functions import Function
from function.compiled.predictor import CompiledPredictor
from function.compiler.sklearn_names import NotCompilable

_WAY_OUT = (
    "a folder names functions by module and name; define it with def, in a module that is logged"
    " with the model (code_paths)"
)


class NotForFolders(NotCompilable):
    """The model is compiled, and has functions that no folder can hold, or may."""


def refuse_nameless(predictor: CompiledPredictor) -> None:
    """Raise NotForFolders for the first of the model's own functions that cannot be named."""
    for vectorizer in predictor.vectorizers:
        for place, function in vectorizer.functions.each() if vectorizer.functions else ():
            if not function.made and (problem := _problem(function)):
                raise NotForFolders(f"{place}: {function.name} {problem}")


def needed(predictor: CompiledPredictor, code: Mapping[str, bytes]) -> list[str]:
    """The modules of its functions that are not in ``code``, by file: what must be installed where
    the folder is served."""
    own = {file.partition("/")[0].removesuffix(".py") for file in code}
    functions = [told.partition(": ")[2] for told in predictor.own_functions]
    modules = dict.fromkeys(name.partition(":")[0] for name in functions)
    return [module for module in modules if module.partition(".")[0] not in own]


def _problem(function: Function) -> str | None:
    module, _, name = function.name.partition(":")
    owner = getattr(function.call, "__self__", None)
    if module.partition(".")[0] == "sklearn" and owner is not None:
        return (
            "is a fitted step of scikit-learn's, which no folder holds: do in the function"
            " before it what it does"
        )
    if owner is not None and not isinstance(owner, type | ModuleType):
        return f"is a method of an object that was made: {_WAY_OUT}"
    if "<" in name:
        return f"is a lambda or within another function: {_WAY_OUT}"
    if not (is_dotted(module) and is_dotted(name)):
        return f"is an object that is called: {_WAY_OUT}"
    if module == "__main__":
        return f"is of a script or notebook, which no module has: {_WAY_OUT}"
    if not _is_json(function.arguments):
        return "has kw_args that are more than JSON: text, numbers, lists and dicts of these"
    return None


def _is_json(arguments: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(json.dumps(arguments, allow_nan=False)) == arguments)
    except (TypeError, ValueError, RecursionError):
        return False
