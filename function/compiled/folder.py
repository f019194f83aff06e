"""A folder written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Make `target` a folder of exactly `files`, replacing the folder there if there is one.

    The files are written and synced beside it first. Raises OSError, with `target` as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(target, "partial")
    partial.mkdir()  # not tempfile.mkdtemp: what it makes, only its owner can read
    try:
        for name, content in files.items():
            _write_synced(partial / name, content)
        _move(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _beside(target: Path, purpose: str) -> Path:
    return target.with_name(f".{target.name}.{os.urandom(4).hex()}.{purpose}")


def _write_synced(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(partial: Path, target: Path) -> None:
    """POSIX renames over nothing or an empty folder in one step; a folder with files in it must
    step aside first, and comes back should the second step fail."""
    if not target.exists() or not any(target.iterdir()):
        os.replace(partial, target)
        return
    aside = _beside(target, "old")
    os.replace(target, aside)
    try:
        os.replace(partial, target)
    except OSError:
        os.replace(aside, target)
        raise
    shutil.rmtree(aside)
