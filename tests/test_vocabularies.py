"""Rows of packed numbers add up to what the numbers do, whichever vocabulary finds them."""

import itertools
import random
from array import array
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from function.compiled import native
from function.compiled.analyzer import build_analyzer
from function.compiled.faithful import add_up, build_features
from function.compiled.functions import AS_LIST
from function.compiled.pairs import PairVocabulary, link
from function.compiled.rows import COLUMN_MASK, RowLayout, fixed_point, unit_for
from function.compiled.terms import TermVocabulary
from function.compiled.vectorizer import Vectorizer
from function.compiled.vocabularies import (
    NativePairs,
    NativeTerms,
    pair_vocabulary,
    term_vocabulary,
)
from function.compiler.packing import build_vocabulary
from function.compiler.vectorizers import _read_analyzer
from tests import fuzz_native
from tests.fitted_models import TEXTS, random_text

LAYOUT = RowLayout(3)
PAIRS = [
    dict(ngram_range=(1, 1)),
    dict(ngram_range=(1, 1), stop_words=["the", "good", "a", "don't", "a\nb", "\ud800", "é"]),
    dict(ngram_range=(1, 2)),
    dict(ngram_range=(2, 2)),
    dict(ngram_range=(1, 2), stop_words=["the", "good", "a"]),
    dict(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", lowercase=False),
    dict(ngram_range=(1, 2), strip_accents="unicode"),
    dict(ngram_range=(1, 2), strip_accents="ascii"),
]
# Lower case first, then accents: capitals may come back.
CAPITALS = ["good™ №1 ℡ ᴬ™ tm no tel a", "GOOD™", "№ ™ ẞ ﬁ İ"]
OTHERS = [
    dict(ngram_range=(0, 2)),
    dict(ngram_range=(1, 3)),
    dict(ngram_range=(1, 2), token_pattern=r"\S+"),
    dict(
        ngram_range=(1, 1), token_pattern=r"\S+", stop_words=["the", "a b", "a\nb", "\ud800", "é"]
    ),
    dict(ngram_range=(2, 3), token_pattern=r"\w{3,}", strip_accents="ascii"),
    dict(ngram_range=(1, 2), token_pattern=r"[a-zA-Z]+", lowercase=False),
    dict(ngram_range=(1, 2), token_pattern=r"\b[a-z]+(?: \w)?", stop_words=["the"]),
    dict(ngram_range=(0, 1), token_pattern=r"\w*"),
    dict(ngram_range=(1, 2), analyzer="char"),
    dict(ngram_range=(0, 2), analyzer="char", strip_accents="unicode"),
    dict(ngram_range=(2, 5), analyzer="char_wb"),
    dict(ngram_range=(0, 3), analyzer="char_wb", lowercase=False),
    dict(ngram_range=(4, 4), analyzer="char_wb", strip_accents="ascii"),
]
FEW_TERMS = ["go", "good", "a", "é", "b", "_", "e", "TM", "tm", "gTM", "gtm", "GO", "oTM"]
FEW_TERMS += ["go go", "go good", "a b", "é a", "_ go", "e a", "go TM", "go tm"]
FEW_TERMS += [
    "",
    " ",
    "  ",
    "\t",
    "o ",
    " é",
    " go ",
    "go a b",
    "od",
    "\ud800",
    "\ud800\udc00",
    "\0",
    "🙂",
]
needs_native = pytest.mark.skipif(native._native is None, reason="the C code is not built")
some_texts = st.lists(
    st.text("abgodGT \t_é.™\u2003\x85", max_size=30)
    | st.text(max_size=20)
    | st.text(st.characters(), max_size=20),  # lone surrogates too
    max_size=5,
)


def spec_of(parameters):
    return _read_analyzer(CountVectorizer(**parameters), AS_LIST)[0]


def rows_for(terms, layout=LAYOUT):
    rng = random.Random(1)
    fields = [[rng.randrange(-(2**40), 2**40) for _ in range(layout.fields)] for _ in terms]
    fields = [[abs(square), *scores] for square, *scores in fields]
    return {
        term: layout.pack(column, row)
        for column, (term, row) in enumerate(zip(terms, fields, strict=True))
    }


def some_terms(parameters):
    """Terms of texts, not all of them, and some that no text can hold."""
    vectorizer = CountVectorizer(**{**parameters, "stop_words": None})
    known = sorted(vectorizer.fit(TEXTS + CAPITALS).vocabulary_)
    return random.Random(2).sample(known, len(known) * 2 // 3) + [
        "a b c",
        "x",
        " ",
        "",
        "not-a-word",
    ]


def build_in_python(spec, rows):
    return (
        PairVocabulary(spec, link(spec, rows))
        if PairVocabulary.fits(spec)
        else TermVocabulary(spec, rows)
    )


def build_native(spec, rows):
    found = build_in_python(spec, rows)
    more, files = found.to_parts(LAYOUT)
    return (NativeTerms if found.kind == "terms" else NativePairs)(spec, LAYOUT, files, **more)


def expected_totals(spec, rows, text):
    counts = Counter(term for term in build_analyzer(spec)(text) if term in rows)
    total = sum(count * rows[term] for term, count in counts.items())
    return total, sorted((rows[term], count) for term, count in counts.items() if count > 1)


def totals_of(vocabulary, texts):
    return [(total, sorted(repeats)) for total, repeats in vocabulary.totals(texts)]


@pytest.mark.parametrize("parameters", PAIRS + OTHERS, ids=str)
def test_totals_are_sums_over_the_analyzers_terms(parameters):
    spec, rng = spec_of(parameters), random.Random(4)
    rows = rows_for(some_terms(parameters))
    texts = ["", "x", *TEXTS, *(random_text(rng) for _ in range(200)), "good " * 9, ""]
    texts += [f"{text} {text} {text[:30]}" for text in texts + CAPITALS]
    vocabulary = build_in_python(spec, rows)
    expected = [expected_totals(spec, rows, text) for text in texts]
    assert totals_of(vocabulary, texts) == expected
    assert [totals_of(vocabulary, [text])[0] for text in texts] == expected
    assert [sum(vocabulary.rows_in(text)) for text in texts] == [total for total, _ in expected]


@pytest.mark.parametrize("parameters", PAIRS, ids=str)
@settings(deadline=None)
@given(texts=some_texts)
def test_pairs_are_found_as_terms_are(parameters, texts):
    spec = spec_of(parameters)
    rows = rows_for(FEW_TERMS)
    pairs, terms = PairVocabulary(spec, link(spec, rows)), TermVocabulary(spec, rows)
    assert totals_of(pairs, texts) == totals_of(terms, texts)


TABLE_SCORES = 2


def table_for(columns):
    rng = random.Random(3)
    return array("d", [rng.uniform(-2, 2) for _ in range(columns * (1 + TABLE_SCORES))]).tobytes()


def native_sums(vectorizer, binarize, texts):
    vectorizer.vocabulary.weigh(
        vectorizer.table,
        TABLE_SCORES,
        binary=vectorizer.binary,
        sublinear=vectorizer.sublinear,
        norm=vectorizer.norm,
        scale=vectorizer.scale,
        binarize=binarize,
    )
    totals = bytearray(8 * TABLE_SCORES * len(texts))
    vectorizer.vocabulary.add_up(texts, totals)
    numbers = array("d", totals).tolist()
    return [*zip(numbers[::2], numbers[1::2], strict=True)]


def test_words_are_kept_within_bounds():
    spec = spec_of(OTHERS[-3])
    vocabulary = TermVocabulary(spec, rows_for(["ab", " a"]))
    for number in range(10_000):
        total, _ = next(vocabulary.totals([f"ab{number}"]))
        assert total & COLUMN_MASK == 1
    long_word = "ab" * 5000
    assert totals_of(vocabulary, [long_word]) == [
        expected_totals(spec, vocabulary._rows, long_word)
    ]
    assert 0 < len(vocabulary._words) <= vocabulary._words.MOST
    assert long_word not in vocabulary._words


@needs_native
@pytest.mark.parametrize("binarize", [None, 0.2])
@pytest.mark.parametrize("norm", [None, "l1", "l2"])
@pytest.mark.parametrize(("binary", "sublinear"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("parameters", [PAIRS[2], PAIRS[4], OTHERS[1], OTHERS[-3]], ids=str)
def test_native_scores_have_the_bits_of_the_faithful_way(
    parameters, binary, sublinear, norm, binarize
):
    spec, rng = spec_of(parameters), random.Random(5)
    terms = some_terms(parameters)
    options = {"binary": binary, "sublinear": sublinear, "norm": norm, "scale": 0.7}
    vectorizer = Vectorizer(
        spec,
        build_native(spec, rows_for(terms)),
        table_for(len(terms)),
        (1.0, 1.0),
        len(terms),
        **options,
    )
    texts = ["", "x", *TEXTS[:40], *(random_text(rng) for _ in range(60)), "not-a-word", "a b c"]
    texts += [f"{text} {text} {text[:30]}" for text in texts[:20] + CAPITALS]
    texts += [" ".join(TEXTS)[:size] for size in (3000, 10_000)] + ["very good " * 1000]
    features = build_features(vectorizer, TABLE_SCORES, binarize)
    expected = [tuple(add_up(features(text)[1], (0.0, 0.0))) for text in texts]
    assert native_sums(vectorizer, binarize, texts) == expected


@needs_native
@pytest.mark.parametrize("parameters", PAIRS + OTHERS, ids=str)
def test_texts_have_the_same_rows_natively(parameters):
    spec, rng = spec_of(parameters), random.Random(6)
    rows = rows_for(some_terms(parameters))
    native, python = build_native(spec, rows), build_in_python(spec, rows)
    texts = ["", "x", *TEXTS, *CAPITALS, *(random_text(rng) for _ in range(300)), "a b c"]
    for text in texts:
        columns = [row & COLUMN_MASK for row in python.rows_in(text)]
        assert native.rows_in(text) == sorted(columns), text
    met = {term for text in texts for term in build_analyzer(spec)(text)}
    assert [*map(native.column_of, met)] == [*map(python.column_of, met)]


@needs_native
@pytest.mark.parametrize("parameters", PAIRS + OTHERS, ids=str)
@settings(deadline=None)
@given(texts=some_texts)
def test_any_text_has_the_same_rows_natively(parameters, texts):
    spec = spec_of(parameters)
    rows = rows_for(FEW_TERMS)
    native, python = build_native(spec, rows), build_in_python(spec, rows)
    for text in texts:
        columns = [row & COLUMN_MASK for row in python.rows_in(text)]
        assert native.rows_in(text) == sorted(columns)
    native.weigh(
        table_for(len(rows)),
        TABLE_SCORES,
        binary=False,
        sublinear=False,
        norm=None,
        scale=1.0,
        binarize=None,
    )
    native.add_up(texts, bytearray(8 * TABLE_SCORES * len(texts)))
    _ = [*python.totals(texts)]
    assert native.terms_met() == python.terms_met()


@needs_native
@pytest.mark.parametrize("parameters", OTHERS[-5:], ids=str)
def test_each_character_there_is_counts_as_it_does_in_python(parameters):
    """Alone and twice between letters: white space, or not."""
    spec = spec_of(parameters)
    rows = rows_for(["a", "b", " ", "a ", " b", " a", "b ", "a b", " a ", " b ", ""])
    native, python = build_native(spec, rows), build_in_python(spec, rows)
    characters = [*map(chr, [*range(0x3100), *range(0xD7F0, 0xE010), 0xFEFF, 0xFFFF, 0x10FFFF])]
    for character in characters:
        text = f"a{character}b{character}{character}a"
        columns = [row & COLUMN_MASK for row in python.rows_in(text)]
        assert native.rows_in(text) == sorted(columns), ascii(character)


@needs_native
def test_a_native_vocabulary_of_nothing_knows_nothing():
    spec = spec_of({"ngram_range": (1, 2)})
    vocabulary = build_native(spec, {})
    assert vocabulary.terms() == []
    assert vocabulary.rows_in("good good") == []
    vectorizer = Vectorizer(spec, vocabulary, b"", None, 0, norm="l2")
    assert native_sums(vectorizer, None, ["good", ""]) == [(0.0, 0.0)] * 2


@needs_native
@pytest.mark.parametrize("parameters", [PAIRS[2], OTHERS[-3]], ids=str)
def test_without_its_rows_a_vocabulary_answers_the_same_and_cannot_be_saved(parameters):
    spec = spec_of(parameters)
    vocabulary = build_native(spec, rows_for(some_terms(parameters)))
    before, terms = [*map(vocabulary.rows_in, TEXTS)], vocabulary.terms()
    vocabulary.let_rows_go()
    assert [*map(vocabulary.rows_in, TEXTS)] == before
    assert vocabulary.terms() == terms
    with pytest.raises(ValueError, match="let"):
        vocabulary.to_parts(LAYOUT)
    with pytest.raises(ValueError, match="let go"):
        vocabulary.check(LAYOUT, {}, 10**6)


@needs_native
@pytest.mark.parametrize("number", range(20))
def test_random_vocabularies_are_asked_as_make_fuzz_native_does(number):
    """Without sanitizers, which take a build of their own."""
    rng = random.Random(number)
    assert fuzz_native.one_model(rng) == fuzz_native.TEXTS_EACH
    assert 1 in {fuzz_native.one_damage(rng) for _ in range(20)}


EDITS = {
    "half a pair": lambda files: {"pairs": files["pairs"][:-1]},
    "no pairs": lambda files: {"pairs": b""},
    "pairs of no words": lambda files: {"pairs": b"\xff" * len(files["pairs"])},
    "more pairs than rows": lambda files: {"pairs": files["pairs"] * 100},
    "half a row": lambda files: {"rows": files["rows"][:-1]},
    "more rows than words": lambda files: {"rows": files["rows"] * 100},
    "no rows": lambda files: {"rows": b""},
    "no terms": lambda files: {"terms": b""},
    "no text": lambda files: {"terms": b"\xff"},
}


@needs_native
@pytest.mark.parametrize("edit", EDITS)
def test_parts_that_do_not_fit_are_refused(edit):
    spec, terms = spec_of({"ngram_range": (1, 2)}), some_terms({"ngram_range": (1, 2)})
    files = build_native(spec, rows_for(terms)).to_parts(LAYOUT)[1]
    with pytest.raises(ValueError):
        NativePairs(spec, LAYOUT, {**files, **EDITS[edit](files)})


@needs_native
def test_terms_that_are_made_to_collide_are_refused():
    """Each next to the others in the hash table: their load would take time with the square."""
    by_hash = {}
    letters = "abcdefghijklmnopqrstuvwxyz"
    for term in map("".join, itertools.product(letters, repeat=4)):
        number = 2166136261
        for byte in term.encode():
            number = (number ^ byte) * 16777619 % 2**32
        by_hash.setdefault(number % 2**11, []).append(term)
    terms = [term for place in range(5) for term in by_hash[place]][:1000]
    with pytest.raises(ValueError, match="hard to find"):
        build_native(spec_of(OTHERS[-3]), rows_for(terms))


EDITS_OF_TERMS = {
    "half a row": lambda files, more: ({**files, "rows": files["rows"][:-1]}, more),
    "a row more": lambda files, more: ({**files, "rows": files["rows"] + bytes(29)}, more),
    "no rows": lambda files, more: ({**files, "rows": b""}, more),
    "no terms": lambda files, more: ({**files, "terms": b""}, more),
    "no text": lambda files, more: ({**files, "terms": b"\xff" + files["terms"]}, more),
    "another separator": lambda files, more: (files, {"separator": "\0"}),
    "a long separator": lambda files, more: (files, {"separator": "\n\n"}),
    "no separator": lambda files, more: (files, {"separator": ""}),
}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("edit", EDITS_OF_TERMS)
def test_terms_that_do_not_fit_are_refused(edit):
    spec = spec_of(OTHERS[-3])
    vocabulary = build_vocabulary(spec, LAYOUT, rows_for(some_terms(OTHERS[-3])))
    more, files = vocabulary.to_parts(LAYOUT)
    files, more = EDITS_OF_TERMS[edit](files, more)
    with pytest.raises(ValueError):
        term_vocabulary().from_parts(spec, LAYOUT, files, **more)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("parameters", PAIRS + OTHERS, ids=str)
def test_pairs_of_words_have_a_vocabulary_of_their_own(parameters):
    vocabulary = build_vocabulary(spec_of(parameters), LAYOUT, {})
    assert type(vocabulary) is (pair_vocabulary if parameters in PAIRS else term_vocabulary)()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("parameters", PAIRS + OTHERS, ids=str)
def test_a_vocabulary_taken_apart_is_the_same_put_together(parameters):
    spec = spec_of(parameters)
    before = build_vocabulary(spec, LAYOUT, rows_for(some_terms(parameters)))
    more, files = before.to_parts(LAYOUT)
    after = type(before).from_parts(spec, LAYOUT, files, **more)
    assert [*map(after.rows_in, TEXTS)] == [*map(before.rows_in, TEXTS)]
    assert sorted(after.terms()) == sorted(before.terms())
    with pytest.raises(ValueError):
        type(before).from_parts(spec, LAYOUT, {**files, "rows": files["rows"][:-1]}, **more)
    with pytest.raises(ValueError):
        type(before).from_parts(spec, LAYOUT, {**files, "rows": files["rows"] * 2}, **more)
    with pytest.raises(ValueError):
        type(before).from_parts(spec, LAYOUT, {**files, "rows": b""}, **more)


@pytest.mark.parametrize("fields", [(1, -1, 0), (-1, 0, 0), (0, 0, -1), (-5, -6, 2**50)])
def test_a_rows_fields_come_back(fields):
    assert LAYOUT.fields_of(LAYOUT.pack(2**32 - 1, fields)) == [*fields]


def test_a_sum_of_rows_is_a_row_of_sums():
    rng = random.Random(8)
    numbers = [[rng.randrange(-(2**50), 2**50) for _ in range(3)] for _ in range(4000)]
    total = sum(LAYOUT.pack(column, row) for column, row in enumerate(numbers))
    *sums, count = LAYOUT.unpack(total.to_bytes(LAYOUT.sum_bytes, "little"))
    assert count in (3999, 4000)  # a field may borrow one from the next
    for found, expected in zip(sums, map(sum, zip(*numbers, strict=True)), strict=True):
        assert abs(found - expected) <= 1


@pytest.mark.parametrize("largest", [0.0, 1e-280, 1e-9, 0.99, 1.0, 12345.6, 1e300])
def test_a_unit_leaves_room_for_so_many_terms(largest):
    unit = unit_for(largest, 4096)
    (value,) = fixed_point([largest], unit)
    assert 2 * 4096 * value <= 2**63
    assert abs(value * unit - largest) <= largest * 2**-50
