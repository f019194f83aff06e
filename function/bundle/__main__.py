"""``python -m function.bundle FILE.pyc``: the server's whole start in one file.

A cold start imports a hundred small modules, and to look for, open and read one takes longer than
to run it. ``python -I -S FILE.pyc`` does what ``python -m function.serve`` does in half the time of
the processor: without ``site``, which looks through the installed packages, and with all its
modules read at once. They are of this very Python and these very files: write it where it will run,
and again when they change.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType

PATHS = [str(Path(__file__).parents[2]), sysconfig.get_path("purelib")]
START = (
    "function.serve",
    "function.server.server",
    "function.wiring",
    "function.compiled.artifact",
    "function.model.fetching",
    "function.registry.direct",
    "hashlib",
)
"""What a start imports, and all that this imports in turn: of a model that is built in, and of one
that is published in the registry."""
LIST_MODULES = """
import sys
sys.path += {paths}
import {modules}
for name, module in sys.modules.items():
    spec = getattr(module, "__spec__", None)
    if spec and spec.name == name and spec.has_location and spec.origin.endswith(".py"):
        print(name, spec.origin, spec.submodule_search_locations is not None, sep="\\t")
"""
EPILOG = """example:
  python -m function.bundle serve.pyc && COMPILED_MODEL=model python -I -S serve.pyc
"""


def main() -> None:
    """Write the file; ends with one line where it cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m function.bundle",
        description="Write the server's start as one file of bytecode, for an image.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="what to write, FILE.pyc", type=Path)
    file: Path = parser.parse_args().file
    try:
        file.write_bytes(_bundle())
    except OSError as exc:
        raise SystemExit(f"{file}: {exc.strerror}") from None
    print(f"Wrote {file} ({file.stat().st_size / 1e6:.1f} MB).")


def _imported() -> dict[str, tuple[str, bool, bytes]]:
    """The modules that a fresh process imports to start, but for those in the interpreter."""
    script = LIST_MODULES.format(paths=PATHS, modules=", ".join(START))
    command = [sys.executable, "-I", "-S", "-c", script]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for line in listed.stdout.splitlines():
        name, file, is_package = line.split("\t")
        found[name] = (file, is_package == "True", marshal.dumps(_compiled(Path(file))))
    return found


def _compiled(file: Path, **constants: object) -> CodeType:
    """The file's code, without docstrings; ``constants`` replace those it declares in one line."""
    source = file.read_text(encoding="utf-8")
    for name, value in constants.items():
        head, _, rest = source.partition(f"\n{name}: ")
        source = f"{head}\n{name} = {value!r}\n" + rest.partition("\n")[2]
    return compile(source, str(file), "exec", dont_inherit=True, optimize=2)


def _bundle() -> bytes:
    first = _compiled(Path(__file__).with_name("first.py"), MODULES=_imported(), PATHS=PATHS)
    unchecked = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: no source to compare with
    return importlib.util.MAGIC_NUMBER + unchecked + marshal.dumps(first)


if __name__ == "__main__":
    main()
