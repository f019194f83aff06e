"""The HTTP client that asks MLflow servers: every way an answer can come, and can fail to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from function.registry.http1 import Answer, BrokenAnswer, HttpConnection

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Ask = Callable[..., tuple[HttpConnection, Answer]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Ask a server that answers these bytes, a piece at a time, and then hangs up."""
    opened: list[HttpConnection] = []
    threads: list[threading.Thread] = []

    def start(*pieces: bytes) -> tuple[HttpConnection, Answer]:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with closing(listener), listener.accept()[0] as client:
                client.recv(65_536)
                for piece in pieces:
                    client.sendall(piece)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        opened.append(HttpConnection("127.0.0.1", listener.getsockname()[1], 5))
        return opened[-1], opened[-1].ask("GET", "/", {}, None)

    yield start
    for connection in opened:
        connection.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r", b"\nhel", b"lo"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",),
        (CHUNKED + b"2;x\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",),
        (
            CHUNKED + b"5\r\nhel",
            b"lo\r\n0\r\nA: b\r\n\r\n",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo"),
    ],
    ids=["length", "pieces", "interim", "chunks", "trailers", "until-closed"],
)
def test_an_answer_is_read_whole_however_it_comes(ask: Ask, pieces: tuple[bytes, ...]) -> None:
    _, answer = ask(*pieces)
    assert (answer.status, answer.read()) == (200, b"hello")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        CHUNKED + b"5\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"hello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    ],
)
def test_an_answer_that_is_cut_short_or_malformed_is_none(ask: Ask, head: bytes) -> None:
    _, answer = ask(head)
    with pytest.raises(BrokenAnswer):
        answer.read()


@pytest.mark.parametrize("head", [b"", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 two\r\n\r\n", b"x" * 200_000])
def test_what_is_no_answer_is_refused_at_its_head(ask: Ask, head: bytes) -> None:
    with pytest.raises((BrokenAnswer, ConnectionError)):
        ask(head)


def test_of_an_answer_that_ends_its_connection_that_is_known(ask: Ask) -> None:
    _, kept = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    _, ended = ask(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert (kept.ends_connection, ended.ends_connection) == (False, True)


def test_a_connection_that_is_shut_from_another_thread_ends_the_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = HttpConnection("127.0.0.1", listener.getsockname()[1], 30)
        connection.connect()
        threading.Timer(0.05, connection.shut).start()
        with pytest.raises(BrokenAnswer):
            connection.ask("GET", "/", {}, None)
        connection.close()


def test_a_host_that_refuses_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            HttpConnection("127.0.0.1", unused.getsockname()[1], 5).connect()


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                with listener.accept()[0] as client:
                    client.recv(65_536)
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        connection = HttpConnection("127.0.0.1", listener.getsockname()[1], 5)
        assert [connection.ask("GET", "/", {}, None).read() for _ in range(2)] == [b"ok", b"ok"]
        thread.join()
        connection.close()


@pytest.mark.parametrize("size", [b"-5", b"0x5", b"1_0", b"", b"f" * 20])
def test_a_chunk_whose_size_is_no_number_is_refused(ask: Ask, size: bytes) -> None:
    _, answer = ask(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(BrokenAnswer):
        answer.read()
