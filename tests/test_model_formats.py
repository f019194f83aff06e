"""MODEL_FORMATS: what runs code when it is loaded is refused unread, or loaded with a warning."""

from __future__ import annotations

import importlib
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import mlflow
import pytest
import yaml
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import function
from function.compiled import artifact
from function.errors import ModelLoadError
from function.model import vectorizers
from function.model.sources import from_registry
from function.model.stages import Stages
from function.registry import formats
from function.registry import mlflow as through_mlflow
from function.settings import Settings
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.registry import NAME, Registry, strings_pipeline
from tests.warm import run_python

OWN = "module_of_a_models_own"
TEXT = "This product is amazing!"
AS_CODE = """
import pathlib
import mlflow

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return ["positive"] * len(model_input)

pathlib.Path({mark!r}).touch()
mlflow.models.set_model(Model())
"""
OWN_MODULE = """
import pathlib
pathlib.Path({mark!r}).touch()

def shout(texts):
    return texts
"""


class Positive(mlflow.pyfunc.PythonModel):
    """Not of scikit-learn."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        return ["positive"] * len(model_input)


class Marked:
    """What is read back from its pickle is ``value``, once a file was left as a mark."""

    def __init__(self, value: Any, mark: Path) -> None:
        self._content = pickle.dumps(value)
        self._mark = str(mark)

    def __reduce__(self) -> Any:
        reads = f"__import__('pickle').loads({self._content!r})"
        return eval, (f"[open({self._mark!r}, 'w').close(), {reads}][1]",)


def pickled(folder: Path, mark: Path, form: str) -> None:
    model = Marked(strings_pipeline(), mark)
    mlflow.sklearn.save_model(
        strings_pipeline(), folder, pip_requirements=[], serialization_format=form
    )
    (folder / "model.pkl").write_bytes(pickle.dumps(model))


def python_model(folder: Path, mark: Path) -> None:
    mlflow.pyfunc.save_model(folder, python_model=Positive(), pip_requirements=[])
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Marked(Positive(), mark)))


def as_code(folder: Path, mark: Path) -> None:
    script = folder.with_suffix(".py")
    script.write_text(AS_CODE.format(mark=str(mark)))
    mlflow.pyfunc.save_model(folder, python_model=str(script), pip_requirements=[])
    mark.unlink()  # it was run to be saved


def with_own_module(folder: Path, mark: Path) -> None:
    module = folder.with_name(f"{OWN}.py")
    module.write_text(OWN_MODULE.format(mark=str(mark)))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        model = make_pipeline(
            FunctionTransformer(importlib.import_module(OWN).shout), strings_pipeline()
        )
        mlflow.sklearn.save_model(
            model,
            folder,
            pip_requirements=[],
            code_paths=[str(module)],
            skops_trusted_types=[f"{OWN}.shout"],
        )
    del sys.modules[OWN]
    mark.unlink()


def skops_file(folder: Path, mark: Path) -> None:
    mlflow.sklearn.save_model(strings_pipeline(), folder, pip_requirements=[])


CODE: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "pickle": (partial(pickled, form="pickle"), "a pickle file"),
    "cloudpickle": (partial(pickled, form="cloudpickle"), "a cloudpickle file"),
    "python": (python_model, "a python_function model, a cloudpickle file"),
    "code": (as_code, "a python_function model, logged as code"),
    "own": (with_own_module, "a skops file with modules of its own (code_paths)"),
}
"""How each kind is saved so that loading it leaves a mark, and what it is called."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder; what a model puts on the path is taken from it again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop(OWN, None)


def saved(place: Path, save: Callable[[Path, Path], None]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(place / "model", place / "mark")
    assert not (place / "mark").exists()
    return place / "model"


def load(model_uri: Path | str, tracking_uri: str = "sqlite:///none.db", **settings: Any) -> Any:
    return from_registry(Settings(tracking_uri, str(model_uri), **settings), Stages())


def refusal(action: Callable[[], Any]) -> str:
    """What is said of a model that is refused: the setting, and the ways out."""
    with pytest.raises(ModelLoadError) as refused:
        action()
    told = refused.value.told
    assert told.startswith("MODEL_FORMATS=skops forbids")
    for way_out in ('serialization_format="skops"', "--publish", "MODEL_FORMATS=any"):
        assert way_out in told
    return told


def warned(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The warnings in the log of a service whose model was loaded."""
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "model loaded" in [record["message"] for record in records]
    return [record["message"] for record in records if record["severity"] == "WARNING"]


@pytest.mark.parametrize("kind", CODE)
def test_what_runs_code_is_refused_and_runs_nothing(place: Path, kind: str) -> None:
    save, called = CODE[kind]
    folder = saved(place, save)
    before = set(sys.modules)
    trusted = f"{OWN}.shout"
    told = refusal(lambda: load(folder, model_formats="skops", skops_trusted_types=trusted))
    assert f"the model is {called}, which runs code" in told
    assert not (place / "mark").exists() and OWN not in sys.modules
    assert not {name for name in set(sys.modules) - before if name.startswith("mlflow.")}


@pytest.mark.parametrize("kind", CODE)
def test_where_any_may_be_loaded_one_warning_names_the_format_and_the_ways_out(
    place: Path, create_app: AppFactory, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    save, called = CODE[kind]
    folder = saved(place, save)
    (place / "mlruns").mkdir()
    client = create_app(
        MODEL_URI=str(folder),
        MLFLOW_TRACKING_URI=str(place / "mlruns"),
        SKOPS_TRUSTED_TYPES=f"{OWN}.shout",
    )
    assert client.post("/predict", json={"text": TEXT}).json["sentiment"] == "positive"
    assert (place / "mark").exists()
    (told,) = warned(capsys)
    assert told.startswith(f"loaded {called}, which runs code")
    for way_out in ('serialization_format="skops"', "--publish", "MODEL_FORMATS=skops"):
        assert way_out in told


def test_code_that_ran_is_warned_of_though_the_model_is_of_no_use(
    place: Path, create_app: AppFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(place, skops_file)
    facts = yaml.safe_load((folder / "MLmodel").read_text())
    facts["flavors"]["sklearn"]["serialization_format"] = "pickle"
    (folder / "MLmodel").write_text(yaml.safe_dump(facts))
    (folder / "model.skops").write_bytes(pickle.dumps(Marked({}, place / "mark")))
    (place / "mlruns").mkdir()
    client = create_app(
        MODEL_URI=str(folder),
        MLFLOW_TRACKING_URI=str(place / "mlruns"),
        LOAD_RETRY_SECONDS="0",
    )
    assert [client.post("/predict", json={"text": TEXT}).status_code for _ in "two"] == [503] * 3
    assert (place / "mark").exists()
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [r["message"] for r in records if "model_uri" in r and r["severity"] != "INFO"]
    assert told[0].startswith("loaded a pickle file") and "failed" in told[1]
    assert len(told) == 4 and all("attempt" in message for message in told[2:])


@pytest.mark.parametrize("formats", ["skops", "any"])
@pytest.mark.parametrize("compiled", [False, True], ids=["original", "compiled"])
def test_what_holds_data_only_is_loaded_whatever_is_set_and_without_a_warning(
    place: Path,
    create_app: AppFactory,
    capsys: pytest.CaptureFixture[str],
    compiled_folder: Path,
    formats: str,
    compiled: bool,
) -> None:
    (place / "mlruns").mkdir()
    where = {"COMPILED_MODEL": str(compiled_folder)} if compiled else {}
    client = create_app(
        MODEL_URI=str(saved(place, skops_file)),
        MLFLOW_TRACKING_URI=str(place / "mlruns"),
        MODEL_FORMATS=formats,
        **where,
    )
    assert client.post("/predict", json={"text": TEXT}).json["sentiment"] == "positive"
    assert warned(capsys) == []


@pytest.fixture(scope="module")
def pickles(registry: Registry) -> Registry:
    """A registry with a pickle whose compiled form is published, and one whose form is not."""
    mlflow.set_tracking_uri(registry.tracking_uri)
    experiment = mlflow.get_experiment_by_name("tests")
    assert experiment is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("published", "unpublished"):
            with mlflow.start_run(experiment_id=experiment.experiment_id):
                info = mlflow.sklearn.log_model(
                    strings_pipeline(),
                    name="model",
                    registered_model_name=name,
                    serialization_format="cloudpickle",
                    pip_requirements=[],
                )
            if name == "published":
                function.publish(info)
    return registry


def test_the_published_form_of_a_pickle_is_served(pickles: Registry) -> None:
    found = load("models:/published/1", pickles.tracking_uri, model_formats="skops")
    assert found.not_compiled is None and "compiled_by" in found.lineage.details


def test_of_a_model_that_is_refused_nothing_but_its_description_is_fetched(
    pickles: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    download = through_mlflow._download

    def spy(uri: str, workspace: str) -> str:
        fetched.append(uri.rpartition("/")[2])
        return download(uri, workspace)

    monkeypatch.setattr(through_mlflow, "_download", spy)
    uri = "models:/unpublished/1"
    refusal(lambda: load(uri, pickles.tracking_uri, model_formats="skops"))
    assert fetched == ["MLmodel"]
    fetched.clear()
    uri = f"models:/{NAME}/2"
    assert load(uri, pickles.tracking_uri, model_formats="skops").not_compiled is None
    assert fetched[0] == "MLmodel" and len(fetched) == 2


def test_a_pickle_is_not_published_where_loading_it_is_not_allowed(
    pickles: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_FORMATS", "skops")
    mlflow.set_tracking_uri(pickles.tracking_uri)
    refusal(lambda: function.publish("models:/unpublished/1"))


def test_the_command_line_refuses_and_warns_alike(place: Path) -> None:
    saved(place, CODE["pickle"][0])
    arguments = ["-m", "function.compile", "model", "--output", "out"]
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
    ended = run_python(arguments, place, {**environ, "MODEL_FORMATS": "Skops"})
    assert ended.returncode == 1 and ended.stderr.splitlines()[-1].startswith("MODEL_FORMATS=skops")
    assert not (place / "mark").exists() and not (place / "out").exists()
    ended = run_python(arguments, place, environ)
    assert ended.returncode == 0 and "warning: loaded a pickle file, which runs" in ended.stderr
    assert (place / "mark").exists()
    assert "warnings" not in artifact.load(place / "out")[1]["details"]


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_a_vectorizers_pickle_is_refused_or_warned_of(
    place: Path, dump: Callable[[Any, Any], Any]
) -> None:
    vectorizer = TfidfVectorizer().fit([TEXT])
    with (place / "vectorizer").open("wb") as file:
        dump(Marked(vectorizer, place / "mark"), file)
    stages = Stages()
    read = partial(vectorizers.read_file, place / "vectorizer", stages=stages)
    refusal(lambda: read(settings=Settings(model_formats="skops")))
    assert not (place / "mark").exists() and stages.ran_code == []
    assert read(settings=Settings()).vocabulary_ == vectorizer.vocabulary_
    assert (place / "mark").exists() and "a pickle or joblib file" in stages.ran_code[0]


def test_a_model_that_becomes_a_pickle_while_it_is_looked_at_runs_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = place / "mark"
    folder, other = place / "model", place / "other"
    skops_file(folder, mark)
    pickled(other, mark, "cloudpickle")
    mark.unlink(missing_ok=True)
    permit = formats.permit

    def permit_and_swap(found: Path, settings: Settings) -> str | None:
        answer = permit(found, settings)
        for file in other.iterdir():
            if file.is_file():
                (found / file.name).write_bytes(file.read_bytes())
        for file in found.glob("*.skops"):
            file.write_bytes(b"nothing")
        return answer

    monkeypatch.setattr(formats, "permit", permit_and_swap)
    with pytest.raises(ModelLoadError):
        load(folder, model_formats="skops")
    assert not mark.exists()


@pytest.mark.parametrize("read_from", ["filename", "file"])
def test_a_vectorizer_that_takes_a_text_for_a_file_is_refused(place: Path, read_from: str) -> None:
    model = strings_pipeline()
    model[0].input = read_from
    mlflow.sklearn.save_model(model, place / "reader", pip_requirements=[])
    with pytest.raises(ModelLoadError, match=f"input='{read_from}'.* name of a file"):
        load(place / "reader")
