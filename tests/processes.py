"""Real processes for tests: start, wait until they answer, read their output, stop."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests import warm


class Reply(NamedTuple):
    """A response of a live server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class LiveServer:
    """A server process on loopback, its output going to a file."""

    process: subprocess.Popen[bytes] | warm.Forked
    url: str
    output: Path

    def request(
        self,
        path: str,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        method: str | None = None,
    ) -> Reply:
        """GET, or POST where there is a payload; an error status is a reply like any other."""
        if payload is not None:
            data = json.dumps(payload).encode()
        request = urllib.request.Request(
            self.url + path,
            data=data,
            headers={"Content-Type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Reply(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())

    def records(self) -> list[dict[str, Any]]:
        """What the server logged so far; every line of its output must be JSON.

        Lines are written a moment after the answer they tell of.
        """
        time.sleep(0.1)
        return [json.loads(line) for line in self.output.read_text().splitlines() if line]

    def stop(self) -> int:
        """SIGTERM, and wait for the exit status."""
        self.process.terminate()
        return self.process.wait(timeout=30)


class QuietHandler(BaseHTTPRequestHandler):
    """Of a server that a test puts up; says nothing of its requests."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def on_loopback(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server that answers as ``handler`` does, for as long as the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        # It notices within that time that it is to end.
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition comes to, once it is something; it must within that time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def last_line_printed(output: str) -> str:
    """A script's own last line: the log's records are written when their thread gets to it."""
    return [line for line in output.splitlines() if line and line[0] != "{"][-1]


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start_process(
    command: list[str],
    folder: Path,
    environ: Mapping[str, str],
    port: int,
    tmp_path: Path,
    imports_mlflow: bool = False,
) -> LiveServer:
    """Start a server and wait until it accepts connections.

    One that ``imports_mlflow`` is forked from a process that has done so (tests/warm.py), unless it
    is the start that is tested.
    """
    output = tmp_path / f"server-{port}.log"
    errors = tmp_path / f"server-{port}.err"
    process: subprocess.Popen[bytes] | warm.Forked
    if imports_mlflow:
        process = warm.start(command, folder, environ, output, errors)
    else:
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=err)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{command} ended: {errors.read_text()}{output.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return LiveServer(process, f"http://127.0.0.1:{port}", output)
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"{command} did not listen in time: {errors.read_text()}")
