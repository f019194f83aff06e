"""A model's own modules may have the names of ours, and those of an earlier version's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environ
from tests.processes import last_line_printed
from tests.warm import run_python

TRAIN = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from {module} import {name}

model = make_pipeline(FunctionTransformer({name}), TfidfVectorizer(), LogisticRegression())
model.fit(["good day", "good news", "bad day", "bad news"], ["good", "good", "bad", "bad"])
mlflow.sklearn.save_model(
    model, "model", code_paths={paths}, serialization_format="cloudpickle", pip_requirements=[]
)
"""
PYFUNC = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow
from {module} import Model

mlflow.pyfunc.save_model("model", python_model=Model(), code_paths={paths}, pip_requirements=[])
"""
ASK = """
import json, sys, os
import functions_framework
app = functions_framework.create_app("handle", os.environ["ROOT"] + "/main.py").test_client()
replies = [app.post("/predict", json={"text": text}) for text in ("GOOD news", "BAD news")]
assert all(reply.status_code == 200 for reply in replies), replies[0].text
info = app.get("/models/info").json
app.post("/predict", json={"text": "", "other": 1})  # schemas of ours, imported late
from function.telemetry import output
output.flush()  # or a record would come between what is printed and its newline
print(json.dumps([reply.json["sentiment"] for reply in replies] + [info["engine"]]))
"""
CLEAN = "def clean(texts):\n    return [text.lower() for text in texts]\n"
MODEL = """
import mlflow
from {module} import clean

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        from {late} import clean as late_clean
        texts = late_clean(clean(list(model_input["text"])))
        return ["good" if "good" in text else "bad" for text in texts]
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


def served(folder: Path, files: dict[str, str], script: str, run: Run) -> list[str]:
    """Lay out a user's project, log its model, serve it here; the labels and the engine."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    environ = clean_environ()
    trained = run_python(["-c", script], folder, environ)
    assert trained.returncode == 0, trained.stderr
    (folder / "mlruns").mkdir()
    tracking = {"MODEL_URI": str(folder / "model"), "MLFLOW_TRACKING_URI": str(folder / "mlruns")}
    environ |= {**tracking, "PYTHONPATH": str(ROOT), "ROOT": str(ROOT)}
    ended = run(["-c", ASK], ROOT, environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: list[str] = json.loads(last_line_printed(ended.stdout))
    return found


def run_fresh(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("files", "module", "paths"),
    [
        ({"main.py": CLEAN}, "main", ["main.py"]),
        ({"main.py": "from cleaning import clean\n", "cleaning.py": CLEAN}, "main", None),
        ({"function/__init__.py": CLEAN}, "function", ["function"]),
        ({"function/__init__.py": "", "function/clean.py": CLEAN}, "function.clean", ["function"]),
        ({"function/errors.py": CLEAN}, "function.errors", ["function"]),
        ({"function/model/cache.py": CLEAN}, "function.model.cache", ["function"]),
        ({"tests/__init__.py": "", "tests/helpers.py": CLEAN}, "tests.helpers", ["tests"]),
    ],
    ids=["main", "main-and-more", "function", "below", "same-file", "same-folder", "tests"],
)
def test_a_pipelines_own_module_may_be_named_as_ours(
    tmp_path: Path, files: dict[str, str], module: str, paths: list[str] | None
) -> None:
    script = TRAIN.format(module=module, name="clean", paths=paths or sorted(files))
    run = run_fresh if module == "main" else run_python
    assert served(tmp_path, files, script, run) == ["good", "bad", "compiled"]


@pytest.mark.parametrize(
    ("module", "late", "files"),
    [
        ("main", "cleaning", {"main.py": "from cleaning import clean\n", "cleaning.py": CLEAN}),
        (
            "function.clean",
            "function.late",
            {"function/__init__.py": "", "function/clean.py": CLEAN, "function/late.py": CLEAN},
        ),
    ],
)
def test_a_pyfuncs_own_modules_may_be_imported_late(
    tmp_path: Path, module: str, late: str, files: dict[str, str]
) -> None:
    code = {**files, "own.py": MODEL.format(module=module, late=late)}
    paths = sorted({name.partition("/")[0] for name in code})
    script = PYFUNC.format(module="own", paths=paths)
    run = run_fresh if module == "main" else run_python
    assert served(tmp_path, code, script, run) == ["good", "bad", "pyfunc"]
