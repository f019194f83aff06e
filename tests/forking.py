"""The process that the tests' processes are forked from, as tests/warm.py asks for them.

What is forked finds the arguments, the environment, the folder, the output and the path of a fresh
``python``, and nothing of ``function`` imported. One thread and no handler of signals: a fork takes
nothing along that is in the middle of something.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from tests.warm import LONGEST, ROOT

IMPORTED = ("mlflow.sklearn", "mlflow.pyfunc", "pandas", "sklearn.pipeline", "skops.io")
IMPORTED += ("functions_framework", "gunicorn.app.base")
INPUT = 0


def fork_where_asked(path: str) -> list[Any] | None:
    """What to run, where, and the environment, in the process that was forked for it; None in this
    one, once its input has ended. Nothing that is open here is open in the other."""
    with (
        selectors.DefaultSelector() as asking,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener,
        ExitStack() as running,
    ):
        listener.bind(path)
        listener.listen(64)
        asking.register(INPUT, selectors.EVENT_READ)
        asking.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in asking.select():
                if key.fileobj == INPUT:
                    return None
                if key.fileobj is not listener:
                    asking.unregister(key.fileobj)
                    _tell_the_end(*key.data)
                    continue
                connection = running.enter_context(listener.accept()[0])
                asked, output, _, _ = socket.recv_fds(connection, LONGEST, 2)
                pid = _fork(output)
                if not pid:
                    found: list[Any] = json.loads(asked)
                    return found
                connection.send(b"%d" % pid)
                process = running.enter_context(open(os.pidfd_open(pid), "rb", buffering=0))
                asking.register(process, selectors.EVENT_READ, (pid, process, connection))


def _fork(output: Sequence[int]) -> int:
    """As `os.fork`, in a process that has imported all; the other has this output."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pages that nobody writes to are nobody's own
    pid = os.fork()
    for number, descriptor in enumerate(output, 1):
        if not pid:
            os.dup2(descriptor, number)
        os.close(descriptor)
    return pid


def _tell_the_end(pid: int, process: Any, connection: socket.socket) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    process.close()
    with connection, suppress(OSError):  # where nobody waits for it any more
        connection.send(b"%d" % status)


def become(arguments: Sequence[str], folder: str, environ: Mapping[str, str]) -> None:
    """Run as ``python`` would with these."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), INPUT)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("function", "tests")]:
        del sys.modules[name]
    installed = [path for path in sys.path if path not in ("", str(ROOT), str(ROOT / "tests"))]
    sys.path[:] = [folder, *environ.get("PYTHONPATH", "").split(os.pathsep), *installed]
    what, *sys.argv[1:] = arguments
    match what:
        case "-m":
            runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
        case "-c":
            exec(sys.argv.pop(1), {"__name__": "__main__"})
        case script:
            sys.argv[0] = sys.path[0] = script
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    asked = fork_where_asked(sys.argv[1])
    if asked is not None:
        become(*asked)
