"""What is installed is what is locked: every version pinned, every file known by its hash."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from supply.extras import strangers
from supply.locks import EVERYTHING, IMAGES, WHEEL, Pin, canonical, pins
from tests.benchmarks.envs import locked
from tests.conftest import ROOT

LOCKS = sorted({EVERYTHING, *IMAGES.values(), WHEEL})
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMED_BY = {
    "requirements.txt": ("local", "registry", "server", "jwt", "otel", "docs"),
    "server.txt": ("server",),
    "registry.txt": ("server", "registry"),
    "wheel.txt": ("wheel",),
}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_is_a_pin_with_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    starts = re.findall(r"^[^\s#].*$", text, re.MULTILINE)
    assert starts and len(starts) == len(pins(lock))
    assert all(pin.digests for pin in pins(lock))
    assert not re.search(r"://|--(?!hash=sha256:[0-9a-f]{64}\b)", text)


@pytest.mark.parametrize("lock", IMAGES.values(), ids=IMAGES)
def test_an_image_has_the_versions_and_files_of_the_whole(lock: Path) -> None:
    assert set(pins(lock)) <= set(pins())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_what_the_project_names_is_locked_as_it_asks(lock: Path) -> None:
    extras = PROJECT["optional-dependencies"]
    named = [*PROJECT["dependencies"], *(r for name in NAMED_BY[lock.name] for r in extras[name])]
    versions = {pin.name: pin.version for pin in pins(lock)}
    for requirement in map(Requirement, named):
        assert versions[canonical(requirement.name)] in requirement.specifier


def test_the_images_install_locked_wheels_only() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip --python \S+ install ([^&\n]+)", text)
    assert len(installs) == 2
    for options in installs:
        assert {"--no-deps", "--require-hashes", "--only-binary"} <= set(options.split())


def write_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel of one empty module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=")
        for path, content in files.items()
    }
    record = [f"{path},sha256={digest.decode()}," for path, digest in digests.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


def install(folder: Path, *requirements: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Have extras installed from the wheels in ``folder``, and see what came of it."""
    venv.create(folder / "venv", with_pip=False)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
    }
    command = [sys.executable, "-m", "supply.extras", str(folder / "venv"), *requirements]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    found = (folder / "venv").glob("lib/python3*/site-packages/*.py")
    return ended, {path.stem for path in found}


def test_an_extra_that_is_not_locked_is_installed(tmp_path: Path) -> None:
    write_wheel(tmp_path, "unheard_of", "1.0")
    ended, found = install(tmp_path, "unheard-of>=1")
    assert ended.returncode == 0, ended.stderr
    assert found == {"unheard_of"}


def test_an_extra_that_pretends_to_be_a_locked_file_is_refused_with_all_others(
    tmp_path: Path,
) -> None:
    locked = next(pin for pin in pins() if pin.name == "blinker")
    write_wheel(tmp_path, "blinker", locked.version)
    write_wheel(tmp_path, "unheard_of", "1.0")
    ended, found = install(tmp_path, "blinker", "unheard-of")
    assert ended.returncode == 1 and found == set()
    assert ended.stderr.splitlines()[-1].endswith(f"blinker-{locked.version}-py3-none-any.whl")


def test_an_extra_comes_in_no_other_version_than_the_locked_one(tmp_path: Path) -> None:
    write_wheel(tmp_path, "blinker", "99.0")
    ended, found = install(tmp_path, "blinker")
    assert ended.returncode != 0 and found == set()


def test_no_extras_are_nothing_to_do(tmp_path: Path) -> None:
    ended, found = install(tmp_path)
    assert (ended.returncode, ended.stdout, found) == (0, "", set())


def test_the_locked_file_itself_is_taken(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "some_thing", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert strangers([wheel], [Pin("some-thing", "1.0", "", frozenset({digest}))]) == []
    assert strangers([wheel], [Pin("some-thing", "1.0", "", frozenset({"00"}))]) == [wheel.name]


def test_benchmarks_install_what_is_locked() -> None:
    found = {Requirement(line).name: Requirement(line) for line in locked()}
    assert {pin.name for pin in pins()} == found.keys()
    assert all(requirement.specifier for requirement in found.values())
