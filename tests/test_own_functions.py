"""Functions of a model's own: they run as they are, and the rest of the model is compiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
    strip_accents_unicode,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, StandardScaler
from sklearn.svm import SVC

from function.compiled.analyzer import METHODS
from function.compiled.artifact import load
from function.compiled.files import CompiledModelError
from function.compiled.predictor import CompiledPredictor
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, translate
from function.compiler.verify import _is_encodable, compare
from function.model.sources import Original, answers_of, compile_original
from function.model.stages import Stages
from function.originals.predictors import SklearnPredictor
from function.predictor import answer_each
from function.registry.lineage import Lineage
from tests.fitted_models import LABELS, TEXTS, as_input, texts_for

pytestmark = pytest.mark.usefixtures("way")


def words(text: str) -> list[str]:
    return [word.strip(".,!") for word in text.split()]


def clean(texts: Sequence[str], mark: str = "!") -> list[str]:
    return [text.replace(mark, " mark ").lower() for text in texts]


def clean_series(texts: Any) -> Any:
    return texts.str.replace("!", " mark ")


def lengths(texts: Sequence[str]) -> Any:
    return np.array([[len(text) / 50, text.count("!")] for text in texts])


def squares(texts: Sequence[str]) -> list[list[float]]:
    return [[len(text) / 50, (len(text) / 50) ** 2, -1.0] for text in texts]


def first_words(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"words": len(text.split()) / 9, "first": (text.split() or ["none"])[0]} for text in texts
    ]


class Starting(TransformerMixin, BaseEstimator):
    """A column of a frame, as people write it who have one text only."""

    def fit(self, X: Any, y: Any = None) -> Starting:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return pd.DataFrame({"starts": [float(text[:1].isupper()) for text in X]})


class Cleaner(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> Cleaner:
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> list[str]:
        return clean(X)


class Stemming(TfidfVectorizer):
    """As scikit-learn's user guide has it."""

    def build_analyzer(self) -> Callable[[str], list[str]]:
        analyze = super().build_analyzer()
        return lambda text: [word[:4] for word in analyze(text)]


class Tokenizing(HashingVectorizer):
    def build_tokenizer(self) -> Callable[[str], list[str]]:
        return words


class Preparing(CountVectorizer):
    def __init__(self, mark: str = "!", ngram_range: tuple[int, int] = (1, 2)) -> None:
        super().__init__(ngram_range=ngram_range)
        self.mark = mark

    def build_preprocessor(self) -> Callable[[str], str]:
        prepare = super().build_preprocessor()
        return lambda text: prepare(text).replace(self.mark, " mark ")


class Stopping(TfidfVectorizer):
    def get_stop_words(self) -> list[str]:
        return ["good", "the"]

    def fit(self, raw_documents: Any, y: Any = None) -> Stopping:
        return super().fit([*raw_documents], y)


class Splitting(CountVectorizer):
    def build_tokenizer(self) -> Callable[[str], list[str]]:
        return str.split


VECTORIZERS: dict[str, Callable[[], Any]] = {
    "subclass with an analyzer": Stemming,
    "subclass with a tokenizer": lambda: Tokenizing(n_features=512, ngram_range=(1, 2)),
    "subclass with a preprocessor": Preparing,
    "subclasses in a union": lambda: FeatureUnion([("s", Stemming()), ("p", Preparing("?"))]),
    "tokenizer": lambda: TfidfVectorizer(tokenizer=words, token_pattern=None),
    "tokenizer and all": lambda: TfidfVectorizer(
        tokenizer=words, token_pattern=None, stop_words=["the", "a"], ngram_range=(1, 3)
    ),
    "tokenizer, bigrams": lambda: CountVectorizer(
        tokenizer=words, token_pattern=None, ngram_range=(2, 2), strip_accents="unicode"
    ),
    "preprocessor": lambda: TfidfVectorizer(preprocessor=str.title, strip_accents="ascii"),
    "method of str, tokenizer": lambda: TfidfVectorizer(preprocessor=str.upper, tokenizer=words),
    "preprocessor of characters": lambda: TfidfVectorizer(
        preprocessor=lambda text: text[::-1], analyzer="char_wb", ngram_range=(1, 3)
    ),
    "accents": lambda: TfidfVectorizer(strip_accents=lambda text: text.replace("é", "e")),
    "analyzer": lambda: TfidfVectorizer(analyzer=lambda text: (w[:3] for w in text.split())),
    "hashed": lambda: HashingVectorizer(tokenizer=words, token_pattern=None, n_features=512),
    "function, hashed": lambda: make_pipeline(
        FunctionTransformer(clean), HashingVectorizer(n_features=512)
    ),
    "hashed beside others": lambda: FeatureUnion(
        [
            ("h", HashingVectorizer(n_features=512)),
            ("w", TfidfVectorizer(tokenizer=words, token_pattern=None)),
            ("c", TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3))),
        ]
    ),
    "function": lambda: make_pipeline(FunctionTransformer(clean), TfidfVectorizer()),
    "function with arguments": lambda: make_pipeline(
        FunctionTransformer(clean, kw_args={"mark": "?"}), CountVectorizer()
    ),
    "two functions": lambda: make_pipeline(
        FunctionTransformer(np.asarray), FunctionTransformer(clean), TfidfVectorizer()
    ),
    "transformer": lambda: make_pipeline(Cleaner(), TfidfVectorizer(tokenizer=words)),
    "before a union": lambda: make_pipeline(
        FunctionTransformer(clean),
        FeatureUnion([("w", TfidfVectorizer()), ("c", TfidfVectorizer(analyzer="char"))]),
    ),
    "in a union": lambda: FeatureUnion(
        [
            ("w", make_pipeline(FunctionTransformer(clean), TfidfVectorizer())),
            ("c", CountVectorizer()),
        ]
    ),
    "numbers": lambda: FeatureUnion(
        [("w", TfidfVectorizer()), ("n", FunctionTransformer(lengths))]
    ),
    "numbers first, in lists": lambda: FeatureUnion(
        [("n", FunctionTransformer(squares)), ("w", TfidfVectorizer(ngram_range=(1, 2)))]
    ),
    "numbers between, of less weight": lambda: FeatureUnion(
        [("w", TfidfVectorizer()), ("n", Starting()), ("c", CountVectorizer(analyzer="char"))],
        transformer_weights={"n": 0.3},
    ),
    "numbers, scaled": lambda: FeatureUnion(
        [("w", TfidfVectorizer()), ("n", make_pipeline(Starting(), StandardScaler()))]
    ),
    "numbers, scaled with the terms": lambda: make_pipeline(
        FeatureUnion([("w", TfidfVectorizer()), ("n", FunctionTransformer(lengths))]),
        MaxAbsScaler(),
    ),
    "numbers, selected": lambda: make_pipeline(
        FeatureUnion([("w", TfidfVectorizer()), ("n", FunctionTransformer(squares))]),
        VarianceThreshold(0.01),
    ),
    "numbers of a sparse matrix": lambda: FeatureUnion(
        [
            ("w", TfidfVectorizer()),
            ("n", make_pipeline(FunctionTransformer(first_words), DictVectorizer())),
        ]
    ),
    "numbers behind a function": lambda: make_pipeline(
        FunctionTransformer(clean),
        FeatureUnion([("w", TfidfVectorizer()), ("n", FunctionTransformer(lengths))]),
    ),
    "numbers of a column": lambda: ColumnTransformer(
        [("w", TfidfVectorizer(), "text"), ("n", Starting(), "text")], sparse_threshold=1.0
    ),
    "in a column": lambda: ColumnTransformer(
        [("t", make_pipeline(FunctionTransformer(clean_series), TfidfVectorizer()), "text")],
        sparse_threshold=1.0,
    ),
}
NO_CODE: dict[str, tuple[Callable[[], Any], str]] = {
    "split": (lambda: TfidfVectorizer(tokenizer=str.split), r"\S+"),
    "subclass that splits": (Splitting, r"\S+"),
    "subclass with stop words": (Stopping, r"(?u)\b\w\w+\b"),
    "analyzer split": (lambda: TfidfVectorizer(analyzer=str.split), r"\S+"),
    "findall": (lambda: TfidfVectorizer(tokenizer=re.compile(r"\w+").findall), r"\b\w+\b"),
    "flags": (lambda: TfidfVectorizer(tokenizer=re.compile("[a-z]+", re.I).findall), "(?i)[a-z]+"),
    "lower": (lambda: TfidfVectorizer(preprocessor=str.lower), r"(?u)\b\w\w+\b"),
    "accents": (lambda: TfidfVectorizer(preprocessor=strip_accents_unicode), r"(?u)\b\w\w+\b"),
    "strip, accents": (lambda: TfidfVectorizer(strip_accents=str.strip), r"(?u)\b\w\w+\b"),
    "upper, pairs": (
        lambda: TfidfVectorizer(preprocessor=str.upper, ngram_range=(1, 2)),
        r"(?u)\b\w\w+\b",
    ),
    "casefold, own pattern": (
        lambda: TfidfVectorizer(preprocessor=str.casefold, token_pattern=r"\S+"),
        r"\S+",
    ),
    "swapcase, stop words": (
        lambda: TfidfVectorizer(preprocessor=str.swapcase, stop_words=["THE", "IS"]),
        r"(?u)\b\w\w+\b",
    ),
}
METHODS_OF_STR: dict[str, dict[str, Any]] = {
    "words": {},
    "pairs": {"ngram_range": (1, 2)},
    "runs": {"ngram_range": (1, 3)},
    "pattern": {"token_pattern": r"(?<=\s)\S+"},
    "char": {"analyzer": "char", "ngram_range": (1, 3)},
    "char_wb": {"analyzer": "char_wb", "ngram_range": (2, 3)},
}


def _with_numbers(classifier: Any) -> Any:
    parts = [("w", TfidfVectorizer()), ("n", FunctionTransformer(squares)), ("s", Starting())]
    return make_pipeline(FeatureUnion(parts), classifier)


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "trees, numbers": lambda: _with_numbers(RandomForestClassifier(20, random_state=0)),
    "SVC, numbers": lambda: _with_numbers(SVC(kernel="linear")),
    "BernoulliNB, numbers": lambda: _with_numbers(BernoulliNB()),
    "BernoulliNB with a threshold, numbers": lambda: _with_numbers(BernoulliNB(binarize=0.2)),
    "SVC": lambda: make_pipeline(
        FunctionTransformer(clean),
        TfidfVectorizer(tokenizer=words, token_pattern=None),
        SVC(kernel="linear"),
    ),
    "voting pipelines": lambda: VotingClassifier(
        [
            (
                "a",
                make_pipeline(
                    TfidfVectorizer(tokenizer=words, token_pattern=None), LogisticRegression()
                ),
            ),
            (
                "b",
                make_pipeline(
                    FunctionTransformer(clean), CountVectorizer(), LogisticRegression(C=0.1)
                ),
            ),
            ("c", make_pipeline(TfidfVectorizer(), MultinomialNB())),
        ],
        voting="soft",
    ),
}


def loaded(vectorizer: Any) -> Original:
    return loaded_model(make_pipeline(vectorizer, LogisticRegression()))


def loaded_model(model: Any) -> Original:
    model.fit(as_input(model, TEXTS), LABELS)
    predictor = SklearnPredictor(model, {})
    return Original(
        model, predictor, Lineage.from_facts({"model_uri": "m", "source": "m"}), "", None
    )


def compiled(original: Original) -> CompiledPredictor:
    return compile_original(original, {}, Stages())[0]


@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern'", "ignore:Your stop_words")
@pytest.mark.parametrize("name", VECTORIZERS)
def test_a_model_with_functions_of_its_own_answers_as_in_scikit_learn(name: str) -> None:
    original = loaded(VECTORIZERS[name]())
    predictor = compiled(original)
    assert predictor.own_functions and predictor.quick_bytes == 0
    texts = [text for text in texts_for(2, 100) if _is_encodable(text)]  # a Series holds no other
    assert compare(predictor, answers_of(original.predictor), texts).problem is None


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_so_does_a_model_of_support_vectors_and_one_of_whole_pipelines(name: str) -> None:
    original = loaded_model(CLASSIFIERS[name]())
    predictor = compiled(original)
    assert predictor.own_functions and predictor.quick_bytes == 0
    texts = [text for text in texts_for(4, 100) if _is_encodable(text)]
    assert compare(predictor, answers_of(original.predictor), texts).problem is None


@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern'")
@pytest.mark.parametrize("name", NO_CODE)
def test_functions_that_mean_a_pattern_or_an_option_are_no_code(name: str, tmp_path: Path) -> None:
    make, pattern = NO_CODE[name]
    original = loaded(make())
    predictor = compiled(original)
    assert not predictor.own_functions and predictor.quick_bytes > 0
    assert [part.analyzer["token_pattern"] for part in predictor.vectorizers] == [pattern]
    assert compare(predictor, answers_of(original.predictor), texts_for(3, 100)).problem is None
    save(tmp_path / "model", predictor, {})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", METHODS_OF_STR)
def test_methods_of_str_are_no_code_and_explained_in_place(
    name: str, method: str, tmp_path: Path
) -> None:
    prepare = getattr(str, method)
    original = loaded(TfidfVectorizer(preprocessor=prepare, **METHODS_OF_STR[name]))
    save(tmp_path / "model", compiled(original), {})
    predictor, _ = load(tmp_path / "model")
    assert not predictor.own_functions and predictor.quick_bytes > 0
    text = " \tGood, ßtraße  ŉ!\u2003"
    texts = [text, *texts_for(5, 60)]
    assert compare(predictor, answers_of(original.predictor), texts).problem is None
    found = predictor.explain(text, predictor.predict([text])[0])
    for term in [*found.terms, *found.unknown]:
        first = (term.term.split() or [""])[0]
        pieces = [prepare(text[start:stop]) for start, stop in term.spans]
        assert all(first in piece or piece in first for piece in pieces)
        assert pieces or not first


def test_split_and_the_pattern_find_the_same_for_every_character() -> None:
    text = "".join(f"a{chr(code)}b " for code in range(0x110000))
    assert text.split() == re.findall(r"\S+", text)


def test_a_function_ahead_of_two_vectorizers_is_called_once() -> None:
    calls: list[int] = []

    def counted(texts: Sequence[str]) -> list[str]:
        calls.append(len(texts))
        return [*texts]

    union = FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer())])
    predictor = compiled(loaded(make_pipeline(FunctionTransformer(counted), union)))
    calls.clear()
    predictor.predict(TEXTS[:7])
    assert calls == [7]


def test_a_function_that_remembers_is_refused() -> None:
    numbers = count()

    def changing(texts: Sequence[str]) -> list[str]:
        return [f"good {text}" if next(numbers) % 3 else f"bad {text}" for text in texts]

    with pytest.raises(NotCompilable, match=r"disagree|depends on others|fails"):
        compiled(loaded(make_pipeline(FunctionTransformer(changing), TfidfVectorizer())))


def test_a_function_that_looks_at_the_other_texts_is_refused() -> None:
    def longest(texts: Sequence[str]) -> list[str]:
        return [text if len(text) == max(map(len, texts)) else "bad" for text in texts]

    with pytest.raises(NotCompilable, match="before: .*longest"):
        compiled(loaded(make_pipeline(FunctionTransformer(longest), TfidfVectorizer())))


def test_what_a_function_raises_fails_its_text_and_no_other() -> None:
    def picky(text: str) -> list[str]:
        if "forbidden" in text:
            raise LookupError("not this one")
        return text.split()

    predictor = compiled(loaded(TfidfVectorizer(tokenizer=picky, token_pattern=None)))
    first, second = answer_each(predictor.predict, ["a forbidden text", "good"])
    assert isinstance(first, LookupError) and second == predictor.predict(["good"])[0]


def test_a_function_that_makes_fewer_texts_is_an_error() -> None:
    def dropping(texts: Sequence[str]) -> list[str]:
        return [text for text in texts if text != "drop me"]

    predictor = compiled(loaded(make_pipeline(FunctionTransformer(dropping), TfidfVectorizer())))
    with pytest.raises(ValueError, match="makes 1 of"):
        predictor.predict(["drop me", "good"])


@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern'")
@pytest.mark.parametrize("name", ["tokenizer and all", "before a union", "function", "hashed"])
def test_an_explanation_has_the_terms_and_no_places(name: str) -> None:
    original = loaded(VECTORIZERS[name]())
    predictor = compiled(original)
    text = "Good, great product! The qqq"
    found = predictor.explain(text, predictor.predict([text])[0])
    total = found.intercept + sum(term.contribution for term in found.terms)
    assert found.terms and total == pytest.approx(found.score)
    assert not any(term.spans for term in [*found.terms, *found.unknown])


def test_an_explanation_calls_numbers_by_their_function_and_column() -> None:
    predictor = compiled(loaded(VECTORIZERS["numbers"]()))
    found = predictor.explain("Great!!", predictor.predict(["Great!!"])[0])
    total = found.intercept + sum(term.contribution for term in found.terms)
    assert total == pytest.approx(found.score)
    assert {term.term: term.value for term in found.terms if not term.spans} == {
        "tests.test_own_functions:lengths[0]": 0.14,
        "tests.test_own_functions:lengths[1]": 2.0,
    }


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e31, "7", None, [1.0]])
def test_what_is_no_number_fails_its_text_and_no_other(number: Any) -> None:
    def picky(texts: Sequence[str]) -> list[list[Any]]:
        return [[number if "forbidden" in text else len(text) / 50] for text in texts]

    union = FeatureUnion([("w", TfidfVectorizer()), ("n", FunctionTransformer(picky))])
    predictor = compiled(loaded(union))
    first, second = answer_each(predictor.predict, ["a forbidden text", "good"])
    assert isinstance(first, ValueError) and "no number" in str(first)
    assert second == predictor.predict(["good"])[0]


def counted(texts: Sequence[str], dtype: str) -> Any:
    return np.array([[text.count("!"), 1] for text in texts], dtype=dtype)


def small_beside_large(texts: Sequence[str]) -> Any:
    frame = pd.DataFrame({"marks": [text.count("!") for text in texts], "one": 1.0})
    return frame.astype({"marks": "uint8"})


def union_of(*parts: Any) -> Any:
    return FeatureUnion([("w", TfidfVectorizer()), ("n", make_pipeline(*parts))])


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    **{
        dtype: (
            lambda dtype=dtype: union_of(FunctionTransformer(counted, kw_args={"dtype": dtype})),
            f"counted makes numbers of {dtype}; float64, int64 and bool are compiled",
        )
        for dtype in ("float32", "uint8", "int32")
    },
    "a column of a frame": (
        lambda: union_of(FunctionTransformer(small_beside_large)),
        "small_beside_large makes numbers of uint8; float64, int64 and bool are compiled",
    ),
    "idf": (
        lambda: union_of(
            FunctionTransformer(lengths), FeatureUnion([("p", "passthrough")]), TfidfTransformer()
        ),
        "TfidfTransformer on what .*lengths makes, behind a FeatureUnion; right behind",
    ),
    "norm": (
        lambda: union_of(
            FunctionTransformer(lengths), FeatureUnion([("p", "passthrough")]), Normalizer()
        ),
        "Normalizer on what .*lengths makes, behind a FeatureUnion; right behind",
    ),
    "distances": (
        lambda: make_pipeline(union_of(FunctionTransformer(lengths)), NearestCentroid()),
        "lengths makes numbers, before NearestCentroid",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_scikit_learn_reckons_otherwise_with_are_refused(name: str) -> None:
    make, reason = REFUSED[name]
    found = make()
    original = loaded_model(found) if name == "distances" else loaded(found)
    with pytest.raises(NotCompilable, match=reason):
        compiled(original)


def test_another_number_of_numbers_is_an_error() -> None:
    def growing(texts: Sequence[str]) -> list[list[int]]:
        return [[1] * (2 + ("more of it" in text)) for text in texts]

    union = FeatureUnion([("w", TfidfVectorizer()), ("n", FunctionTransformer(growing))])
    predictor = compiled(loaded(union))
    with pytest.raises(ValueError, match="makes 1 rows of 3 numbers of 1 texts"):
        predictor.predict(["more of it"])


def test_functions_of_its_own_are_not_written_to_a_folder(tmp_path: Path) -> None:
    predictor = compiled(loaded(TfidfVectorizer(tokenizer=words, token_pattern=None)))
    with pytest.raises(CompiledModelError, match="holds no code, and there is tokenize: .*:words"):
        save(tmp_path / "model", predictor, {})
    assert not (tmp_path / "model").exists()


def test_a_function_transformer_that_validates_is_refused() -> None:
    model = make_pipeline(FunctionTransformer(clean), TfidfVectorizer(), LogisticRegression()).fit(
        as_input(None, TEXTS), LABELS
    )
    model[0].validate = True
    with pytest.raises(NotCompilable, match="validate=True"):
        translate(model)
