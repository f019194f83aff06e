"""A vocabulary of any kind of terms: a dictionary from the term to its row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Literal

from function.compiled.analyzer import (
    Analyze,
    AnalyzerSpec,
    build_analyzer,
    build_preparer,
    char_wb_ngrams,
)
from function.compiled.rows import COLUMN_MASK, RowLayout

Repeats = Sequence[tuple[int, int]]
"""The rows of the terms that a text has several times, each with how often."""


class TermVocabulary:
    """Finds a text's known terms; see rows.py for what a row is."""

    kind: Literal["terms"] = "terms"

    def __init__(
        self, spec: AnalyzerSpec, rows: Mapping[str, int], analyze: Analyze | None = None
    ) -> None:
        """`analyze` is for terms that are made otherwise than `spec` has it."""
        self._analyze = analyze or build_analyzer(spec)
        self._rows = rows
        by_word = spec["analyzer"] == "char_wb" and analyze is None
        self._words = _PaddedWords(spec, rows) if by_word else None
        self._met = self._unknown = 0

    def totals(self, texts: Sequence[str]) -> Iterator[tuple[int, Repeats]]:
        """Yield for each text the sum of its terms' rows, each as often as it occurs, and the
        known terms that occur several times."""
        by_word = self._words is not None
        return self._totals_by_word(texts) if by_word else self._totals(texts)

    def _totals(self, texts: Sequence[str]) -> Iterator[tuple[int, Repeats]]:
        analyze, get, zeros = self._analyze, self._rows.get, repeat(0)
        for text in texts:
            terms = analyze(text)
            rows = [*map(get, terms, zeros)]
            self._met += len(rows)
            self._unknown += rows.count(0)
            total = sum(rows)
            yield total, () if len({*terms}) == len(terms) else self._repeated(terms)

    def _repeated(self, terms: Sequence[str]) -> Repeats:
        get = self._rows.get
        counted = [pair for pair in Counter(terms).items() if pair[1] > 1]
        return [(row, count) for term, count in counted if (row := get(term))]

    def _totals_by_word(self, texts: Sequence[str]) -> Iterator[tuple[int, Repeats]]:
        """As `_totals`, of padded words."""
        assert self._words is not None
        prepare, find = self._words.prepare, self._words.__getitem__
        for text in texts:
            words = [*map(find, (prepare(text) if prepare else text).split())]
            rows = [*chain.from_iterable([word.rows for word in words])]
            met = sum([word.met for word in words])
            self._met += met
            self._unknown += met - len(rows)
            total = sum([word.total for word in words])
            yield total, () if len({*rows}) == len(rows) else _repeated(rows)

    def rows_in(self, text: str) -> list[int]:
        """Return the rows of a text's known terms, repeats included, in any order."""
        return [*filter(None, map(self._rows.get, self._analyze(text)))]

    def column_of(self, term: str) -> int | None:
        """Return the column of one of the analyzer's terms; None where it is not known."""
        row = self._rows.get(term)
        return None if row is None else row & COLUMN_MASK

    def terms_met(self) -> tuple[int, int]:
        """Return how many terms the texts have had so far, repeats included, and how many of these
        are not in the vocabulary."""
        return self._met, self._unknown

    def terms(self) -> list[str]:
        """Return the terms."""
        return [*self._rows]

    @staticmethod
    def check(layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """Raise ValueError where a row of what `from_parts` took is of no term with one of so many
        columns (RowLayout.check)."""
        layout.check(files["rows"], columns)

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what `from_parts` needs: JSON for the manifest, and contents by file name."""
        separator = _absent_character(self._rows)
        text = separator.join(self._rows).encode("utf-8", "surrogatepass")
        rows = layout.to_bytes(self._rows.values())
        return {"separator": separator}, {"terms": text, "rows": rows}

    @classmethod
    def from_parts(
        cls,
        spec: AnalyzerSpec,
        layout: RowLayout,
        files: Mapping[str, bytes],
        analyze: Analyze | None = None,
        /,
        *,
        separator: str,
    ) -> TermVocabulary:
        """Return the vocabulary that `to_parts` took apart; ValueError where parts do not fit."""
        rows = layout.from_bytes(files["rows"])
        terms = joined_terms(files, separator).split(separator) if rows or files["terms"] else []
        return cls(spec, dict(zip(terms, rows, strict=True)), analyze)


class _Word:
    """A word's known n-grams, repeats included: their rows, and the sum of these. And how many
    n-grams it has. No NamedTuple, whose making takes a fifth of a millisecond of each start."""

    __slots__ = ("met", "rows", "total")

    def __init__(self, rows: Sequence[int], met: int) -> None:
        self.rows, self.met, self.total = rows, met, sum(rows)


class _PaddedWords(dict[str, _Word]):
    """What a char_wb analyzer makes of each word, which is the same wherever it stands: most words
    of a text are common ones, and finding their n-grams takes ten times as long as adding up."""

    MOST, LONGEST = 4096, 32
    """Words that are kept, and characters of one: texts are not to fill the memory."""

    def __init__(self, spec: AnalyzerSpec, rows: Mapping[str, int]) -> None:
        self.prepare = build_preparer(spec)
        self._rows, (self._shortest, self._longest) = rows, spec["ngram_range"]

    def __missing__(self, word: str) -> _Word:
        terms = char_wb_ngrams(word, self._shortest, self._longest)
        rows = [*filter(None, map(self._rows.get, terms))]
        found = _Word(rows, len(terms))
        if len(self) >= self.MOST:
            self.clear()
        if len(word) <= self.LONGEST:
            self[word] = found
        return found


def _repeated(rows: Sequence[int]) -> Repeats:
    return [pair for pair in Counter(rows).items() if pair[1] > 1]


def joined_terms(files: Mapping[str, bytes], separator: str) -> str:
    """Return a vocabulary's terms, of its files; ValueError where that is no text, or the separator
    not one character."""
    if len(separator) != 1:
        raise ValueError(f"terms between {separator!r}")
    return files["terms"].decode("utf-8", "surrogatepass")


def _absent_character(terms: Mapping[str, int]) -> str:
    """Return a character that is in no term, a newline if possible."""
    used = set().union(*terms)
    for character in chain("\n", map(chr, range(0x110000))):
        if character not in used and not "\ud800" <= character <= "\udfff":
            return character
    raise ValueError("the vocabulary uses every character there is")
