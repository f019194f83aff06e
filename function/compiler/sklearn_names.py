"""Which scikit-learn class an object is, without importing scikit-learn.

An instance can only exist once its module is loaded, so looking in `sys.modules` is enough, and
compiling never pays for scikit-learn modules that the model itself does not use.
"""

from __future__ import annotations

import sys
from copy import copy
from itertools import takewhile
from typing import Any

FUNCTION_TRANSFORMER = "sklearn.preprocessing.FunctionTransformer"
THRESHOLDS = frozenset(
    "sklearn.model_selection." + name
    for name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV")
)


class NotCompilable(Exception):
    """The model has a part the compiled predictor does not cover; the message names it."""


def public_name(thing: Any) -> str | None:
    """Return the documented name of `thing`'s class, as "sklearn.pipeline.Pipeline".

    None for anything else, and for subclasses: they may override what the compiler relies on.
    """
    kind = type(thing)
    parts = kind.__module__.split(".")
    if parts[0] != "sklearn":
        return None
    module = ".".join(takewhile(lambda part: not part.startswith("_"), parts))
    is_documented = getattr(sys.modules.get(module), kind.__name__, None) is kind
    return f"{module}.{kind.__name__}" if is_documented else None


def describe(thing: Any) -> str:
    """Name `thing` for a reason a human reads: its class, and where it is from if not known."""
    kind = type(thing)
    if kind.__module__ == "builtins":
        return repr(thing)
    if public_name(thing) is None:
        return f"{kind.__name__} (from {kind.__module__}, not a scikit-learn class of its own)"
    return kind.__name__


def flatten(model: Any) -> list[Any]:
    """Return the steps a text passes through: nested pipelines opened, finished searches replaced
    by their best estimator, steps that do nothing to a text left out, as imbalanced-learn's
    samplers, which are for training."""
    name = public_name(model)
    if name == "sklearn.pipeline.Pipeline" or _resamples(model):
        parts = [part for _, part in model.steps if not hasattr(part, "fit_resample")]
        return [step for part in parts for step in flatten(part)]
    if name is not None and name.endswith("SearchCV"):
        if not hasattr(model, "best_estimator_"):
            raise NotCompilable(f"{describe(model)} keeps no refitted best estimator")
        return flatten(model.best_estimator_)
    if name in THRESHOLDS and hasattr(model, "estimator_"):
        *steps, last = flatten(model.estimator_)
        outer = copy(model)
        outer.estimator_ = last
        return [*steps, outer]
    if model is None or (isinstance(model, str) and model == "passthrough"):
        return []
    if name == FUNCTION_TRANSFORMER and model.func is None and not model.validate:
        return []
    return [model]


def _resamples(model: Any) -> bool:
    """Whether it is a Pipeline of imbalanced-learn's, which in `predict` is as scikit-learn's."""
    kind = type(model)
    return (kind.__module__, kind.__name__) == ("imblearn.pipeline", "Pipeline")
