"""``python -m function.build``: compile native.c, with which batches take half the time.

Nothing needs it: where there is no C compiler, pairs.py does the same work.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).parent / "compiled" / "native.c"
MODULE = SOURCE.with_name("_native.abi3.so")
"""Any CPython from 3.11 on can load it."""
SHARED = {"darwin": ["-bundle", "-undefined", "dynamic_lookup"]}.get(sys.platform, ["-shared"])
EPILOG = """examples:
  python -m function.build             with the first of cc, gcc and clang that is installed
  CC=clang python -m function.build    with a compiler of your own choice
"""


def main() -> None:
    """Build the module beside its source; exit status 1 with one line where it cannot be done."""
    argparse.ArgumentParser(
        prog="python -m function.build",
        description="Compile native.c, with which batches take half the time. Nothing needs it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        _build()
    except (OSError, ValueError, subprocess.CalledProcessError) as exc:
        raise SystemExit(
            f"{SOURCE.name} was not built ({exc}); serving goes on without it"
        ) from None


def _build() -> None:
    MODULE.unlink(missing_ok=True)  # an older one is of no use; a server that runs keeps it open
    partial = MODULE.with_name(f"_native.{os.getpid()}.so")
    options = ["-O2", *shlex.split(os.environ.get("CFLAGS", "")), "-fPIC", *SHARED]
    command = [*_compiler(), *options, f"-I{_headers()}", str(SOURCE), "-lm", "-o", str(partial)]
    try:
        subprocess.run(command, check=True)
        partial.replace(MODULE)
    finally:
        partial.unlink(missing_ok=True)


def _compiler() -> list[str]:
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
    return folder


if __name__ == "__main__":
    main()
