"""A live ``functions-framework`` process, started as the README says."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import start_framework
from tests.processes import LiveServer
from tests.registry import Registry

StartServer = Callable[..., LiveServer]


@pytest.fixture(scope="module")
def warm(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for what is no matter of its start nor of its model."""
    folder = tmp_path_factory.mktemp("warm")
    server = start_framework(folder, COMPILED_MODEL=str(compiled_folder))
    yield server
    server.stop()


def test_a_cold_crowd_is_answered_and_the_log_is_json(
    start_server: StartServer, registry: Registry
) -> None:
    server = start_server(**registry.environ)
    with ThreadPoolExecutor(50) as pool:
        texts = [f"I love number {number}" for number in range(50)]
        replies = list(pool.map(lambda text: server.request("/predict", {"text": text}), texts))
    assert [reply.status for reply in replies] == [200] * 50
    assert [reply.json["text"] for reply in replies] == texts
    messages = [record["message"] for record in server.records()]
    assert messages.count("model load started") == 1
    assert messages.count("POST /predict 200") == 50


def test_readiness_comes_by_asking(start_server: StartServer, registry: Registry) -> None:
    server = start_server(imports_mlflow=True, **registry.environ)
    assert server.request("/health/ready").status == 503
    deadline = time.monotonic() + 60
    while server.request("/health/ready").status != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.request("/health").json["status"] == "healthy"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1_048_577, 8_000_000])
def test_a_body_over_the_limit_is_413_and_the_server_lives_on(
    warm: LiveServer, chunked: bool, size: int
) -> None:
    body: Any = (b"x" * 65_536 for _ in range(size // 65_536 + 1)) if chunked else b"x" * size
    reply = warm.request("/predict", data=body, method="POST")
    assert (reply.status, reply.headers["Content-Type"]) == (413, "application/problem+json")
    assert warm.request("/health").status == 200


def test_a_chunked_body_within_the_limit_is_read(warm: LiveServer) -> None:
    pieces = iter([b'{"text": ', b'"I love it"}'])
    reply = warm.request("/predict", data=pieces, method="POST")
    assert (reply.status, reply.json["sentiment"]) == (200, "positive")


def test_one_connection_serves_good_and_bad_requests_in_turn(warm: LiveServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(warm.url).netloc, timeout=60)
    statuses = []
    for body in (b'{"text": "fine"}', b"{", b'{"text": ""}', b'{"text": "fine"}'):
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [200, 400, 422, 200]


def test_sigterm_ends_an_idle_server_cleanly(start_server: StartServer) -> None:
    server = start_server()
    assert server.request("/health").status == 200
    assert server.stop() == 0


def test_a_body_shorter_than_announced_is_400(warm: LiveServer) -> None:
    with socket.create_connection(urlsplit(warm.url).netloc.split(":")) as client:
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n"
        client.sendall(head + b'{"text": "I love it"}')
        client.shutdown(socket.SHUT_WR)
        reply = client.recv(4096)
    assert b" 400 " in reply.splitlines()[0]


def test_probes_are_answered_while_a_crowd_waits_for_the_model(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        port = silent.getsockname()[1]
        server = start_server(
            MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}", MLFLOW_HTTP_REQUEST_TIMEOUT="3"
        )
        with ThreadPoolExecutor(40) as pool:
            waiting = [pool.submit(server.request, "/predict", {"text": "x"}) for _ in range(40)]
            time.sleep(1)
            started = time.monotonic()
            assert server.request("/health/live").status == 200
            assert time.monotonic() - started < 2
            assert not any(future.done() for future in waiting)
            assert {future.result().status for future in waiting} == {503}
