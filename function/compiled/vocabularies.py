"""Vocabularies in C, from the parts that those in Python are taken apart into.

Python prepares a text (lower case, no accents) and, where it is not in ASCII or a token pattern is
not a plain one, finds its tokens; native/ does the rest.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from function.compiled import native
from function.compiled.analyzer import (
    DEFAULT_TOKEN_PATTERN,
    Analyze,
    AnalyzerSpec,
    build_preparer,
    build_tokenizer,
)
from function.compiled.pairs import PairVocabulary, count_parts, splitter_for
from function.compiled.rows import RowLayout
from function.compiled.terms import TermVocabulary, joined_terms

if TYPE_CHECKING:
    from function.compiled.runs import Runs

MOST_IN_A_ROW = 2**31 - 1
"""Of an n-gram: no text is that long."""

Prepare = Callable[[str], str] | Callable[[str], list[str]]
"""From a text to how native/ takes it: as a whole, or its tokens."""

_is_word = re.compile(r"\w+").fullmatch


class NativeVocabulary:
    """What NativePairs, NativeTerms and NativeHashed (native_hashed.py) have in common."""

    kind: str

    def __init__(
        self,
        index: native._native.Pairs | native._native.Terms | native._native.Hashed,
        prepare: Prepare,
        files: Mapping[str, bytes],
    ) -> None:
        self._index, self._prepare, self._files = index, prepare, {**files}

    def weigh(
        self,
        table: bytes,
        scores: int,
        *,
        binary: bool,
        sublinear: bool,
        norm: Literal["l1", "l2"] | None,
        scale: float,
        binarize: float | None,
    ) -> None:
        """Say what the terms are worth (vectorizer.Vectorizer, faithful.build_features), before
        `add_up` is asked. Raises ValueError for a table without a line for each column."""
        self._index.weigh(table, scores, binary, sublinear, norm, scale, binarize)

    def add_up(self, texts: Sequence[str], totals: bytearray) -> None:
        """Add each text's part to its scores: native doubles, one text's after the other's."""
        self._index.add_up([*map(self._prepare, texts)], totals)

    def values(self, texts: Sequence[str], start: int) -> list[bytes]:
        """Return each text's columns, ascending and the first of all being `start`, with their
        values: native.VALUE, one after the other."""
        return self._index.values([*map(self._prepare, texts)], start)

    def rows_in(self, text: str) -> list[int]:
        """As TermVocabulary.rows_in, of each row the column alone."""
        return self._index.columns(self._prepare(text))

    def terms_met(self) -> tuple[int, int]:
        """As TermVocabulary.terms_met."""
        return self._index.terms_met()

    def check(self, layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """As TermVocabulary.check."""
        if not self._index.is_sound(columns, layout.squares):
            raise ValueError(f"a row's column is none of {columns}, or its numbers do not add up")

    def let_rows_go(self) -> None:
        """Keep of the rows, which are Python's to add up, the columns alone. Then there is nothing
        more to `check`, and `to_parts` raises ValueError."""
        self._index.let_rows_go()
        self._files.pop("rows", None)

    def _all_files(self) -> dict[str, bytes]:
        if "rows" not in self._files:
            raise ValueError("a vocabulary that was loaded has let its rows go")
        return {**self._files}


class NativePairs(NativeVocabulary):
    """As PairVocabulary."""

    kind: Literal["pairs"] = PairVocabulary.kind

    def __init__(self, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes]) -> None:
        """Raises ValueError where the files do not fit together."""
        splitter = splitter_for(spec)
        ignored = filter(_is_word, splitter.ignored)  # no text holds others
        known, self._alone, self._pairs = count_parts(layout, files)
        index = native._native.Pairs(
            words="\n".join([files["terms"].decode(), *ignored]).encode(),
            known=known,
            pairs=files["pairs"],
            rows=files["rows"],
            fields=layout.fields,
        )
        super().__init__(index, _joining(spec, splitter.find), files)

    def column_of(self, term: str) -> int | None:
        """As TermVocabulary.column_of."""
        columns, words = self._index.columns, term.split(" ")
        found = columns(term)
        for word in words if len(words) == 2 else ():
            for column in columns(word):  # a pair's words are met with it
                found.remove(column)
        return found[0] if found else None

    def terms(self) -> list[str]:
        """As PairVocabulary.terms."""
        words, numbers = self._files["terms"].decode().split("\n"), array("I", self._files["pairs"])
        pairs = zip(numbers[: self._pairs], numbers[self._pairs :], strict=True)
        return words[: self._alone] + [f"{words[first]} {words[second]}" for first, second in pairs]

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As TermVocabulary.to_parts."""
        return {}, self._all_files()

    @classmethod
    def from_parts(
        cls, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes]
    ) -> NativePairs:
        """As TermVocabulary.from_parts."""
        return cls(spec, layout, files)


class NativeTerms(NativeVocabulary):
    """As TermVocabulary."""

    kind: Literal["terms"] = TermVocabulary.kind

    def __init__(
        self, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes], separator: str
    ) -> None:
        """Raises ValueError where the files do not fit together."""
        self._separator, self._is_empty = separator, not files["rows"]
        joined_terms(files, separator)  # or an error
        prepare, options = analyzer_for(spec)
        index = native._native.Terms(
            terms=files["terms"],
            separator=separator.encode(),
            rows=files["rows"],
            fields=layout.fields,
            **options,
        )
        super().__init__(index, prepare, files)

    def column_of(self, term: str) -> int | None:
        """As TermVocabulary.column_of."""
        return self._index.column(term)

    def terms(self) -> list[str]:
        """As TermVocabulary.terms."""
        text = joined_terms(self._files, self._separator)
        return [] if self._is_empty else text.split(self._separator)

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As TermVocabulary.to_parts."""
        return {"separator": self._separator}, self._all_files()

    @classmethod
    def from_parts(
        cls, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes], separator: str
    ) -> NativeTerms:
        """As TermVocabulary.from_parts."""
        return cls(spec, layout, files, separator)


def analyzer_for(spec: AnalyzerSpec) -> tuple[Prepare, dict[str, Any]]:
    """Return what Python does before native/, and what native/ does then: arguments of Terms."""
    prepare, runs, ignored = _finding(spec)
    shortest, longest = spec["ngram_range"]
    is_tokens = spec["analyzer"] == "word" and longest == 1  # wherever the range starts
    return prepare, {
        "analyzer": spec["analyzer"],
        "shortest": 1 if is_tokens else min(shortest, MOST_IN_A_ROW),
        "longest": min(longest, MOST_IN_A_ROW),
        "ignored": "\n".join(ignored).encode("utf-8", "surrogatepass"),
        "letters": runs.letters,
        "shortest_token": runs.least,
    }


def _finding(spec: AnalyzerSpec) -> tuple[Prepare, Runs, Sequence[str]]:
    """Return what Python does before native/, the tokens to find there, and those to leave out."""
    from function.compiled.runs import NO_RUNS, runs_of

    if spec["analyzer"] != "word":
        return build_preparer(spec) or str, NO_RUNS, ()
    runs = runs_of(spec["token_pattern"] or DEFAULT_TOKEN_PATTERN)
    if runs is None:
        return build_tokenizer(spec), NO_RUNS, ()
    tokens, prepare = re.compile(runs.pattern), build_preparer(spec) or str
    ignored = [*filter(tokens.fullmatch, spec["stop_words"] or ())]  # no text holds others
    return _joining(spec, lambda text: tokens.findall(prepare(text))), runs, ignored


def _joining(spec: AnalyzerSpec, find: Analyze) -> Callable[[str], str]:
    """Texts in ASCII are left whole, of others the tokens are joined by spaces, which no token
    holds."""
    fold = build_preparer({**spec, "strip_accents": None}) or str
    return lambda text: fold(text) if text.isascii() else " ".join(find(text))


def pair_vocabulary() -> type[PairVocabulary] | type[NativePairs]:
    """Return the quicker of the two that is there."""
    return PairVocabulary if native._native is None else NativePairs


def term_vocabulary() -> type[TermVocabulary] | type[NativeTerms]:
    """As `pair_vocabulary`, of any terms."""
    return TermVocabulary if native._native is None else NativeTerms
