"""The server's memory: what a thousand clients can make it hold is bounded, whatever they send."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from function.server.requests import RequestReader
from tests.doors import answers, connect, many_descriptors, post, start_door
from tests.processes import LiveServer

CLIENTS = 1000
ROOM_MEGABYTES = 90
"""What the compiled image's limit of 128 MiB leaves beside the server itself."""
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
ASK = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 15\r\n\r\n{"text":"fine"}'
)
FIELDS = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 160) for number in range(90))
GREEDY = {
    "many requests at once": ASK * 200,
    "many small requests at once": GET * 600,
    "large heads": b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + FIELDS,
    "heads and small bodies, almost whole": (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n" + FIELDS + b"\r\n"
    )
    + b"x" * 15_999,
    "large bodies": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    + b"x" * 200_000,
    "large bodies behind smaller ones": (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b" " * 20_000
    )
    + b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    + b"x" * 900_000,
}


@pytest.fixture
def server(compiled_folder: Path, tmp_path: Path) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path)
    server.request("/predict", {"text": "warm"})
    yield server
    server.process.kill()
    server.process.wait()


def peak_megabytes(server: LiveServer) -> float:
    """The most that was ever resident."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.parametrize("what", GREEDY)
def test_a_thousand_greedy_clients_stay_within_the_containers_memory(
    server: LiveServer, what: str
) -> None:
    before = peak_megabytes(server)
    with many_descriptors(), ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(connect(server))
            client.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                client.send(GREEDY[what])
        assert server.request("/predict", {"text": "fine"}).status == 200
        assert server.request("/health/live").status == 200
    assert peak_megabytes(server) - before < ROOM_MEGABYTES


def test_all_that_was_sent_at_once_is_answered_in_order(server: LiveServer) -> None:
    whole = b"".join([GET, ASK, *[GET] * 3] * 400)
    with connect(server) as client:
        client.sendall(whole + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        data = b""
        while part := client.recv(65_536):
            data += part
    found = answers(data)
    assert [answer.status for answer in found] == [200] * 2001
    assert all(b"sentiment" in answer.body for answer in found[1:2000:5])


class Watched(RequestReader):
    """One that can be seen to go."""


def test_a_closed_connection_leaves_no_garbage() -> None:
    """Looking for it is rare in a process whose requests leave none: connections would pile up."""
    reader = Watched(1000, lambda request: False)
    reader.feed(post())
    assert len(reader.items) == 1
    seen = weakref.ref(reader)
    gc.disable()
    try:
        reader.close()
        del reader
        assert seen() is None
    finally:
        gc.enable()
