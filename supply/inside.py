"""Run by an image's own Python, from standard input: what is in there, as JSON.

Needs the standard library only, and nothing of this project.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

DPKG = Path("/var/lib/dpkg/status")
OSI = "License :: OSI Approved :: "


def packages() -> list[dict[str, Any]]:
    """The environment's Python packages, and its base's: pip, where that has one."""
    base = sysconfig.get_path("purelib", "posix_prefix", {"base": sys.base_prefix})
    found = {}
    for distribution in distributions(path=[*sys.path, base]):
        metadata = distribution.metadata
        classifiers = metadata.get_all("Classifier") or []
        found[metadata["Name"]] = {
            "name": metadata["Name"],
            "version": metadata["Version"],
            "license": metadata["License-Expression"] or metadata["License"] or "",
            "classified": [c.split(" :: ")[-1] for c in classifiers if c.startswith(OSI)],
        }
    return [found[name] for name in sorted(found)]


def system_packages() -> Iterator[dict[str, str]]:
    """Debian's packages; of another system nothing is known."""
    for paragraph in DPKG.read_text().split("\n\n") if DPKG.exists() else ():
        lines = [line.partition(": ") for line in paragraph.splitlines() if line[:1].isalpha()]
        fields = {key: value for key, _, value in lines}
        if fields.get("Status", "").endswith(" installed"):
            yield {key: fields[key] for key in ("Package", "Version", "Architecture")}


facts = {
    "python": platform.python_version(),
    "system": platform.freedesktop_os_release(),
    "packages": packages(),
    "system_packages": [*system_packages()],
}
print(json.dumps(facts))
