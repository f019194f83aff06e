"""Token patterns that are plain: each whole run of certain characters, if it is long enough."""

from __future__ import annotations

import re
from typing import NamedTuple

_A_RUN = re.compile(
    r"(?:\(\?u\))?(?P<edge>\\b)?(?P<letter>\\[wdS]|\[[^\\\[\]]+\])(?P<more>(?:(?P=letter))*?)"
    r"(?:\+|\{(?P<least>[1-9]\d{0,3}),\})(?P<end>\\b)?"
).fullmatch
_ASCII = "".join(map(chr, range(128)))


class Runs(NamedTuple):
    """Which characters a token is a run of, and how many there are at least."""

    pattern: str
    """As plain as can be: `+` is greedy, so a match always is a whole run."""
    letters: bytes
    """By byte, whether it is of a token: of ASCII, and all others, which stand for what Python
    found."""
    least: int


NO_RUNS = Runs("", bytes(256), 1)
"""Where C finds no tokens."""


def runs_of(pattern: str) -> Runs | None:
    """Return what runs a token pattern finds; None for others, and where they could hold a space
    or a newline, which are to stand between them."""
    found = _A_RUN(pattern)
    if found is None:
        return None
    letter, least = found["letter"], int(found["least"] or 1)
    if letter != r"\w" and (found["edge"] or found["end"]):
        return None
    letters = {*re.findall(letter, _ASCII)}
    if letters & {" ", "\n"}:
        return None
    least += len(found["more"]) // len(letter)
    of_token = bytes(character in letters for character in _ASCII) + b"\x01" * 128
    return Runs(f"{letter}{{{least},}}", of_token, least)
