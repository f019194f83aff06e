"""Where terms come from: cut out of the text, the places are the terms."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from function.compiled.analyzer import WHITE_SPACES
from function.compiled.functions import AS_LIST
from function.compiled.spans import build_finder
from function.compiler.vectorizers import _read_analyzer
from function.compiler.verify import PROBES
from tests.fitted_models import ALPHABETS, long_text, random_text
from tests.test_analyzer import PARAMETERS

FINDERS = [
    (vectorizer, build_finder(_read_analyzer(vectorizer, AS_LIST)[0]))
    for vectorizer in [CountVectorizer(**parameters) for parameters in PARAMETERS]
]
ODD = "ßİıſǅﬁﬃ™ΣσςÅÅé\u0301\u0327\u0300ͅ½①ｶﾞ한각👍🏽\u200d🇫🇷\x00\x1c\x85\u2028 \t\n\u3000'_aB.1"


def find(text: str, **parameters: Any) -> dict[str, list[str]]:
    """By term, what is at its places."""
    found = build_finder(_read_analyzer(CountVectorizer(**parameters), AS_LIST)[0])(text)
    return {term: [text[start:stop] for start, stop in spans] for term, spans in found.items()}


def check(vectorizer: CountVectorizer, found: dict[str, list[Any]], text: str) -> None:
    """The terms are the vectorizer's, each has a place for each time it occurs, and what is there
    is the term to the vectorizer's own eyes."""
    counts = Counter(vectorizer.build_analyzer()(text))
    assert found.keys() == counts.keys()
    for term, spans in found.items():
        # A pattern that matches nothing, and the blanks that pad, are nowhere.
        assert len(spans) <= counts[term]
        if term.strip() and vectorizer.token_pattern != r"\w*":
            assert len(spans) == counts[term]
        for start, stop in spans:
            assert 0 <= start < stop <= len(text)
            assert is_term(vectorizer, term, text[start:stop])


def is_term(vectorizer: CountVectorizer, term: str, cut: str) -> bool:
    prepare = vectorizer.build_preprocessor()
    prepared = _settled(prepare(cut))
    if vectorizer.analyzer == "char":
        prepared = WHITE_SPACES.sub(" ", prepared)
    elif vectorizer.analyzer == "char_wb":
        term = term.strip(" ")
    elif r"(\w)" in vectorizer.token_pattern:  # the words' first letters, and what is between
        term = _settled(term)
        return prepared.startswith(term[0]) and prepared.endswith(term[-1])
    elif vectorizer.ngram_range[1] > 1:
        ignored, tokenize = vectorizer.get_stop_words() or (), vectorizer.build_tokenizer()
        words = [word for word in tokenize(prepared) if word and word not in ignored]
        prepared, term = " ".join(words), " ".join(filter(None, term.split(" ")))
    # Of a character that became several, a term may have some.
    edges = [prepare(character) for character in (cut[0], cut[-1])]
    is_whole = all(len(edge) <= 1 for edge in edges)
    return prepared == _settled(term) if is_whole else _settled(term) in prepared


def _settled(text: str) -> str:
    """Whether a sigma is a final one may be for what is beside it to say."""
    return text.replace("ς", "σ")


@pytest.mark.parametrize("place", range(len(PARAMETERS)), ids=[str(it) for it in PARAMETERS])
def test_what_is_at_a_terms_places_is_the_term(place: int) -> None:
    vectorizer, finder = FINDERS[place]
    rng = random.Random(place)
    for text in [*PROBES, ODD, ODD[::-1], *(random_text(rng) for _ in range(40))]:
        check(vectorizer, finder(text), text)


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(max_size=30)
    | st.text(ODD, max_size=30)
    | st.sampled_from(ALPHABETS).flatmap(lambda letters: st.text(letters, max_size=30))
)
@example("aİ\u0301İ \u0301 \u0301ﬁ\u0301n ΑΣ'Β\x00\x00Σ")
def test_what_is_at_a_terms_places_is_the_term_in_any_unicode(text: str) -> None:
    for vectorizer, finder in FINDERS:
        check(vectorizer, finder(text), text)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("Good, GOOD good!", {}, {"good": ["Good", "GOOD", "good"]}),
        ("İyi İyi", {}, {"yi": ["yi", "yi"]}),
        ("İyi", {"strip_accents": "unicode"}, {"iyi": ["İyi"]}),
        (
            "très Café\u0301",
            {"strip_accents": "unicode"},
            {"tres": ["très"], "cafe": ["Café\u0301"]},
        ),
        ("e\u0301te\u0301", {"strip_accents": "ascii"}, {"ete": ["e\u0301te\u0301"]}),
        ("so👍good 👍", {"strip_accents": "ascii"}, {"sogood": ["so👍good"]}),
        ("ﬁne Ⅻ", {"strip_accents": "unicode"}, {"fine": ["ﬁne"], "xii": ["Ⅻ"]}),
        (
            "good - BAD\nugly",
            {"ngram_range": (2, 2)},
            {"good bad": ["good - BAD"], "bad ugly": ["BAD\nugly"]},
        ),
        (
            "good the bad",
            {"ngram_range": (2, 2), "stop_words": ["the"]},
            {"good bad": ["good the bad"]},
        ),
        ("a \t b", {"analyzer": "char", "ngram_range": (3, 3)}, {"a b": ["a \t b"]}),
        (
            "Ab  c",
            {"analyzer": "char_wb", "ngram_range": (2, 3)},
            {
                " a": ["A"], "ab": ["Ab"], "b ": ["b"], " ab": ["Ab"], "ab ": ["Ab"],
                " c": ["c"], "c ": ["c"], " c ": ["c"],
            },
        ),
        ("ab", {"analyzer": "char_wb", "ngram_range": (1, 1)}, {" ": [], "a": ["a"], "b": ["b"]}),
        ("Good gold", {"token_pattern": r"\b(\w)\w*"}, {"g": ["G", "g"]}),
        ("", {}, {}),
        (
            "a\x00b",
            {"analyzer": "char", "ngram_range": (2, 2)},
            {"a\x00": ["a\x00"], "\x00b": ["\x00b"]},
        ),
    ],
)  # fmt: skip
def test_places_by_hand(text: str, options: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert find(text, **options) == expected


def test_terms_are_in_the_order_in_which_they_are_met() -> None:
    assert [*find("one two one three")] == ["one", "two", "three"]


@pytest.mark.parametrize("accents", [None, "unicode"])
@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
def test_a_long_text_takes_no_more_than_its_length(analyzer: str, accents: str | None) -> None:
    text = long_text(random.Random(5)) + "e\u0301\u0327" * 3000
    vectorizer = CountVectorizer(analyzer=analyzer, ngram_range=(1, 3), strip_accents=accents)
    check(vectorizer, build_finder(_read_analyzer(vectorizer, AS_LIST)[0])(text), text)
