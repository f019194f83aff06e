"""One fitted vectorizer and its part of the classifier's weights, as data."""

from __future__ import annotations

from struct import Struct
from typing import Literal, NamedTuple

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.native import NativeVocabulary
from function.compiled.pairs import PairVocabulary
from function.compiled.rows import RowLayout
from function.compiled.terms import TermVocabulary

Vocabulary = TermVocabulary | PairVocabulary | NativeVocabulary


class Vectorizer(NamedTuple):
    """What turns a text into its part of the scores, the quick way and the faithful one."""

    analyzer: AnalyzerSpec
    vocabulary: Vocabulary
    """The terms' packed rows: their columns, and what the quick way adds up."""
    table: bytes
    """For the faithful way, native doubles: by column, a row of (idf, weight in score 0, in score
    1, ...). idf is 1.0 where the vectorizer has none; columns that feature selection dropped have
    weights of 0.0, since they still count towards the norm."""
    units: tuple[float, float] | None
    """What one is worth in a row's scores and in its square; None where there is only the faithful
    way, and rows hold nothing but columns."""
    columns: int
    binary: bool = False
    sublinear: bool = False
    norm: Literal["l1", "l2"] | None = None
    scale: float = 1.0
    """The vectorizer's share in FeatureUnion.transformer_weights."""


def table_layout(scores: int) -> Struct:
    """Return how a row of a vectorizer's table is packed, for so many scores."""
    return Struct(f"{1 + scores}d")


def row_layout(scores: int, norm: str | None, is_quick: bool) -> RowLayout:
    """Return how the vocabulary's rows are packed: the square where texts are normed, then a field
    for each score."""
    return RowLayout((norm == "l2") + scores if is_quick else 0)
