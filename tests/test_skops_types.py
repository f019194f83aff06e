"""A skops file is believed in nothing: what it may be made of, the operator and we decide."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import skops.io
import yaml
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from function.errors import ModelLoadError
from function.model import vectorizers
from function.model.sources import from_registry
from function.model.stages import Stages
from function.registry import skopsfile, skopstypes
from function.settings import Settings
from tests.registry import strings_pipeline, training_data

FRAME, LABELS = training_data()
TEXTS, LABELS = FRAME["text"].tolist()[:200], LABELS[:200]
TEXT = "This product is amazing!"


def node(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """One part of a skops file, of the type with this full name."""
    module, _, own = name.rpartition(".")
    return {"__class__": own, "__module__": module, "__loader__": f"{kind}Node", **more}


def data(value: Any) -> dict[str, Any]:
    return node("Json", "builtins.str", content=json.dumps(value), is_json=True)


def called(name: str, *arguments: Any) -> dict[str, Any]:
    """What skops calls with these arguments as it reads the file."""
    content = node("Tuple", "builtins.tuple", content=[data(value) for value in arguments])
    return node("ConstructorFromReduce", name, content=content)


def with_state(name: str, **state: Any) -> dict[str, Any]:
    """An instance that skops gives this state."""
    types = [node("Type", "builtins.str") for _ in state]
    attributes = node(
        "Dict",
        "builtins.dict",
        content={key: data(value) for key, value in state.items()},
        key_types=node("List", "builtins.list", content=types),
    )
    return node("Object", name, content=attributes)


def write(path: Path, root: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps({**root, "protocol": 2}))
    return path


Attack = Callable[[Path], dict[str, Any]]
"""From a mark to the part that leaves it when it is read."""

ATTACKS: dict[str, Attack] = {
    "posix.system": lambda mark: called("posix.system", f"touch {mark}"),
    "sklearn.utils._testing.check_output": lambda mark: called(
        "sklearn.utils._testing.check_output", ["touch", str(mark)]
    ),
    "scipy.stats._continuous_distns.norm_gen": lambda mark: with_state(
        "scipy.stats._continuous_distns.norm_gen",
        _parse_arg_template=f"open({str(mark)!r}, 'w').close()",
    ),
    "numpy.memmap": lambda mark: called("numpy.memmap", str(mark), "uint8", "w+", 0, [1]),
    "numpy.save": lambda mark: called("numpy.save", f"{mark}.npy", [1]),
}


def marks(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("mark")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "model"
    mlflow.sklearn.save_model(strings_pipeline(), folder, pip_requirements=[])
    return folder


def lying(plain: Path, folder: Path, name: str, **flavour: Any) -> Path:
    """A model folder whose skops file holds that attack, and which lists it as trusted."""
    shutil.copytree(plain, folder / "model")
    facts = yaml.safe_load((folder / "model" / "MLmodel").read_text())
    facts["flavors"]["sklearn"].update(skops_trusted_types=[name], **flavour)
    (folder / "model" / "MLmodel").write_text(yaml.safe_dump(facts))
    write(folder / "model" / "model.skops", ATTACKS[name](folder / "mark"))
    return folder / "model"


def load(folder: Path, **settings: Any) -> Any:
    given = Settings("sqlite:///none.db", str(folder), **settings)
    return from_registry(given, Stages()).predictor


@pytest.mark.parametrize("name", ATTACKS)
def test_what_a_file_lists_for_itself_is_not_believed_and_would_run(
    plain: Path, tmp_path: Path, name: str
) -> None:
    folder = lying(plain, tmp_path, name)
    with pytest.raises(ModelLoadError, match=f"not trusted: {name}\\. .* SKOPS_TRUSTED_TYPES"):
        load(folder)
    assert marks(tmp_path) == []
    with suppress(Exception):  # once it has run
        mlflow.sklearn.load_model(str(folder))  # which believes it
    assert marks(tmp_path) != []


def test_what_the_operator_names_is_trusted(plain: Path, tmp_path: Path) -> None:
    folder = lying(plain, tmp_path, "posix.system")
    with pytest.raises(ModelLoadError, match="not trusted"):
        load(folder, skops_trusted_types="os.system, posix.popen")
    assert marks(tmp_path) == []
    with pytest.raises(ModelLoadError):  # what the command returns is no model
        load(folder, skops_trusted_types="os.system, posix.system")
    assert marks(tmp_path) == ["mark"]


def test_a_file_that_mlflow_has_to_load_is_looked_through_before(
    plain: Path, tmp_path: Path
) -> None:
    folder = lying(plain, tmp_path, "posix.system", code="code")
    (folder / "code").mkdir()
    with pytest.raises(ModelLoadError, match="not trusted: posix.system"):
        load(folder)
    assert marks(tmp_path) == []


def test_a_vectorizers_file_is_believed_no_more(tmp_path: Path) -> None:
    path = write(tmp_path / "vectorizer", ATTACKS["posix.system"](tmp_path / "mark"))
    with pytest.raises(ModelLoadError, match="not trusted: posix.system"):
        vectorizers.read_file(path, Settings(), Stages())
    assert marks(tmp_path) == []
    vectorizers.read_file(path, Settings(skops_trusted_types="posix.system"), Stages())
    assert marks(tmp_path) == ["mark"]


@pytest.mark.parametrize(
    "root",
    [
        node("Function", "sklearn.utils._testing.check_output"),
        node("Function", "sklearn.utils.validation.check_array"),
        node("Function", "sklearn.metrics._scorer._cached_call"),
        node("Type", "numpy.memmap"),
        node("Function", "numpy.savetxt"),
        node("Function", "numpy.load"),
        node("Object", "sklearn.callback._transport.ListenerHandle"),
        node("Object", "sklearn.utils._testing.TempMemmap"),
        node("Object", "sklearn.utils.parallel.Parallel"),
        node("Object", "sklearn.tree.tests.test_tree.Anything"),
        node("Object", "scipy.io._netcdf.netcdf_file"),
        node("Object", "scipy.sparse.linalg._interface.LinearOperator"),
        node("Object", "sklearn.tree._classes.NoSuchThing"),
        node("Object", "sklearn.tree..x"),
        node("OperatorFunc", "operator.methodcaller", attrs=data(["a"])),
        node(
            "Method",
            "sklearn.pipeline.Pipeline",
            content={"func": "fit", "obj": with_state("sklearn.pipeline.Pipeline")},
        ),
    ],
    ids=lambda root: f"{root['__module__']}.{root['__class__']}",
)
def test_the_name_of_a_package_makes_nothing_trusted(tmp_path: Path, root: dict[str, Any]) -> None:
    with pytest.raises(ModelLoadError, match="not trusted"):
        skopsfile.load(write(tmp_path / "file", root), [])


def test_what_is_no_name_is_not_shown_and_of_many_a_few(tmp_path: Path) -> None:
    odd = [f"a.b{number}\n{'x' * 5000}\x1b[31m" for number in range(9)]
    items = [node("Function", name) for name in odd]
    path = write(tmp_path / "file", node("List", "builtins.list", content=items))
    with pytest.raises(ModelLoadError) as refused:
        skopsfile.load(path, [])
    told = refused.value.told
    assert "(no name), (no name)" in told and "and 4 more" in told
    assert len(told) < 600 and told.isprintable()


def model_of(classifier: Any, *between: Any) -> Any:
    return make_pipeline(CountVectorizer(), *between, classifier).fit(TEXTS, LABELS)


def sparse_coefficients() -> Any:
    model = model_of(LogisticRegression())
    model[-1].coef_ = csr_matrix(model[-1].coef_)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: model_of(LogisticRegression(), SelectKBest(chi2, k=50)),
        lambda: model_of(RandomForestClassifier(3, random_state=0)),
        lambda: model_of(KNeighborsClassifier()),
        lambda: model_of(CalibratedClassifierCV(LogisticRegression(), cv=2)),
        lambda: model_of(VotingClassifier([("one", LogisticRegression())])),
        lambda: model_of(
            GridSearchCV(LogisticRegression(), {"C": [1]}, scoring="f1_macro", cv=2, refit=True)
        ),
        sparse_coefficients,
        lambda: make_pipeline(
            FunctionTransformer(np.ravel), TfidfVectorizer(), LogisticRegression()
        ).fit(TEXTS, LABELS),
    ],
    ids=["chi2", "forest", "neighbours", "calibrated", "voting", "search", "sparse", "ravel"],
)
def test_what_scikit_learns_models_are_made_of_needs_no_names(
    tmp_path: Path, make: Callable[[], Any]
) -> None:
    model = make()
    skops.io.dump(model, tmp_path / "file")
    assert skops.io.get_untrusted_types(file=tmp_path / "file") != []
    loaded = skopsfile.load(tmp_path / "file", [])
    assert list(loaded.predict(TEXTS[:20])) == list(model.predict(TEXTS[:20]))


class Lower(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A user's own part of a pipeline."""

    def fit(self, texts: list[str], labels: Any = None) -> Lower:
        return self

    def transform(self, texts: list[str]) -> list[str]:
        return [text.lower() for text in texts]


def test_a_type_of_the_users_own_takes_its_name_in_the_setting(tmp_path: Path) -> None:
    model = make_pipeline(Lower(), strings_pipeline())
    own = f"{__name__}.Lower"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model, tmp_path / "model", pip_requirements=[], skops_trusted_types=[own]
        )
    with pytest.raises(ModelLoadError, match=f"not trusted: {own}"):
        load(tmp_path / "model")
    found = load(tmp_path / "model", skops_trusted_types=own, model_formats="skops")
    assert found.predict([TEXT])[0].label == "positive"


def test_to_list_what_a_file_holds_imports_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text("open('mark', 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "file", node("Object", "planted.Type"))
    with pytest.raises(ModelLoadError, match=r"not trusted: planted\.Type"):
        skopsfile.load(path, [])
    assert marks(tmp_path) == [] and "planted" not in sys.modules


def test_what_a_module_only_imports_is_not_its_own() -> None:
    assert skopstypes.only_computes("sklearn.tree._tree.Tree")
    assert not skopstypes.only_computes("sklearn.feature_extraction.text.partial")
    assert not skopstypes.only_computes("sklearn.neighbors._base.BaseEstimator")
    assert not skopstypes.only_computes("os.path.join")
