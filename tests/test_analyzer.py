"""The analyzer's terms are those of scikit-learn's own analyzers, on any text."""

import itertools
import random
import time
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from function.compiled.analyzer import _Bases, build_analyzer
from function.compiled.functions import AS_LIST
from function.compiler.vectorizers import _read_analyzer
from function.compiler.verify import PROBES
from tests.fitted_models import long_text, random_text

PARAMETERS = [
    dict(analyzer=analyzer, ngram_range=ngram_range, lowercase=lowercase, strip_accents=accents)
    for analyzer, ngram_range, lowercase, accents in itertools.product(
        ("word", "char", "char_wb"),
        [(1, 1), (1, 2), (2, 2), (1, 4), (3, 5), (0, 1), (0, 2)],
        (True, False),
        (None, "ascii", "unicode"),
    )
] + [
    dict(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2)),
    dict(token_pattern=r"\b\w+\b", lowercase=False, strip_accents="unicode"),
    dict(token_pattern=r"\b\w\w+\b", ngram_range=(2, 2)),
    dict(token_pattern=r"\S+", ngram_range=(1, 2)),
    dict(token_pattern=r"(?u)\b(\w)\w+\b", ngram_range=(1, 2)),
    dict(token_pattern=r"\w*", ngram_range=(1, 3)),
    dict(token_pattern=r"(?a)\w\w+"),
    dict(token_pattern=r"(?i)[a-ſ]+", lowercase=False),
    dict(stop_words="english", ngram_range=(1, 2)),
    dict(stop_words=["the", "good"], ngram_range=(2, 3)),
    dict(stop_words=[], ngram_range=(1, 1)),
]

pair_ids = [str(parameters) for parameters in PARAMETERS]


def both(parameters):
    vectorizer = CountVectorizer(**parameters)
    return build_analyzer(_read_analyzer(vectorizer, AS_LIST)[0]), vectorizer.build_analyzer()


@pytest.mark.parametrize("parameters", PARAMETERS, ids=pair_ids)
def test_terms_are_scikit_learns(parameters):
    ours, theirs = both(parameters)
    rng = random.Random(11)
    for text in [*PROBES, *(random_text(rng) for _ in range(150)), long_text(rng)]:
        assert Counter(ours(text)) == Counter(theirs(text)), text


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60) | st.text("ab \t\n_1é", max_size=40))
def test_terms_of_any_unicode_are_scikit_learns(text):
    for ours, theirs in ALL:
        assert Counter(ours(text)) == Counter(theirs(text))


ALL = [both(parameters) for parameters in PARAMETERS]


def test_every_character_counts_as_a_word_where_it_does_in_scikit_learn():
    ours, theirs = both({"ngram_range": (1, 2)})
    for start in range(0, 0x110000, 256):
        text = "".join(
            f"a{chr(code)}b {chr(code)}{chr(code)}." for code in range(start, start + 256)
        )
        assert ours(text) == theirs(text)


@pytest.mark.parametrize("accents", ["ascii", "unicode"])
def test_accents_of_any_character_in_any_order_are_stripped_as_in_scikit_learn(accents):
    ours, theirs = both(dict(analyzer="char", strip_accents=accents, lowercase=False))
    everything = [chr(code) for code in range(0x110000)]
    assert ours("".join(everything)) == theirs("".join(everything))
    odd = [c for c in everything if unicodedata.normalize("NFKD", c) != c or not c.isprintable()]
    odd += filter(unicodedata.combining, everything)
    rng = random.Random(4)
    for _ in range(2000):
        text = "".join(rng.choices(odd, k=rng.randint(1, 40)))
        assert ours(text) == theirs(text)


@pytest.mark.parametrize("accents", ["ascii", "unicode"])
@pytest.mark.parametrize("marks", ["\u0301\u0327", "\u0315\u0300\u05ae", "\u0f73\uff9e"])
def test_marks_that_stand_together_take_time_in_proportion(accents, marks):
    ours, _ = both(dict(strip_accents=accents))
    start = time.perf_counter()
    assert ours("good" + marks * 60_000) == ["good"]
    assert time.perf_counter() - start < 1, "the square of their number takes ten seconds or more"


def test_a_text_of_all_characters_does_not_stay_in_memory():
    bases = _Bases(ascii_only=False)
    assert len("".join(map(chr, range(0x20000))).translate(bases)) > 0x10000
    assert 0 < len(bases) <= _Bases.MOST


def test_an_unknown_analyzer_or_accent_rule_is_an_error():
    spec = _read_analyzer(CountVectorizer(), AS_LIST)[0]
    with pytest.raises(ValueError, match="unknown analyzer 'words'"):
        build_analyzer({**spec, "analyzer": "words"})
    with pytest.raises(ValueError, match="unknown strip_accents 'all'"):
        build_analyzer({**spec, "strip_accents": "all"})
