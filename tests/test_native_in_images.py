"""What an image's build does about the C code: the wheel that fits, or words about what is lost."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pathspec
import pytest

from function import __version__, build
from tests.conftest import ROOT
from tests.test_build import CAN_BUILD

needs_compiler = pytest.mark.skipif(
    not CAN_BUILD or sys.platform != "linux", reason="no C compiler for Linux, or no headers"
)
HERE = f"manylinux_2_17_{platform.machine()}"
LOST = "takes 4 times as long with words"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What the build's stage has, and no wheels."""
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "function", tmp_path / "function", ignore=unbuilt)
    (tmp_path / "supply").mkdir()
    shutil.copy(ROOT / "supply/native.py", tmp_path / "supply")
    (tmp_path / "wheels").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The C code, built."""
    place = tmp_path_factory.mktemp("module") / build.MODULE.name
    build.build(place)
    return place.read_bytes()


def add_wheel(context: Path, module: bytes, tag: str = HERE, version: str = __version__) -> str:
    """A wheel of the context's C code, of the module that is given, and of no more."""
    name = f"sentiment_function-{version}"
    wheel = context / "wheels" / f"{name}-cp311-abi3-{tag}.whl"
    metadata = f"Metadata-Version: 2.1\nName: sentiment-function\nVersion: {version}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for source in (context / "function/compiled/native").iterdir():
            archive.write(source, source.relative_to(context))
        archive.writestr("function/compiled/_native.abi3.so", module)
        archive.writestr(f"{name}.dist-info/METADATA", metadata)
        archive.writestr(f"{name}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: cp311-abi3-{tag}\n")
        archive.writestr(f"{name}.dist-info/RECORD", "")
    return wheel.name


def take(context: Path, wish: str = "auto") -> tuple[int, str, bool]:
    """Exit status, what was said, and whether the C code is there and loads."""
    command = [sys.executable, "-m", "supply.native", "wheels", wish]
    ended = subprocess.run(command, cwd=context, capture_output=True, text=True)
    script = "from function.compiled import native; print(native._native is not None)"
    asked = [sys.executable, "-c", script]
    loads = subprocess.run(asked, cwd=context, capture_output=True, text=True, check=True)
    there = [*context.glob("function/compiled/*.so")]
    assert bool(there) == (loads.stdout.strip() == "True"), "a module that does not load was left"
    return ended.returncode, ended.stdout + ended.stderr, bool(there)


@needs_compiler
@pytest.mark.parametrize("wish", ["auto", "yes"])
def test_the_wheel_that_fits_is_taken_and_said(context: Path, module: bytes, wish: str) -> None:
    add_wheel(context, b"of another processor", "manylinux_2_17_s390x")
    add_wheel(context, module)
    add_wheel(context, b"of another version", version="99.0")
    status, said, is_there = take(context, wish)
    assert (status, is_there) == (0, True), said
    assert said.startswith("The C code for linux-") and LOST not in said


def test_without_a_wheel_it_goes_on_in_pure_python_and_says_what_is_lost(context: Path) -> None:
    status, said, is_there = take(context)
    assert (status, is_there) == (0, False)
    assert "(there: none)" in said and LOST in said and "`make wheel`" in said


def test_a_wheel_for_another_processor_is_not_taken(context: Path) -> None:
    name = add_wheel(context, b"", "manylinux_2_17_s390x")
    status, said, is_there = take(context)
    assert (status, is_there) == (0, False)
    assert name in said and LOST in said


def test_a_wheel_that_was_built_of_other_c_code_is_not_taken(context: Path) -> None:
    add_wheel(context, b"")
    with (context / "function/compiled/native/scores.c").open("a") as source:
        source.write("/* changed since */\n")
    status, said, is_there = take(context)
    assert (status, is_there) == (0, False)
    assert "other C code" in said and LOST in said


def test_a_module_that_does_not_load_is_not_taken(context: Path) -> None:
    add_wheel(context, b"of no processor at all")
    status, said, is_there = take(context)
    assert (status, is_there) == (0, False)
    assert "does not load" in said and LOST in said


def test_an_image_that_must_have_it_is_not_built_without(context: Path) -> None:
    status, said, is_there = take(context, "yes")
    assert (status, is_there) == (1, False)
    assert LOST in said and "Traceback" not in said


def test_an_image_that_is_to_be_without_takes_no_wheel_and_says_nothing(context: Path) -> None:
    add_wheel(context, b"")
    assert take(context, "no") == (0, "", False)


def test_no_image_build_installs_from_debian_or_compiles_c() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert not [word for word in ("apt", "gcc", "function.build") if word in text.split()]
    assert "apt-get" not in text


def test_a_buildpack_on_google_cloud_is_given_the_native_code_and_the_function_alone() -> None:
    lines = (ROOT / ".gcloudignore").read_text().splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    given = ["main.py", "requirements.txt", "function/handler.py", "function/pages/card.js"]
    assert not [*ignored.match_files([*given, "function/compiled/_native.abi3.so"])]
    kept = [".venv/bin/python", "dist/made", "model/manifest.json", "function/__pycache__/x.pyc"]
    assert [*ignored.match_files(kept)] == kept
