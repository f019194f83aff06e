"""The faithful way from a text to its scores: in scikit-learn's own order, to the same bits.

Columns ascending, value by value: CountVectorizer._count_vocab, TfidfTransformer.transform,
sparsefuncs_fast.pyx, scipy's csr_matvecs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log, sqrt
from struct import Struct
from typing import Any

from function.compiled.rows import COLUMN_MASK
from function.compiled.vectorizer import Vectorizer, Vocabulary, table_layout

Feature = tuple[float, tuple[float, ...]]
"""A term's value, beside its row of the table."""
Line = tuple[Iterable[int], list[Feature]]
"""A text's line of the document-term matrix: the columns of its known terms, and each one's."""


def build_features(
    vectorizer: Vectorizer, scores: int, binarize: float | None = None
) -> Callable[[Any], Line]:
    """Return the function from a text to its line of the document-term matrix: the columns of its
    known terms, ascending, and the value of each beside its row. With `binarize` the values are 1.0
    where they are above it, else 0.0. It takes rows where there are numbers in the terms' place."""
    count_in, place_of = _build_count(vectorizer.vocabulary)
    row_of, scale = (
        _Rows(vectorizer.table, table_layout(scores), place_of).__getitem__,
        vectorizer.scale,
    )

    def features(text: Any) -> Line:
        counts = count_in(text)
        rows = [*map(row_of, counts)]
        values = [
            row[0] if count == 1 else frequency(vectorizer, count) * row[0]
            for count, row in zip(counts.values(), rows, strict=True)
        ]
        length = _length(vectorizer.norm, values)
        values = [value / length * scale for value in values]
        if binarize is not None:
            values = [float(value > binarize) for value in values]
        return counts, [*zip(values, rows, strict=True)]

    return features


class _Rows(dict[int, tuple[float, ...]]):
    """A table's rows, by column, as they are asked for: most terms of a text are common ones."""

    MOST_NUMBERS = 2**16
    """That are kept: two megabytes."""

    def __init__(self, table: bytes, layout: Struct, place_of: Callable[[int], int] | None) -> None:
        """`place_of` is which row is a column's, where that is another."""
        self._place_of = place_of
        self._unpack, self._table, self._size = layout.unpack_from, table, layout.size
        self._most = 8 * self.MOST_NUMBERS // layout.size

    def __missing__(self, column: int) -> tuple[float, ...]:
        place = column if self._place_of is None else self._place_of(column)
        row = self._unpack(self._table, place * self._size)
        if len(self) >= self._most:
            self.clear()
        self[column] = row
        return row


def _build_count(
    vocabulary: Vocabulary,
) -> tuple[Callable[[Any], Mapping[int, float]], Callable[[int], int] | None]:
    """Return what counts a text's terms by column, ascending, and where a column's row is."""
    if vocabulary.kind == "numbers":
        return vocabulary.counts_in, None
    if vocabulary.kind == "hashed":
        count_in = vocabulary.counts_in
        return lambda text: dict(sorted(count_in(text).items())), vocabulary.row_of
    rows_in = vocabulary.rows_in
    return lambda text: Counter(sorted([row & COLUMN_MASK for row in rows_in(text)])), None


def add_up(features: Sequence[Feature], intercepts: Sequence[float]) -> list[float]:
    """Return the decision function."""
    scores = []
    for column, intercept in enumerate(intercepts, start=1):
        total = 0.0  # not sum(), see _length
        for value, row in features:
            total += value * row[column]
        scores.append(total + intercept)
    return scores


def frequency(vectorizer: Vectorizer, count: float) -> float:
    """Return what a term that occurs `count` times counts for: once, 1 by every rule."""
    if vectorizer.binary:
        return 1.0
    return log(count) + 1.0 if vectorizer.sublinear else float(count)


def _length(norm: str | None, values: Iterable[float]) -> float:
    """The divisor that gives `values` unit norm; 1.0 leaves them, as scikit-learn does zeros."""
    total = 0.0  # not sum(): since Python 3.12 it compensates, scikit-learn's loop does not
    if norm == "l1":
        for value in values:
            total += abs(value)
    elif norm == "l2":
        for value in values:
            total += value * value
        total = sqrt(total)
    return total or 1.0
