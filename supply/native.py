"""``python -m supply.native WHEELS auto|yes|no``: an image gets the C code out of a wheel.

pip knows which wheel fits this Python, processor and C library, if one does. Without, all works in
pure Python: ``yes`` does not put up with that, ``no`` asks for it.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from function import __version__
from function.build import MODULE, PLATFORM, SOURCES

LOST = (
    "Answers are the same without, but a text in a batch takes 4 times as long with words, 5 to 9 "
    "times with characters, 15 to 35 with trees. `make wheel`, which needs no C compiler of yours, "
    "makes what is taken from dist/ the next time; `make image` and its like do that first."
)


def main() -> None:
    """Take the module and say so, or say what is lost; exit status 1 where ``yes`` was said."""
    parser = argparse.ArgumentParser(prog="python -m supply.native")
    parser.add_argument("wheels", type=Path)
    parser.add_argument("wish", choices=["auto", "yes", "no"], metavar="NATIVE")
    chosen = parser.parse_args()
    MODULE.unlink(missing_ok=True)
    if chosen.wish == "no":
        return
    try:
        take(chosen.wheels)
    except ValueError as exc:
        told = f"No C code in this image: {exc}. {LOST}"
        if chosen.wish == "yes":
            raise SystemExit(told) from None
        print(told, file=sys.stderr)
    else:
        print(f"The C code for {PLATFORM} is in this image.")


def take(wheels: Path) -> None:
    """Put the module beside its sources; ValueError says why there is none that could be used."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--no-index", f"--find-links={wheels}", "--no-deps", "--no-compile"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            *options,
            f"--target={folder}",
        ]
        ended = subprocess.run(
            [*command, f"sentiment-function=={__version__}"], capture_output=True, text=True
        )
        built = Path(folder, *MODULE.parts[-3:])
        if ended.returncode or not built.exists():
            names = ", ".join(sorted(path.name for path in wheels.glob("*.whl"))) or "none"
            raise ValueError(f"dist/ has no wheel with it for {PLATFORM} (there: {names})")
        if not same_files(built.parent / SOURCES.name, SOURCES):
            raise ValueError("the wheel in dist/ was built of other C code than is here")
        shutil.copy(built, MODULE)
    from function.compiled import native

    if native._native is None:
        MODULE.unlink()
        raise ValueError("the one of the wheel in dist/ does not load")


def same_files(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        return False
    return filecmp.cmpfiles(one, other, names, shallow=False)[0] == names


if __name__ == "__main__":
    main()
