"""The Knative runtime contract, kept by the server that the container starts.

https://github.com/knative/specs/blob/main/specs/serving/runtime-contract.md, and what Knative's
queue-proxy and the kubelet do to a container beyond it. No container engine is needed: this is
`python -m function.serve` with a compiled model, as in the image.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.processes import LiveServer, free_port
from tests.traffic import BODY, REQUEST, Traffic, read_answer

Serve = Callable[..., LiveServer]
COMMAND = [sys.executable, "-m", "function.serve"]
KUBE_PROBE = {"User-Agent": "kube-probe/1.33"}
QUEUE_PROBE = {"User-Agent": "Knative-Queue-Proxy", "K-Network-Probe": "queue"}
MANY_TEXTS = {"texts": ["This product is amazing! " * 300] * 100}


@pytest.fixture
def serve(compiled_folder: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start the server as the image does, with nothing but the given environment."""
    started: list[LiveServer] = []

    def start(
        command: list[str] = COMMAND, folder: Path = ROOT, wait: bool = True, **environ: str
    ) -> LiveServer:
        port = free_port()
        output, errors = tmp_path / f"{port}.log", tmp_path / f"{port}.err"
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COMPILED_MODEL": str(compiled_folder),
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**given, **environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        server = LiveServer(process, f"http://127.0.0.1:{port}", output)
        started.append(server)
        if wait:
            wait_until_listening(server, errors)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def port_of(server: LiveServer) -> int:
    return int(server.url.rpartition(":")[2])


def wait_until_listening(server: LiveServer, errors: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.process.poll() is None, errors.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port_of(server))) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"not listening: {errors.read_text()}")


def connect(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(server)), timeout=30)


def exchange(server: LiveServer, request: bytes) -> tuple[int, bool]:
    """Status, and whether the server announced that it closes, for raw bytes."""
    with connect(server) as connection:
        connection.sendall(request)
        return read_answer(connection)


def test_the_port_variable_is_where_it_listens(serve: Serve) -> None:
    server = serve()
    assert server.request("/predict", {"text": "I love it"}).json["sentiment"] == "positive"


def test_http_1_1_connections_are_kept(serve: Serve) -> None:
    with connect(serve()) as connection:
        for _ in range(20):
            connection.sendall(REQUEST)
            assert read_answer(connection) == (200, False)


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    answers = b""
    with connect(serve()) as connection:
        connection.sendall(REQUEST * 2 + REQUEST.replace(b"Host", b"Connection: close\r\nHost"))
        while chunk := connection.recv(65_536):
            answers += chunk
    assert answers.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    ("extra", "closes"),
    [
        (b"Connection: close", True),
        (b"Connection: keep-alive", False),
        (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA", False),
        (b"Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43", False),
        (b'Forwarded: for="[2001:db8:cafe::17]:4711", for=unknown;host=", ;"', False),
        (b"X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\nX-Forwarded-Proto: https", False),
        (b"X-Forwarded-Host: a b\r\nX-Forwarded-Prefix: //evil\r\nX-Forwarded-Port: x", False),
        (b"K-Proxy-Request: activator\r\nK-Passthrough-Lb: true", False),
        (b"Expect: 100-continue", False),
    ],
)  # fmt: skip
def test_headers_of_proxies_are_tolerated(serve: Serve, extra: bytes, closes: bool) -> None:
    request = REQUEST.replace(b"Host: localhost", b"Host: localhost\r\n" + extra)
    with connect(serve()) as connection:
        connection.sendall(request)
        status, closing = read_answer(connection)
        if status == 100:
            status, closing = read_answer(connection)
    assert (status, closing) == (200, closes)


def test_an_http_2_preface_is_refused_and_the_server_lives(serve: Serve) -> None:
    server = serve()
    with connect(server) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert not connection.recv(1_000).startswith(b"HTTP/1.1 200")
    assert server.request("/health").status == 200


@pytest.mark.parametrize("headers", [KUBE_PROBE, QUEUE_PROBE, {"K-Kubelet-Probe": "value"}])
def test_probes_are_answered(serve: Serve, headers: dict[str, str]) -> None:
    server = serve()
    assert server.request("/health/live", headers=headers).status == 200
    deadline = time.monotonic() + 20
    while server.request("/health/ready", headers=headers).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tcp_probe_leaves_no_trace(serve: Serve) -> None:
    server = serve()
    for _ in range(20):
        connect(server).close()
    assert server.request("/health").status == 200
    server.stop()
    assert [record["path"] for record in server.records() if "path" in record] == ["/health"]


def test_a_chunked_body_is_read(serve: Serve) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
    assert exchange(serve(), head + chunks + b"0\r\n\r\n")[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(serve: Serve, chunked: bool) -> None:
    server, body = serve(MAX_BODY_BYTES="1000"), b"x" * 300_000
    reply = server.request("/predict", data=iter([body]) if chunked else body)
    assert (reply.status, reply.json["title"]) == (413, "Content Too Large")
    assert server.request("/health").status == 200


def test_fifty_cold_concurrent_requests_share_one_load(serve: Serve) -> None:
    server = serve()
    with ThreadPoolExecutor(50) as pool:
        futures = [
            pool.submit(server.request, "/predict", {"text": "I love it"}) for _ in range(50)
        ]
        assert [future.result().status for future in futures] == [200] * 50
    server.stop()
    messages = [record["message"] for record in server.records()]
    assert messages.count("model load started") == 1


def test_health_is_answered_while_every_slot_is_taken(serve: Serve) -> None:
    server = serve(MAX_CONCURRENCY="2")
    assert server.request("/predict", {"text": "x y"}).status == 200
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            assert server.request("/predict_batch", MANY_TEXTS).status == 200

    busy = [threading.Thread(target=keep_busy) for _ in range(6)]
    for thread in busy:
        thread.start()
    try:
        waits = []
        for _ in range(20):
            started = time.monotonic()
            assert server.request("/health/live", headers=KUBE_PROBE).status == 200
            waits.append(time.monotonic() - started)
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    print(f"liveness under load: {max(waits) * 1000:.0f} ms at most")
    assert (
        max(waits) < 5
    )  # its period in the manifests; a killed container is worse than a late one


def test_requests_beyond_max_concurrency_wait_and_are_answered(serve: Serve) -> None:
    server = serve(MAX_CONCURRENCY="1")
    server.request("/predict", {"text": "load the model"})
    with ThreadPoolExecutor(24) as pool:
        futures = [pool.submit(server.request, "/predict_batch", MANY_TEXTS) for _ in range(24)]
        assert [future.result().status for future in futures] == [200] * 24


@pytest.mark.parametrize("pause_seconds", [0.0, 0.005, 0.05])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_loses_no_request_and_no_log_line(
    serve: Serve, pause_seconds: float, number: signal.Signals
) -> None:
    server = serve()
    traffic = Traffic(port_of(server), pause_seconds=pause_seconds).start()
    server.process.send_signal(number)
    told = time.monotonic()
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - told < 10
    traffic.join()
    assert traffic.lost == []
    assert set(traffic.statuses) == {200}
    answered = [record for record in server.records() if record.get("path") == "/predict"]
    assert len(answered) == traffic.answered


def slow_request(connection: socket.socket) -> None:
    """Send all of a request but its last byte: it is under way until that comes."""
    connection.sendall(REQUEST[:-1])


def test_a_request_under_way_is_answered_after_sigterm(serve: Serve) -> None:
    server = serve()
    assert server.request("/predict", {"text": "x y"}).status == 200
    with connect(server) as connection:
        slow_request(connection)
        time.sleep(0.2)
        server.process.terminate()
        time.sleep(2)
        connection.sendall(REQUEST[-1:])
        assert read_answer(connection) == (200, True)
    assert server.process.wait(timeout=10) == 0


def test_drain_seconds_is_the_longest_that_sigterm_waits(serve: Serve) -> None:
    server = serve(DRAIN_SECONDS="1")
    assert server.request("/predict", {"text": "x y"}).status == 200
    with connect(server) as connection:
        slow_request(connection)
        time.sleep(0.2)
        told = time.monotonic()
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
    assert 1 <= time.monotonic() - told < 8


def test_sigterm_while_idle_ends_at_once(serve: Serve) -> None:
    server = serve()
    with connect(server):  # a client that keeps its connection and says nothing
        told = time.monotonic()
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - told < 5


def test_sigterm_while_starting_ends_it(serve: Serve) -> None:
    for milliseconds in (50, 150, 300, 500, 800):
        server = serve(wait=False)
        time.sleep(milliseconds / 1000)
        server.process.terminate()
        # Before it has a handler, the signal's own default ends it: as PID 1 the kernel holds the
        # signal back instead.
        assert server.process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_the_server_is_one_process(serve: Serve) -> None:
    server = serve()
    assert server.request("/predict", {"text": "x y"}).status == 200
    tasks = Path(f"/proc/{server.process.pid}/task")
    assert [(task / "children").read_text() for task in tasks.iterdir()] == [""] * len(
        [*tasks.iterdir()]
    )


def test_a_port_that_another_server_listens_on_is_refused(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    second = serve(wait=False, PORT=str(port_of(server)))
    assert second.process.wait(timeout=20) == 1
    (message,) = [path.read_text() for path in tmp_path.glob("*.err") if path.stat().st_size]
    assert message.startswith("The server cannot listen on HOST=127.0.0.1 and PORT=")
    assert message.count("\n") == 1


def test_a_host_may_be_a_name(serve: Serve) -> None:
    assert serve(HOST="localhost").request("/health/live").status == 200


@pytest.mark.parametrize("host", ["nowhere.invalid", "999.1.1.1", "192.0.2.1"])
def test_a_host_that_is_not_here_is_refused_in_one_line(
    serve: Serve, tmp_path: Path, host: str
) -> None:
    assert serve(wait=False, HOST=host).process.wait(timeout=60) == 1
    (errors,) = tmp_path.glob("*.err")
    assert errors.read_text().startswith(f"The server cannot listen on HOST={host} and PORT=")
    assert errors.read_text().count("\n") == 1


def test_it_answers_with_nobody_to_read_its_log(serve: Serve) -> None:
    server = serve(["/bin/sh", "-c", f"exec {sys.executable} -m function.serve >&-"])
    for _ in range(3):
        assert server.request("/predict", {"text": "x y"}).status == 200
        time.sleep(0.1)
    server.stop()
    assert server.output.with_suffix(".err").read_text() == ""


def test_every_line_of_stdout_is_json(serve: Serve) -> None:
    server = serve()
    server.request("/predict", {"text": "x y"})
    server.request("/nowhere")
    server.request("/predict", data=b"{")
    server.stop()
    assert {"INFO", "WARNING"} == {record["severity"] for record in server.records()}
    assert server.output.with_suffix(".err").read_text() == ""


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder that nobody may write."""
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    return folder


def dropped_to(uid: int) -> list[str]:
    """The command as another user, of no group that means anything and no name."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a process as another user")
    script = (
        "import os, runpy, sys\n"
        f"os.setgroups([]); os.setgid(0); os.setuid({uid})\n"
        "runpy.run_module('function.serve', run_name='__main__')"
    )
    return [sys.executable, "-c", script]


@pytest.mark.parametrize("uid", [65_532, 1_000_730_000])
def test_any_uid_serves_with_nothing_to_write(serve: Serve, sealed: Path, uid: int) -> None:
    if subprocess.run(["setpriv", f"--reuid={uid}", "--clear-groups", "ls", ROOT, sys.executable],
                      capture_output=True).returncode:  # fmt: skip
        pytest.skip("other users cannot read this checkout or its Python")
    server = serve(dropped_to(uid), sealed, HOME=str(sealed), TMPDIR=str(sealed / "none"))
    assert server.request("/predict", {"text": "I love it"}).status == 200
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert f"Uid:\t{uid}" in status
    assert server.stop() == 0
    assert list(sealed.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"MAX_CONCURRENCY": "0"}, "MAX_CONCURRENCY"),
        ({"DRAIN_SECONDS": "soon"}, "DRAIN_SECONDS"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"LABELS": "0"}, "LABELS"),
    ],
)
def test_a_bad_setting_ends_the_start_with_one_line(
    serve: Serve, environ: dict[str, str], named: str
) -> None:
    server = serve(wait=False, **environ)
    assert server.process.wait(timeout=20) == 1
    (line,) = server.output.with_suffix(".err").read_text().splitlines()
    assert named in line


def test_a_port_that_is_taken_ends_the_start_with_the_reason(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = serve(wait=False, PORT=str(taken.getsockname()[1]))
        assert server.process.wait(timeout=20) == 1
    (line,) = server.output.with_suffix(".err").read_text().splitlines()
    assert "PORT" in line


def test_reading_stdin_is_not_needed(serve: Serve) -> None:
    server = serve()  # started with stdin at EOF, as the contract has it
    assert json.loads(server.request("/health").body)["status"] == "healthy"
