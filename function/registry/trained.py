"""The versions that a model was trained with, where they are not the ones installed here."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from function.registry import modelfile

_PINNED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==\s*([^\s;,#*]+)").match
_OF_NO_ACCOUNT = ("mlflow", "mlflow-skinny", "cloudpickle")
"""They carry a model, and have no part in what it answers."""

Versions = dict[str, dict[str, str | None]]
"""By package, the version ``trained`` with and the one ``installed``, None where there is none."""


def differing(folder: Path, details: Mapping[str, Any]) -> Versions:
    """Of Python (its minor version), scikit-learn and what the model's requirements.txt pins."""
    pinned = dict(_pinned(folder))
    if details.get("sklearn_version"):
        pinned["scikit-learn"] = str(details["sklearn_version"])
    found = {name: (wanted, _installed(name)) for name, wanted in pinned.items()}
    flavours = modelfile.facts(folder).get("flavors") or {}
    python = (flavours.get("python_function") or {}).get("python_version")
    if python and _minor(str(python)) != _minor(platform.python_version()):
        found = {"python": (str(python), platform.python_version()), **found}
    return {
        name: {"trained": wanted, "installed": here}
        for name, (wanted, here) in found.items()
        if wanted != here
    }


def in_words(versions: Versions) -> str:
    """As ``scikit-learn 1.5.2 (here: 1.9.1), ...``; empty where nothing differs."""
    return ", ".join(
        f"{name} {both['trained']} (here: {both['installed'] or 'not installed'})"
        for name, both in versions.items()
    )


def _pinned(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for found in filter(None, map(_PINNED, lines)):
        if found[1].lower() not in _OF_NO_ACCOUNT:
            yield found[1].lower(), found[2]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
