"""Text to terms, exactly as scikit-learn's CountVectorizer analyzers do it.

Follows `_VectorizerMixin` and `_preprocess` in sklearn/feature_extraction/text.py (1.9): lower
first, then strip accents, then tokens or characters, then n-grams. Only the multiset of terms
matters to a bag of words, so their order is free. Standard library only; `unicodedata` is
imported when a model strips accents and not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, reduce
from itertools import pairwise
from typing import Literal, NamedTuple, TypedDict

Analyze = Callable[[str], list[str]]

WHITE_SPACES = re.compile(r"\s\s+")
"""The char analyzers shrink each run of two or more to one space; a lone tab or newline stays."""

DEFAULT_TOKEN_PATTERN = r"(?u)\b\w\w+\b"
SAME_TOKENS_FASTER = {
    DEFAULT_TOKEN_PATTERN: r"\w\w+",
    r"\b\w\w+\b": r"\w\w+",
    r"(?u)\b\w+\b": r"\w+",
    r"\b\w+\b": r"\w+",
}
"""The usual patterns without their \\b: `+` is greedy, so a match always is a whole run of word
characters, and the engine need not test the edges (a quarter of the time)."""


METHODS = ("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "swapcase")
"""Those of `str` that may prepare a text: none makes of a text in ASCII one that is not, and how
long a letter gets in another case does not depend on those beside it."""


class _Options(TypedDict):
    analyzer: Literal["word", "char", "char_wb"]
    ngram_range: list[int]
    lowercase: bool
    strip_accents: Literal["ascii", "unicode"] | None
    stop_words: list[str] | None
    token_pattern: str | None


class AnalyzerSpec(_Options, total=False):
    """The CountVectorizer parameters that decide the terms, as JSON types."""

    methods: list[str]
    """Which of METHODS a text passes through first, one after the other."""


def build_analyzer(spec: AnalyzerSpec) -> Analyze:
    """Return the function from a text to its terms, repeats included.

    `stop_words` and `token_pattern` concern the word analyzer only, as in scikit-learn.
    Raises ValueError for an unknown analyzer or accent rule, re.error for a bad pattern.
    """
    shortest, longest = spec["ngram_range"]
    if spec["analyzer"] == "word":
        return _build_word_analyzer(spec, shortest, longest)
    prepare = build_preparer(spec)
    if spec["analyzer"] == "char":
        return _chain(prepare, lambda text: char_ngrams(text, shortest, longest))
    if spec["analyzer"] == "char_wb":
        return _chain(prepare, lambda text: char_wb_ngrams(text, shortest, longest))
    raise ValueError(f"unknown analyzer {spec['analyzer']!r}")


def _chain(prepare: Callable[[str], str] | None, analyze: Analyze) -> Analyze:
    if prepare is None:
        return analyze
    return lambda text: analyze(prepare(text))


def build_preparer(spec: AnalyzerSpec) -> Callable[[str], str] | None:
    """Return what comes before all else; None where nothing does."""
    calls: list[Callable[[str], str]] = [getattr(str, name) for name in spec.get("methods", ())]
    if spec["lowercase"]:
        calls.append(str.lower)
    if spec["strip_accents"] is not None:
        calls.append(accent_stripper(spec["strip_accents"]))
    return reduce(_then, calls) if calls else None


def _then(first: Callable[[str], str], second: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: second(first(text))


def accent_stripper(accents: str) -> Callable[[str], str]:
    """Return what scikit-learn's `strip_accents` "ascii" or "unicode" does, in linear time."""
    if accents not in ("ascii", "unicode"):
        raise ValueError(f"unknown strip_accents {accents!r}")
    bases = _Bases(ascii_only=accents == "ascii")
    return lambda text: text if text.isascii() else text.translate(bases)


class _Bases(dict[int, str]):
    """What accent stripping leaves of each character, by code point, found when first met.

    scikit-learn decomposes the whole text (NFKD) and then drops the marks. That puts marks that
    stand together in order, in a time that grows with the square of their number, and the order of
    what is dropped does not matter: one character at a time gives the same, in linear time.
    """

    MOST = 4096  # characters kept: a text of all of Unicode is not to fill the memory

    def __init__(self, ascii_only: bool) -> None:
        from unicodedata import combining, normalize

        self._normalize, self._combining, self._ascii_only = normalize, combining, ascii_only

    def __missing__(self, code: int) -> str:
        parts = self._normalize("NFKD", chr(code))
        dropped = (lambda part: not part.isascii()) if self._ascii_only else self._combining
        base = "".join([part for part in parts if not dropped(part)])
        if len(self) >= self.MOST:
            self.clear()
        self[code] = base
        return base


class Splitter(NamedTuple):
    """Splits a text into words; those in `ignored` are not to count, and break nothing up."""

    split: Analyze
    find: Analyze
    """As `split`, of any text by the regular expression."""
    ignored: frozenset[str]


def build_splitter(spec: AnalyzerSpec) -> Splitter | None:
    """Return how a word analyzer's tokens are found, or None where a pattern of the user's own
    may match anything.

    Texts in ASCII, most of them, need no regular expression: what is no word character becomes a
    space, which takes a third of the time and leaves words that are too short to be ignored.
    """
    pattern = SAME_TOKENS_FASTER.get(spec["token_pattern"] or DEFAULT_TOKEN_PATTERN)
    if pattern is None:
        return None
    find = _chain(build_preparer(spec), re.compile(pattern).findall)
    spaced = _spaced_table(spec["lowercase"])

    def split(text: str) -> list[str]:
        if text.isascii():
            return text.encode().translate(spaced).decode().split()
        return find(text)

    too_short = filter(_is_of_words, map(chr, range(128))) if pattern == r"\w\w+" else ()
    ignored = frozenset([*too_short, *(spec["stop_words"] or ())])
    return Splitter(find if "methods" in spec else split, find, ignored)


@cache
def _spaced_table(lowercase: bool) -> bytes:
    return bytes(_spaced(code, lowercase) for code in range(128)) + bytes(128)


def _spaced(code: int, lowercase: bool) -> int:
    character = chr(code)
    if not _is_of_words(character):
        return ord(" ")
    return ord(character.lower() if lowercase else character)


def _is_of_words(character: str) -> bool:
    """Whether `\\w` matches it."""
    return character.isalnum() or character == "_"


def build_words(spec: AnalyzerSpec, tokenize: Analyze) -> Analyze:
    """Return the word analyzer whose tokens are those of `tokenize`, whatever the token pattern."""
    if spec["stop_words"] is not None:
        tokenize = _without(frozenset(spec["stop_words"]), tokenize)
    return _build_runs(_chain(build_preparer(spec), tokenize), *spec["ngram_range"])


def _build_word_analyzer(spec: AnalyzerSpec, shortest: int, longest: int) -> Analyze:
    return _build_runs(build_tokenizer(spec), shortest, longest)


def _build_runs(tokenize: Analyze, shortest: int, longest: int) -> Analyze:
    if longest == 1:  # as in scikit-learn, even where the range starts at 0
        return tokenize
    if (shortest, longest) == (1, 2):
        return lambda text: _words_and_pairs(tokenize(text))
    return lambda text: word_ngrams(tokenize(text), shortest, longest)


def build_tokenizer(spec: AnalyzerSpec) -> Analyze:
    """Return the function from a text to a word analyzer's tokens, without stop words."""
    splitter = build_splitter(spec)
    if splitter is not None:
        return _without(splitter.ignored, splitter.split) if splitter.ignored else splitter.split
    tokenize: Analyze = re.compile(spec["token_pattern"] or DEFAULT_TOKEN_PATTERN).findall
    if spec["stop_words"] is not None:
        tokenize = _without(frozenset(spec["stop_words"]), tokenize)
    return _chain(build_preparer(spec), tokenize)


def _without(ignored: frozenset[str], tokenize: Analyze) -> Analyze:
    return lambda text: [token for token in tokenize(text) if token not in ignored]


def _words_and_pairs(tokens: list[str]) -> list[str]:
    """The most common n-gram range, at half the time of `word_ngrams`."""
    return tokens + [f"{first} {second}" for first, second in pairwise(tokens)]


def word_ngrams(tokens: Sequence[str], shortest: int, longest: int) -> list[str]:
    """Return the tokens' n-grams joined by single spaces."""
    count = len(tokens)
    return [
        " ".join(tokens[start : start + size])
        for size in range(shortest, min(longest, count) + 1)
        for start in range(count - size + 1)
    ]


def char_ngrams(text: str, shortest: int, longest: int) -> list[str]:
    """Return the n-grams of characters, across words."""
    text = WHITE_SPACES.sub(" ", text)
    length = len(text)
    return [
        text[start : start + size]
        for size in range(shortest, min(longest, length) + 1)
        for start in range(length - size + 1)
    ]


def char_wb_ngrams(text: str, shortest: int, longest: int) -> list[str]:
    """Return the n-grams of characters inside words, each word padded with a space either side.

    A word not longer than the size is given once, whole, and no larger size is tried on it.
    """
    terms: list[str] = []
    for word in text.split():
        padded = f" {word} "
        length = len(padded)
        for size in range(shortest, longest + 1):
            if size >= length:
                terms.append(padded)
                break
            terms += [padded[start : start + size] for start in range(length - size + 1)]
    return terms
