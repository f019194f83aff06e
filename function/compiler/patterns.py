"""A token pattern of the user's own: does finding its matches take time in proportion to the text?

Python's regular expressions backtrack. Where a repetition can match the same characters in several
ways (`(?:\\w+\\s?)+!`), all are tried before a match is given up: 26 characters take seconds, 30 a
minute, and the interpreter stands still meanwhile, whichever engine serves. Such a pattern cannot
be told for sure by looking at it, and once it runs it cannot be stopped; so it is timed on texts
made to be hard for it, in a process of its own that has only so long (backtracking.py).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from function.compiled.analyzer import SAME_TOKENS_FASTER
from function.compiler.functions import read_functions
from function.compiler.parts import parts_of
from function.compiler.sklearn_names import describe

# What re itself makes of a pattern; in typeshed only under the names of before Python 3.11.
parser: Any = import_module("re._parser")
syntax: Any = import_module("re._constants")

TEXT_LENGTH = 10_000
"""Characters of the text whose time is judged: MAX_TEXT_LENGTH's default."""
MOST_TIMES = 100_000
"""How many times as long as words with scikit-learn's own pattern (a quarter of a millisecond on a
quick machine) stops the service for good: such a pattern is refused. One that takes time with the
square of the text takes some seconds, with the cube an hour, and exponentially for ever; told in
multiples, so that the machine's speed does not decide."""
MANY_TIMES = 200
"""A hundred times what any usual pattern takes: worth a warning."""
CHARACTERS = "a1 _-.,'!@/\n\u00e9"
MOST_TOKENS = 24
KILLERS = ("", "\x00", "!")
"""What comes last, so that there is no match."""
WALL_SECONDS = 60.0
"""For a machine that is busy; the process gives each text half a second of the processor."""


class Timing(NamedTuple):
    """How long a text of TEXT_LENGTH takes; infinite where a short one already took too long."""

    seconds: float
    times: float
    """As long as a text of words with scikit-learn's own pattern, on the same machine."""
    example: str
    """Such a text's beginning."""

    @property
    def is_endless(self) -> bool:
        """Whether such a text would stop the service: it must not be served."""
        return self.times > MOST_TIMES


def slow_patterns(model: Any) -> Iterator[tuple[str, Timing]]:
    """Yield what is slow of the token patterns in `model`, each named with its vectorizer."""
    for part in parts_of(model):
        pattern = _pattern_of(part)
        if isinstance(pattern, str) and (found := timing(pattern)) is not None:
            yield named(part, pattern), found


def _pattern_of(part: Any) -> Any:
    """What a vectorizer finds words with: of what a subclass builds around scikit-learn's way, or
    fails to build, its own `token_pattern`, as far as anybody can know."""
    if hasattr(part, "build_tokenizer"):
        with suppress(Exception):  # a subclass's own: scikit-learn asks it next, and says why
            reading = read_functions(part)
            if reading.token_pattern is not None or reading.analyzer != "word":
                return reading.token_pattern
    is_used = getattr(part, "analyzer", None) == "word" and getattr(part, "tokenizer", None) is None
    return getattr(part, "token_pattern", None) if is_used else None


@cache
def timing(pattern: str) -> Timing | None:
    """Time the pattern on texts that are hard for it; None where all is well."""
    if pattern in SAME_TOKENS_FASTER or _is_simple(parser.parse(pattern)):
        return None
    asked = {"pattern": pattern, "probes": [*_probes(pattern)], "length": TEXT_LENGTH}
    found = _time_apart(json.dumps(asked))
    return found if found.times > MANY_TIMES else None


def named(vectorizer: Any, pattern: str) -> str:
    """Say which pattern it is: the vectorizer's own, or that of its tokenizer or analyzer."""
    is_own = pattern == vectorizer.token_pattern
    kind = "token_pattern" if is_own else "pattern of the function that finds words,"
    return f"The {kind} {pattern!r} of {describe(vectorizer)}"


def in_words(name: str, found: Timing) -> str:
    """What to say of a slow pattern."""
    how_long = (
        f"a text of {TEXT_LENGTH:,} characters would not end"
        if found.is_endless
        else f"a text of {TEXT_LENGTH:,} characters takes {found.seconds:.2f} s"
    )
    return (
        f"{name} backtracks: {how_long} where it begins {found.example!r}, and nothing else is"
        " answered meanwhile. Write it so that no text can be matched in several ways (with no"
        " repetition inside another), and train again."
    )


def _time_apart(asked: str) -> Timing:
    """The process's last word: a line for each probe that it began, or for what it found."""
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("backtracking.py"))]
    try:
        ended = subprocess.run(
            command, input=asked, capture_output=True, encoding="utf-8", timeout=WALL_SECONDS
        )
        said = ended.stdout if ended.returncode <= 0 else ""
    except subprocess.TimeoutExpired as exc:
        said = (exc.stdout or b"").decode() if isinstance(exc.stdout, bytes) else exc.stdout or ""
    except OSError:
        return Timing(0.0, 0.0, "")  # no process can be started here
    lines = said.splitlines()
    seconds, times, example = json.loads(lines[-1]) if lines else (0.0, 0.0, "")
    return Timing(inf if seconds is None else seconds, inf if times is None else times, example)


def _is_simple(tree: Any) -> bool:
    """Whether one repetition of single characters is all there is, and last, or that of each of
    several ways: nothing after it can fail, so there is nothing to go back for."""
    items = [*tree]
    *before, last = items or [(None, None)]
    if any(_repeats([item]) for item in before):
        return False
    kind, value = last
    if kind is syntax.MAX_REPEAT:
        return len(value[2]) == 1 and not _repeats(value[2])
    if kind in (syntax.BRANCH, syntax.SUBPATTERN):
        return all(map(_is_simple, _inner(kind, value)))
    return not _repeats([last])


def _repeats(items: Iterable[Any]) -> list[Any]:
    """Return every repetition, the inner ones too, as (least, most, what)."""
    found = []
    for kind, value in items:
        if kind in (syntax.MAX_REPEAT, syntax.MIN_REPEAT, syntax.POSSESSIVE_REPEAT):
            found.append(value)
        for inner in _inner(kind, value):
            found += _repeats(inner)
    return found


def _inner(kind: Any, value: Any) -> Iterator[Any]:
    """Yield the patterns inside an item of a pattern."""
    if kind is syntax.BRANCH:
        yield from value[1]
    elif isinstance(value, parser.SubPattern):
        yield value
    elif isinstance(value, tuple):
        yield from (part for part in value if isinstance(part, parser.SubPattern))


def _probes(pattern: str) -> Iterator[tuple[str, str, str]]:
    """Yield what comes first, what is repeated, and what comes last."""
    tree = parser.parse(pattern)
    bodies = [_example(body, choice) for _, _, body in _repeats(tree) for choice in range(4)]
    starts = [_example([*tree][:size], 0) for size in range(len(tree))]
    literals = [character for character in pattern if character.isalnum()]
    tokens = [*dict.fromkeys(filter(None, [*bodies, *CHARACTERS, *literals]))][:MOST_TOKENS]
    pumps = dict.fromkeys(["".join(pair) for pair in product(["", *tokens], tokens)])
    yield from product(dict.fromkeys(["", *starts[-1:]]), pumps, KILLERS)


def _example(items: Iterable[Any], choice: int) -> str:
    """Return a text that such a pattern matches, or nearly: `choice` says which of several."""
    return "".join([_one_example(kind, value, choice) for kind, value in items])


def _one_example(kind: Any, value: Any, choice: int) -> str:
    if kind is syntax.LITERAL:
        return chr(value)
    if kind in (syntax.IN, syntax.NOT_LITERAL, syntax.ANY, syntax.CATEGORY):
        fitting = [c for c in CHARACTERS if _is_in(kind, value, c)] or _literals(kind, value)
        return fitting[choice % len(fitting)] if fitting else ""
    if kind in (syntax.MAX_REPEAT, syntax.MIN_REPEAT, syntax.POSSESSIVE_REPEAT):
        return _example(value[2], choice) * max(1, min(int(value[0]), 20))
    if kind in (syntax.ASSERT, syntax.ASSERT_NOT):
        return ""
    inner = [*_inner(kind, value)]
    return _example(inner[choice % len(inner)], choice) if inner else ""


def _is_in(kind: Any, value: Any, character: str) -> bool:
    """Whether a character fits an item that stands for one."""
    if kind is syntax.ANY:
        return character != "\n"
    if kind is syntax.CATEGORY:
        return _CATEGORIES[value](character) is not None
    if kind is syntax.NOT_LITERAL:
        return ord(character) != int(value)
    if kind is syntax.LITERAL:
        return ord(character) == int(value)
    if kind is syntax.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    is_negated = bool(value) and value[0][0] is syntax.NEGATE
    parts = value[1:] if is_negated else value
    return any(_is_in(part, item, character) for part, item in parts) != is_negated


def _literals(kind: Any, value: Any) -> list[str]:
    """Return a set's own characters, where none of CHARACTERS is in it."""
    ends = {syntax.LITERAL: lambda item: [item], syntax.RANGE: list}
    parts = value if kind is syntax.IN else ()
    return [chr(code) for part, item in parts if part in ends for code in ends[part](item)]


_CATEGORIES = {
    syntax.CATEGORY_DIGIT: re.compile(r"\d").match,
    syntax.CATEGORY_NOT_DIGIT: re.compile(r"\D").match,
    syntax.CATEGORY_SPACE: re.compile(r"\s").match,
    syntax.CATEGORY_NOT_SPACE: re.compile(r"\S").match,
    syntax.CATEGORY_WORD: re.compile(r"\w").match,
    syntax.CATEGORY_NOT_WORD: re.compile(r"\W").match,
}
