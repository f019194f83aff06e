"""Token patterns of the user's own: those that stop a service are refused before they run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mlflow
import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC

from function.compiler.compiler import NotCompilable, translate
from function.compiler.patterns import slow_patterns, timing
from tests.conftest import AppFactory
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline

ENDLESS = [
    r"(?:\w+\s?)+!",
    r"(\w+\s?)+$",
    r"(a+)+$",
    r"(?:a|aa)+$",
    r"(?:[a-z]+)*\d",
    r"(x+x+)+y",
    r"(?:\s*\w+)+;",
    r"(a|b|ab)*c",
    r"(?:(?:foo|bar)+)+z",
    r"(?:[^\W\d_]+\d*)+\.",
    r"(?:\d+\.?)+%",
    r"(?:[一-龥]+)+。",
    r"(?:(?:\w+)\s*,?)+\|",
    r"\w+\s*\w+\s*\w+!",
    r"(?:\w+\s?)+!|\w+",
    r"((?:\w+\s?)+!)",
    r"(?i:(?:\w+\s?)+!)",
    r"(?:[A-Za-z]+['-]?)+\d|\w+",
    r"x|(?:a+|(\w+\s?)+!)",
]
USUAL = [
    r"\S+",
    r"\w*",
    r"[a-z]+",
    r"(?u)\b\w\w+\b",
    r"\b[a-z]{2,}\b",
    r"(?i)[#@]?\w+",
    r"\w+|[^\w\s]",
    r"\b(\w)\w*",
    r"\b\w+(?:'\w+)?\b",
    r"[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*",
    r"(?>a+)+$",
]


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_on_which_a_text_would_not_end_is_found_out(pattern: str) -> None:
    found = timing(pattern)
    assert found is not None and found.is_endless


@pytest.mark.parametrize("pattern", USUAL)
def test_a_usual_pattern_is_not_suspected(pattern: str) -> None:
    assert timing(pattern) is None


def test_time_with_the_square_of_the_text_is_worth_a_warning() -> None:
    found = timing(r"\w+!")
    assert found is not None and not found.is_endless
    assert 500 < found.times < 20_000, "a multiple of what words take, whatever the machine"


def unfitted(vectorizer: Any) -> Any:
    """A model around a vectorizer that is never asked: fitting it would not end."""
    model = fitted_pipeline()
    model.steps[0] = ("vectorizer", vectorizer)
    return model


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_what_would_not_end_is_not_compiled(kind: Any) -> None:
    vectorizer = kind(token_pattern=ENDLESS[0], vocabulary=["a", "b"]).fit([""])
    with pytest.raises(NotCompilable, match=r"token_pattern .*s\?\)\+!' of .* would not end"):
        translate(unfitted(vectorizer))


def test_a_tokenizer_that_is_such_a_pattern_is_named_as_what_it_is() -> None:
    find = re.compile(ENDLESS[0]).findall
    for options in ({"tokenizer": find}, {"analyzer": find}):
        ((name, found),) = slow_patterns(unfitted(CountVectorizer(token_pattern=None, **options)))
        assert found.is_endless
        assert name == (
            f"The pattern of the function that finds words, {ENDLESS[0]!r} of CountVectorizer"
        )


class Finding(TfidfVectorizer):
    """A subclass whose words are what a pattern finds, as well as one could say so itself."""

    def build_tokenizer(self) -> Any:
        return re.compile(ENDLESS[0]).findall


class Failing(TfidfVectorizer):
    def build_analyzer(self) -> Any:
        raise LookupError("no model of the language")


class Stemming(TfidfVectorizer):
    def build_analyzer(self) -> Any:
        analyze = super().build_analyzer()
        return lambda text: [word[:4] for word in analyze(text)]


class Own(BaseEstimator):
    """No vectorizer of scikit-learn's, with parameters of the same names."""

    def __init__(self, token_pattern: str, analyzer: str = "word") -> None:
        self.token_pattern, self.analyzer = token_pattern, analyzer


def test_so_is_what_a_subclass_finds_words_with() -> None:
    ((name, found),) = slow_patterns(unfitted(Finding()))
    assert found.is_endless and repr(ENDLESS[0]) in name and "of Finding" in name


@pytest.mark.parametrize("kind", [Failing, Stemming, Own])
def test_a_pattern_that_is_wrapped_in_other_code_is_judged_all_the_same(kind: Any) -> None:
    ((name, found),) = slow_patterns(unfitted(kind(token_pattern=ENDLESS[0])))
    assert found.is_endless and f"of {kind.__name__}" in name


def test_a_pattern_that_is_no_text_is_left_to_scikit_learn() -> None:
    vectorizer = CountVectorizer()
    vectorizer.token_pattern = re.compile(r"\w+!")
    assert [*slow_patterns(unfitted(vectorizer))] == []


@pytest.mark.parametrize(
    "build",
    [
        lambda bad: unfitted(HashingVectorizer(token_pattern=bad)),
        lambda bad: unfitted(FeatureUnion([("a", TfidfVectorizer(token_pattern=bad))])),
        lambda bad: CalibratedClassifierCV(
            make_pipeline(TfidfVectorizer(token_pattern=bad), LinearSVC())
        ),
    ],
)
def test_patterns_are_found_wherever_they_are(build: Any) -> None:
    ((name, _),) = slow_patterns(build(ENDLESS[0]))
    assert repr(ENDLESS[0]) in name


def test_patterns_that_are_not_used_are_not_timed() -> None:
    for options in ({"analyzer": "char"}, {"tokenizer": str.split}, {"analyzer": str.split}):
        model = unfitted(CountVectorizer(token_pattern=ENDLESS[0], **options))
        assert [*slow_patterns(model)] == []


def save(model: Any, tmp_path: Path) -> dict[str, str]:
    mlflow.sklearn.save_model(model, tmp_path / "model", pip_requirements=[])
    (tmp_path / "mlruns").mkdir()
    return {"MODEL_URI": str(tmp_path / "model"), "MLFLOW_TRACKING_URI": str(tmp_path / "mlruns")}


@pytest.mark.parametrize(
    "build",
    [TfidfVectorizer, lambda: HashingVectorizer(n_features=1024)],
    ids=["compiled", "sklearn"],
)
def test_neither_engine_serves_what_would_not_end(
    create_app: AppFactory, tmp_path: Path, build: Any
) -> None:
    model = fitted_pipeline(build(), LogisticRegression(), TEXTS, LABELS)
    model[0].token_pattern = ENDLESS[0]
    reply = create_app(**save(model, tmp_path)).post("/predict", json={"text": "good"})
    assert reply.status_code == 503
    assert f"{ENDLESS[0]!r} of {type(model[0]).__name__}" in reply.json["detail"]
    assert "would not end" in reply.json["detail"]


def test_what_is_slow_is_served_with_a_warning(create_app: AppFactory, tmp_path: Path) -> None:
    model = fitted_pipeline(TfidfVectorizer(token_pattern=r"\w+(?=[ .!?,])"))
    info = create_app(**save(model, tmp_path)).get("/models/info").json
    assert info["engine"] == "compiled"
    (warning,) = info["warnings"]
    assert "token_pattern" in warning and "of TfidfVectorizer backtracks" in warning
