"""Which types and functions a skops file may be made of, whatever it says of itself.

skops makes nothing of a type that is not trusted, neither while it reads a file nor while it lists
its types. Those it trusts by itself are most estimators, ufuncs and plain containers; fitted models
hold some more. What is trusted is trusted in every part of a file: skops makes instances of it with
any state, calls it with any arguments, or hands it to an estimator that calls it on each text. So
the name of a package says too little:

- ``scipy.stats`` distributions execute a template that is part of their state;
- ``numpy.memmap``, ``numpy.save`` and ``scipy.io`` write files;
- ``sklearn.utils._testing.check_output`` is that of ``subprocess``;
- ``sklearn.callback`` opens sockets and unpickles what arrives.

Trusted is what only computes: classes that scikit-learn defines where its estimators are (all of
1.9 were looked through), its score functions, scipy's sparse matrices, and a few names of numpy's.
A file made of them may still crash the process: nobody checks the indices in a tree, a sparse
matrix or an SVM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import FunctionType

from function.errors import ModelLoadError

_NUMPY = {f"numpy.{name}" for name in ("dtype", "asarray", "mean", "ravel", "reshape", "squeeze")}
_OF_ESTIMATORS = re.compile(
    "_loss|calibration|cluster|compose|covariance|cross_decomposition|decomposition"
    "|discriminant_analysis|ensemble|feature_extraction|feature_selection|gaussian_process|impute"
    "|linear_model|manifold|metrics|mixture|model_selection|multiclass|multioutput|naive_bayes"
    "|neighbors|neural_network|pipeline|preprocessing|random_projection|semi_supervised|svm|tree"
).fullmatch
_OF_SCORES = ("feature_selection", "metrics")
_UTILITIES = ("_bunch", "_metadata_requests")

_SPELLED = re.compile(r"[A-Za-z0-9_.<>]{1,100}").fullmatch
_MOST_NAMED = 5


def permitted(path: Path, trusted: Sequence[str]) -> list[str]:
    """What of the file's types is trusted though skops does not trust it by itself; ``trusted``
    are those that the operator names. Raises ModelLoadError where there are others."""
    import skops.io

    found: list[str] = skops.io.get_untrusted_types(file=path)
    if refused := [name for name in found if name not in trusted and not only_computes(name)]:
        raise ModelLoadError(
            f"The skops file holds types or functions that are not trusted: {_in_words(refused)}."
            " Name them in SKOPS_TRUSTED_TYPES, with commas between, if you know them: what a model"
            " lists for itself (skops_trusted_types) is not believed. Or compile the model where"
            " they are trusted (python -m function.compile MODEL_URI --publish), and serve that."
        )
    return found


def only_computes(name: str) -> bool:
    """Whether it is a class or function of those described above, under its own name."""
    if name in _NUMPY:
        return True
    module_name, _, own_name = name.rpartition(".")
    match module_name.split("."):
        case ["sklearn", "utils", part] if part in _UTILITIES:
            may_be_function = False
        case ["sklearn", part, *rest] if _OF_ESTIMATORS(part) and "tests" not in rest:
            may_be_function = part in _OF_SCORES and not own_name.startswith("_")
        case ["scipy", "sparse", part] if part.startswith("_"):
            may_be_function = False
        case _:
            return False
    try:
        found = getattr(import_module(module_name), own_name, None)
    except (ImportError, ValueError):  # a class's method, or of another version
        return False
    kinds = (type, FunctionType) if may_be_function else (type,)
    # What a module only imports, from subprocess say, is another's.
    return isinstance(found, kinds) and (found.__module__, found.__name__) == (
        module_name,
        own_name,
    )


def _in_words(names: Iterable[str]) -> str:
    """A few of them, as far as they are names: a file can hold anything instead."""
    given = [*names]
    shown = [name if _SPELLED(name) else "(no name)" for name in given[:_MOST_NAMED]]
    more = len(given) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
