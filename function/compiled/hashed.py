"""Terms that are known by the hash of their name: HashingVectorizer.

There is no vocabulary: each term there is has a column, and +1 or -1, of its hash; a text's terms
that share a column add up there, even to zero. The classifier's weights differ for the columns that
it met when it was fitted: these have a row of the table each, and all others have the last one.
Follows sklearn/feature_extraction/_hashing_fast.pyx and HashingVectorizer.transform. In C it is
native_hashed.py.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import lt, mul
from typing import Any, Literal

from function.compiled.analyzer import Analyze, AnalyzerSpec, build_analyzer
from function.compiled.murmur import murmur3
from function.compiled.rows import LARGEST_FIELD, RowLayout, fixed_point
from function.compiled.terms import Repeats
from function.compiled.vectorizer import table_layout

MOST_FEATURES = 1 << 22
MOST_GRAM = 100
"""Words or characters in an n-gram."""
MOST_KEPT = 1 << 16
"""Terms whose place or row is kept: hashing one anew takes ten times as long as asking for it."""


class HashedVocabulary:
    """Finds a term's column; see quick.py and faithful.py for what is made of it."""

    kind: Literal["hashed"] = "hashed"

    def __init__(
        self,
        spec: AnalyzerSpec,
        columns: array[int],
        features: int,
        alternate_sign: bool,
        analyze: Analyze | None = None,
    ) -> None:
        """`columns` are those with a row of their own, ascending, out of so many `features`;
        `analyze` as TermVocabulary's. Raises ValueError for n-grams that are too long: there is no
        vocabulary that bounds them, and a text has as many bytes of them as the square of that."""
        if analyze is None and spec["ngram_range"][1] > MOST_GRAM:
            raise ValueError(f"hashed n-grams of more than {MOST_GRAM}")
        self.analyze = analyze or build_analyzer(spec)
        self.columns, self.features, self.alternate_sign = columns, features, alternate_sign
        self._places: dict[str, tuple[int, int]] = {}
        self._met = self._unknown = 0

    def place_of(self, term: str) -> tuple[int, int]:
        """Return the term's column, and the sign of what it counts there."""
        found = self._places.get(term)
        if found is None:
            number = murmur3(term.encode("utf-8", "surrogatepass"))
            sign = -1 if self.alternate_sign and number < 0 else 1
            found = abs(number) % self.features, sign
            if len(self._places) >= MOST_KEPT:
                self._places.clear()
            self._places[term] = found
        return found

    def counts_in(self, text: str) -> dict[int, int]:
        """Return what the text's terms come to in each of their columns."""
        counts: dict[int, int] = {}
        for column, sign in map(self.place_of, self.analyze(text)):
            counts[column] = counts.get(column, 0) + sign
        return counts

    def row_of(self, column: int) -> int:
        """Return which row of the table is the column's."""
        row = bisect_left(self.columns, column)
        is_own = row < len(self.columns) and self.columns[row] == column
        return row if is_own else len(self.columns)

    def column_of(self, term: str) -> int | None:
        """Return the column of one of the analyzer's terms; None where it has no row of its own."""
        column, _ = self.place_of(term)
        return None if self.row_of(column) == len(self.columns) else column

    def count(self, met: int, unknown: int) -> None:
        """Add to what `terms_met` returns."""
        self._met += met
        self._unknown += unknown

    def terms_met(self) -> tuple[int, int]:
        """Return how many terms the texts have had so far, repeats included, and how many of these
        are in no column with a row of its own."""
        return self._met, self._unknown

    def terms(self) -> list[str]:
        """Return the terms: there are none to be told."""
        return []

    def check(self, layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """Raise ValueError where the columns do not go with a table of so many rows."""
        own = self.columns
        if len(own) + 1 != columns or not 0 < self.features <= MOST_FEATURES:
            raise ValueError(f"{len(own)} columns of {self.features} with {columns} rows")
        if own and not (own[-1] < self.features and all(map(lt, own, own[1:]))):
            raise ValueError(f"columns that are not ascending, below {self.features}")

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what `from_parts` needs: JSON for the manifest, and contents by file name."""
        facts = {"features": self.features, "alternate_sign": self.alternate_sign}
        return facts, {"columns": self.columns.tobytes()}

    @classmethod
    def from_parts(
        cls,
        spec: AnalyzerSpec,
        layout: RowLayout,
        files: Mapping[str, bytes],
        analyze: Analyze | None = None,
        /,
        *,
        features: int,
        alternate_sign: bool,
    ) -> HashedVocabulary:
        """Return the vocabulary that `to_parts` took apart; ValueError where parts do not fit."""
        if type(features) is not int or type(alternate_sign) is not bool:
            raise ValueError(f"hashed into {features!r} features, signs {alternate_sign!r}")
        return cls(spec, array("I", files["columns"]), features, alternate_sign, analyze)


class HashedRows:
    """The packed rows of the quick way, made when a term is first met."""

    def __init__(
        self,
        vocabulary: HashedVocabulary,
        table: bytes,
        scores: int,
        layout: RowLayout,
        units: tuple[float, float],
    ) -> None:
        self._vocabulary, self._layout, self._units = vocabulary, layout, units
        self._table, self._row = table, table_layout(scores)
        self._check(1 + scores)
        self._rows = _Rows(vocabulary, self._pack)

    def totals(self, texts: Sequence[str]) -> Iterator[tuple[int, Repeats]]:
        """As TermVocabulary.totals; where terms share a column, of the columns instead."""
        analyze, rows = self._vocabulary.analyze, self._rows
        for text in texts:
            terms, forgotten = analyze(text), rows.forgotten
            total = sum(map(rows.__getitem__, terms))
            self._vocabulary.count(len(terms), sum(map(rows.unknown.__contains__, terms)))
            different = {*terms}
            sharing = rows.sharing.intersection(different)
            if len(sharing) > 1 and self._share_a_column(sharing) or forgotten != rows.forgotten:
                yield self._by_column(text)
            else:
                yield total, () if len(different) == len(terms) else self._repeated(terms)

    def _by_column(self, text: str) -> tuple[int, Repeats]:
        """What the terms come to in each column, as if that were so many of one term."""
        counts = self._vocabulary.counts_in(text)
        counted = [
            (self._pack(column, 1 if count > 0 else -1), abs(count))
            for column, count in counts.items()
            if count
        ]
        return sum([row * count for row, count in counted]), [it for it in counted if it[1] > 1]

    def _repeated(self, terms: Sequence[str]) -> Repeats:
        rows = self._rows
        return [(rows[term], count) for term, count in Counter(terms).items() if count > 1]

    def _share_a_column(self, terms: set[str]) -> bool:
        place_of = self._vocabulary.place_of
        return len({place_of(term)[0] for term in terms}) < len(terms)

    def _pack(self, column: int, sign: int) -> int:
        return self._layout.pack(column, self._fields(column, sign))

    def _fields(self, column: int, sign: int) -> list[int]:
        start, unit = self._vocabulary.row_of(column) * self._row.size, self._units[0]
        value, *weights = self._row.unpack_from(self._table, start)
        fields = [*fixed_point([sign * value * weight for weight in weights], unit)]
        if self._layout.squares:
            fields[:0] = fixed_point([value * value], self._units[1])
        return fields

    def _check(self, width: int) -> None:
        """Raise ValueError where a row's numbers, in these units, would leave their fields."""
        table, (unit, square_unit) = array("d", self._table), self._units
        values = table[::width]
        largest = max(
            max(map(abs, map(mul, values, table[score::width]))) / unit for score in range(1, width)
        )
        square = max(map(abs, values)) ** 2 / square_unit if self._layout.squares else 0.0
        if not max(largest, square) < LARGEST_FIELD:
            raise ValueError("units in which numbers cannot be added up")


class _Rows(dict[str, int]):
    """Rows by term, which are kept for a while."""

    def __init__(self, vocabulary: HashedVocabulary, pack: Callable[[int, int], int]) -> None:
        self._vocabulary, self._pack = vocabulary, pack
        self._columns: dict[int, str] = {}
        self.unknown: set[str] = set()
        """Those kept that are in no column with a row of its own."""
        self.sharing: set[str] = set()
        """Those kept that are in one column with another."""
        self.forgotten = 0
        """How often all were let go of: by a text in between, who shares what is not known."""

    def __missing__(self, term: str) -> int:
        column, sign = self._vocabulary.place_of(term)
        if len(self) >= MOST_KEPT:
            self.forgotten += 1
            for kept in (self, self._columns, self.unknown, self.sharing):
                kept.clear()
        if self._vocabulary.column_of(term) is None:
            self.unknown.add(term)
        other = self._columns.setdefault(column, term)
        if other != term:
            self.sharing |= {other, term}
        found = self[term] = self._pack(column, sign)
        return found
