"""Both doors as real processes around the same compiled model, asked in raw bytes."""

from __future__ import annotations

import json
import re
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import LiveServer, free_port, start_process

ROOT = Path(__file__).parents[1]
BODY = b'{"text": "This product is amazing!"}'
VOLATILE = {"x-request-id", "server-timing"}
"""Other from answer to answer."""
SERVERS_OWN = {"date", "server", "connection", "keep-alive"}
"""What the server, not the function, says."""


@dataclass(frozen=True)
class Answer:
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def described(self) -> tuple[int, dict[str, str], bytes]:
        """All that both doors must agree on, to the byte."""
        body = re.sub(rb'"request_id":"[^"]*"', b'"request_id":""', self.body)
        skipped = VOLATILE | SERVERS_OWN
        headers = {name: value for name, value in self.headers.items() if name not in skipped}
        return self.status, headers, body

    @property
    def problem(self) -> Any:
        assert self.headers["content-type"] == "application/problem+json", self
        return json.loads(self.body)


def commands(port: int) -> dict[str, list[str]]:
    """How each door is opened."""
    framework = str(Path(sys.executable).with_name("functions-framework"))
    return {
        "functions-framework": [
            *(framework, "--target=handle", "--host=127.0.0.1", f"--port={port}")
        ],
        "serve": [sys.executable, "-m", "function.serve"],
    }


def start_door(
    name: str, model: Path, folder: Path, imports_mlflow: bool = False, **environ: str
) -> LiveServer:
    """The door named ``name``, with nothing but the given environment."""
    port = free_port()
    given = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "COMPILED_MODEL": str(model),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    environ = {**given, **environ}
    return start_process(commands(port)[name], ROOT, environ, port, folder, imports_mlflow)


def connect(server: LiveServer, timeout_seconds: float = 30) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)


def raw(
    server: LiveServer,
    request: bytes,
    ends_sending: bool = False,
    quiet_seconds: float = 0.1,
    patience_seconds: float = 5.0,
) -> list[Answer]:
    """Send bytes; every answer that comes until the server closes or is silent."""
    with connect(server, timeout_seconds=5) as client:
        try:
            client.sendall(request)
            if ends_sending:
                client.shutdown(socket.SHUT_WR)
        except OSError:  # the server has answered and closed already
            pass
        return answers(received(client, quiet_seconds, patience_seconds))


def received(
    client: socket.socket, quiet_seconds: float = 0.7, patience_seconds: float = 5.0
) -> bytes:
    """What comes until the end of the stream, or until it has been quiet: for longer where an
    answer is not whole."""
    data, wait = b"", patience_seconds
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        client.settimeout(wait)
        try:
            chunk = client.recv(65_536)
        except TimeoutError:
            break
        except OSError:
            break
        if not chunk:
            break
        data += chunk
        wait = quiet_seconds if _is_whole(data) else patience_seconds
    return data


@contextmanager
def many_descriptors() -> Iterator[None]:
    """Enough of them for a thousand connections of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _is_whole(data: bytes) -> bool:
    is_interim = True
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        if not end or len(data) < size:
            return False
        is_interim, data = b" 100 " in head[:14], data[size:]
    return not is_interim


def answers(data: bytes, is_head: bool = False) -> list[Answer]:
    """The responses in a stream of bytes, interim ones left out."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        if status == 100:
            continue
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if is_head or status == 204 else int(headers.get("content-length", len(data)))
        found.append(Answer(status, headers, data[:length]))
        data = data[length:]
    return found


def post(path: bytes = b"/predict", *fields: bytes, body: bytes = BODY, host: bool = True) -> bytes:
    """A POST with a body, and any fields more."""
    lines = [b"POST %s HTTP/1.1" % path, *([b"Host: x"] if host else []), *fields]
    if not any(b"ransfer-" in field or b"ontent-Length" in field for field in fields):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def get(path: bytes = b"/health", *fields: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body, and any fields more."""
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), b"Host: x", *fields, b"", b""])
