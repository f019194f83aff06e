"""The functions in a fitted model, read: what of them the analyzer's options can say, and the rest.

Follows `_VectorizerMixin.build_analyzer` in sklearn/feature_extraction/text.py: a preprocessor
replaces lower case and accents, a tokenizer the token pattern, an analyzer everything, and what is
replaced means nothing then. A function is known by what it is, never by what it seems to do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from function.compiled.analyzer import METHODS
from function.compiled.functions import Function, Functions
from function.compiler.known import made_of
from function.compiler.sklearn_names import (
    FUNCTION_TRANSFORMER,
    NotCompilable,
    public_name,
)
from function.compiler.subclasses import built

Preparing = tuple[bool, Literal["ascii", "unicode"] | None, tuple[str, ...], tuple[Function, ...]]
"""Lower case, accents, and what is ahead of these: methods of `str`, or functions."""

WORDS = r"\S+"
"""What `str.split` finds: both go by `str.isspace`."""
RULES: tuple[Literal["ascii", "unicode"], ...] = ("ascii", "unicode")
_NOTHING = object()


class Reading(NamedTuple):
    """How a CountVectorizer gets from a text to its terms. Where it ``is_whole``, there are neither
    stop words nor n-grams."""

    analyzer: Literal["word", "char", "char_wb"]
    is_whole: bool
    lowercase: bool
    strip_accents: Literal["ascii", "unicode"] | None
    methods: tuple[str, ...]
    token_pattern: str | None
    functions: Functions


def read_functions(step: Any) -> Reading:
    """Read what of a CountVectorizer may be a function."""
    analyze = built(step, "build_analyzer", step.analyzer)
    if callable(analyze):
        pattern = pattern_of(analyze)
        own = Functions() if pattern else Functions(analyze=_function(analyze))
        return Reading("word", True, False, None, (), pattern, own)
    lowercase, accents, methods, prepare = _read_preparing(step)
    pattern, tokenize = None, None
    if step.analyzer == "word":
        pattern = step.token_pattern
        tokenizer = built(step, "build_tokenizer", step.tokenizer)
        if tokenizer is not None:
            pattern = pattern_of(tokenizer)
            tokenize = None if pattern else _function(tokenizer)
    own = Functions(None, prepare, tokenize)
    return Reading(step.analyzer, False, lowercase, accents, methods, pattern, own)


def _read_preparing(step: Any) -> Preparing:
    preprocessor = built(step, "build_preprocessor", step.preprocessor)
    if preprocessor is not None:
        return _preparing([preprocessor])
    if callable(step.strip_accents):
        return _preparing([*([str.lower] if step.lowercase else []), step.strip_accents])
    return bool(step.lowercase), step.strip_accents or None, (), ()


def _preparing(calls: Sequence[Any]) -> Preparing:
    """Of functions, one after the other: what an analyzer can do by itself is left to it."""
    left, accents, lowercase = [*calls], None, False
    for rule in RULES:
        if left and left[-1] is _of_sklearn(rule):
            accents = rule
            left.pop()
    if left and left[-1] is str.lower:
        lowercase = bool(left.pop())
    methods = [*filter(None, map(_method_of, left))]
    if len(methods) == len(left):
        return lowercase, accents, tuple(methods), ()
    return lowercase, accents, (), tuple(map(_function, left))


def _method_of(call: Any) -> str | None:
    return next((name for name in METHODS if call is getattr(str, name)), None)


def _of_sklearn(rule: str) -> Any:
    text = sys.modules.get("sklearn.feature_extraction.text")
    return getattr(text, f"strip_accents_{rule}", _NOTHING)


def read_before(step: Any) -> Function | None:
    """The function that a step ahead of the vectorizer consists of; None where it is none that
    takes texts: a part of scikit-learn's own, or nothing that transforms."""
    name = public_name(step)
    if name == FUNCTION_TRANSFORMER:
        if step.validate:
            raise NotCompilable("FunctionTransformer has validate=True, which takes numbers only")
        return _function(step.func, step.kw_args or {})
    is_own = name is None and not type(step).__module__.startswith("sklearn.")
    if not is_own or not callable(getattr(step, "transform", None)):
        return None
    return None if hasattr(step, "build_analyzer") else _function(step.transform)


def _function(call: Any, arguments: Mapping[str, Any] | None = None) -> Function:
    made = None if arguments else made_of(call)
    return Function(made.name if made else name_of(call), call, dict(arguments or {}), made)


def name_of(call: Any) -> str:
    """What people call a function: ``module:function`` where it is one, else what it is."""
    if isinstance(call, partial):
        return f"partial({name_of(call.func)})"
    owner, name = getattr(call, "__self__", None), getattr(call, "__qualname__", None)
    if name is None:
        return f"{type(call).__module__}:{type(call).__qualname__} (an object)"
    module = getattr(call, "__module__", None)
    return f"{module or type(owner).__module__}:{name}"


def pattern_of(tokenize: Any) -> str | None:
    """The token pattern whose matches are what ``tokenize`` returns, for functions that mean just
    that: `str.split`, `re.compile(...).findall` and NLTK's `RegexpTokenizer(...).tokenize`."""
    if tokenize is str.split:
        return WORDS
    owner: Any = getattr(tokenize, "__self__", None)
    if isinstance(owner, re.Pattern) and tokenize == owner.findall:
        return _as_pattern(owner)
    nltk = sys.modules.get("nltk.tokenize")
    if nltk and type(owner) in (getattr(nltk, name) for name in _TOKENIZERS):
        return _pattern_of_nltk(owner) if tokenize == owner.tokenize else None
    return None


_TOKENIZERS = ("RegexpTokenizer", "WhitespaceTokenizer", "WordPunctTokenizer")


def _pattern_of_nltk(tokenizer: Any) -> str | None:
    """Follows `RegexpTokenizer.tokenize` in nltk/tokenize/regexp.py, which finds its pattern, or
    what stands between."""
    tokenizer._check_regexp()
    if not isinstance(tokenizer._regexp, re.Pattern):  # since 3.10 it is of the package regex
        return None
    if not tokenizer._gaps:
        return _as_pattern(tokenizer._regexp)
    is_white_space = tokenizer._pattern == r"\s+" and not tokenizer._flags & re.A
    return WORDS if is_white_space and tokenizer._discard_empty else None


_SAME = {r"\w+": r"\b\w+\b", r"\w\w+": r"\b\w\w+\b", r"\w{2,}": r"\b\w\w+\b"}
"""Greedy runs, spelled as scikit-learn has them: those have ways of their own (analyzer.py)."""


def _as_pattern(compiled: re.Pattern[Any]) -> str | None:
    """The same without flags beside it; None where it cannot be said so."""
    pattern = compiled.pattern
    if not isinstance(pattern, str) or compiled.groups > 1:
        return None  # bytes; tuples of groups, which are no tokens
    meant = compiled.flags & ~_meaningless(pattern)
    letters = "".join(letter for flag, letter in _LETTERS.items() if meant & flag)
    for spelled in (pattern, f"(?{letters}){pattern}"):
        try:
            if re.compile(spelled).flags & ~_meaningless(pattern) == meant:
                return _SAME.get(spelled, spelled)
        except re.error:  # it has flags of its own, which must come first
            continue
    return None


_LETTERS = {re.A: "a", re.I: "i", re.M: "m", re.S: "s", re.X: "x"}


def _meaningless(pattern: str) -> int:
    """Flags that make no difference to it."""
    of_lines = 0 if "^" in pattern or "$" in pattern else int(re.M)
    return of_lines | (0 if "." in pattern else int(re.S))
