"""Where in a text each of its terms comes from.

The terms are those of analyzer.py, made again with the place of each. That is done in two steps: a
text is prepared (lower case, no accents, single blanks) with the origin of every character kept
beside it, and then cut up. A character that became several, or a run of blanks that became one, is
in a span as a whole; a mark that was dropped goes with the letter that it stood on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from function.compiled.analyzer import (
    DEFAULT_TOKEN_PATTERN,
    WHITE_SPACES,
    AnalyzerSpec,
    accent_stripper,
)
from function.explanation import Span

Piece = tuple[str, int, int]
"""A term and its place in the prepared text; the place is empty where it is of nothing there."""
Cut = Callable[[str], Iterable[Piece]]
_WORDS = re.compile(r"\S+")


class Prepared(NamedTuple):
    """A text as the analyzer cuts it up, and for each character where what it was begins and
    ends."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def build_finder(spec: AnalyzerSpec) -> Callable[[str], dict[str, list[Span]]]:
    """Return the function from a text to its terms, in the order in which they are first met, each
    with its places in the text.

    A term has no place where it consists of padding or of nothing at all.
    """
    cut, prepare = _build_cut(spec), _build_preparer(spec)

    def find(text: str) -> dict[str, list[Span]]:
        (prepared, starts, ends), found = prepare(text), dict[str, list[Span]]()
        for term, start, stop in cut(prepared):
            spans = found.setdefault(term, [])
            if start < stop:
                spans.append((starts[start], ends[stop - 1]))
        return found

    return find


def _build_preparer(spec: AnalyzerSpec) -> Callable[[str], Prepared]:
    strip = accent_stripper(spec["strip_accents"]) if spec["strip_accents"] else None

    def prepare(text: str) -> Prepared:
        found = Prepared(text, range(len(text)), range(1, len(text) + 1))
        for name in spec.get("methods", ()):
            found = _stripped_of_blanks(found, name) if "strip" in name else _cased(found, name)
        if spec["lowercase"]:
            found = _cased(found, "lower")
        if strip is not None and not text.isascii():
            found = _stripped(found, strip)
        return _shrunk(found) if spec["analyzer"] == "char" else found

    return prepare


def _stripped_of_blanks(prepared: Prepared, method: str) -> Prepared:
    text, starts, ends = prepared
    left = getattr(str, method)(text)
    start = 0 if method == "rstrip" else len(text) - len(text.lstrip())
    kept = slice(start, start + len(left))
    return Prepared(left, starts[kept], ends[kept])


def _cased(prepared: Prepared, method: str) -> Prepared:
    """What a character becomes may depend on others (a final sigma), how long it gets does not."""
    text, starts, ends = prepared
    change: Callable[[str], str] = getattr(str, method)
    changed = change(text)
    if len(changed) == len(text):
        return Prepared(changed, starts, ends)
    spread_starts, spread_ends = list[int](), list[int]()
    for character, start, end in zip(text, starts, ends, strict=True):
        length = len(change(character))
        spread_starts += [start] * length
        spread_ends += [end] * length
    return Prepared(changed, spread_starts, spread_ends)


def _stripped(prepared: Prepared, strip: Callable[[str], str]) -> Prepared:
    from unicodedata import combining

    text, starts, ends = prepared
    kept, kept_starts, kept_ends = list[str](), list[int](), list[int]()
    for character, start, end in zip(text, starts, ends, strict=True):
        if base := strip(character):
            kept.append(base)
            kept_starts += [start] * len(base)
            kept_ends += [end] * len(base)
        elif kept_ends and kept_ends[-1] == start and combining(character):
            kept_ends[-1] = end
    return Prepared("".join(kept), kept_starts, kept_ends)


def _shrunk(prepared: Prepared) -> Prepared:
    """Of each run of blanks one."""
    text, starts, ends = prepared
    runs = [match.span() for match in WHITE_SPACES.finditer(text)]
    if not runs:
        return prepared
    kept_starts, kept_ends, last = list[int](), list[int](), 0
    for start, stop in runs:
        kept_starts += starts[last : start + 1]
        kept_ends += [*ends[last:start], ends[stop - 1]]
        last = stop
    kept_starts += starts[last:]
    kept_ends += ends[last:]
    return Prepared(WHITE_SPACES.sub(" ", text), kept_starts, kept_ends)


def _build_cut(spec: AnalyzerSpec) -> Cut:
    """Return what analyzer.py does to a prepared text."""
    shortest, longest = spec["ngram_range"]
    if spec["analyzer"] == "char":
        return lambda text: _windows(text, shortest, longest)
    if spec["analyzer"] == "char_wb":
        return lambda text: _padded_windows(text, shortest, longest)
    pattern = re.compile(spec["token_pattern"] or DEFAULT_TOKEN_PATTERN)
    ignored = frozenset(spec["stop_words"] or ())

    def cut(text: str) -> Iterable[Piece]:
        words = [word for word in _words(pattern, text) if word[0] not in ignored]
        return words if longest == 1 else _runs(words, shortest, longest)

    return cut


def _words(pattern: re.Pattern[str], text: str) -> Iterator[Piece]:
    """As `findall`: a group, where there is one, is the word, and the empty one without a match."""
    for match in pattern.finditer(text):
        start, stop = match.span(pattern.groups)
        yield (text[start:stop], start, stop) if start >= 0 else ("", match.end(), match.end())


def _runs(words: Sequence[Piece], shortest: int, longest: int) -> Iterator[Piece]:
    """The n-grams of words, each from its first word's start to its last one's end."""
    for size in range(shortest, min(longest, len(words)) + 1):
        for first in range(len(words) - size + 1):
            run = words[first : first + size]
            start, stop = (run[0][1], run[-1][2]) if run else (0, 0)
            yield " ".join([word for word, _, _ in run]), start, stop


def _windows(text: str, shortest: int, longest: int) -> Iterator[Piece]:
    for size in range(shortest, min(longest, len(text)) + 1):
        for start in range(len(text) - size + 1):
            yield text[start : start + size], start, start + size


def _padded_windows(text: str, shortest: int, longest: int) -> Iterator[Piece]:
    """As char_wb_ngrams; a blank that pads is at no place."""
    for word in _WORDS.finditer(text):
        before, stop = word.start() - 1, word.end()
        padded = f" {word[0]} "
        for size in range(shortest, longest + 1):
            for start in range(max(len(padded) - size, 0) + 1):
                first, last = max(before + start, word.start()), min(before + start + size, stop)
                yield padded[start : start + size], first, last
            if size >= len(padded):
                break
