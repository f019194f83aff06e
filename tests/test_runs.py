"""Token patterns that C finds by itself: those that are runs of characters, and no others."""

import random
import re

import pytest

from function.compiled.runs import runs_of
from tests.fitted_models import TEXTS, random_text

PLAIN = {
    r"(?u)\b\w\w+\b": 2,
    r"\b\w+\b": 1,
    r"\w+": 1,
    r"\w{3,}": 3,
    r"\w\w{3,}": 4,
    r"\b\w\w\w+": 3,
    r"\S+": 1,
    r"\S\S+": 2,
    r"\d+": 1,
    r"[a-z]+": 1,
    r"[a-zA-Z]{2,}": 2,
    r"[a-z'-]+": 1,
}
OTHERS = [
    r"\w*",
    r"\w{0,}",
    r"\w{2,5}",
    r"\w+?",
    r"(\w+)",
    r"(?:\w+)",
    r"(?i)[a-z]+",
    r"(?a)\w+",
    r"\b[a-z]+\b",
    r"\b\S+",
    r"[^,]+",
    r"[^\W\d]+",
    r"[a-z\d]+",
    r"\W+",
    r"\w+\S",
    r"\w+|\S",
    r"\w",
    r" \w+",
]


@pytest.mark.parametrize("pattern", PLAIN)
def test_runs_are_what_a_plain_pattern_matches(pattern):
    runs, rng = runs_of(pattern), random.Random(1)
    assert runs is not None and runs.least == PLAIN[pattern]
    for text in [*TEXTS, *(random_text(rng) for _ in range(500)), "a_1--b''c don't A\x1cB"]:
        found = re.findall(pattern, text)
        assert re.findall(runs.pattern, text) == found
        if text.isascii():
            letters = "".join(c if runs.letters[ord(c)] else " " for c in text).split()
            assert [word for word in letters if len(word) >= runs.least] == found


@pytest.mark.parametrize("pattern", OTHERS)
def test_what_is_no_plain_run_is_left_to_python(pattern):
    assert runs_of(pattern) is None
