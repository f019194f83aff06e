"""`python -m function.predict --url`: a service that comes, goes, and answers while it is asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from function import predict
from function.predicting import service
from tests.doors import start_door
from tests.fronts import write_certificate
from tests.predicting import Run, parsed, runner
from tests.processes import LiveServer, QuietHandler, on_loopback


@pytest.fixture(scope="module")
def server(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path_factory.mktemp("predict"))
    yield server
    server.stop()


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, compiled_folder: Path
) -> Run:
    return runner(capfd, monkeypatch, compiled_folder)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("short_pauses")
def test_a_connection_that_breaks_loses_and_doubles_nothing(
    run: Run, server: LiveServer, tmp_path: Path
) -> None:
    texts = [f"number {number}" for number in range(30_000)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts))
    with breaking(server, after_bytes=[0, 400_000, 900_000]) as url:
        status, out, err = run("--url", url, "--input", path)
    assert status == 0 and "trying again" in err
    assert [answer.get("text", answer) for answer in parsed(out)] == texts


class breaking:
    """A relay on loopback to a server, whose connections break after so many bytes of answer; the
    first is asked for the model and passes."""

    def __init__(self, server: LiveServer, after_bytes: list[int]) -> None:
        self._port = int(server.url.rpartition(":")[2])
        self._limits: list[float] = [float("inf"), *after_bytes]
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            limit = self._limits.pop(0) if self._limits else float("inf")
            threading.Thread(target=self._pass_on, args=(client, limit), daemon=True).start()

    def _pass_on(self, client: socket.socket, limit: float) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as upstream:
            asking = threading.Thread(target=relay, args=(client, upstream, float("inf")))
            asking.start()
            relay(upstream, client, limit)
            asking.join()


def relay(source: socket.socket, target: socket.socket, left: float) -> None:
    with suppress(OSError):
        while left > 0 and (data := source.recv(int(min(left, 65_536)))):
            target.sendall(data)
            left -= len(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def over_tls(server: LiveServer, folder: Path) -> Iterator[tuple[str, Path]]:
    """The server behind TLS, and the certificate to trust."""
    certificate = write_certificate(folder / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(server.url.rpartition(":")[2])
        upstream = await asyncio.open_connection("127.0.0.1", port)
        pumps = pump(reader, upstream[1]), pump(upstream[0], writer)
        try:
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            upstream[1].transport.abort()
            with suppress(AttributeError):  # of TLS that is closed: Python 3.11.2
                writer.transport.abort()

    async def end() -> None:
        listening.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.sleep(0.05)  # for what was aborted to be closed

    listening = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", certificate
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_tls_carries_both_ways_at_once(
    run: Run, server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"number {number}" for number in range(30_000)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(texts))
    with over_tls(server, tmp_path) as (url, certificate):
        refused = run("--url", url, "--input", path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        status, out, _ = run("--url", url, "--input", path)
    assert refused[0] == predict.UNAVAILABLE and "certificate verify failed" in refused[2]
    assert status == 0
    assert [answer.get("text", answer) for answer in parsed(out)] == texts


class Waking(QuietHandler):
    """A service that is loading when it is first asked."""

    asked: list[float] = []

    def do_GET(self) -> None:
        self.asked.append(time.monotonic())
        if len(self.asked) == 1:
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.end_headers()
            return
        assert self.headers["Authorization"] == "Bearer pomegranate"
        self.answer(b'{"labels": ["a"], "multilabel": false}')

    def do_POST(self) -> None:
        self.answer(b'{"text":"x","sentiment":"a","confidence":1.0,"model_version":"1"}\n')

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_service_that_wakes_up_is_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "pomegranate")
    with on_loopback(Waking) as url:
        status, out, err = run("--url", url, "x")
    assert status == 0 and parsed(out)[0]["sentiment"] == "a"
    assert "503" in err and "trying again in 1 s" in err
    assert Waking.asked[1] - Waking.asked[0] >= 1


def test_a_service_explains_as_the_model_in_this_process_does(run: Run, server: LiveServer) -> None:
    explain = ["--explain", "--top", "2", "Such a cosy café: AMAZING!", " "]
    for more in ([], ["--format", "table"], ["--format", "csv"]):
        status, out, _ = run(*explain, *more)
        there, found, _ = run("--url", server.url, *explain, *more)
        assert status == there == predict.ERRORS
        assert found == out
    assert "amazing +" in out


class Refusing(QuietHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"detail": "Send a key."}')


@pytest.mark.usefixtures("short_pauses")
def test_what_cannot_be_had_is_status_3_and_one_line(run: Run, tmp_path: Path) -> None:
    with on_loopback(Refusing) as url:
        assert "401 Unauthorized: Send a key." in expect_unavailable(run, "--url", url)
    assert "refused" in expect_unavailable(run, "--url", url)
    assert "no such file" in expect_unavailable(run, "--compiled", tmp_path)


def expect_unavailable(run: Run, *arguments: object) -> str:
    status, out, err = run(*arguments, "x")
    assert (status, out) == (predict.UNAVAILABLE, "")
    return err.splitlines()[-1]
