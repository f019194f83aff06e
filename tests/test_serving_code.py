"""A model with functions of its own: compiled ahead with its code, served and published so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from function.compiled.predictor import CompiledPredictor
from function.errors import ModelLoadError
from function.model.folders import Sourced
from function.model.sources import from_registry
from function.model.stages import Stages
from function.registry.published import tag_of
from function.settings import Settings
from tests.conftest import ROOT, clean_environ, modules_after
from tests.processes import LiveServer, free_port, start_process
from tests.registry import Registry
from tests.test_bundle import bundle as bundle
from tests.warm import run_python

pytestmark = pytest.mark.usefixtures("no_settings_of_mlflow")

TRAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from words import clean, shares, tokens

vectorizer = TfidfVectorizer(tokenizer=tokens, token_pattern=None)
if sys.argv[2:] == ["numbers"]:
    vectorizer = FeatureUnion([("w", vectorizer), ("n", FunctionTransformer(shares))])
cleaner = FunctionTransformer(clean, kw_args={"mark": "!"})
model = make_pipeline(cleaner, vectorizer, LogisticRegression())
model.fit(["good day", "good news", "bad day", "bad news"], ["good", "good", "bad", "bad"])
how = dict(code_paths=["words.py", "text"], pip_requirements=[], serialization_format="cloudpickle")
if sys.argv[1:]:
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="m", registered_model_name=sys.argv[1], **how)
else:
    mlflow.sklearn.save_model(model, "model", **how)
"""
WORDS = """
from text import stem

def clean(texts, mark):
    return [text.replace(mark, " ") for text in texts]

def shares(texts):
    return [[text.count("o") / (len(text) + 1)] for text in texts]

def tokens(text):
    from text.stems import ENDINGS
    return [stem(word, ENDINGS) for word in text.lower().split()]
"""
TEXT = """
from .stems import SAYS

def stem(word, endings):
    for ending in endings:
        word = word.removesuffix(ending)
    return SAYS.get(word, word)
"""
STEMS = 'ENDINGS = ("ness", "ly")\nSAYS = {says!r}\n'


def train(folder: Path, *arguments: str, words: str = WORDS, **environ: str) -> None:
    """Lay out a user's project and log its model; "odd" is good or bad by `says`."""
    said = environ.pop("says", "good")
    stems = STEMS.format(says={"odd": said})
    files = {"words.py": words, "text/__init__.py": TEXT, "text/stems.py": stems}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    ended = run_python(["-c", TRAIN, *arguments], folder, {**clean_environ(), **environ})
    assert ended.returncode == 0, ended.stderr


def compile_(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run_python(["-m", "function.compile", *arguments], ROOT, {**clean_environ(), **environ})


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    train(folder)
    return folder / "model"


@pytest.fixture(scope="module")
def folder(logged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model compiled ahead, its project and original out of reach."""
    folder = tmp_path_factory.mktemp("compiled") / "model"
    ended = compile_(str(logged), "--allow-code", "--output", str(folder))
    assert ended.returncode == 0, ended.stderr
    assert "before: words:clean, tokenize: words:tokens: run by services with" in ended.stderr
    return folder


def test_without_the_option_it_is_refused_and_told_of_it(logged: Path, tmp_path: Path) -> None:
    ended = compile_(str(logged), "--output", str(tmp_path / "model"))
    assert ended.returncode == 1 and not (tmp_path / "model").exists()
    assert "(before: words:clean, tokenize: words:tokens)" in ended.stderr
    assert "--allow-code" in ended.stderr and "ALLOW_MODEL_CODE=true" in ended.stderr


def test_the_folder_has_the_code_and_no_pickle(folder: Path) -> None:
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py")) == [
        "code/text/__init__.py",
        "code/text/stems.py",
        "code/words.py",
    ]
    checked = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=folder)
    assert checked.returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            WORDS.replace("from text import", "FILE = open(__file__)\nfrom text import"),
            "words:clean cannot be imported (NameError: name '__file__' is not defined)",
        ),
        (
            WORDS + "clean = lambda texts, mark: texts\n",
            "words:<lambda> is a lambda or within another function",
        ),
        (
            WORDS + "class Tokens:\n    def tokens(self, text):\n        return text.split()\n"
            "tokens = Tokens().tokens\n",
            "words:Tokens.tokens is a method of an object that was made",
        ),
    ],
)
def test_code_that_is_another_in_a_folder_is_refused_in_words(
    tmp_path: Path, words: str, told: str
) -> None:
    train(tmp_path, words=words)
    ended = compile_(str(tmp_path / "model"), "--allow-code", "--output", str(tmp_path / "out"))
    assert ended.returncode == 1 and told in ended.stderr, ended.stderr
    assert not (tmp_path / "out").exists()


Serve = Callable[..., LiveServer]


@pytest.fixture
def serve(bundle: Path, folder: Path, tmp_path: Path) -> Serve:
    """Start the single file of the slim image."""

    def start(**environ: str) -> LiveServer:
        port = free_port()
        given = {"COMPILED_MODEL": str(folder), "HOST": "127.0.0.1", "PORT": str(port)}
        command = [sys.executable, "-I", "-S", str(bundle)]
        return start_process(
            command, tmp_path, {**clean_environ(), **given, **environ}, port, tmp_path
        )

    return start


def test_the_single_file_of_the_slim_image_serves_it_where_that_is_allowed(serve: Serve) -> None:
    server = serve(ALLOW_MODEL_CODE="true")
    answers = [
        server.request("/predict", {"text": text}).json["sentiment"]
        for text in ("GOODNESS!news", "Badly", "odd")
    ]
    info = server.request("/models/info").json
    server.stop()
    assert answers == ["good", "bad", "good"]
    assert info["own_functions"] == ["before: words:clean", "tokenize: words:tokens"]
    assert info["engine"] == "compiled" and info["native"] is False


def test_without_the_setting_the_start_ends_and_says_why(serve: Serve) -> None:
    with pytest.raises(RuntimeError, match=r"tokenize: words:tokens.*Set ALLOW_MODEL_CODE=true"):
        serve()


def test_serving_it_takes_the_standard_library_and_no_pickle(folder: Path) -> None:
    script = (
        "from function.settings import Settings\n"
        "from function.model.folders import from_folder\n"
        "from function.model.stages import Stages\n"
        f"settings = Settings(compiled_model={str(folder)!r}, allow_model_code=True)\n"
        "assert from_folder(settings, Stages()).predictor.predict(['odd'])[0].label == 'good'\n"
    )
    tops = {name.partition(".")[0] for name in modules_after(script)}
    assert not tops & {"mlflow", "sklearn", "pandas", "numpy", "scipy", "skops", "pickle", "words"}


@pytest.fixture(scope="module")
def published(server_registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two versions of a model whose modules differ, and the name of both; the second has numbers of
    its own, too."""
    name, tracking = "with-code", {"MLFLOW_TRACKING_URI": server_registry.tracking_uri}
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    for version, (says, *more) in enumerate((("good",), ("bad", "numbers")), 1):
        train(tmp_path_factory.mktemp("project"), name, *more, says=says, **tracking)
        MlflowClient().set_registered_model_alias(name, f"v{version}-alias", str(version))
    ended = compile_("--publish", "--all-aliases", name, **tracking)
    assert ended.returncode == 1 and ended.stderr.count("--allow-code") == 2
    ended = compile_("--publish", "--all-aliases", name, "--allow-code", **tracking)
    assert ended.returncode == 0, ended.stderr
    return name


def load(registry: Registry, uri: str, **settings: object) -> tuple[Sourced, Stages]:
    stages = Stages()
    found = from_registry(
        Settings(registry.tracking_uri, uri).replace(**settings),
        stages,  # type: ignore[arg-type]
    )
    return found, stages


def test_each_published_version_runs_the_code_that_it_was_published_with(
    server_registry: Registry, published: str
) -> None:
    found = [
        load(server_registry, f"models:/{published}/{version}", allow_model_code=True)
        for version in "12"
    ]
    assert [stages.not_published for _, stages in found] == [None, None]
    assert all(stages.ran_code for _, stages in found)
    assert [sourced.predictor.predict(["odd"])[0].label for sourced, _ in found] == ["good", "bad"]
    for version, format in (("1", 5), ("2", 6)):
        tags = MlflowClient().get_model_version(published, version).tags
        kept = json.loads(tags[tag_of(f"{format}-{sys.byteorder}")])["path"]
        assert kept.startswith(f"compiled/{format}-")


def test_published_again_with_or_without_the_option_nothing_is_done(
    server_registry: Registry, published: str
) -> None:
    tracking = {"MLFLOW_TRACKING_URI": server_registry.tracking_uri}
    ended = compile_(f"models:/{published}/1", "--publish", **tracking)
    assert ended.returncode == 0 and "is published already" in ended.stderr


def test_where_it_is_not_allowed_the_original_serves_and_the_log_says_why(
    server_registry: Registry, published: str
) -> None:
    found, stages = load(server_registry, f"models:/{published}/2")
    assert "ALLOW_MODEL_CODE=true" in str(stages.not_published)
    assert found.predictor.predict(["odd"])[0].label == "bad"
    assert isinstance(found.predictor, CompiledPredictor) and found.predictor.own_functions


def test_and_without_mlflow_it_is_refused_with_the_setting(
    server_registry: Registry, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from function.registry import mlflow as through_mlflow

    monkeypatch.setattr(through_mlflow, "is_installed", lambda: False)
    with pytest.raises(ModelLoadError, match="cannot be served as it is published.*words:tokens"):
        load(server_registry, f"models:/{published}/1")


def test_a_cache_on_disk_keeps_its_code(
    server_registry: Registry, published: str, tmp_path: Path
) -> None:
    how = {"allow_model_code": True, "model_cache": str(tmp_path / "cache")}
    for _ in range(2):
        _, stages = load(server_registry, f"models:/{published}/2", **how)
        assert stages.not_cached is None
    (kept,) = (tmp_path / "cache").glob("*/code/text/stems.py")
    assert "bad" in kept.read_text()
    kept.write_text("raise SystemExit")
    found, _ = load(server_registry, f"models:/{published}/2", **how)
    assert found.predictor.predict(["odd"])[0].label == "bad" and "bad" in kept.read_text()
