"""The C code: built with one command where a compiler is there, never missed where none is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from function import build
from function.compiled import native
from function.compiled.writing import save
from function.compiler.compiler import translate
from tests.conftest import ROOT
from tests.fitted_models import TEXTS

try:
    CAN_BUILD = bool(build.compiler() and build._headers())
except (OSError, ValueError):
    CAN_BUILD = False
ASK = (
    "import json, sys; from function.compiled.artifact import load\n"
    "found = load('model')[0]\n"
    "print(json.dumps([found.native, found.predict(json.load(sys.stdin))]))"
)


@pytest.fixture
def clone(tmp_path, pipeline):
    """The package as it is cloned, nothing built, and a compiled model beside it."""
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "function", tmp_path / "function", ignore=unbuilt)
    save(tmp_path / "model", translate(pipeline), {})
    return tmp_path


def run(clone: Path, *arguments: str, texts=(), **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        input=json.dumps(texts),
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(not CAN_BUILD, reason="no C compiler, or no headers")
def test_answers_are_the_same_before_and_after_it_is_built(clone: Path) -> None:
    texts = [*TEXTS, "", "good good bad", "naïve café, naïve!"]
    was_native, before = json.loads(run(clone, "-c", ASK, texts=texts).stdout)
    built = run(clone, "-m", "function.build", CFLAGS="-Wall -Wextra -Werror")
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    is_native, after = json.loads(run(clone, "-c", ASK, texts=texts).stdout)
    assert (was_native, is_native) == (False, True)
    for old, new in zip(before, after, strict=True):
        assert old[0] == new[0]
        assert old[2] == pytest.approx(new[2], abs=1e-12)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"CC": "no-such-compiler"}, "no-such-compiler"),
        ({"CC": "false"}, "false"),
        ({"CC": "'unfinished"}, "No closing quotation"),
        ({"PATH": "/nonexistent", "CC": ""}, "no C compiler: Debian has one in gcc and libc6-dev"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line_and_nothing_is_left(clone, environ, reason):
    (clone / "function/compiled/_native.abi3.so").write_bytes(b"of another version")
    ended = run(clone, "-m", "function.build", **environ)
    assert ended.returncode == 1
    assert reason in ended.stderr and "serving goes on without it" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not [*clone.glob("function/compiled/_native*.so")]


def test_a_module_that_does_not_load_is_not_missed(clone: Path) -> None:
    (clone / "function/compiled/_native.abi3.so").write_bytes(b"of another machine")
    ended = run(clone, "-c", ASK, texts=["good"])
    assert json.loads(ended.stdout)[0] is False, ended.stderr


@pytest.mark.skipif(not CAN_BUILD, reason="no C compiler, or no headers")
def test_a_module_of_another_version_stays_aside(clone: Path) -> None:
    assert run(clone, "-m", "function.build").returncode == 0
    wrapper = clone / "function/compiled/native.py"
    wrapper.write_text(re.sub(r"^VERSION = .*", "VERSION = 1000", wrapper.read_text(), flags=re.M))
    assert json.loads(run(clone, "-c", ASK, texts=["good"]).stdout)[0] is False


def test_the_c_code_and_its_wrapper_are_of_one_version() -> None:
    source = (ROOT / "function/compiled/native/native.h").read_text()
    assert f"#define VERSION {native.VERSION} " in source
