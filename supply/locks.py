"""The locks: ``requirements.txt`` for every Python and platform, of it what an image needs, and
what makes wheels.

``make lock`` writes them; nothing here needs more than the standard library, for the image builds
read them too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
EVERYTHING = HERE.parent / "requirements.txt"
IMAGES = {
    "slim": HERE / "server.txt",
    "compiled": HERE / "server.txt",
    "registry": HERE / "registry.txt",
}
WHEEL = HERE / "wheel.txt"
LOCKS = (EVERYTHING, WHEEL)
"""Of which the others are shares."""
PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; ([^\\\n]+?))?((?: \\\n    --hash=\S+)*)$", re.MULTILINE)


class Pin(NamedTuple):
    """One version of one package, and the digests (SHA-256) of all its files."""

    name: str
    version: str
    marker: str
    digests: frozenset[str]


def pins(lock: Path = EVERYTHING) -> list[Pin]:
    """What ``lock`` pins; a package may have a version for each of several Pythons."""
    return [
        Pin(name, version, marker, frozenset(re.findall(r"--hash=sha256:(\w+)", hashes)))
        for name, version, marker, hashes in PIN.findall(lock.read_text())
    ]


def canonical(name: str) -> str:
    """The one spelling of a package's name: https://peps.python.org/pep-0503/#normalized-names."""
    return re.sub(r"[-_.]+", "-", name).lower()
