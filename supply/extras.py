"""``python -m supply.extras VENV [REQUIREMENT ...]``: packages beyond the lock, and their needs.

The operator chooses them (EXTRA_REQUIREMENTS), so requirements.txt need not have them. What it has
comes in that version, and as one of the files that it lists. pip would check all hashes or none: so
the files are fetched, compared, and only then installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from supply.locks import Pin, canonical, pins


def main() -> None:
    """Install the requirements; one whose file is not the locked one ends it with one line."""
    venv, *requirements = sys.argv[1:]
    if not requirements:
        return
    pip = ["pip", "--python", f"{venv}/bin/python"]
    locked = pins()
    with tempfile.TemporaryDirectory() as folder:
        versions = Path(folder, "versions.txt")
        versions.write_text("".join(constraint(pin) for pin in locked))
        fetch = ["wheel", "--no-cache-dir", f"--wheel-dir={folder}", f"--constraint={versions}"]
        run([*pip, *fetch, *requirements])
        wheels = sorted(Path(folder).glob("*.whl"))
        if wrong := strangers(wheels, locked):
            raise SystemExit(f"not the files that requirements.txt lists: {', '.join(wrong)}")
        run([*pip, "install", "--no-index", "--compile", *map(str, wheels)])


def run(command: list[str]) -> None:
    """pip says itself what is wrong."""
    if status := subprocess.call(command):
        raise SystemExit(status)


def constraint(pin: Pin) -> str:
    """The pin without its hashes, with which pip would want one of every file."""
    return f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "") + "\n"


def strangers(wheels: Iterable[Path], locked: Iterable[Pin]) -> list[str]:
    """The wheels that claim to be a locked version, and are none of its files."""
    known = {(pin.name, pin.version): pin.digests for pin in locked}
    wrong = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digests = known.get((canonical(name), version))
        if digests and hashlib.sha256(wheel.read_bytes()).hexdigest() not in digests:
            wrong.append(wheel.name)
    return wrong


if __name__ == "__main__":
    main()
