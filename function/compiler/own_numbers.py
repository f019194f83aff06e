"""Transformers of a model's own that make numbers of texts, beside a vectorizer in a FeatureUnion,
and their part of the classifier's weights."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.functions import Before, Function, Functions
from function.compiled.own_numbers import MOST_OWN, OwnNumbers, as_rows
from function.compiled.vectorizer import Vectorizer
from function.compiler.fitted import FittedVectorizer
from function.compiler.functions import name_of
from function.compiler.sklearn_names import NotCompilable, describe

_TEXTS = ("This product is amazing!", "Terrible service")
_ASKED = (_TEXTS, _TEXTS[:1])
_AS_THEY_ARE = {"float64", "int64", "bool"}
"""Others are multiplied otherwise, by weights of a FeatureUnion or by scalers."""
_NO_TERMS = AnalyzerSpec(
    analyzer="word",
    ngram_range=[1, 1],
    lowercase=False,
    strip_accents=None,
    stop_words=None,
    token_pattern=None,
)


def read_numbers(before: Before, steps: Sequence[Any]) -> FittedVectorizer:
    """Return the columns of what the functions in `before`, of which there is one, and the steps
    after them make of texts. NotCompilable where that is no table of numbers."""
    name = before.functions[-1].name
    for step in steps:
        if not callable(getattr(step, "transform", None)):
            raise NotCompilable(f"{describe(step)} after {name}, which transforms nothing")
        before = before.then(Function(name_of(step.transform), step.transform))
    try:
        made = [before.run(texts) for texts in _ASKED]
        rows = [
            as_rows(it, len(texts), None, name)[0] for it, texts in zip(made, _ASKED, strict=True)
        ]
    except Exception as exc:  # the model's own
        raise NotCompilable(
            f"no text vectorizer comes after {name}, nor does it make a table of numbers of texts "
            f"({type(exc).__name__}: {exc})"
        ) from exc
    if others := _dtypes_of(made[0]) - _AS_THEY_ARE:
        raise NotCompilable(
            f"{name} makes numbers of {min(others)}; float64, int64 and bool are compiled"
        )
    columns, alone = map(len, rows)
    if not 0 < columns == alone <= MOST_OWN:
        raise NotCompilable(
            f"{name} makes {columns} numbers of a text, and {alone} of one alone; as many of each,"
            f" up to {MOST_OWN}, are compiled"
        )
    return FittedVectorizer(
        analyzer=_NO_TERMS,
        terms=[],
        binary=False,
        kept=range(columns),
        numbers=OwnNumbers(name, columns),
        has_zeros=hasattr(made[0], "toarray"),
        functions=Functions(before=before),
    )


def _dtypes_of(made: Any) -> set[str]:
    """As scikit-learn gets them, of an array, each column of a frame, a sparse matrix or lists."""
    import numpy as np

    if hasattr(made, "dtypes"):
        return {str(dtype) for dtype in made.dtypes}
    return {str(made.dtype if hasattr(made, "dtype") else np.asarray(made).dtype)}


def refuse_numbers_alone(found: Sequence[FittedVectorizer]) -> None:
    """Raise NotCompilable where there is nothing but such numbers: embeddings, say, of which
    scikit-learn multiplies a full matrix."""
    numbers = [vectorizer.numbers for vectorizer in found]
    if (first := next(iter(numbers), None)) and all(numbers):
        raise NotCompilable(
            f"{first.name} without a text vectorizer; beside one in a FeatureUnion it is compiled"
        )


def pack_numbers(fitted: FittedVectorizer, weights: Sequence[list[float]]) -> Vectorizer:
    """As pack_vectorizer; each number counts as it is."""
    assert fitted.numbers is not None
    table = array(
        "d", chain.from_iterable(zip(repeat(1.0, fitted.columns), *weights, strict=False))
    )
    return fitted.packed(fitted.numbers, table.tobytes(), fitted.columns, None)
