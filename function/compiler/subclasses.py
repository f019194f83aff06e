"""Subclasses of scikit-learn's text vectorizers, as people write them to stem words.

What they override of `_VectorizerMixin`, in sklearn/feature_extraction/text.py, makes functions:
these are asked for once, and stand where the parameters of the same meaning do. Whatever else they
override could mean anything, and is refused; what only fitting, naming or printing uses is not
asked.
"""

from __future__ import annotations

import sys
from typing import Any

from function.compiler.sklearn_names import NotCompilable, describe

TEXT = "sklearn.feature_extraction.text"
VECTORIZERS = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
BUILDERS = ("build_analyzer", "build_preprocessor", "build_tokenizer")
_HARMLESS = frozenset(
    (
        *("fit", "fit_transform", "partial_fit", "inverse_transform", "get_stop_words"),
        *("get_feature_names", "get_feature_names_out", "get_params", "set_params"),
    )
)


def vectorizer_name(step: Any) -> str | None:
    """Return the documented name of the vectorizer that `step` is or subclasses, None where it is
    neither. Raises NotCompilable where it overrides more than what makes a text's terms."""
    text = sys.modules.get(TEXT)
    known = {getattr(text, name): name for name in VECTORIZERS} if text is not None else {}
    base = next((kind for kind in type(step).__mro__ if kind in known), None)
    if base is None:
        return None
    own = type(step).__mro__[: type(step).__mro__.index(base)]
    overridden = {name for kind in own for name in vars(kind) if _matters(name, base)}
    if overridden:
        raise NotCompilable(
            f"{describe(step)} overrides {', '.join(sorted(overridden))} of {base.__name__}; one"
            f" that overrides {', '.join(BUILDERS)} is compiled"
        )
    return f"{TEXT}.{known[base]}"


def built(step: Any, builder: str, parameter: Any) -> Any:
    """Return what an overridden one of BUILDERS makes; where it is scikit-learn's own, what the
    parameter of the same meaning is."""
    usual = getattr(sys.modules[TEXT].CountVectorizer, builder)
    return parameter if getattr(type(step), builder) is usual else getattr(step, builder)()


def _matters(name: str, base: type) -> bool:
    """Whether a subclass's attribute of this name changes what the base does with a text. The
    metaclass's own, and the setters that scikit-learn gives every subclass, do not."""
    is_given = name.startswith(("__", "set_", "_sklearn_"))
    return hasattr(base, name) and not is_given and name not in (*BUILDERS, *_HARMLESS)
