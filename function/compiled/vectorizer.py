"""One fitted vectorizer and its part of the classifier's weights, as data."""

from __future__ import annotations

from math import sqrt
from struct import Struct
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.native import largest_of
from function.compiled.numbers import LARGEST
from function.compiled.pairs import PairVocabulary
from function.compiled.rows import RowLayout
from function.compiled.terms import TermVocabulary
from function.compiled.vocabularies import NativePairs, NativeTerms

if TYPE_CHECKING:  # what few models have is imported for these alone
    from function.compiled.functions import Functions
    from function.compiled.hashed import HashedVocabulary
    from function.compiled.own_numbers import OwnNumbers

Vocabulary: TypeAlias = (
    "TermVocabulary | PairVocabulary | NativeTerms | NativePairs | HashedVocabulary | OwnNumbers"
)


class Vectorizer(NamedTuple):
    """What turns a text into its part of the scores, the quick way and the faithful one."""

    analyzer: AnalyzerSpec
    vocabulary: Vocabulary
    """The terms' packed rows: their columns, and what the quick way adds up."""
    table: bytes
    """For the faithful way, native doubles: by column, a row of (idf, weight in score 0, in score
    1, ...). idf is 1.0 where the vectorizer has none; columns that feature selection dropped have
    weights of 0.0, since they still count towards the norm. Of a HashedVocabulary, by row."""
    units: tuple[float, float] | None
    """What one is worth in a row's scores and in its square; None where there is only the faithful
    way, and rows hold nothing but columns."""
    columns: int
    binary: bool = False
    sublinear: bool = False
    norm: Literal["l1", "l2"] | None = None
    scale: float = 1.0
    """The vectorizer's share in FeatureUnion.transformer_weights."""
    functions: Functions | None = None
    """What of its way to the terms is not in the analyzer's options."""

    @property
    def width(self) -> int:
        """How many columns it has in scikit-learn."""
        own = self.vocabulary
        return own.features if own.kind == "hashed" else self.columns

    @property
    def own_numbers(self) -> int | None:
        """How many numbers of the model's own it has for a text, where it is nothing else."""
        return self.vocabulary.features if self.vocabulary.kind == "numbers" else None


def check_numbers(vectorizer: Vectorizer, scores: int) -> None:
    """Raise ValueError where some text's scores could come to infinity, or to no number at all.

    A term's value is at most 1 where texts are normed, else as large as its idf; a number of the
    model's own is at most LARGEST_OWN.
    """
    layout, table = table_layout(scores), vectorizer.table
    if len(table) != vectorizer.columns * layout.size:
        raise ValueError(f"a table of {len(table)} bytes for {vectorizer.columns} columns")
    largest, scale = largest_of(table), abs(vectorizer.scale)
    if vectorizer.own_numbers is not None:
        from function.compiled.own_numbers import LARGEST_OWN, check_plain

        check_plain(vectorizer)
        scale *= LARGEST_OWN
    if vectorizer.norm is None:
        largest = max(largest, largest * largest)
    if not largest * max(scale, 1.0) <= LARGEST and not _is_sound(vectorizer, layout, scale):
        raise ValueError("a table of numbers that are not finite, or too large to add up")
    if vectorizer.units is not None:
        unit, square_unit = vectorizer.units
        if scale * unit / (sqrt(square_unit) if vectorizer.norm == "l2" else 1.0) > 1.0:
            raise ValueError(f"units {vectorizer.units} that are too large to add up")


def _is_sound(vectorizer: Vectorizer, layout: Struct, scale: float) -> bool:
    """As `check_numbers` asks of the table, row by row."""
    for idf, *weights in layout.iter_unpack(vectorizer.table):
        value = 1.0 if vectorizer.norm else abs(idf)
        if not abs(idf) <= LARGEST:
            return False
        if not all(value * abs(weight) * scale <= LARGEST for weight in weights):
            return False
    return True


def table_layout(scores: int) -> Struct:
    """Return how a row of a vectorizer's table is packed, for so many scores."""
    return Struct(f"{1 + scores}d")


def row_layout(scores: int, norm: str | None, is_quick: bool) -> RowLayout:
    """Return how the vocabulary's rows are packed: the square where texts are normed, then a field
    for each score."""
    squares = int(norm == "l2")
    return RowLayout(squares + scores, squares) if is_quick else RowLayout(0)
