"""HashingVectorizer: the hash, what is kept of it, and what a folder may say of it."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.utils import murmurhash3_32

from function.compiled import hashed
from function.compiled.artifact import load
from function.compiled.hashed import HashedVocabulary
from function.compiled.murmur import murmur3
from function.compiled.predictor import CompiledPredictor
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, translate
from function.compiler.verify import compare
from function.errors import NotExplainable
from tests.conftest import without_native
from tests.fitted_models import fitted_pipeline, original, texts_for
from tests.kinds import Case, fit, hashable

either_way = pytest.mark.usefixtures("way")


@given(st.binary())
def test_the_hash_is_scikit_learns(key: bytes) -> None:
    assert murmur3(key) == murmurhash3_32(key, 0, False)


def test_a_million_features_take_the_room_of_those_that_were_met(tmp_path: Path) -> None:
    model = fitted_pipeline(HashingVectorizer(), LogisticRegression())
    predictor = translate(model)
    save(tmp_path / "model", predictor, {})
    assert (tmp_path / "model" / "vectorizer.0").stat().st_size < 5_000
    texts = hashable(texts_for(3, 100))
    for served in (predictor, load(tmp_path / "model")[0]):
        assert compare(served, original(model), texts).problem is None


@pytest.mark.parametrize("most", [1, 2, 7])
def test_what_is_forgotten_is_hashed_anew(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashed, "MOST_KEPT", most)
    model = fit(Case("logistic", "hashing-crowded", 3))
    texts = hashable(texts_for(4, 100))
    with without_native():
        predictor = translate(model)
    assert compare(predictor, original(model), texts).problem is None


@either_way
def test_a_text_has_room_for_as_many_terms_as_it_has() -> None:
    model = fit(Case("logistic", "hashing-char", 3))
    texts = ["good", "".join(map(chr, range(0x4E00, 0x9FFF))) * 2, "bad " * 9_999, "good"]
    assert compare(translate(model), original(model), texts).problem is None


@either_way
def test_terms_in_columns_that_were_never_met_are_counted_as_unknown() -> None:
    predictor = translate(fit(Case("logistic", "hashing", 3)))
    predictor.predict(["good qqqq", "qqqq"])
    assert predictor.terms_met == (4, 3)  # two words and their pair, and a word


@either_way
def test_terms_of_one_hash_cannot_be_explained_apart() -> None:
    predictor = translate(fit(Case("logistic", "hashing-crowded", 3)))
    answer = predictor.predict(["good"])[0]
    assert [term.term for term in predictor.explain("good good", answer).terms] == ["good"]
    with pytest.raises(NotExplainable, match="two of the text's terms have the same hash"):
        predictor.explain(" ".join(f"w{number}" for number in range(51)), answer)


@either_way
def test_half_a_surrogate_pair_is_a_term_like_any_other() -> None:
    predictor = translate(fit(Case("logistic", "hashing-char", 3)))
    assert predictor.predict(["good \udc00"])[0].label is not None


def parts_of(predictor: CompiledPredictor) -> dict[str, Any]:
    own = predictor.vectorizers[0]
    assert isinstance(own.vocabulary, HashedVocabulary)
    return {"columns": own.vocabulary.columns, "features": own.vocabulary.features}


@pytest.mark.parametrize(
    "edit",
    [
        lambda columns, features: (columns[::-1], features),
        lambda columns, features: (columns, int(columns[-1])),
        lambda columns, features: (columns[:1] + columns[:-1], features),
        lambda columns, features: (columns[1:], features),
        lambda columns, features: (columns, 0),
        lambda columns, features: (columns, 2**23),
        lambda columns, features: (columns, 4096.0),
    ],
)
def test_columns_that_no_hash_gives_do_not_load(edit: Any) -> None:
    predictor = translate(fit(Case("logistic", "hashing", 3)))
    own = predictor.vectorizers[0]
    found = parts_of(predictor)
    columns, features = edit(found["columns"], found["features"])
    with pytest.raises(ValueError, match=r"columns|features"):
        HashedVocabulary.from_parts(
            own.analyzer,
            None,
            {"columns": array("I", columns).tobytes()},
            features=features,
            alternate_sign=True,
        ).check(None, {}, own.columns)


def test_units_that_numbers_leave_do_not_load() -> None:
    with without_native():
        predictor = translate(fit(Case("logistic", "hashing", 3)))
    own = predictor.vectorizers[0]
    assert own.units is not None
    small = own._replace(units=(own.units[0] / 2**20, own.units[1]))
    with without_native(), pytest.raises(ValueError, match="units"):
        CompiledPredictor(predictor.classes, [small], predictor.intercepts, predictor.decision)


def test_n_grams_without_bounds_are_refused() -> None:
    def model(longest: int) -> Any:
        return fitted_pipeline(HashingVectorizer(n_features=64, ngram_range=(1, longest)))

    assert translate(model(hashed.MOST_GRAM)).terms
    with pytest.raises(NotCompilable, match="the model has hashed n-grams of more than 100"):
        translate(model(hashed.MOST_GRAM + 1))
