"""NLTK's tokenizers that are a pattern need no code of the model's own, nor NLTK, to be served."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from function.compiled.artifact import load
from function.compiled.writing import save
from function.compiler.compiler import compile_model
from function.compiler.verify import compare
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline, original, texts_for
from tests.packages import installed

pytestmark = pytest.mark.client


VERSIONS = {"3.9": "nltk==3.9.2", "3.10": "nltk==3.10.4"}


@pytest.fixture(scope="module", params=VERSIONS)
def nltk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package; skips where it cannot be had."""
    wanted = [VERSIONS[request.param], "regex==2026.11.19", "tqdm==4.67.1", "click==8.5.1"]
    with installed(tmp_path_factory.mktemp("nltk"), "nltk.tokenize", *wanted) as module:
        yield module
    for name in [name for name in sys.modules if name.partition(".")[0] in ("nltk", "regex")]:
        del sys.modules[name]


PATTERNS = {
    "words": (lambda nltk: nltk.RegexpTokenizer(r"\w+"), r"\b\w+\b"),
    "letters": (lambda nltk: nltk.RegexpTokenizer("[a-zA-Z]+"), "[a-zA-Z]+"),
    "words and marks": (lambda nltk: nltk.WordPunctTokenizer(), r"(?m)\w+|[^\w\s]+"),
    "white space": (lambda nltk: nltk.WhitespaceTokenizer(), r"\S+"),
    "gaps": (lambda nltk: nltk.RegexpTokenizer(r"\s+", gaps=True), r"\S+"),
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_tokenizer_that_is_a_pattern_is_served_as_one(
    nltk: Any, kind: str, tmp_path: Path
) -> None:
    make, pattern = PATTERNS[kind]
    vectorizer = TfidfVectorizer(tokenizer=make(nltk).tokenize, token_pattern=None)
    model = fitted_pipeline(vectorizer, texts=TEXTS, labels=LABELS)
    predictor, _ = compile_model(model, original(model))
    asked = [*texts_for(4, 200), "good\ufe0f", "bad\u200d", "a\u0301 b"]
    if not isinstance(vectorizer.tokenizer.__self__._regexp, re.Pattern):  # another package's
        assert len(predictor.own_functions) == 1
        assert compare(predictor, original(model), asked).problem is None
        return
    assert predictor.vectorizers[0].analyzer["token_pattern"] == pattern
    assert predictor.own_functions == []
    save(tmp_path / "model", predictor, {})
    assert compare(load(tmp_path / "model")[0], original(model), asked).problem is None


def test_another_tokenizer_runs_as_it_is(nltk: Any) -> None:
    for made in (nltk.RegexpTokenizer(",", gaps=True), nltk.TreebankWordTokenizer()):
        vectorizer = TfidfVectorizer(tokenizer=made.tokenize, token_pattern=None)
        model = fitted_pipeline(vectorizer, texts=TEXTS, labels=LABELS)
        predictor, _ = compile_model(model, original(model))
        assert [name.split(": ")[0] for name in predictor.own_functions] == ["tokenize"]
        assert compare(predictor, original(model), texts_for(4, 100)).problem is None
