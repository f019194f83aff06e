"""NLTK's tokenizers and stemmers need no code of the model's own to be served, and those that are a
pattern not even NLTK."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from function.compiled.artifact import load
from function.compiled.predictor import CompiledPredictor
from function.compiled.writing import save
from function.compiler.compiler import compile_model
from function.compiler.verify import compare
from function.errors import ModelLoadError
from function.labels import labels
from function.model import foldercode
from function.model.folders import from_folder
from function.model.stages import Stages
from function.settings import Settings
from tests.fitted_models import LABELS, TEXTS, fitted_pipeline, original, texts_for
from tests.packages import installed

pytestmark = [
    pytest.mark.client,
    pytest.mark.filterwarnings("ignore:The parameter .token_pattern"),
]


VERSIONS = {"3.9": "nltk==3.9.2", "3.10": "nltk==3.10.4"}


@pytest.fixture(scope="module", params=VERSIONS)
def nltk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package; skips where it cannot be had."""
    wanted = [VERSIONS[request.param], "regex==2026.11.19", "tqdm==4.67.1", "click==8.5.1"]
    with installed(tmp_path_factory.mktemp("nltk"), "nltk", *wanted) as module:
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


def compiled(**options: Any) -> tuple[CompiledPredictor, Any]:
    vectorizer = TfidfVectorizer(**options)
    model = fitted_pipeline(vectorizer, texts=TEXTS, labels=LABELS)
    return compile_model(model, original(model))[0], original(model)


def test_another_tokenizer_runs_as_it_is(nltk: Any) -> None:
    predictor, asked = compiled(tokenizer=nltk.RegexpTokenizer(",", gaps=True).tokenize)
    assert [name.split(": ")[0] for name in predictor.own_functions] == ["tokenize"]
    assert compare(predictor, asked, texts_for(4, 100)).problem is None


KNOWN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "porter": lambda nltk: {"preprocessor": nltk.PorterStemmer().stem},
    "porter's own": lambda nltk: {
        "preprocessor": nltk.PorterStemmer(mode="ORIGINAL_ALGORITHM").stem,
        "analyzer": "char_wb",
    },
    "english": lambda nltk: {"preprocessor": nltk.SnowballStemmer("english").stem},
    "old porter": lambda nltk: {"preprocessor": nltk.SnowballStemmer("porter").stem},
    "german, tokens": lambda nltk: {
        "preprocessor": nltk.SnowballStemmer("german").stem,
        "tokenizer": nltk.tokenize.NLTKWordTokenizer().tokenize,
    },
    "tweets": lambda nltk: {
        "tokenizer": nltk.TweetTokenizer(preserve_case=False, strip_handles=True).tokenize,
        "ngram_range": (1, 2),
    },
    "casual": lambda nltk: {"tokenizer": nltk.casual_tokenize},
    "treebank": lambda nltk: {"tokenizer": nltk.TreebankWordTokenizer().tokenize},
    "toktok": lambda nltk: {"analyzer": nltk.ToktokTokenizer().tokenize},
}


@pytest.mark.parametrize("kind", KNOWN)
def test_a_stemmer_and_a_tokenizer_go_into_a_folder_without_code(
    nltk: Any, kind: str, tmp_path: Path
) -> None:
    predictor, asked = compiled(**KNOWN[kind](nltk))
    assert predictor.own_functions == [] and predictor.quick_bytes == 0
    assert predictor.packages == [f"nltk=={nltk.__version__}"]
    save(tmp_path / "model", predictor, {})
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        *("SHA256SUMS", "manifest.json", "vectorizer.0")
    }
    served, _ = load(tmp_path / "model")
    assert served.packages == predictor.packages
    texts = [*texts_for(4, 100), "@somebody it was sooooo good :-) 555-123-4567"]
    assert compare(served, asked, texts).problem is None
    with_code, _ = foldercode.load(tmp_path / "model", {}, stages := Stages())
    assert compare(with_code, asked, texts[:20]).problem is None and not stages.ran_code


def test_an_object_that_was_changed_is_a_function_of_the_models_own(nltk: Any) -> None:
    tweets, stemmer = nltk.TweetTokenizer(), nltk.SnowballStemmer("english")
    tweets.tokenize = lambda text: text.split("o")
    stemmer.stem.__self__.stopwords = {"running"}

    pooled, lexicon = nltk.PorterStemmer(), nltk.TweetTokenizer()
    pooled.pool["excellent"] = "awful"
    lexicon._WORD_RE = re.compile("o")

    class Own(nltk.TweetTokenizer):  # type: ignore[misc]
        pass

    for options in (
        {"tokenizer": tweets.tokenize},
        {"preprocessor": stemmer.stem},
        {"tokenizer": Own().tokenize},
        {"preprocessor": pooled.stem},
        {"tokenizer": lexicon.tokenize},
        {"preprocessor": nltk.SnowballStemmer("arabic").stem},  # two threads would share it
    ):
        predictor, _ = compiled(**options)
        assert predictor.own_functions and not predictor.packages


def folder_of(nltk: Any, tmp_path: Path) -> Path:
    save(tmp_path / "model", compiled(tokenizer=nltk.TweetTokenizer().tokenize)[0], {})
    return tmp_path / "model"


def test_another_version_of_nltk_is_refused_by_both(
    nltk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(nltk, tmp_path)
    own = nltk.__version__
    monkeypatch.setattr(nltk, "__version__", "3.8")
    with pytest.raises(ModelLoadError) as caught:
        from_folder(Settings(compiled_model=str(folder)), Stages())
    assert f"TweetTokenizer.tokenize of NLTK {own}" in str(caught.value)
    assert "and 3.8 is installed" in str(caught.value)


def test_where_nltk_is_missing_what_to_install_is_said(
    nltk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(nltk, tmp_path)
    own = nltk.__version__
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ModelLoadError, match=f"install nltk=={own} where it is served"):
        from_folder(Settings(compiled_model=str(folder)), Stages())
    assert labels(str(folder))["org.mlflow.model.digest"]  # who only looks needs none
