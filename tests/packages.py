"""Packages that only a test needs, installed for it from the package index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def installed(folder: Path, module: str, *requirements: str) -> Iterator[Any]:
    """The module, of what is installed in `folder` without its dependencies, which are here; skips
    where it cannot be had."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--retries=1"]
    ended = subprocess.run([*pip, f"--target={folder}", *requirements], capture_output=True)
    if ended.returncode != 0:
        pytest.skip(f"{', '.join(requirements)} cannot be had")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(folder)])
        yield pytest.importorskip(module, exc_type=OSError)  # without libgomp, for one
