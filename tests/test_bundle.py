"""The server's start in one file: it serves as the modules on disk do, and reads none of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environ
from tests.processes import LiveServer, free_port, start_process


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "serve.pyc"
    command = [sys.executable, "-m", "function.bundle", str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"Wrote {file} (")
    return file


def start(arguments: list[str], model: Path, folder: Path) -> LiveServer:
    """Start a bundle as the image does; ``folder`` has its output, and nothing of ours."""
    port = free_port()
    environ = {"COMPILED_MODEL": str(model), "HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, "-I", "-S", *arguments]
    return start_process(command, folder, {**clean_environ(), **environ}, port, folder)


@pytest.fixture(scope="module")
def server(
    bundle: Path, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    server = start([str(bundle)], compiled_folder, tmp_path_factory.mktemp("bundled"))
    yield server
    server.stop()


def test_a_bundle_serves_with_the_native_engine_and_what_it_does_not_hold(
    server: LiveServer,
) -> None:
    assert server.request("/predict", {"text": "wonderful"}).json["sentiment"] == "positive"
    assert server.request("/models/info").json["native"] is True
    refused = server.request("/predict", {"text": 1})  # pydantic tells why, from site-packages
    assert refused.status == 422 and "text" in refused.json["detail"]


def test_a_bundle_starts_without_reading_modules_from_disk(
    bundle: Path, compiled_folder: Path, tmp_path: Path
) -> None:
    server = start(["-v", str(bundle)], compiled_folder, tmp_path)
    assert server.request("/predict", {"text": "wonderful"}).status == 200
    server.stop()
    told = server.output.with_suffix(".err").read_text()
    ours = told[told.index("import 'function.serve'") :]
    read = [line for line in ours.splitlines() if "code object from" in line]
    assert "BundleFinder" in told and not read


def test_a_bundle_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "serve.pyc"
    command = [sys.executable, "-m", "function.bundle", str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr == f"{file}: No such file or directory\n"
