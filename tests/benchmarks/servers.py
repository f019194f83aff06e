"""A competitor's server: started pinned to one core, timed to its first good answer, and always
stopped.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import processes, progress

SERVER_CORE = 0
LOAD_CORE = 1
HOST = "127.0.0.1"
START_LIMIT_SECONDS = 300.0
_POLL_SECONDS = 0.005

# Numeric libraries start a thread per core of the machine, not of the one they are pinned to.
SINGLE_CORE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    **progress.QUIET,
}


class ServerFailed(Exception):
    """The server ended, or never answered a prediction with 200; the message ends with its log's
    last lines.
    """


@dataclass(frozen=True)
class Server:
    """A running server that has answered its first prediction."""

    pid: int
    port: int
    cold_start_seconds: float
    answer: bytes

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def memory_mb(self) -> float:
        return processes.memory_mb(self.pid)


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    port: int,
    path: str,
    body: bytes,
) -> Iterator[Server]:
    """Starts the command and yields once POST `path` has answered 200; the processes are gone when
    the block ends.
    """
    started = time.perf_counter()
    with _process(command, environment, folder, log, SERVER_CORE) as process:
        cold_start_seconds, answer = _first_answer(process, port, path, body, started, log)
        yield Server(process.pid, port, cold_start_seconds, answer)


@contextmanager
def beside(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, url: str
) -> Iterator[None]:
    """A server that the measured one needs: on the load generator's core, there and warm (it has
    answered GET `url` with 200) before the block begins, gone when it ends.
    """
    with _process(command, environment, folder, log, LOAD_CORE) as process:
        _wait_for(process, url, log)
        yield


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, core: int
) -> Iterator[subprocess.Popen[bytes]]:
    """The command on one core, its output in the log; all its processes are stopped at the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            env={**os.environ, **SINGLE_CORE, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with _undisturbed():
                processes.stop(process.pid)
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.perf_counter() + START_LIMIT_SECONDS
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=START_LIMIT_SECONDS) as response:
                response.read()
            return
        except OSError:
            time.sleep(_POLL_SECONDS)
    raise ServerFailed(f"no 200 from {url}\n{last_lines(log)}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C waits until the server is gone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _first_answer(
    process: subprocess.Popen[bytes], port: int, path: str, body: bytes, started: float, log: Path
) -> tuple[float, bytes]:
    """Seconds from exec to the first 200, and its body."""
    seen = "no connection"
    while (elapsed := time.perf_counter() - started) < START_LIMIT_SECONDS:
        if process.poll() is not None:
            raise ServerFailed(
                f"ended with code {process.returncode} after {elapsed:.1f} s\n{last_lines(log)}"
            )
        try:
            status, answer = post(port, path, body, START_LIMIT_SECONDS - elapsed)
        except (OSError, http.client.HTTPException):
            time.sleep(_POLL_SECONDS)
            continue
        if status == http.client.OK:
            return time.perf_counter() - started, answer
        seen = f"{status}: {answer[:300].decode(errors='replace')}"
        time.sleep(_POLL_SECONDS)
    raise ServerFailed(
        f"no 200 from {path} within {START_LIMIT_SECONDS:.0f} s (last: {seen})\n{last_lines(log)}"
    )


def post(port: int, path: str, body: bytes, timeout_seconds: float) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_seconds)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def get(port: int, path: str) -> tuple[int, bytes]:
    """One GET request: status and body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
