"""Fitted scikit-learn vectorizers to plain tables.

Reads CountVectorizer, TfidfVectorizer, HashingVectorizer, FeatureUnion, a ColumnTransformer on one
text column, and what stands after them (columns.py); whatever they hold that could change a term's
value is either carried over or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.functions import Before, Functions
from function.compiler.columns import apply, apply_tfidf
from function.compiler.fitted import FittedVectorizer, fitted
from function.compiler.functions import read_before, read_functions
from function.compiler.hashing import read_hashing
from function.compiler.own_numbers import read_numbers
from function.compiler.patterns import in_words, named, timing
from function.compiler.sklearn_names import NotCompilable, describe, flatten, public_name
from function.compiler.subclasses import TEXT, VECTORIZERS, vectorizer_name

FIRST = {
    *(f"{TEXT}.{name}" for name in VECTORIZERS),
    "sklearn.pipeline.FeatureUnion",
    "sklearn.compose.ColumnTransformer",
}
"""What reads texts."""
EXACT_COUNTS = ("int32", "int64", "float64")
"""float32 would need single-precision arithmetic; smaller integers overflow."""


def read_vectorizers(steps: Iterable[Any], before: Before) -> list[FittedVectorizer]:
    """Return the vectorizers `steps` apply to a text, in column order.

    `before` is what the first of them is given. Raises NotCompilable naming the first step that
    cannot be carried over.
    """
    found: list[FittedVectorizer] = []
    left = [*steps]
    while left and not found:
        name = public_name(left[0]) or vectorizer_name(left[0])
        if (function := read_before(left[0])) is not None:
            before = before.then(function)
        elif before.functions and name not in FIRST:
            break
        else:
            found = _read_first(left[0], name, before)
        del left[0]
    if not found and not before.functions:
        raise NotCompilable("the model has no text vectorizer")
    if not found:
        return [read_numbers(before, left)]
    for step in left:
        apply(found, step)
    return found


def _read_first(step: Any, name: str | None, before: Before) -> list[FittedVectorizer]:
    if name == f"{TEXT}.CountVectorizer":
        return [_read_counts(step, before)]
    if name == f"{TEXT}.TfidfVectorizer":
        found = [_read_counts(step, before)]
        # The inner transformer computes; the outer parameters may have been changed since.
        apply_tfidf(found, fitted(step, "_tfidf"))
        return found
    if name == f"{TEXT}.HashingVectorizer":
        return [_read_hashing(step, before)]
    if name == "sklearn.pipeline.FeatureUnion":
        return _read_union(step.transformer_list, step.transformer_weights, before)
    if name == "sklearn.compose.ColumnTransformer":
        return _read_columns(step, before)
    raise NotCompilable(
        f"{describe(step)} where a text vectorizer was expected; CountVectorizer, TfidfVectorizer, "
        "HashingVectorizer and a FeatureUnion or ColumnTransformer of them are compiled"
    )


def _read_union(
    transformers: Iterable[tuple[str, Any]], weights: Mapping[str, float] | None, before: Before
) -> list[FittedVectorizer]:
    found: list[FittedVectorizer] = []
    for name, transformer in transformers:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        part = read_vectorizers(flatten(transformer), before)
        weight = (weights or {}).get(name)
        for vectorizer in part:
            # scikit-learn multiplies by any weight but None
            vectorizer.scale *= 1.0 if weight is None else float(weight)
        found += part
    return found


def _read_columns(step: Any, before: Before) -> list[FittedVectorizer]:
    if before.functions:
        raise NotCompilable(f"{before.functions[-1].name} ahead of a ColumnTransformer")
    if not isinstance(step.remainder, str) or step.remainder != "drop":
        raise NotCompilable(
            "ColumnTransformer passes other columns on (remainder is not 'drop'); one text "
            "column is compiled"
        )
    used = [
        (name, transformer, column)
        for name, transformer, column in fitted(step, "transformers_")
        if not (isinstance(transformer, str) and transformer == "drop")
    ]
    columns = {column if isinstance(column, str) else repr(column) for _, _, column in used}
    if len(columns) != 1 or not all(isinstance(column, str) for _, _, column in used):
        raise NotCompilable(
            "ColumnTransformer must read one text column, named by a plain string; "
            f"it reads {', '.join(sorted(columns)) or 'none'}"
        )
    parts = [(name, part) for name, part, _ in used]
    return _read_union(parts, step.transformer_weights, before._replace(shape=before.of_column))


def _read_counts(step: Any, before: Before) -> FittedVectorizer:
    _refuse_other_parts(step)
    vocabulary = fitted(step, "vocabulary_")
    terms: list[Any] = sorted(vocabulary, key=vocabulary.__getitem__)
    if not all(type(term) is str for term in terms):
        raise NotCompilable(f"{describe(step)} has terms that are not strings")
    if [int(vocabulary[term]) for term in terms] != list(range(len(terms))):
        raise NotCompilable(f"{describe(step)} has a vocabulary with gaps or repeated columns")
    analyzer, functions = _read_analyzer(step, before)
    return FittedVectorizer(
        analyzer=analyzer,
        terms=terms,
        binary=bool(step.binary),
        kept=list(range(len(terms))),
        functions=functions,
    )


def _read_hashing(step: Any, before: Before) -> FittedVectorizer:
    _refuse_other_parts(step)
    analyzer, functions = _read_analyzer(step, before)
    found = FittedVectorizer(analyzer, [], bool(step.binary), functions=functions)
    return read_hashing(step, found)


def _refuse_other_parts(step: Any) -> None:
    if step.input in ("filename", "file"):  # whatever else it is, it means the content
        raise NotCompilable(
            f"{describe(step)} with input={step.input!r}; input='content' is compiled"
        )
    import numpy as np

    dtype = np.dtype(step.dtype)
    if dtype.name not in EXACT_COUNTS:
        raise NotCompilable(
            f"{describe(step)} computes in {dtype.name}; fit with dtype=numpy.float64"
        )


def _read_analyzer(step: Any, before: Before) -> tuple[AnalyzerSpec, Functions]:
    """The options that make a text's terms, and the functions that stand in their places."""
    reading = read_functions(step)
    has_words = reading.analyzer == "word" and not reading.is_whole
    stop_words = step.get_stop_words() if has_words else None
    if stop_words is not None and not all(isinstance(word, str) for word in stop_words):
        raise NotCompilable(f"{describe(step)} has stop words that are not strings")
    shortest, longest = (1, 1) if reading.is_whole else step.ngram_range
    pattern = reading.token_pattern
    if pattern and (found := timing(pattern)) and found.is_endless:
        raise NotCompilable(in_words(named(step, pattern), found))
    spec = AnalyzerSpec(
        analyzer=reading.analyzer,
        ngram_range=[int(shortest), int(longest)],
        lowercase=reading.lowercase,
        strip_accents=reading.strip_accents,
        stop_words=None if stop_words is None else sorted(stop_words),
        token_pattern=pattern,
    )
    if reading.methods:
        spec["methods"] = [*reading.methods]
    return spec, reading.functions._replace(before=before if before.functions else None)
