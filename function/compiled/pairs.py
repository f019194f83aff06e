"""A vocabulary of words and pairs of words, the most common kind, without making the pairs.

Joining two words to look the pair up costs more than everything else about it. So each word has a
node, a dictionary from the node that follows to the row of the pair: two words in a row are one
lookup, and a text, or a hundred, is walked through by `map` alone, in C.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise, repeat
from operator import sub
from typing import Any, Literal

from function.compiled.analyzer import AnalyzerSpec, Splitter, build_splitter
from function.compiled.rows import COLUMN_MASK, RowLayout
from function.compiled.terms import Repeats

_ONE_OR_TWO_WORDS = re.compile(r"\w+(?: \w+)?").fullmatch
_row_under = dict.__getitem__
_END = -1
"""The row of what stands between texts."""


class Node(dict["Node | None", int]):
    """A word: under None its own row (0 for none), under each node that may follow the row of
    that pair, with the second word's own row added already. Equal to itself alone."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


class PairVocabulary:
    """As TermVocabulary, for words and pairs of words, or for either alone."""

    kind: Literal["pairs"] = "pairs"

    def __init__(self, spec: AnalyzerSpec, nodes: dict[str, Node]) -> None:
        """Takes the words' nodes over, from `link` or a file."""
        splitter = splitter_for(spec)
        self._split = splitter.split
        self._end = Node({None: _END})
        self._unknown = Node({None: 0})
        self._words: dict[str | None, Node | None] = nodes  # type: ignore[assignment]
        # What is no word drops out before pairs are formed: `filter` does it, seeing a None.
        self._words.update(dict.fromkeys(splitter.ignored))
        self._words[None] = self._end
        self._met = self._unmet = 0

    @staticmethod
    def fits(spec: AnalyzerSpec) -> bool:
        """Whether an analyzer's terms are words and pairs of words, or either."""
        is_one_or_two = spec["ngram_range"] in ([1, 1], [1, 2], [2, 2])
        return is_one_or_two and spec["analyzer"] == "word" and build_splitter(spec) is not None

    def totals(self, texts: Sequence[str]) -> Iterator[tuple[int, Repeats]]:
        """As TermVocabulary.totals."""
        words: list[str | None] = []
        for text in texts:
            words += self._split(text)
            words.append(None)
        nodes = self._find(words)
        self._met += len(nodes) - len(texts) - 1
        self._unmet += nodes.count(self._unknown)
        own: list[int] = [*map(_row_under, nodes, repeat(None))]
        # For the step from each node to the next: the row of the pair, else that of the second.
        rows: list[int] = [*map(dict.get, nodes, nodes[1:], own[1:])]
        start = 0
        for _ in texts:
            stop = own.index(_END, start + 1)
            yield sum(rows[start : stop - 1]), _repeated(nodes[start + 1 : stop])
            start = stop

    def rows_in(self, text: str) -> list[int]:
        """As TermVocabulary.rows_in."""
        nodes = self._find(self._split(text))[1:]
        rows = [node[None] for node in nodes]
        rows += [one[two] - two[None] for one, two in pairwise(nodes) if two in one]
        return [*filter(None, rows)]

    def column_of(self, term: str) -> int | None:
        """As TermVocabulary.column_of."""
        first, _, second = term.partition(" ")
        node = self._words.get(first) or self._unknown
        follower = (self._words.get(second) or self._unknown) if second else None
        if follower not in node:
            return None
        row = node[None] if follower is None else _pair_row(node, follower)
        return row & COLUMN_MASK if row else None

    def _find(self, words: Iterable[str | None]) -> list[Node]:
        """Return the words' nodes, with an end before the first."""
        return [self._end, *filter(None, map(self._words.get, words, repeat(self._unknown)))]

    def terms_met(self) -> tuple[int, int]:
        """As TermVocabulary.terms_met, of words."""
        return self._met, self._unmet

    def terms(self) -> list[str]:
        """Return the terms that a text can hold: words, then pairs."""
        nodes = self._nodes()
        names = {node: word for word, node in nodes.items()}
        pairs = [f"{names[first]} {names[second]}" for first, second in _pairs(nodes)]
        return [word for word, node in nodes.items() if node[None]] + pairs

    def _nodes(self) -> dict[str, Node]:
        return {word: node for word, node in self._words.items() if word and node}

    @staticmethod
    def check(layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """As TermVocabulary.check. A pair's row holds its second word's."""
        known, alone, count = count_parts(layout, files)
        rows, seconds = files["rows"], array("I", files["pairs"])[count:]
        own, sums = rows[: alone * layout.row_bytes], rows[alone * layout.row_bytes :]
        own += bytes((known - alone) * layout.row_bytes)  # as if those without rows had them
        layout.check(own[: alone * layout.row_bytes], columns)
        more = bytes([1]) * alone + bytes(known - alone)
        layout.check_sums(sums, bytes(map(more.__getitem__, seconds)), 2)
        places = [*map(sub, layout.columns_of(sums), _at(layout.columns_of(own), seconds))]
        if places and not 0 <= min(places) <= max(places) < columns:
            raise ValueError(f"a row is of another column than these {columns}")
        if layout.squares:
            squares = map(sub, layout.first_of(sums), _at(layout.first_of(own), seconds))
            if min(squares, default=0) < 0:
                raise ValueError("a row holds a square below zero")

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As TermVocabulary.to_parts."""
        nodes = self._nodes()
        words = sorted(nodes, key=lambda word: not nodes[word][None])  # those with rows first
        places = {nodes[word]: place for place, word in enumerate(words)}
        pairs = [*_pairs(nodes)]
        numbers = array("I", [places[first] for first, _ in pairs])
        numbers.extend([places[second] for _, second in pairs])
        rows = [row for word in words if (row := nodes[word][None])]
        rows += [first[second] for first, second in pairs]
        return {}, {
            "terms": "\n".join(words).encode(),
            "pairs": numbers.tobytes(),
            "rows": layout.to_bytes(rows),
        }

    @classmethod
    def from_parts(
        cls, spec: AnalyzerSpec, layout: RowLayout, files: Mapping[str, bytes]
    ) -> PairVocabulary:
        """As TermVocabulary.from_parts."""
        known, alone, count = count_parts(layout, files)
        words = files["terms"].decode().split("\n")[:known]
        rows = layout.from_bytes(files["rows"])
        numbers = array("I", files["pairs"])
        nodes = [Node({None: row}) for row in rows[:alone]]
        nodes += [Node({None: 0}) for _ in words[alone:]]
        pairs = zip(numbers[:count], numbers[count:], rows[alone:], strict=True)
        for first, second, row in pairs:
            nodes[first][nodes[second]] = row
        return cls(spec, dict(zip(words, nodes, strict=True)))


def _at(numbers: Sequence[int], places: Iterable[int]) -> Iterator[int]:
    return map(numbers.__getitem__, places)


def count_parts(layout: RowLayout, files: Mapping[str, bytes]) -> tuple[int, int, int]:
    """Return how many words a vocabulary's files hold, how many of these, the first, have rows of
    their own, and how many pairs. Raises ValueError where they do not fit: a word without a row is
    there for a pair."""
    terms = files["terms"]
    words = terms.count(b"\n") + 1 if terms else 0
    pairs, half_pair = divmod(len(files["pairs"]), 2 * array("I").itemsize)
    rows, part_of_row = divmod(len(files["rows"]), layout.row_bytes)
    alone = rows - pairs
    if half_pair or part_of_row or not 0 <= alone <= words <= alone + 2 * pairs:
        raise ValueError(f"{words} words, {len(files['pairs'])} bytes of pairs and {rows} rows")
    return words, alone, pairs


def link(spec: AnalyzerSpec, rows: Mapping[str, int]) -> dict[str, Node]:
    """Return the node of each word, given the row of each term; terms that no text can hold, which
    a vocabulary of the user's own may have, are left out."""
    (shortest, longest), ignored = spec["ngram_range"], splitter_for(spec).ignored
    nodes: dict[str, Node] = {}

    def node(word: str) -> Node:
        return nodes.get(word) or nodes.setdefault(word, Node({None: 0}))

    splits = {term: term.split(" ") for term in filter(_ONE_OR_TWO_WORDS, rows)}
    terms = {term: words for term, words in splits.items() if ignored.isdisjoint(words)}
    for term, words in terms.items():
        if len(words) == 1 >= shortest:
            node(term)[None] = rows[term]
    for term, words in terms.items():
        if len(words) == 2 == longest:
            first, second = map(node, words)
            first[second] = rows[term] + second[None]
    return nodes


def splitter_for(spec: AnalyzerSpec) -> Splitter:
    """Return how such an analyzer's words are found; ValueError where they cannot be."""
    splitter = build_splitter(spec)
    if splitter is None:
        raise ValueError(f"the token pattern {spec['token_pattern']!r} may match anything")
    return splitter


def _pairs(nodes: Mapping[str, Node]) -> Iterator[tuple[Node, Node]]:
    return ((node, second) for node in nodes.values() for second in node if second)


def _pair_row(first: Node, second: Node) -> int:
    return first[second] - second[None]


def _repeated(nodes: Sequence[Node]) -> Repeats:
    """Return the rows of the words and pairs that come several times, each with how often."""
    seen: set[Node] = set()
    add = seen.add
    again = [node for node in nodes if node in seen or add(node)]
    if not again:
        return ()
    if len(again) == 1:
        row = again[0][None]
        return [(row, 2)] if row else ()
    counts: dict[Node, int] = {}  # a Counter takes 2 microseconds for three words
    for node in again:
        counts[node] = counts.get(node, 1) + 1
    repeats = [(row, count) for node, count in counts.items() if (row := node[None])]
    # The words of a pair that comes again both do, one right after the other.
    if any(map(dict.__contains__, again, again[1:])):
        repeats += _repeated_pairs(nodes, {*pairwise(again)})
    return repeats


def _repeated_pairs(nodes: Sequence[Node], candidates: Set[tuple[Node, Node]]) -> Repeats:
    known = {pair for pair in candidates if pair[1] in pair[0]}
    counted = Counter([pair for pair in pairwise(nodes) if pair in known]).items()
    return [(_pair_row(*pair), count) for pair, count in counted if count > 1]
