"""What Functions Framework's command finds in the environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environ
from tests.processes import free_port

COMMAND = [str(Path(sys.executable).with_name("functions-framework")), "--target=handle"]
MODULE = [sys.executable, "-m", "functions_framework", "--target=handle"]
SERVE = [sys.executable, "-m", "function.serve"]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://[::1]:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _ipv6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        (COMMAND, {"HOST": "::1"}),
        (COMMAND, {"HOST": "[::1]"}),
        ([*COMMAND, "--host", "::1"], {}),
        ([*COMMAND, "--host=::1"], {"HOST": "127.0.0.1"}),
        ([*COMMAND, "--host=[::1]"], {"HOST": "::1"}),
        ([*COMMAND, "--debug"], {"HOST": "::1"}),
        (MODULE, {"HOST": "0:0:0:0:0:0:0:1"}),
        (SERVE, {"HOST": "::1"}),
        (SERVE, {"HOST": "[::1]"}),
    ],
    ids=lambda given: " ".join(map(str, given))[-40:],
)
def test_an_ipv6_address_is_listened_on(command: list[str], environ: dict[str, str]) -> None:
    port = free_port()
    given = {**clean_environ(), **environ, "PORT": str(port)}
    server = subprocess.Popen(command, cwd=ROOT, env=given, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not answers(port) and time.monotonic() < deadline:
            assert server.poll() is None
            time.sleep(0.1)
        assert answers(port)
    finally:
        os.killpg(server.pid, 15)  # Flask's reloader has a child
        server.wait(30)
