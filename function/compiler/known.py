"""Which of a model's functions are NLTK's own, as people hand them to a vectorizer: `tokenizer=
nltk.word_tokenize`, `preprocessor=SnowballStemmer("english").stem`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from function.compiled.known import FUNCTIONS, METHODS, Made, make

_ASKED = ("", "Running", "It wasn't @good, was it?! http://x.org/ :-)", "sooooo nationally 12.5 %")


def made_of(call: Any) -> Made | None:
    """Return what the function is, where it is a known one; None for any other, also of an object
    that was changed since it was made."""
    nltk = sys.modules.get("nltk")
    if nltk is None:
        return None
    name, parameters = _named(call)
    if name is None:
        return None
    made = Made(name, parameters, nltk.__version__)
    try:
        same: Any = make(made)
        owner, other = getattr(call, "__self__", None), getattr(same, "__self__", None)
        if not isinstance(owner, ModuleType | None) and vars(owner) != vars(other):
            return None
        is_same = all(same(text) == call(text) for text in _ASKED)
    except Exception:  # its data are missing, say: scikit-learn fails then, too
        return None
    return made if is_same else None


def _named(call: Any) -> tuple[str | None, dict[str, Any]]:
    owner, name = getattr(call, "__self__", None), getattr(call, "__name__", "")
    if owner is None or isinstance(owner, ModuleType):
        full = f"{getattr(call, '__module__', '')}:{name}"
        is_its = full in FUNCTIONS and call is getattr(sys.modules[call.__module__], name, None)
        return full if is_its else None, {}
    kind = type(owner)
    full = f"{kind.__module__}:{kind.__qualname__}.{name}"
    is_its = getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
    if full not in METHODS or not is_its or call != getattr(owner, name, None):
        return None, {}
    if getattr(owner, "stopwords", None):  # a stemmer that leaves them as they are
        return None, {}
    having = [parameter for parameter in METHODS[full] if hasattr(owner, parameter)]
    return full, {parameter: getattr(owner, parameter) for parameter in having}
