"""What importing and answering cost: heavy packages stay out until a model needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import clean_environ
from tests.processes import last_line_printed

ROOT = Path(__file__).parents[1]
HEAVY = {"mlflow", "sklearn", "pandas", "numpy", "scipy", "skops"}


def modules_after(statements: str) -> set[str]:
    """The top-level modules a fresh interpreter has loaded after running ``statements``."""
    script = f"{statements}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(last_line_printed(ended.stdout))}


@pytest.mark.parametrize(
    "statements",
    [
        "import function",
        "from function import handle",
        "import function.model.cache, function.originals.outputs, function.originals.predictors",
        "import function.registry.direct, function.registry.mlflow",
        "import functions_framework as ff\nff.create_app('handle', 'main.py')",
    ],
)
def test_importing_loads_nothing_heavy(statements: str) -> None:
    assert not modules_after(statements) & HEAVY


def test_a_plain_prediction_request_is_read_without_pydantic() -> None:
    statements = (
        "import functions_framework as ff\n"
        "from function.protocols import sentiment\n"
        "from function.settings import Settings\n"
        "ff.create_app('handle', 'main.py')\n"
        'text, *_ = sentiment.parse_predict(b\'{"text": "hello"}\', Settings())\n'
        "assert text == 'hello'"
    )
    assert "pydantic" not in modules_after(statements)


def test_a_start_imports_no_protocol_of_others() -> None:
    script = (
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "create_application(Settings.from_environ({'HOST': '127.0.0.1'}))\n"
    )
    script += "import sys, json; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(last_line_printed(ended.stdout)))
    theirs = {"inference_v2", "kserve_v1", "mlflow_scoring", "rows", "tensors"}
    assert not loaded & {"function.http.adapters", *(f"function.protocols.{it}" for it in theirs)}
    assert "csv" not in loaded


def test_importing_the_package_reads_no_environment() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import function"], cwd=ROOT, env={"PORT": "not a port"}
    )
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("function.serve", "httptools", "server"), ("function.demo", "numpy", "local")],
)
def test_what_is_missing_is_named_with_what_installs_it(
    command: str, package: str, extra: str, tmp_path: Path
) -> None:
    script = f"import runpy, sys\nsys.modules[{package!r}] = None\nsys.argv[1:] = []\n"
    ended = subprocess.run(
        [sys.executable, "-c", f"{script}runpy.run_module({command!r}, run_name='__main__')"],
        cwd=tmp_path,
        env={**clean_environ(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert f"{package} is missing: pip install 'sentiment-function[{extra}]'" in ended.stderr
