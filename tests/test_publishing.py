"""A model is compiled once, kept beside itself in MLflow, and served from there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

import function
from function.compiled import artifact
from function.model.folders import Sourced
from function.model.sources import Stages, from_registry
from function.registry import published
from function.settings import Settings
from tests.conftest import ROOT, clean_environ, modules_after
from tests.fronts import front
from tests.processes import Reply
from tests.registry import TAG, Registry, strings_pipeline, text_signature, training_data
from tests.warm import run_python

pytestmark = pytest.mark.usefixtures("no_settings_of_mlflow")

TEXT = "I love it"
HEAVY = {"mlflow", "sklearn", "pandas", "numpy", "scipy", "skops"}


Register = Callable[..., str]


@pytest.fixture
def register(server_registry: Registry, request: pytest.FixtureRequest) -> Register:
    """Log and register a model under the test's own name; its models:/NAME/1."""
    name = f"{request.node.name[:60]}".replace("[", "-").replace("]", "").replace("/", "-")

    def log(model: Any = None, publish: bool = False) -> str:
        mlflow.set_tracking_uri(server_registry.tracking_uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mlflow.start_run():
                info = mlflow.sklearn.log_model(
                    model or strings_pipeline(),
                    name="model",
                    signature=text_signature(),
                    registered_model_name=name,
                    pip_requirements=[],
                )
        if publish:
            function.publish(info)
        return f"models:/{name}/{info.registered_model_version}"

    return log


@pytest.fixture(scope="module")
def plain(server_registry: Registry) -> str:
    """A version for tests that leave it as it is, but for its tags."""
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(
                strings_pipeline(), name="m", registered_model_name="plain", pip_requirements=[]
            )
    return f"models:/plain/{info.registered_model_version}"


def load(tracking_uri: str, model_uri: str) -> tuple[Sourced, Stages]:
    stages = Stages()
    return from_registry(Settings(tracking_uri, model_uri), stages), stages


def compile_(server_registry: Registry, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**clean_environ(), "MLFLOW_TRACKING_URI": server_registry.tracking_uri}
    return run_python(["-m", "function.compile", *arguments], ROOT, environ)


def tag_of(uri: str) -> dict[str, str]:
    name, version = uri.removeprefix("models:/").split("/")
    tags = MlflowClient().get_model_version(name, version).tags
    found: dict[str, str] = json.loads(tags[TAG])
    return found


def set_tag(uri: str, **changes: str) -> None:
    name, version = uri.removeprefix("models:/").split("/")
    value = json.dumps({**tag_of(uri), **changes})
    MlflowClient().set_model_version_tag(name, version, TAG, value)


def folder_of(server_registry: Registry, uri: str) -> Path:
    """Where the server keeps the published folder."""
    tag = tag_of(uri)
    return (
        server_registry.folder
        / "artifacts"
        / tag["location"].partition(":/")[2].strip("/")
        / tag["path"]
    )


def test_a_training_script_publishes_in_one_line_and_the_service_serves_it(
    server_registry: Registry, register: Register
) -> None:
    uri = register(publish=True)
    found, stages = load(server_registry.tracking_uri, uri)
    assert stages.not_published is None and stages.through_mlflow is None
    assert found.predictor.engine == "compiled"
    assert found.predictor.predict([TEXT])[0].label == "positive"
    assert found.lineage.version == "1" and found.lineage.details["signature"]
    assert found.lineage.details["digest"] == f"sha256:{tag_of(uri)['digest']}"


def test_the_tag_names_the_folder_its_digest_the_models_and_the_compilers_version(
    server_registry: Registry, register: Register
) -> None:
    tag, folder = tag_of(uri := register(publish=True)), None
    folder = folder_of(server_registry, uri)
    assert artifact.digest(folder) == tag["digest"]
    assert (folder / "SHA256SUMS").read_text() == tag["sums"]
    assert tag["compiled_by"] == function.__version__
    assert len(tag["model_digest"]) == 64
    assert tag["path"] == f"compiled/3-{sys.byteorder}-{tag['digest'][:12]}"
    assert artifact.load(folder)[0].predict([TEXT])[0].label == "positive"


def test_what_serves_a_published_model_is_the_standard_library(
    server_registry: Registry, register: Register
) -> None:
    uri = register(publish=True)
    script = (
        "from function.settings import Settings\n"
        "from function.model.sources import Stages, from_registry\n"
        f"found = from_registry(Settings({server_registry.tracking_uri!r}, {uri!r}), Stages())\n"
        f"assert found.predictor.predict([{TEXT!r}])[0].label == 'positive'\n"
    )
    loaded = modules_after(script)
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert not loaded & {"http.client", "pathlib", "tempfile", "importlib.metadata"}


def test_from_the_database_itself_it_is_served_too(
    server_registry: Registry, tmp_path: Path, migrated_database: Path
) -> None:
    shutil.copy(migrated_database, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    experiment = MlflowClient().create_experiment("own", str(tmp_path / "artifacts"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mlflow.start_run(experiment_id=experiment):
            info = mlflow.sklearn.log_model(
                strings_pipeline(), name="m", registered_model_name="own", pip_requirements=[]
            )
    function.publish(info)
    found, stages = load(uri, "models:/own/1")
    assert stages.not_published is None and stages.through_mlflow
    assert "digest" in found.lineage.details
    (next(tmp_path.glob("artifacts/**/compiled/*/vectorizer.0"))).write_bytes(b"")
    found, stages = load(uri, "models:/own/1")
    assert "vectorizer.0" in str(stages.not_published)
    assert found.predictor.predict([TEXT])[0].label == "positive"


def test_a_version_of_a_runs_artifacts_is_published_among_them(
    server_registry: Registry, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    mlflow.sklearn.save_model(strings_pipeline(), tmp_path / "m", pip_requirements=[])
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "m"), "model")
    client = MlflowClient()
    client.create_registered_model("of-a-run")
    source = f"{run.info.artifact_uri}/model"
    client.create_model_version("of-a-run", source, run.info.run_id)
    function.publish("models:/of-a-run/1")
    found, stages = load(server_registry.tracking_uri, "models:/of-a-run/1")
    assert stages.not_published is None and stages.through_mlflow is None
    assert found.predictor.predict([TEXT])[0].label == "positive"


def test_publishing_again_does_nothing_and_says_so(
    server_registry: Registry, register: Register
) -> None:
    uri = register(publish=True)
    before = tag_of(uri)
    ended = compile_(server_registry, uri, "--publish")
    assert ended.returncode == 0 and "is published already" in ended.stderr
    assert tag_of(uri) == before
    (folder_of(server_registry, uri) / "vectorizer.0").write_bytes(b"damaged")
    ended = compile_(server_registry, uri, "--publish")
    assert ended.returncode == 0 and "published already" not in ended.stderr, ended.stderr
    assert load(server_registry.tracking_uri, uri)[1].not_published is None


def test_texts_of_ones_own_are_compared_before_anything_is_published(
    server_registry: Registry, register: Register, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("lovely\nnever again\n")
    ended = compile_(server_registry, register(), "--publish", "--verify", str(texts))
    assert ended.returncode == 0
    assert "2 of 2 labels equal" in ended.stderr


def test_every_version_that_an_alias_names_is_published(
    server_registry: Registry, register: Register
) -> None:
    uris = [register() for _ in range(3)]
    name = uris[0].removeprefix("models:/").partition("/")[0]
    client = MlflowClient()
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "challenger", "3")
    ended = compile_(server_registry, "--publish", "--all-aliases", name)
    assert ended.returncode == 0, ended.stderr
    given = [TAG in client.get_model_version(name, v).tags for v in ("1", "2", "3")]
    assert given == [True, False, True]
    assert "@challenger" in ended.stderr


def test_of_several_versions_the_one_that_cannot_be_published_is_named_and_the_others_are(
    server_registry: Registry, register: Register
) -> None:
    texts, labels = training_data()
    nearest = make_pipeline(TfidfVectorizer(), NearestCentroid("manhattan"))
    uris = [register(nearest.fit(texts["text"].tolist(), labels)), register()]
    name = uris[0].removeprefix("models:/").partition("/")[0]
    for version in ("1", "2"):
        MlflowClient().set_registered_model_alias(name, f"v{version}-alias", version)
    ended = compile_(server_registry, "--publish", "--all-aliases", name)
    assert ended.returncode == 1
    assert "version 1 cannot be published" in ended.stderr
    assert TAG in MlflowClient().get_model_version(name, "2").tags


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["models:/a/1"], "--output DIR or --publish"),
        (["models:/a/1", "--output", "d", "--publish"], "--output DIR or --publish"),
        (["--publish"], "say which model"),
        (["--all-aliases", "a"], "--all-aliases NAME goes with --publish"),
        (["models:/a/1", "--publish", "--all-aliases", "a"], "and with nothing else"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(arguments: list[str], told: str) -> None:
    command = [sys.executable, "-m", "function.compile", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2 and told in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["models:/no-such/1", "--publish"], "models:/no-such/1 is not there"),
        (["--publish", "--all-aliases", "no-such"], "no-such is not there"),
    ],
)
def test_what_is_not_there_is_named(
    server_registry: Registry, arguments: list[str], told: str
) -> None:
    ended = compile_(server_registry, *arguments)
    assert ended.returncode == 1 and told in ended.stderr


def test_a_model_that_is_not_registered_cannot_be_published(
    server_registry: Registry,
) -> None:
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(strings_pipeline(), name="m", pip_requirements=[])
    with pytest.raises(function.errors.ModelLoadError, match="Register it"):
        function.publish(info)


def truncate(folder: Path, uri: str) -> None:
    content = (folder / "vectorizer.0").read_bytes()
    (folder / "vectorizer.0").write_bytes(content[:-100])


def edit(folder: Path, uri: str) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace("positive", "negative"))


def remove(folder: Path, uri: str) -> None:
    shutil.rmtree(folder)


def another_digest(folder: Path, uri: str) -> None:
    set_tag(uri, digest="0" * 64)


def no_json(folder: Path, uri: str) -> None:
    name, version = uri.removeprefix("models:/").split("/")
    MlflowClient().set_model_version_tag(name, version, TAG, "{")


def other_model_files(folder: Path, uri: str) -> None:
    with (folder.parents[1] / "MLmodel").open("a") as file:
        file.write("\n# edited since\n")


def elsewhere(folder: Path, uri: str) -> None:
    set_tag(uri, location="mlflow-artifacts:/0/models/m-0/artifacts")


def outside(folder: Path, uri: str) -> None:
    set_tag(uri, path="../../../../secrets")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "vectorizer.0: its content is not what SHA256SUMS says"),
        (edit, "manifest.json: its content is not what SHA256SUMS says"),
        (remove, "is not among its artifacts"),
        (another_digest, "contradicts itself"),
        (no_json, "cannot be read"),
        (other_model_files, "its files are not those that were compiled"),
        (elsewhere, "another model's artifacts"),
        (outside, ""),
    ],
)
def test_a_publication_that_does_not_fit_is_not_served_and_the_log_says_why(
    server_registry: Registry,
    register: Register,
    damage: Callable[[Path, str], None],
    reason: str,
) -> None:
    uri = register(publish=True)
    damage(folder_of(server_registry, uri), uri)
    found, stages = load(server_registry.tracking_uri, uri)
    assert reason in str(stages.not_published) and stages.not_published
    assert found.predictor.engine == "compiled"  # from the original, as ever
    assert found.predictor.predict([TEXT])[0].label == "positive"
    assert "digest" not in found.lineage.details


@pytest.mark.parametrize(
    "tag", ["[" * 5000, "null", "3", '{"sums": "\\ud800"}', '{"path": 3}', "[]", "NaN"], ids=str
)
def test_whatever_a_tag_holds_instead_the_original_serves(
    server_registry: Registry, plain: str, tag: str
) -> None:
    name, version = plain.removeprefix("models:/").split("/")
    MlflowClient().set_model_version_tag(name, version, TAG, tag)
    found, stages = load(server_registry.tracking_uri, plain)
    assert stages.not_published == f"its tag {TAG} cannot be read"
    assert found.predictor.predict([TEXT])[0].label == "positive"


def test_no_secret_is_shown_while_publishing(
    server_registry: Registry, capsys: pytest.CaptureFixture[str], plain: str
) -> None:
    mlflow.set_tracking_uri(server_registry.tracking_uri.replace("//", "//bob:s3cr3tPW@"))
    function.publish(plain)
    shown = capsys.readouterr()
    assert "s3cr3tPW" not in shown.out + shown.err and "published" in shown.err


@pytest.mark.parametrize("given", [None, 5, b"models:/a/1"])
def test_only_a_model_is_published(given: object) -> None:
    with pytest.raises(TypeError, match="takes a MODEL_URI or what log_model returned"):
        function.publish(given)


def test_texts_are_compared_even_where_the_version_is_published(
    server_registry: Registry, register: Register, tmp_path: Path
) -> None:
    uri = register(publish=True)
    (tmp_path / "texts.txt").write_text("lovely\nnever again\n")
    ended = compile_(server_registry, uri, "--publish", "--verify", str(tmp_path / "texts.txt"))
    assert ended.returncode == 0
    assert "2 of 2 labels equal" in ended.stderr and "is published already" in ended.stderr
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    ended = compile_(server_registry, uri, "--publish", "--verify", str(tmp_path / "binary"))
    assert ended.returncode == 1 and "no text in UTF-8" in ended.stderr.splitlines()[-1]


def test_a_version_that_is_not_published_is_served_as_ever(
    server_registry: Registry, register: Register
) -> None:
    found, stages = load(server_registry.tracking_uri, register())
    kinds = " or ".join(f"{number}-{sys.byteorder}" for number in published.FORMATS)
    assert stages.not_published == f"no compiled folder of format {kinds} is published for it"
    assert found.predictor.predict([TEXT])[0].label == "positive"


def test_formats_stand_side_by_side(
    server_registry: Registry, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = register()
    name, version = uri.removeprefix("models:/").split("/")
    of_another = published.tag_of("9-little")
    MlflowClient().set_model_version_tag(name, version, of_another, '{"digest": "0"}')
    function.publish(uri)
    assert load(server_registry.tracking_uri, uri)[1].not_published is None
    assert MlflowClient().get_model_version(name, version).tags[of_another] == '{"digest": "0"}'


def test_the_originals_way_does_not_fetch_what_was_compiled_from_it(
    server_registry: Registry, register: Register
) -> None:
    uri = register(publish=True)
    no_json(Path(), uri)
    with front(server_registry.tracking_uri) as listening:
        load(listening.url, uri)
    assert not [asked.path for asked in listening.asked if "/compiled" in asked.path]


def test_a_server_that_fails_half_way_is_no_reason_to_serve_anything_else(
    server_registry: Registry, register: Register
) -> None:
    uri = register(publish=True)

    def cut_short(path: str) -> Reply | None:
        return Reply(200, {"Content-Length": "99999999"}, b"half") if "vectorizer" in path else None

    with front(server_registry.tracking_uri, cut_short) as listening:
        found, stages = load(listening.url, uri)
    assert stages.through_mlflow == "an answer was cut short"
    assert found.predictor.predict([TEXT])[0].label == "positive"


def test_another_model_of_the_same_shape_is_another_folder(
    server_registry: Registry, register: Register
) -> None:
    first, second = register(publish=True), register(strings_pipeline(MultinomialNB()), True)
    assert tag_of(first)["digest"] != tag_of(second)["digest"]
    answers = [
        load(server_registry.tracking_uri, uri)[0].predictor.predict([TEXT])[0]
        for uri in (first, second)
    ]
    assert answers[0].confidence != answers[1].confidence
