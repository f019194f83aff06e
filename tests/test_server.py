"""The function's own server: no client, slow, idle, greedy or many, stops it for the others."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, clean_environ, modules_after
from tests.doors import (
    BODY,
    answers,
    commands,
    connect,
    many_descriptors,
    post,
    received,
    start_door,
)
from tests.processes import LiveServer, free_port, start_process
from tests.traffic import Traffic
from tests.warm import run_python

Serve = Callable[..., LiveServer]
HALF = {
    "nothing": b"",
    "half a head": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-",
    "half a body": post(b"/predict", b"Content-Length: 3000"),
    "half a chunk": post(b"/predict", b"Transfer-Encoding: chunked", body=b"ff\r\nabc"),
}


@pytest.fixture
def serve(compiled_folder: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start the server with the compiled model; stopped after the test."""
    started: list[LiveServer] = []

    def start(**given: Any) -> LiveServer:
        started.append(start_door("serve", compiled_folder, tmp_path, **given))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def seconds_of(ask: Callable[[], Any]) -> float:
    started = time.monotonic()
    ask()
    return time.monotonic() - started


def path_for(payload: Any) -> str:
    return "/predict" if payload else "/health/live"


def memory_megabytes(server: LiveServer) -> float:
    rollup = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) / 1024


def cpu_seconds(server: LiveServer) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("what", HALF)
def test_a_thousand_clients_that_stall_keep_nobody_waiting(serve: Serve, what: str) -> None:
    server = serve()
    server.request("/predict", {"text": "warm"})
    before = memory_megabytes(server)
    with many_descriptors(), ExitStack() as stalled:
        for _ in range(1000):
            client = stalled.enter_context(connect(server))
            client.sendall(HALF[what])
        waits = [
            seconds_of(lambda payload=payload: server.request(path_for(payload), payload))
            for payload in [{"text": "fine"}, None] * 50
        ]
        assert sorted(waits)[95] < 0.5  # measured in tests/benchmarks; here it must not hang
        assert memory_megabytes(server) - before < 40


@pytest.mark.parametrize("what", [what for what in HALF if what != "nothing"])
def test_what_stalls_is_408_and_the_connection_ends(serve: Serve, what: str) -> None:
    server = serve(READ_TIMEOUT_SECONDS="0.6")
    with connect(server) as client:
        client.sendall(HALF[what])
        started = time.monotonic()
        data = received(client)
        assert 0.5 < time.monotonic() - started < 5
    (answer,) = answers(data)
    assert answer.status == 408 and answer.problem["title"] == "Request Timeout"
    assert "READ_TIMEOUT_SECONDS=0.6," in answer.problem["detail"]
    assert answer.headers["connection"] == "close"
    assert [record["status"] for record in server.records() if "status" in record] == [408]


def test_what_drips_is_408_though_it_never_stalls(serve: Serve) -> None:
    server = serve(READ_TIMEOUT_SECONDS="1")
    with connect(server) as client:
        client.sendall(post(b"/predict", b"Content-Length: 3000", body=b""))
        client.settimeout(0.1)
        for _ in range(60):
            client.sendall(b" ")
            try:
                data = client.recv(65_536)
                break
            except TimeoutError:
                continue
    assert answers(data)[0].status == 408


def test_a_slow_body_that_keeps_coming_is_read(serve: Serve) -> None:
    server = serve(READ_TIMEOUT_SECONDS="1")
    body = json.dumps({"text": "x" * 9_000}).encode()
    with connect(server) as client:
        client.sendall(post(b"/predict", b"Content-Length: %d" % len(body), body=b""))
        for start in range(0, len(body), 1_500):
            client.sendall(body[start : start + 1_500])
            time.sleep(0.25)
        assert answers(received(client))[0].status == 200


def test_a_client_that_does_not_read_its_answers_is_let_go(serve: Serve) -> None:
    server = serve(READ_TIMEOUT_SECONDS="1")
    before = memory_megabytes(server)
    with connect(server) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.5)
        request = post(body=json.dumps({"text": "word " * 1_900}).encode())
        with pytest.raises(OSError):  # at first it is not read from, then it is cut off
            for _ in range(10_000):
                try:
                    client.sendall(request)
                except TimeoutError:
                    continue
    assert memory_megabytes(server) - before < 20
    assert server.request("/health").status == 200


def test_many_large_bodies_at_once_stay_within_bounds(serve: Serve) -> None:
    server = serve()
    server.request("/predict", {"text": "warm"})
    before = memory_megabytes(server)
    whole = json.dumps({"texts": ["word " * 1_900] * 100}).encode()
    with ExitStack() as clients:
        for _ in range(64):
            client = clients.enter_context(connect(server))
            client.setblocking(False)
            client.send(post(b"/predict_batch", b"Content-Length: %d" % len(whole), body=b""))
            with suppress(BlockingIOError):
                client.send(whole[:-1])
        time.sleep(1)
        assert server.request("/predict", {"text": "fine"}).status == 200
        assert server.request("/predict_batch", json.loads(whole)).status == 200
        assert memory_megabytes(server) - before < 60


def test_what_a_client_has_left_while_it_waited_is_not_worked_on(serve: Serve) -> None:
    server = serve()
    server.request("/predict", {"text": "warm"})
    body = json.dumps({"texts": ["some good words " * 9] * 100}).encode()
    clients = [connect(server) for _ in range(400)]
    for client in clients:
        client.sendall(post(b"/predict_batch", body=body))
    for client in clients:
        client.close()
    assert server.request("/predict", {"text": "fine"}).status == 200
    worked_on = [it for it in server.records() if it.get("path") == "/predict_batch"]
    assert len(worked_on) < len(clients)


SLOW_MODEL = """
import time
from mlflow.pyfunc import PythonModel
class Slow(PythonModel):
    def predict(self, context, model_input, params=None):
        texts = list(model_input["text"])
        if any(text.startswith("sleep") for text in texts):
            time.sleep(float(texts[0].split()[1]))
        return ["fine"] * len(texts)
"""


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyfunc model that takes as long as its text says: ``sleep 3``."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "slow_model.py").write_text(SLOW_MODEL)
    script = (
        "import mlflow.pyfunc, slow_model\n"
        "from mlflow.models import infer_signature\n"
        "import pandas as pd\n"
        "sign = infer_signature(pd.DataFrame({'text': ['a']}), ['fine'])\n"
        "mlflow.pyfunc.save_model('model', python_model=slow_model.Slow(),"
        " code_paths=['slow_model.py'], signature=sign, pip_requirements=[])\n"
    )
    ended = run_python(["-c", script], folder, clean_environ())
    assert ended.returncode == 0, ended.stderr
    return folder / "model"


@pytest.fixture
def serve_slow(serve: Serve, slow_model: Path) -> Serve:
    """The same with the slow model, loaded."""

    def start(**environ: str) -> LiveServer:
        model = {"COMPILED_MODEL": "", "MODEL_URI": str(slow_model)}
        server = serve(imports_mlflow=True, **model, **environ)
        deadline = time.monotonic() + 60
        while server.request("/health/ready").status != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        return server

    return start


def test_probes_are_answered_while_every_model_call_is_slow(serve_slow: Serve) -> None:
    server = serve_slow(MAX_CONCURRENCY="4", MAX_QUEUE="2")
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(server.request, "/predict", {"text": "sleep 2"}) for _ in range(8)]
        time.sleep(0.5)
        assert seconds_of(lambda: server.request("/health/live")) < 0.5
        assert seconds_of(lambda: server.request("/health/ready")) < 0.5
        metrics = server.request("/metrics").body.decode()
        assert {"sentiment_requests_in_flight 4.0", "sentiment_requests_queued 2.0"} <= {
            *metrics.splitlines()
        }
        replies = [future.result() for future in slow]
    assert sorted(reply.status for reply in replies) == [200] * 6 + [503] * 2
    refused = next(reply for reply in replies if reply.status == 503)
    assert int(refused.headers["Retry-After"]) >= 1
    assert "MAX_QUEUE=2" in refused.json["detail"]
    assert "sentiment_requests_shed_total 2.0" in server.request("/metrics").body.decode()


def test_a_request_that_takes_too_long_is_503_and_keeps_its_place(serve_slow: Serve) -> None:
    server = serve_slow(MAX_CONCURRENCY="1", MAX_QUEUE="1", REQUEST_TIMEOUT_SECONDS="0.7")
    before = server.request("/metrics").body.decode().count('route="/predict",status="200"')
    started = time.monotonic()
    reply = server.request("/predict", {"text": "sleep 3"})
    assert (reply.status, time.monotonic() - started < 2) == (503, True)
    assert "REQUEST_TIMEOUT_SECONDS=0.7" in reply.json["detail"]
    assert server.request("/predict", {"text": "quick"}).status == 503  # the one place is taken
    time.sleep(2.5)
    assert server.request("/predict", {"text": "quick"}).status == 200
    metrics = server.request("/metrics").body.decode()
    counted = 'sentiment_requests_total{method="POST",route="/predict",status="%d"} %.1f'
    assert counted % (503, 2) in metrics  # and the late answer is nobody's
    assert counted % (200, before + 1) in metrics
    assert "sentiment_requests_shed_total 0.0" in metrics


def test_a_call_that_never_ends_does_not_hold_the_exit(serve_slow: Serve) -> None:
    server = serve_slow(DRAIN_SECONDS="1")
    with connect(server) as client:
        client.sendall(post(body=b'{"text": "sleep 60"}'))
        time.sleep(0.5)
        server.process.terminate()
        assert seconds_of(lambda: server.process.wait(timeout=20)) < 4
    assert server.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_other_signals_that_end_a_process_let_it_drain(
    serve: Serve, number: signal.Signals
) -> None:
    server = serve()
    traffic = Traffic(int(server.url.rpartition(":")[2])).start()
    server.process.send_signal(number)
    assert server.process.wait(timeout=20) == 0
    assert traffic.join().lost == [] and set(traffic.statuses) == {200}


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE])
def test_signals_that_mean_nothing_here_are_ignored(serve: Serve, number: signal.Signals) -> None:
    server = serve()
    server.process.send_signal(number)
    time.sleep(0.3)
    assert server.request("/health").status == 200


def test_a_connection_that_is_old_ends_with_its_next_answer(serve: Serve) -> None:
    server = serve(MAX_CONNECTION_AGE_SECONDS="0.5")
    with connect(server) as client:
        client.sendall(post())
        assert "connection" not in answers(received(client, 0.2))[0].headers
        time.sleep(0.6)
        client.sendall(post())
        assert answers(received(client))[0].headers["connection"] == "close"


def test_ageing_connections_lose_no_request(serve: Serve) -> None:
    server = serve(MAX_CONNECTION_AGE_SECONDS="0.2")
    traffic = Traffic(int(server.url.rpartition(":")[2])).start()
    time.sleep(2)
    assert traffic.stop().lost == [] and set(traffic.statuses) == {200}


def start_with_few_descriptors(model: Path, tmp_path: Path) -> LiveServer:
    port = free_port()
    script = (
        "import resource, runpy, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "sys.argv = ['serve']\n"
        "runpy.run_module('function.serve', run_name='__main__')"
    )
    environ = {**clean_environ(), "COMPILED_MODEL": str(model), "HOST": "127.0.0.1"}
    command = [sys.executable, "-c", script]
    return start_process(command, ROOT, {**environ, "PORT": str(port)}, port, tmp_path)


def test_without_descriptors_it_waits_without_spinning_and_recovers(
    compiled_folder: Path, tmp_path: Path
) -> None:
    server = start_with_few_descriptors(compiled_folder, tmp_path)
    try:
        with ExitStack() as crowd:
            for _ in range(100):
                crowd.enter_context(connect(server)).sendall(HALF["half a head"])
            time.sleep(0.3)
            before = cpu_seconds(server)
            time.sleep(2)
            assert cpu_seconds(server) - before < 0.8
        assert seconds_of(lambda: server.request("/health")) < 3
    finally:
        assert server.stop() == 0


def test_idle_clients_make_room_for_one_with_a_request(serve: Serve) -> None:
    server = serve(MAX_CONNECTIONS="20")
    with ExitStack() as crowd:
        idle = [crowd.enter_context(connect(server)) for _ in range(20)]
        time.sleep(1.2)
        assert seconds_of(lambda: server.request("/predict", {"text": "fine"})) < 3
        closed, _, _ = select.select(idle, [], [], 1)
        assert len(closed) == 1 and closed[0].recv(10) == b""


def start_with_blocked_log(
    model: Path, door: str, **environ: str
) -> tuple[subprocess.Popen[bytes], int, str]:
    """A door whose stdout nobody reads; the process, the pipe's other end, and its URL."""

    read_end, write_end = os.pipe()
    port = free_port()
    given = {"COMPILED_MODEL": str(model), "HOST": "127.0.0.1", "PORT": str(port)}
    process = subprocess.Popen(
        commands(port)[door],
        cwd=ROOT,
        env={**clean_environ(), **given, **environ},
        stdout=write_end,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, read_end, url
        time.sleep(0.05)
    raise AssertionError("it does not listen")


@pytest.mark.parametrize("door", ["serve", "functions-framework"])
def test_a_log_that_nobody_reads_stops_nothing_and_is_accounted_for(
    compiled_folder: Path, door: str, tmp_path: Path
) -> None:
    process, pipe, url = start_with_blocked_log(compiled_folder, door, DRAIN_SECONDS="2")
    server = LiveServer(process, url, tmp_path / "none")
    try:
        server.request("/predict", {"text": "warm"})
        stream = post() * 39 + post(b"/predict", b"Connection: close")
        for _ in range(400 if door == "serve" else 40):
            with connect(server) as client:
                client.sendall(stream)
                received(client, quiet_seconds=0.02)
        before = memory_megabytes(server)
        assert server.request("/health/live").status == 200
        if door == "serve":
            for _ in range(100):
                with connect(server) as client:
                    client.sendall(stream)
                    received(client, quiet_seconds=0.02)
            assert memory_megabytes(server) - before < 3
            lines, deadline = b"", time.monotonic() + 20
            while b"dropped" not in lines and time.monotonic() < deadline:
                lines += os.read(pipe, 65_536)
            dropped = next(line for line in lines.splitlines() if b"dropped" in line)
            assert json.loads(dropped)["dropped"] > 0
            for _ in range(100):  # and block it again
                with connect(server) as client:
                    client.sendall(stream)
                    received(client, quiet_seconds=0.02)
        process.terminate()
        assert seconds_of(lambda: process.wait(timeout=30)) < 6
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(pipe)


@pytest.mark.parametrize("door", ["serve", "functions-framework"])
def test_a_log_whose_reader_has_gone_leaves_exit_status_0(
    compiled_folder: Path, door: str, tmp_path: Path
) -> None:
    process, pipe, url = start_with_blocked_log(compiled_folder, door)
    server = LiveServer(process, url, tmp_path / "none")
    assert server.request("/predict", {"text": "warm"}).status == 200
    os.close(pipe)
    for _ in range(3):
        assert server.request("/predict", {"text": "nobody reads"}).status == 200
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_compiled_model_that_never_loads_ends_the_process_with_the_reason(
    compiled_folder: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    if damage == "cut short":
        folder.mkdir()
        for file in compiled_folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes()[:-4])
    ended = subprocess.run(
        [sys.executable, "-m", "function.serve"],
        cwd=ROOT,
        env={**clean_environ(), "COMPILED_MODEL": str(folder), "PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and f"COMPILED_MODEL={folder}" in ended.stderr
    assert all(json.loads(line) for line in ended.stdout.splitlines())


def test_the_first_probe_finds_a_compiled_model_ready(serve: Serve) -> None:
    assert serve().request("/health/ready").status == 200


def test_a_start_is_accounted_for_in_one_record(serve: Serve) -> None:
    server = serve()
    server.request("/health/ready", headers={"User-Agent": "kube-probe/1.34"})
    for _ in range(3):
        server.request("/predict", {"text": "fine"})
    (record,) = [item for item in server.records() if item["message"] == "started"]
    parts = ("model_loaded_ms", "listening_ms", "first_probe_ms", "first_request_ms")
    assert list(map(record.get, parts)) == sorted(record[part] for part in parts)
    assert record["model_loaded_ms"] > 0 and record["first_request_ms"] < 60_000


def test_neither_flask_nor_a_heavy_package_is_in_the_process(compiled_folder: Path) -> None:
    loaded = modules_after(
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "from function.http.messages import Request\n"
        "import function.serve, function.server.server\n"
        "application = create_application(Settings.from_environ())\n"
        "application.service.models.load_now()\n"
        'body = b\'{"text": "fine"}\'\n'
        "answer = application(Request('POST', '/predict', {'host': 'x'}, body))\n"
        "assert answer.status == 200, answer\n",
        COMPILED_MODEL=str(compiled_folder),
    )
    heavy = {"flask", "werkzeug", "functions_framework", "asyncio", "logging", "argparse"}
    heavy |= {"mlflow", "sklearn", "pandas", "numpy", "dataclasses", "pydantic", "inspect", "ssl"}
    assert not loaded & heavy


def test_a_keyboard_interrupt_from_the_models_own_code_ends_no_server(
    compiled_folder: Path,
) -> None:
    from function.http.messages import Request
    from function.settings import Settings
    from function.wiring import create_application

    application = create_application(Settings(compiled_model=str(compiled_folder)))
    application.service.models.load_now()
    model = application.service.models.model
    assert model is not None

    def interrupt(texts: object) -> Any:
        raise KeyboardInterrupt

    model.predictor.predict = interrupt  # type: ignore[method-assign]
    assert application(Request("POST", "/predict", {"host": "x"}, BODY)).status == 500
