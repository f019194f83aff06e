"""The project's wheel: the C code built in it, for whoever installs it without a compiler."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from function.compiled import artifact, native
from function.compiled.writing import save
from function.compiler.compiler import translate
from tests.conftest import ROOT
from tests.fitted_models import TEXTS
from tests.test_build import ASK, CAN_BUILD

pytestmark = [pytest.mark.slow, pytest.mark.client]
needs_compiler = pytest.mark.skipif(not CAN_BUILD, reason="no C compiler, or no headers")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRA = PROJECT["project"]["optional-dependencies"]["wheel"]
TOOLS = [
    *(tool for tool in EXTRA if tool.startswith("hatchling")),
    "editables",
    "cibuildwheel==4.3.5",
]
"""What pip would fetch to build with, and what those use who have containers."""
MODULE = "function/compiled/_native.abi3.so"
PROCESSORS = {"x86_64": 62, "aarch64": 183}
"""As the header of an ELF file numbers them (e_machine)."""

of_this_machine = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in PROCESSORS, reason="none for this machine"
)


def pip(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with them; skips where they cannot be had."""
    folder = tmp_path_factory.mktemp("tools")
    ended = pip("install", "--quiet", f"--target={folder}", *TOOLS)
    if ended.returncode != 0:
        pytest.skip(f"hatchling cannot be had: {ended.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="module")
def sdist(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target=sdist",
        f"--directory={folder}",
    ]
    environ = {**os.environ, "PYTHONPATH": str(tools)}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz"))


def build_wheel(tools: Path, sdist: Path, folder: Path, **environ: str) -> tuple[Path, str]:
    """The wheel that pip makes of the source distribution, and what was said meanwhile."""
    options = ["--no-deps", "--no-build-isolation", "--verbose", f"--wheel-dir={folder}"]
    ended = pip("wheel", *options, str(sdist), PYTHONPATH=str(tools), **environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return next(folder.glob("*.whl")), ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def wheel(tools: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built here."""
    return build_wheel(tools, sdist, tmp_path_factory.mktemp("wheel"))[0]


@pytest.fixture(scope="module")
def made() -> list[Path]:
    """What ``make wheel`` makes; skips where its tools cannot be had."""
    tools = subprocess.run(["make", ".venv-wheel/installed"], cwd=ROOT, capture_output=True)
    if tools.returncode != 0:
        pytest.skip("auditwheel and zig cannot be had")
    ended = subprocess.run(["make", "wheel"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return sorted((ROOT / "dist").glob("*.whl"))


def install(wheel: Path, folder: Path) -> str:
    """A fresh environment's Python with the wheel in it, and nothing else."""
    venv.create(folder / "venv", with_pip=False)
    python = str(folder / "venv" / "bin" / "python")
    ended = pip("--python", python, "install", "--no-deps", "--no-index", str(wheel))
    assert ended.returncode == 0, ended.stderr
    return python


def ask_without_a_compiler(python: str, folder: Path, pipeline: Any) -> tuple[bool, list[Any]]:
    """Whether it has the C code, and what it answers."""
    save(folder / "model", translate(pipeline), {})
    ended = subprocess.run(
        [python, "-I", "-W", "error", "-c", ASK],
        cwd=folder,
        env={"PATH": "/nonexistent"},
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    is_native, answers = json.loads(ended.stdout)
    return is_native, answers


def assert_answers_alike(answers: list[Any], folder: Path) -> None:
    """To the bit, where this process has the C code too."""
    tolerance = 0 if native._native is not None else 1e-12
    ours = json.loads(json.dumps(artifact.load(folder / "model")[0].predict(TEXTS)))
    for one, other in zip(answers, ours, strict=True):
        assert one[0] == other[0]
        assert one[2] == pytest.approx(other[2], rel=0, abs=tolerance)


@needs_compiler
def test_a_wheel_has_the_c_code_built_for_this_machine_and_every_later_cpython(wheel: Path) -> None:
    here = re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert wheel.name.endswith(f"-cp311-abi3-{here}.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        said = archive.read(next(name for name in names if name.endswith("/WHEEL"))).decode()
    assert "Root-Is-Purelib: false" in said and f"Tag: cp311-abi3-{here}" in said
    assert {MODULE, "function/py.typed", "function/pages/playground.html"} <= {*names}
    sources = {f"function/compiled/native/{path.name}" for path in native_sources()}
    assert sources <= {*names}


def native_sources() -> list[Path]:
    return sorted((ROOT / "function/compiled/native").iterdir())


def test_a_wheel_needs_what_the_project_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        place = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        needs = message_from_bytes(archive.read(place)).get_all("Requires-Dist", [])
    found = {str(Requirement(need)) for need in needs if "extra ==" not in need}
    assert found == {str(Requirement(need)) for need in PROJECT["project"]["dependencies"]}


@needs_compiler
def test_installed_where_no_compiler_is_it_has_the_c_code_and_answers_alike(
    wheel: Path, tmp_path: Path, pipeline: Any
) -> None:
    python = install(wheel, tmp_path)
    is_native, answers = ask_without_a_compiler(python, tmp_path, pipeline)
    assert is_native
    assert_answers_alike(answers, tmp_path)


def test_a_wheel_that_is_built_without_a_compiler_is_pure_and_says_so(
    tools: Path, sdist: Path, tmp_path: Path, pipeline: Any
) -> None:
    pure, said = build_wheel(tools, sdist, tmp_path, CC="", PATH="/nonexistent")
    assert pure.name.endswith("-py3-none-any.whl")
    assert "no C compiler" in said and "the wheel is one of pure Python" in said
    with zipfile.ZipFile(pure) as archive:
        assert MODULE not in archive.namelist()
    is_native, answers = ask_without_a_compiler(install(pure, tmp_path), tmp_path, pipeline)
    assert not is_native
    assert [answer[0] for answer in answers] == [*pipeline.predict(TEXTS)]


@needs_compiler
def test_an_editable_install_builds_it_beside_its_source(tools: Path, tmp_path: Path) -> None:
    names = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore")
    for name in names:
        shutil.copy(ROOT / name, tmp_path)
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "function", tmp_path / "function", ignore=unbuilt)
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv" / "bin" / "python")
    options = ["--no-deps", "--no-build-isolation", "--editable", str(tmp_path)]
    ended = pip("--python", python, "install", *options, PYTHONPATH=str(tools))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    script = "from function.compiled import native; print(native._native.__file__)"
    told = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == str(tmp_path / MODULE), told.stderr


@pytest.mark.parametrize("processor", PROCESSORS)
def test_make_wheel_makes_one_that_any_linux_of_ten_years_takes(
    made: list[Path], processor: str
) -> None:
    assert len(made) == len(PROCESSORS)
    (wheel,) = (path for path in made if path.stem.endswith(f"manylinux_2_17_{processor}"))
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        header = archive.read(MODULE)[:20]
    assert struct.unpack_from("<H", header, 18) == (PROCESSORS[processor],)


@of_this_machine
def test_what_make_wheel_makes_answers_to_the_bit_as_what_is_built_here(
    made: list[Path], tmp_path: Path, pipeline: Any
) -> None:
    (wheel,) = (path for path in made if path.stem.endswith(platform.machine()))
    python = install(wheel, tmp_path)
    is_native, answers = ask_without_a_compiler(python, tmp_path, pipeline)
    assert is_native
    assert_answers_alike(answers, tmp_path)


@of_this_machine
def test_unzipped_beside_its_source_it_is_used_as_by_a_buildpack(
    made: list[Path], tmp_path: Path
) -> None:
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "function", tmp_path / "function", ignore=unbuilt)
    (wheel,) = (path for path in made if path.stem.endswith(platform.machine()))
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(MODULE, tmp_path)
    script = "from function.compiled import native; print(native._native.__file__)"
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert told.stdout.strip() == str(tmp_path / MODULE), told.stderr


def test_cibuildwheel_makes_the_same_two(tools: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cibuildwheel", "--platform=linux", "--print-build-identifiers"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [f"cp311-manylinux_{processor}" for processor in PROCESSORS]
