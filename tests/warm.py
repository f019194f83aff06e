"""Processes that use MLflow and scikit-learn, forked from one that has imported both already.

A fresh interpreter takes seconds to import them. Where that is not what is tested, ``run_python``
and ``start`` begin with it done. One process (tests/forking.py) forks for all of pytest's workers;
it imports nothing until somebody asks, and ends with pytest.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = "TESTS_FORK_FROM"
LONGEST = 1 << 20
"""Bytes of what is asked for."""


@contextmanager
def offered() -> Iterator[None]:
    """Let this process and those that it starts have processes forked."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        os.environ[ADDRESS] = f"{folder}/socket"
        command = [sys.executable, "-m", "tests.forking", os.environ[ADDRESS]]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as forking:
            yield
            forking.communicate()  # its input ends, and so does it
        del os.environ[ADDRESS]


def _connect() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
    connection.connect(os.environ[ADDRESS])
    return connection


class Forked:
    """As much of `subprocess.Popen` as tests ask of a process."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], out: int, err: int
    ) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._connection = _connect()
        asked = json.dumps([[*arguments], str(folder), dict(environ)]).encode()
        socket.send_fds(self._connection, [asked], [out, err])
        self.pid = int(self._connection.recv(20))

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(20))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], out: Path, err: Path
) -> Forked:
    """Start ``-m module ...``, ``-c script ...`` or a Python script, after ``python`` or not."""
    arguments = command[1:] if command[0] == sys.executable else command
    with out.open("wb") as out_file, err.open("wb") as err_file:
        return Forked(arguments, folder, environ, out_file.fileno(), err_file.fileno())


def run_python(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run it in ``folder``, as `subprocess.run` with its output."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        status = start(arguments, folder, environ, out, err).wait()
        return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())
