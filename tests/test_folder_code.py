"""Functions of a model's own in a compiled folder: named there, run where that is allowed."""

from __future__ import annotations

import gc
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from function.compiled import artifact
from function.compiled.code import only_look
from function.compiled.files import CodeNotAllowed, CompiledModelError
from function.compiled.predictor import CompiledPredictor
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, translate
from function.compiler.naming import needed, refuse_nameless
from function.compiler.verify import _is_encodable, compare
from function.errors import ModelLoadError
from function.labels import labels
from function.model import foldercode
from function.model.folders import from_folder
from function.model.sources import Original, answers_of
from function.model.stages import Stages
from function.settings import Settings
from tests.fitted_models import texts_for
from tests.test_own_functions import compiled, loaded_model

WORDS = """
calls = []

def tokens(text):
    calls.append(text)
    return [word.strip(".,!") for word in text.split()]

def shout(text):
    return text.upper()

def first_letters(text):
    return (word[:3] for word in text.split())

def clean(texts, mark="!"):
    calls.append(len(texts))
    return [text.replace(mark, " mark ").lower() for text in texts]

def lengths(texts, unit=50):
    return [[len(text) / unit, text.count("!")] for text in texts]

class Words:
    @staticmethod
    def tokens(text):
        return text.split()
"""
Make = Callable[[ModuleType], Any]
MODELS: dict[str, Make] = {
    "tokenizer": lambda own: TfidfVectorizer(tokenizer=own.tokens, ngram_range=(1, 2)),
    "preprocessor": lambda own: CountVectorizer(preprocessor=own.shout, analyzer="char_wb"),
    "both": lambda own: TfidfVectorizer(preprocessor=own.shout, tokenizer=own.tokens),
    "of str, and own": lambda own: TfidfVectorizer(preprocessor=str.strip, tokenizer=own.tokens),
    "analyzer": lambda own: TfidfVectorizer(analyzer=own.first_letters),
    "accents": lambda own: TfidfVectorizer(strip_accents=own.shout),
    "in a class": lambda own: TfidfVectorizer(tokenizer=own.Words.tokens),
    "hashed": lambda own: HashingVectorizer(tokenizer=own.tokens, n_features=512),
    "ahead of pairs": lambda own: make_pipeline(
        FunctionTransformer(own.clean, kw_args={"mark": "?"}), TfidfVectorizer(ngram_range=(1, 2))
    ),
    "ahead of two": lambda own: make_pipeline(
        FunctionTransformer(own.clean),
        FeatureUnion([("w", TfidfVectorizer()), ("c", CountVectorizer(analyzer="char"))]),
    ),
    "numbers": lambda own: FeatureUnion(
        [("w", TfidfVectorizer()), ("n", FunctionTransformer(own.lengths))]
    ),
    "numbers behind a function": lambda own: make_pipeline(
        FunctionTransformer(own.clean),
        FeatureUnion(
            [
                ("n", FunctionTransformer(own.lengths, kw_args={"unit": 20})),
                ("w", TfidfVectorizer(tokenizer=own.tokens)),
            ],
            transformer_weights={"w": 0.5},
        ),
    ),
    "beside others": lambda own: FeatureUnion(
        [("w", TfidfVectorizer(tokenizer=own.tokens)), ("p", TfidfVectorizer(ngram_range=(1, 2)))]
    ),
}
pytestmark = pytest.mark.filterwarnings("ignore:The parameter 'token_pattern'")

SOME_TEXTS = [text for text in texts_for(6, 80) if _is_encodable(text)]


class Project:
    """Modules on disk, importable as where a model is trained, until it is left for another."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made, self._names = folder, 0, set[str]()

    def __call__(self, **files: str) -> tuple[ModuleType, dict[str, bytes]]:
        """The first of them, and all sources by file; `package__words` is `package/words.py`."""
        self.leave()
        self._made += 1
        place = self._folder / f"project-{self._made}"
        sources = {name.replace("__", "/") + ".py": text.encode() for name, text in files.items()}
        self._names = {name.partition("__")[0] for name in files}
        for name, source in sources.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(source)
        sys.path.insert(0, str(place))
        return import_module(next(iter(files)).replace("__", ".")), sources

    def leave(self) -> None:
        """Forget them."""
        mine = str(self._folder)
        sys.path[:] = [place for place in sys.path if not place.startswith(mine)]
        for name in [*sys.modules]:
            if name.partition(".")[0] in self._names:
                del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    yield found
    found.leave()


@pytest.fixture
def folder(tmp_path: Path, project: Project) -> Path:
    """A folder with functions; its module leaves a file where it is run."""
    ran = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    own, sources = project(words=ran + WORDS, helper="")
    (tmp_path / "ran").unlink()
    predictor = compiled(fitted(TfidfVectorizer(tokenizer=own.tokens)))
    save(tmp_path / "model", predictor, {}, sources)
    return tmp_path / "model"


def fitted(vectorizer: Any) -> Original:
    return loaded_model(make_pipeline(vectorizer, LogisticRegression(max_iter=1000)))


def translated(original: Original) -> CompiledPredictor:
    return translate(original.model, given=original.predictor.given)  # type: ignore[attr-defined]


def load(folder: Path) -> CompiledPredictor:
    return foldercode.load(folder, {}, Stages())[0]


def tokens_of(predictor: CompiledPredictor) -> Callable[[str], list[str]]:
    functions = predictor.vectorizers[0].functions
    assert functions and functions.tokenize
    return functions.tokenize.call


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and bring the sums up to date."""
    facts = json.loads((folder / "manifest.json").read_text())
    change(facts)
    (folder / "manifest.json").write_text(json.dumps(facts))
    resum(folder)


def resum(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    (folder / "SHA256SUMS").write_text(
        "".join(
            f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
            for path in files
            if path.name != "SHA256SUMS"
        )
    )


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", MODELS)
def test_a_folder_with_functions_answers_as_scikit_learn(
    name: str, tmp_path: Path, project: Project
) -> None:
    own, sources = project(words=WORDS)
    original = fitted(MODELS[name](own))
    before = compiled(original)
    save(tmp_path / "model", before, {}, sources)
    predictor = load(tmp_path / "model")
    assert predictor.own_functions == before.own_functions and predictor.quick_bytes == 0
    assert any("words:" in told for told in predictor.own_functions)
    assert compare(predictor, answers_of(original.predictor), SOME_TEXTS).problem is None
    assert predictor.explain("Good, bad!", predictor.predict(["Good, bad!"])[0]).terms


def of_support_vectors(own: ModuleType) -> Any:
    return make_pipeline(TfidfVectorizer(tokenizer=own.tokens), SVC(kernel="linear"))


def of_pipelines(own: ModuleType) -> Any:
    one = make_pipeline(TfidfVectorizer(tokenizer=own.tokens), LogisticRegression(max_iter=1000))
    two = make_pipeline(FunctionTransformer(own.clean), CountVectorizer(), MultinomialNB())
    return VotingClassifier([("one", one), ("two", two)], voting="soft")


@pytest.mark.parametrize("make", [of_support_vectors, of_pipelines])
def test_so_does_one_of_support_vectors_and_one_of_whole_pipelines(
    make: Make, tmp_path: Path, project: Project
) -> None:
    own, sources = project(words=WORDS)
    original = loaded_model(make(own))
    save(tmp_path / "model", compiled(original), {}, sources)
    answers = answers_of(original.predictor)
    assert compare(load(tmp_path / "model"), answers, SOME_TEXTS).problem is None


def test_a_function_ahead_of_two_vectorizers_is_called_once(
    tmp_path: Path, project: Project
) -> None:
    own, sources = project(words=WORDS)
    save(tmp_path / "model", compiled(fitted(MODELS["ahead of two"](own))), {}, sources)
    predictor = load(tmp_path / "model")
    functions = predictor.vectorizers[0].functions
    assert functions and functions.before
    calls = functions.before.functions[0].call.__globals__["calls"]
    predictor.predict(["a", "b", "c"])
    assert calls == [3]


def test_the_manifest_names_functions_and_files_and_each_has_its_sum(folder: Path) -> None:
    facts = json.loads((folder / "manifest.json").read_text())
    assert facts["format"] == 5 and facts["code"] == ["helper.py", "words.py"]
    assert facts["vectorizers"][0]["functions"] == [
        {"place": "tokenize", "module": "words", "name": "tokens", "arguments": {}}
    ]
    sums = (folder / "SHA256SUMS").read_text()
    assert "  code/helper.py\n" in sums and "  code/words.py\n" in sums
    assert {path.suffix for path in folder.rglob("*")} == {"", ".json", ".py", ".0"}


NUMBERS_EDITED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no function": lambda spec: spec.update(functions=[]),
    "another function": lambda spec: spec["functions"][0].update(place="tokenize"),
    "more of them": lambda spec: spec["terms"].update(features=3),
    "so many of another kind": lambda spec: spec["terms"].update(features="2"),
    "no name": lambda spec: spec["terms"].update(name=None),
    "a name that nothing can show": lambda spec: spec["terms"].update(name="\ud800"),
    "a norm": lambda spec: spec.update(norm="l2"),
    "logarithms": lambda spec: spec.update(sublinear=True),
    "units": lambda spec: spec.update(units=[0.5, 0.5]),
}


@pytest.mark.parametrize("name", NUMBERS_EDITED)
def test_numbers_that_an_edited_folder_takes_for_something_else_are_refused(
    name: str, tmp_path: Path, project: Project
) -> None:
    own, sources = project(words=WORDS)
    save(tmp_path / "model", compiled(fitted(MODELS["numbers"](own))), {}, sources)
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["format"] == 6
    edit(tmp_path / "model", lambda facts: NUMBERS_EDITED[name](facts["vectorizers"][1]))
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(tmp_path / "model")


NOT_NLTKS: dict[str, dict[str, Any]] = {
    "anything": {"module": "os", "name": "system"},
    "a module that is imported by it": {"module": "nltk.tokenize.casual", "name": "html.unescape"},
    "another class": {"module": "nltk.stem.regexp", "name": "RegexpStemmer.stem"},
    "another method": {"name": "TweetTokenizer.__class__"},
    "another parameter": {"arguments": {"regexp": "(a+)+$"}},
    "a parameter of another type": {"arguments": {"preserve_case": ["x"]}},
    "another version's type": {"nltk": 3},
}


@pytest.mark.parametrize("name", NOT_NLTKS)
@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "refused"])
def test_what_an_edited_folder_takes_for_nltks_is_refused_and_nothing_runs(
    name: str, allowed: bool, folder: Path
) -> None:
    casual = {
        "place": "tokenize",
        "module": "nltk.tokenize.casual",
        "name": "TweetTokenizer.tokenize",
        "arguments": {},
        "nltk": "3.9.2",
    }
    change = casual | NOT_NLTKS[name]
    edit(folder, lambda facts: facts["vectorizers"][0].update(functions=[change]))
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        load(folder) if allowed else artifact.load(folder)
    assert not (folder.parent / "ran").exists()


def test_a_model_without_functions_gets_no_code(tmp_path: Path) -> None:
    save(tmp_path / "model", compiled(fitted(TfidfVectorizer())), {}, {"words.py": b"1 / 0"})
    assert not (tmp_path / "model" / "code").exists()
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["format"] == 3


def test_without_the_setting_it_is_refused_by_name_and_nothing_of_it_runs(folder: Path) -> None:
    with pytest.raises(ModelLoadError) as caught:
        from_folder(Settings(compiled_model=str(folder)), Stages())
    assert "(tokenize: words:tokens)" in str(caught.value)
    assert "ALLOW_MODEL_CODE=true" in str(caught.value)
    with pytest.raises(CodeNotAllowed):
        artifact.load(folder)
    assert not (folder.parent / "ran").exists()


def test_nor_does_it_where_somebody_only_looks(folder: Path) -> None:
    assert labels(str(folder))["org.mlflow.model.digest"].startswith("sha256:")
    predictor, _ = artifact.load(folder, resolve=only_look)
    assert predictor.own_functions == ["tokenize: words:tokens"]
    with pytest.raises(RuntimeError, match="not to run"):
        predictor.predict(["good"])
    assert not (folder.parent / "ran").exists()


def test_with_the_setting_it_serves_and_says_what_it_ran(folder: Path) -> None:
    stages = Stages()
    settings = Settings(compiled_model=str(folder), allow_model_code=True)
    assert from_folder(settings, stages).predictor.predict(["good"])[0].label
    (told,) = stages.ran_code
    assert "tokenize: words:tokens" in told and "ALLOW_MODEL_CODE=false" in told
    assert (folder.parent / "ran").exists()


@pytest.mark.parametrize("name", ["words.py", "helper.py"])
def test_an_edited_module_is_refused_and_nothing_runs(folder: Path, name: str) -> None:
    with (folder / "code" / name).open("a") as file:
        file.write("# edited\n")
    with pytest.raises(CompiledModelError, match=f"code/{name}: its content is not what"):
        load(folder)
    assert not (folder.parent / "ran").exists()


def test_so_is_one_without_a_sum_and_one_that_is_missing(folder: Path) -> None:
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(re.sub(".*helper.py\n", "", sums))
    with pytest.raises(CompiledModelError, match=r"no checksum for code/helper\.py"):
        load(folder)
    (folder / "code" / "helper.py").unlink()
    with pytest.raises(CompiledModelError, match=r"code/helper\.py: no such file"):
        load(folder)
    assert not (folder.parent / "ran").exists()


def test_what_runs_are_the_bytes_that_were_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever replaces a file after it was read changes nothing."""
    read = artifact.Folder.read

    def read_and_replace(self: Any, name: str, sizes: Any = ()) -> Any:
        found = read(self, name, sizes)
        if name.startswith("code/"):
            (folder / name).write_text("raise SystemExit")
        return found

    monkeypatch.setattr(artifact.Folder, "read", read_and_replace)
    assert tokens_of(load(folder))("a, b") == ["a", "b"]


@pytest.mark.parametrize(
    "code",
    [
        ["../words.py"],
        ["/etc/words.py"],
        ["a/../words.py"],
        ["./words.py"],
        ["a//words.py"],
        ["a\\words.py"],
        ["words.pyc"],
        ["words"],
        [".py"],
        ["words.py\n"],
        ["wörter.py"],
        [3],
        "words.py",
        None,
    ],
    ids=str,
)
def test_a_file_that_is_no_modules_is_refused(folder: Path, code: Any) -> None:
    (folder.parent / "words.py").write_text("raise SystemExit")
    edit(folder, lambda facts: facts.update(code=code))
    with pytest.raises(CompiledModelError, match="does not describe a model.*code: "):
        load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"place": "__class__"},
        {"module": "os; import sys"},
        {"module": ""},
        {"name": "tokens()"},
        {"name": None},
        {"arguments": []},
        {"arguments": None},
    ],
    ids=str,
)
def test_a_function_that_is_named_otherwise_is_refused(
    folder: Path, change: Mapping[str, Any]
) -> None:
    edit(folder, lambda facts: facts["vectorizers"][0]["functions"][0].update(change))
    with pytest.raises(CompiledModelError, match="does not describe a model.*functions: "):
        load(folder)


@pytest.mark.parametrize("functions", [None, "tokens", [None], {}], ids=str)
def test_so_are_functions_of_another_type(folder: Path, functions: Any) -> None:
    edit(folder, lambda facts: facts["vectorizers"][0].update(functions=functions))
    with pytest.raises(CompiledModelError, match="does not describe a model"):
        artifact.load(folder)


def test_so_are_two_in_one_place(folder: Path) -> None:
    edit(folder, lambda facts: facts["vectorizers"][0].update(
        functions=facts["vectorizers"][0]["functions"] * 2
    ))  # fmt: skip
    with pytest.raises(CompiledModelError, match="several in one place"):
        load(folder)


def test_an_older_format_with_functions_is_refused_as_well(folder: Path) -> None:
    """The number is no way around the setting."""
    edit(folder, lambda facts: facts.update(format=3))
    with pytest.raises(CodeNotAllowed):
        artifact.load(folder)
    assert not (folder.parent / "ran").exists()


VERSION = """
from __future__ import annotations
from dataclasses import dataclass
import helper
import package.deep as deep
from package import suffix

@dataclass
class Word:
    text: str

def tokens(text):
    import late
    from package.deep import MARK
    assert (MARK, deep.MARK) == (suffix.MARK, suffix.MARK)
    return [helper.mark(Word(word).text) + late.MARK + MARK for word in text.split()]
"""


def version(mark: str) -> dict[str, str]:
    return {
        "words": VERSION,
        "helper": f"def mark(word):\n    return word + {mark!r}\n",
        "late": f"MARK = {mark!r}\n",
        "package__suffix": "from .deep import MARK\n",
        "package__deep": f"from . import __name__ as package\nMARK = {mark!r}\n",
    }


def test_two_versions_with_modules_of_the_same_names_each_have_their_own(
    tmp_path: Path, project: Project
) -> None:
    for mark in "12":
        own, sources = project(**version(mark))
        save(tmp_path / mark, compiled(fitted(TfidfVectorizer(tokenizer=own.tokens))), {}, sources)
    project.leave()
    path, before = [*sys.path], {*sys.modules}
    one, two = load(tmp_path / "1"), load(tmp_path / "2")
    assert tokens_of(two)("a b") == ["a222", "b222"]
    assert tokens_of(one)("a b") == ["a111", "b111"]
    assert sys.path == path
    assert all(name.startswith("_model_code_") for name in {*sys.modules} - before)


def test_what_is_imported_elsewhere_under_such_a_name_is_neither_seen_nor_replaced(
    tmp_path: Path, project: Project
) -> None:
    own, sources = project(**version("1"))
    save(tmp_path / "model", compiled(fitted(TfidfVectorizer(tokenizer=own.tokens))), {}, sources)
    another, _ = project(**{**version("2"), "words": "def tokens(text):\n    return []\n"})
    assert tokens_of(load(tmp_path / "model"))("a") == ["a111"]
    assert sys.modules["words"] is another


@pytest.mark.parametrize("name", ["json", "function", "tests", "main", "numpy"])
def test_a_module_may_be_named_as_ours_or_as_one_that_is_installed(
    tmp_path: Path, project: Project, name: str
) -> None:
    own, _ = project(own_words=WORDS)
    predictor = compiled(fitted(TfidfVectorizer(tokenizer=own.tokens)))
    user = f"from {name} import MARK\nimport {name}\n" + WORDS + f"MARK = {name}.MARK\n"
    code = {"own_words.py": user.encode(), f"{name}/__init__.py": b"MARK = 1\n"}
    save(tmp_path / "model", predictor, {}, code)
    theirs = sys.modules.get(name)
    assert tokens_of(load(tmp_path / "model")).__globals__["MARK"] == 1
    assert sys.modules.get(name) is theirs


def test_modules_go_with_the_model(folder: Path) -> None:
    before = {*sys.modules}
    predictor = load(folder)
    call = tokens_of(predictor)
    assert len({*sys.modules} - before) == 2
    del predictor
    gc.collect()
    assert not {*sys.modules} - before
    assert call("still, there") == ["still", "there"]


def test_and_with_a_load_that_fails(folder: Path) -> None:
    before = {*sys.modules}
    edit(folder, lambda facts: facts["decision"].update(kind="oracle"))
    for _ in range(3):
        with pytest.raises(CompiledModelError):
            load(folder)
    assert not {*sys.modules} - before


def test_loads_at_the_same_time_do_not_meet(folder: Path) -> None:
    found: list[CompiledPredictor] = []
    threads = [threading.Thread(target=lambda: found.append(load(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(tokens_of(predictor)) for predictor in found}) == 8


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_package", "No module named 'no_such_package'.*EXTRA_REQUIREMENTS"),
        ("import helper.more", "No module named 'helper.more'"),
        ("def tokens(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("open(__file__)", "NameError: name '__file__' is not defined"),
        ("", "AttributeError: module 'words' has no attribute 'tokens'"),
        ("tokens = 3", "words:tokens is no function, but of type int"),
    ],
)
def test_code_that_cannot_be_imported_is_told_in_words(
    folder: Path, source: str, told: str
) -> None:
    (folder / "code" / "words.py").write_text(source)
    resum(folder)
    with pytest.raises(CompiledModelError, match=f"words:tokens.*{told}|{told}"):
        load(folder)


def test_functions_of_what_is_installed_need_no_modules(tmp_path: Path) -> None:
    import textwrap

    original = fitted(TfidfVectorizer(tokenizer=textwrap.wrap))
    predictor = translated(original)
    assert needed(predictor, {}) == ["textwrap"]
    save(tmp_path / "model", predictor, {}, {})
    assert tokens_of(load(tmp_path / "model")) is textwrap.wrap
    edit(tmp_path / "model", lambda facts: facts["vectorizers"][0]["functions"][0].update(
        module="no_such_package.words"
    ))  # fmt: skip
    with pytest.raises(CompiledModelError, match="no_such_package.words:wrap.*install"):
        load(tmp_path / "model")


class Tokens:
    def __call__(self, text: str) -> list[str]:
        return text.split()

    def tokens(self, text: str) -> list[str]:
        return text.split()


def nested() -> Callable[[str], list[str]]:
    def tokens(text: str) -> list[str]:
        return text.split()

    return tokens


def of_main() -> Callable[[str], list[str]]:
    found: dict[str, Any] = {"__name__": "__main__"}
    exec("def tokens(text):\n    return text.split()\n", found)
    return found["tokens"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("tokenize", "told"),
    [
        (lambda text: text.split(), "lambda> is a lambda or within another function"),
        (nested(), r"nested.<locals>.tokens is a lambda or within another function"),
        (Tokens(), r"Tokens \(an object\) is an object that is called"),
        (Tokens().tokens, "Tokens.tokens is a method of an object that was made"),
        (partial(str.split, maxsplit=3), r"partial\(.*\) is"),
        (of_main(), "__main__:tokens is of a script or notebook"),
    ],
)
def test_functions_that_cannot_be_found_again_are_refused_by_name_with_the_way_out(
    tokenize: Any, told: str
) -> None:
    predictor = translated(fitted(TfidfVectorizer(tokenizer=tokenize)))
    with pytest.raises(NotCompilable, match=f"tokenize: .*{told}.*define it with def.*code_paths"):
        refuse_nameless(predictor)


@pytest.mark.parametrize("mark", [{1, 2}, ("a",), float("nan"), b"!", {1: "a"}], ids=str)
def test_so_are_arguments_that_are_more_than_json(mark: Any, project: Project) -> None:
    own, _ = project(words="def clean(texts, mark):\n    return texts\n")
    step = FunctionTransformer(own.clean, kw_args={"mark": mark})
    with pytest.raises(NotCompilable, match="before: words:clean has kw_args that are more"):
        refuse_nameless(translated(fitted(make_pipeline(step, TfidfVectorizer()))))
