"""Words and pairs of words in C, where native/ has been built; where not, pairs.py serves.

A hundred texts are found and added up in a fifth of the time, and a vocabulary is served as its
files have it, not taken apart into Python's objects. `python -m function.build` builds it;
nothing needs it, and both ways give the same numbers.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.pairs import PairVocabulary, count_parts, splitter_for
from function.compiled.rows import RowLayout

VERSION = 4
"""Of native.h: what was built of another stays aside until it is built again."""

try:
    from function.compiled import _native
except ImportError:
    _native = None  # type: ignore[assignment]
if getattr(_native, "VERSION", None) != VERSION:
    _native = None  # type: ignore[assignment]

_is_word = re.compile(r"\w+").fullmatch


class NativeVocabulary:
    """As PairVocabulary, from the parts that it is taken apart into."""

    kind = PairVocabulary.kind

    def __init__(self, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes]) -> None:
        """Raises ValueError where the files do not fit together."""
        splitter = splitter_for(spec)
        ignored = filter(_is_word, splitter.ignored)  # no text holds others
        self._find, self._fold = splitter.find, str.lower if spec["lowercase"] else str
        self._files = files
        known, self._alone, self._pairs = count_parts(layout, files)
        self._index = _native.Index(
            words="\n".join([files["terms"].decode(), *ignored]).encode(),
            known=known,
            pairs=files["pairs"],
            rows=files["rows"],
            fields=layout.fields,
        )

    def sums(
        self,
        texts: Sequence[str],
        *,
        binary: bool,
        sublinear: bool,
        has_squares: bool,
        most: int,
    ) -> list[tuple[float, ...] | None]:
        """Return for each text the sums of its terms' fields, of which the first may be squares: a
        term counts as its frequency (faithful.py) says, there as the square of that. None for a
        text of more than `most` terms, or with more ways to choose two that are the same."""
        words = [*map(self._words, texts)]
        return self._index.sums(words, binary, sublinear, has_squares, most)

    def rows_in(self, text: str) -> list[int]:
        """As TermVocabulary.rows_in, of each row the column alone."""
        return self._index.columns(self._words(text))

    def column_of(self, term: str) -> int | None:
        """As TermVocabulary.column_of."""
        columns, words = self._index.columns, term.split(" ")
        found = columns(term)
        for word in words if len(words) == 2 else ():
            for column in columns(word):  # a pair's words are met with it
                found.remove(column)
        return found[0] if found else None

    def terms_met(self) -> tuple[int, int]:
        """As TermVocabulary.terms_met."""
        return self._index.terms_met()

    def terms(self) -> list[str]:
        """As PairVocabulary.terms."""
        words, numbers = self._files["terms"].decode().split("\n"), array("I", self._files["pairs"])
        pairs = zip(numbers[: self._pairs], numbers[self._pairs :], strict=True)
        return words[: self._alone] + [f"{words[first]} {words[second]}" for first, second in pairs]

    def check(self, layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """As TermVocabulary.check."""
        if not self._index.is_sound(columns, layout.squares):
            raise ValueError(f"a row's column is none of {columns}, or its numbers do not add up")

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As TermVocabulary.to_parts."""
        return {}, dict(self._files)

    @classmethod
    def from_parts(
        cls, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes]
    ) -> NativeVocabulary:
        """As TermVocabulary.from_parts."""
        return cls(spec, layout, files)

    def _words(self, text: str) -> str:
        """Return the text as words.c takes it."""
        return self._fold(text) if text.isascii() else " ".join(self._find(text))


def largest_of(doubles: bytes) -> float:
    """Return a bound on the magnitudes of native doubles, one after the other: infinite or not a
    number where one of them is."""
    if _native is not None:
        return _native.largest(doubles)
    if not doubles[_HIGHEST::8].translate(None, _SMALL):
        return 2.0**257
    numbers = array("d", doubles)
    return max(map(abs, numbers)) if all(map(isfinite, numbers)) else inf


_HIGHEST = 7 if sys.byteorder == "little" else 0
_SMALL = bytes(byte for byte in range(256) if byte & 0x7F < 0x50)
"""The highest byte, sign and most of the exponent, of doubles below 2.0 ** 257."""


def pair_vocabulary() -> type[PairVocabulary] | type[NativeVocabulary]:
    """Return the quicker of the two that is there."""
    return PairVocabulary if _native is None else NativeVocabulary
