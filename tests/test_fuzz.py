"""The fuzzer finds what it is there for, and a short run of it finds nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import fuzz
from tests.conftest import ROOT
from tests.processes import LiveServer, QuietHandler, on_loopback

CONVERSATION = [b"GET / HTTP/1.0\r\n\r\n"]


@contextmanager
def answering(status: int) -> Iterator[LiveServer]:
    """A server that is worse than ours."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            if status:
                self.send_response(status)
                self.end_headers()
            else:
                ended.wait(10)

    ended = threading.Event()
    process: Any = None
    with on_loopback(Handler) as url:
        yield LiveServer(process, url, Path())
        ended.set()


def test_it_sees_errors_dishonest_503s_and_silence() -> None:
    for status, told in ((500, "500"), (502, "502"), (503, "without Retry-After"), (0, "no end")):
        with answering(status) as server:
            assert told in str(fuzz.fault(server, CONVERSATION, Counter()))
    for status in (200, 404, 501):
        with answering(status) as server:
            assert fuzz.fault(server, CONVERSATION, Counter()) is None


def test_a_short_run_finds_nothing() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--requests", "1000", "--seed", "3"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(re.findall(r": 50\d requests; ", ended.stdout)) == 2
