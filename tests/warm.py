"""Processes that only use MLflow and scikit-learn, forked from one that has imported both already.

A fresh interpreter takes seconds to import them; what is tested as a process is started as one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["mlflow.sklearn", "pandas", "sklearn.pipeline", "skops.io"])


def run_python(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``-m module ...`` or ``-c script`` in ``folder``, as `subprocess.run` with its output."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        process = _context.Process(
            target=_become, args=(arguments, folder, dict(environ), out, err)
        )
        process.start()
        process.join()
        return subprocess.CompletedProcess(
            arguments, process.exitcode or 0, out.read_text(), err.read_text()
        )


def _become(
    arguments: Sequence[str], folder: Path, environ: dict[str, str], out: Path, err: Path
) -> None:
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("function", "tests")]:
        del sys.modules[name]
    installed = [path for path in sys.path if path not in ("", str(ROOT), str(ROOT / "tests"))]
    sys.path[:] = [str(folder), *environ.get("PYTHONPATH", "").split(os.pathsep), *installed]
    option, what, *sys.argv[1:] = arguments
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()
