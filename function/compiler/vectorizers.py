"""Fitted scikit-learn vectorizers to plain tables.

Reads CountVectorizer, TfidfVectorizer, HashingVectorizer, FeatureUnion, a ColumnTransformer on one
text column, and what stands after them (columns.py); whatever they hold that could change a term's
value is either carried over or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from function.compiled.analyzer import AnalyzerSpec
from function.compiler.columns import apply, apply_tfidf
from function.compiler.fitted import FittedVectorizer, fitted
from function.compiler.hashing import read_hashing
from function.compiler.patterns import MOST_SECONDS, in_words, named, timing
from function.compiler.sklearn_names import NotCompilable, describe, flatten, public_name

TEXT = "sklearn.feature_extraction.text."
EXACT_COUNTS = ("int32", "int64", "float64")
"""float32 would need single-precision arithmetic; smaller integers overflow."""


def read_vectorizers(steps: Iterable[Any]) -> list[FittedVectorizer]:
    """Return the vectorizers `steps` apply to a text, in column order.

    Raises NotCompilable naming the first step that cannot be carried over.
    """
    found: list[FittedVectorizer] = []
    for step in steps:
        name = public_name(step)
        if not found:
            found = _read_first(step, name)
        else:
            apply(found, step)
    if not found:
        raise NotCompilable("the model has no text vectorizer")
    return found


def _read_first(step: Any, name: str | None) -> list[FittedVectorizer]:
    if name == TEXT + "CountVectorizer":
        return [_read_counts(step)]
    if name == TEXT + "TfidfVectorizer":
        found = [_read_counts(step)]
        # The inner transformer computes; the outer parameters may have been changed since.
        apply_tfidf(found, fitted(step, "_tfidf"))
        return found
    if name == TEXT + "HashingVectorizer":
        return [_read_hashing(step)]
    if name == "sklearn.pipeline.FeatureUnion":
        return _read_union(step.transformer_list, step.transformer_weights)
    if name == "sklearn.compose.ColumnTransformer":
        return _read_columns(step)
    raise NotCompilable(
        f"{describe(step)} where a text vectorizer was expected; CountVectorizer, TfidfVectorizer, "
        "HashingVectorizer and a FeatureUnion or ColumnTransformer of them are compiled"
    )


def _read_union(
    transformers: Iterable[tuple[str, Any]], weights: Mapping[str, float] | None
) -> list[FittedVectorizer]:
    found: list[FittedVectorizer] = []
    for name, transformer in transformers:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        part = read_vectorizers(flatten(transformer))
        weight = (weights or {}).get(name)
        for vectorizer in part:
            # scikit-learn multiplies by any weight but None
            vectorizer.scale *= 1.0 if weight is None else float(weight)
        found += part
    return found


def _read_columns(step: Any) -> list[FittedVectorizer]:
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
    return _read_union([(name, part) for name, part, _ in used], step.transformer_weights)


def _read_counts(step: Any) -> FittedVectorizer:
    _refuse_custom_parts(step)
    vocabulary = fitted(step, "vocabulary_")
    terms: list[Any] = sorted(vocabulary, key=vocabulary.__getitem__)
    if not all(type(term) is str for term in terms):
        raise NotCompilable(f"{describe(step)} has terms that are not strings")
    if [int(vocabulary[term]) for term in terms] != list(range(len(terms))):
        raise NotCompilable(f"{describe(step)} has a vocabulary with gaps or repeated columns")
    return FittedVectorizer(
        analyzer=_read_analyzer(step),
        terms=terms,
        binary=bool(step.binary),
        kept=list(range(len(terms))),
    )


def _read_hashing(step: Any) -> FittedVectorizer:
    _refuse_custom_parts(step)
    return read_hashing(step, FittedVectorizer(_read_analyzer(step), [], bool(step.binary)))


def _refuse_custom_parts(step: Any) -> None:
    for part in ("analyzer", "preprocessor", "tokenizer", "strip_accents"):
        if callable(getattr(step, part)):
            raise NotCompilable(f"{describe(step)} has a custom {part} function")
    if step.input != "content":
        raise NotCompilable(
            f"{describe(step)} with input={step.input!r}; input='content' is compiled"
        )
    import numpy as np

    dtype = np.dtype(step.dtype)
    if dtype.name not in EXACT_COUNTS:
        raise NotCompilable(
            f"{describe(step)} computes in {dtype.name}; fit with dtype=numpy.float64"
        )


def _read_analyzer(step: Any) -> AnalyzerSpec:
    is_word = step.analyzer == "word"
    stop_words = step.get_stop_words() if is_word else None
    if stop_words is not None and not all(isinstance(word, str) for word in stop_words):
        raise NotCompilable(f"{describe(step)} has stop words that are not strings")
    shortest, longest = step.ngram_range
    if is_word and (found := timing(step.token_pattern)) and found.seconds > MOST_SECONDS:
        raise NotCompilable(in_words(named(step), found))
    return AnalyzerSpec(
        analyzer=step.analyzer,
        ngram_range=[int(shortest), int(longest)],
        lowercase=bool(step.lowercase),
        strip_accents=step.strip_accents or None,
        stop_words=None if stop_words is None else sorted(stop_words),
        token_pattern=step.token_pattern if is_word else None,
    )
