"""Short sentences made of ``phrases.toml``: praise, blame and facts, said of things.

What people write in whole sentences is in ``sentences.tsv``; no number of those would give every
opinion word a weight. Each phrase comes in a few frames of short reviews, the same frames for
praise and for blame, so that the phrase decides and not its frame.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from function.demo.sentences import Sentence

PATH = Path(__file__).with_name("phrases.toml")
IS = (
    "{phrase}",
    "The {thing} was {phrase}.",
    "{phrase} {thing}",
    "The {thing} is really {phrase}!",
    "This {thing} is so {phrase}.",
)
IS_SIMPLY = ("The {thing} is {phrase}.", "{phrase}", "The {thing} was {phrase}.")
IS_NOT = (
    "The {thing} was not {phrase}.",
    "The {thing} isn't {phrase} at all.",
    "Not {phrase}.",
    "The {thing} wasn't very {phrase}.",
    "I would not call this {thing} {phrase}.",
)
DOES = ("The {thing} {phrase}.", "{phrase}")
USES = (
    ("positive", "positive", IS, 3),
    ("negative", "negative", IS, 3),
    ("neutral", "is", IS_SIMPLY, 2),
    ("negative", "not_so", IS_NOT, 1),
    ("positive", "not_that", IS_NOT, 2),
    ("positive", "does_well", DOES, 2),
    ("negative", "does_badly", DOES, 2),
)
"""The sentences' label, a domain's phrases, their frames, and how many each phrase comes in."""


def make_sentences(path: Path = PATH) -> list[Sentence]:
    """Every phrase in its frames, the same in every run."""
    domains = {
        name: {kind: _parts(phrases) for kind, phrases in domain.items()}
        for name, domain in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }
    everything = [thing for domain in domains.values() for thing in domain["things"]]
    found: dict[str, Sentence] = {}
    for name, domain in domains.items():
        things = cycle(everything if name == "any" else domain["things"])
        for label, kind, frames, times in USES:
            for text in _fill(cycle(frames), things, domain.get(kind, []), times):
                found.setdefault(text.casefold(), Sentence(label, text))
    return list(found.values())


def _fill(
    frames: Iterator[str], things: Iterator[str], phrases: list[str], times: int
) -> Iterator[str]:
    for phrase in phrases:
        for frame in islice(frames, times):
            text = frame.format(thing=next(things), phrase=phrase)
            yield text[0].upper() + text[1:]


def _parts(phrases: str) -> list[str]:
    return [phrase.strip() for phrase in phrases.split(";") if phrase.strip()]
