"""``python -m function.build``: compile compiled/native/; batches take a third of the time with it.

Nothing needs it: where there is no C compiler, Python does the same work.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

SOURCES = Path(__file__).parent / "compiled" / "native"
"""Every .c file there is part of the module."""
MODULE = SOURCES.with_name("_native.abi3.so")
"""Any CPython from 3.11 on can load it."""
OPTIONS = ["-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]
"""Without contraction: a product and a sum rounded once would be other bits than scikit-learn's."""
PLATFORM = sysconfig.get_platform()
"""What it is built for: this, or what ``_PYTHON_HOST_PLATFORM`` says and CC compiles for."""
FOR_MACOS = ["-bundle", "-undefined", "dynamic_lookup"]
FAILURES = (OSError, ValueError, subprocess.CalledProcessError)
EPILOG = """examples:
  python -m function.build             with the first of cc, gcc and clang that is installed
  CC=clang python -m function.build    with a compiler of your own choice
"""


def main() -> None:
    """Build the module beside its source; exit status 1 with one line where it cannot be done."""
    argparse.ArgumentParser(
        prog="python -m function.build",
        description="Compile compiled/native/, with which batches take a third of the time. "
        "Nothing needs it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        build(MODULE)
    except FAILURES as exc:
        raise SystemExit(
            f"{MODULE.name} was not built ({exc}); serving goes on without it"
        ) from None


def build(module: Path, options: Sequence[str] = ()) -> None:
    """Compile the module, with more options for the compiler than the usual and CFLAGS. Raises one
    of FAILURES where it cannot be done, and nothing is left then."""
    module.unlink(missing_ok=True)  # an older one is of no use; a server that runs keeps it open
    partial = module.with_name(f"_native.{os.getpid()}.so")
    chosen = [*OPTIONS, *shlex.split(os.environ.get("CFLAGS", "")), *options]
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    shared = FOR_MACOS if PLATFORM.startswith("macosx") else ["-shared"]
    command = [*compiler(), *chosen, *shared, f"-I{_headers()}", *sources]
    try:
        subprocess.run([*command, "-lm", "-o", str(partial)], check=True)
        partial.replace(module)
    finally:
        partial.unlink(missing_ok=True)


def compiler() -> list[str]:
    chosen = shlex.split(os.environ.get("CC", ""))
    found = chosen or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
    if not found:
        raise FileNotFoundError("no C compiler: Debian has one in gcc and libc6-dev")
    return found


def _headers() -> str:
    folder = sysconfig.get_path("include")
    if not Path(folder, "Python.h").exists():
        raise FileNotFoundError(f"no Python.h in {folder}: Debian has it in python3-dev")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ValueError("it needs Python's global lock, which this Python is built without")
    if ".abi3.so" not in EXTENSION_SUFFIXES:
        raise ValueError("it needs CPython's stable ABI, which this Python does not have")
    return folder


if __name__ == "__main__":
    main()
