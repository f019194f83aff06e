"""One function, two doors: what is asked of either is answered the same, byte for byte.

`functions-framework --target=handle` and `python -m function.serve`, as real processes around one
compiled model. What the servers themselves add or decide is said in the table below, and nowhere
else may they differ.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from function.http.routes import ROUTES
from tests.doors import BODY, Answer, answers, connect, get, post, raw, received, start_door
from tests.processes import LiveServer

JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
LIMIT = 20_000
HALF_A_GZIP = gzip.compress(BODY)[:-9]
OF_THE_PROCESS = {
    "/models/info": "says when it was loaded, and how long that took",
    "/metrics": "says what this process has answered",
}
Doors = dict[str, LiveServer]


@pytest.fixture(scope="module")
def doors(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    names = ("functions-framework", "serve")
    opened = {
        name: start_door(name, compiled_folder, folder, MAX_BODY_BYTES=str(LIMIT)) for name in names
    }
    for server in opened.values():
        assert server.request("/predict", {"text": "load the model"}).status == 200
    yield opened
    for server in opened.values():
        server.stop()


def ask(doors: Doors, request: bytes, ends_sending: bool = False) -> Answer:
    """The one answer of both doors, who must agree on it."""
    with ThreadPoolExecutor(len(doors)) as pool:  # each is listened to until it has been quiet
        asked = {name: pool.submit(raw, doors[name], request, ends_sending) for name in doors}
    found = {name: answered.result() for name, answered in asked.items()}
    described = [[answer.described for answer in given] for given in found.values()]
    assert described[0] == described[1]
    return found["serve"][0]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"])
@pytest.mark.parametrize("path", [*ROUTES, "/nowhere", "/robots.txt", "/favicon.ico"])
def test_each_path_and_method_is_answered_alike(doors: Doors, path: str, method: bytes) -> None:
    if path in OF_THE_PROCESS and method == b"GET":
        pytest.skip(OF_THE_PROCESS[path])
    answer = ask(doors, get(path.encode(), b"Content-Length: 0", method=method))
    assert answer.status in (200, 204, 400, 404, 405)


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere"])
def test_head_is_answered_alike_and_without_a_body(doors: Doors, path: str) -> None:
    if path in OF_THE_PROCESS:
        pytest.skip(OF_THE_PROCESS[path])
    request = get(path.encode(), b"Connection: close", method=b"HEAD")
    heads = []
    for server in doors.values():
        with connect(server) as client:
            client.sendall(request)
            (answer,) = answers(received(client), is_head=True)
        assert answer.body == b""
        heads.append(answer.described)
    assert heads[0] == heads[1]


FAULTS: list[tuple[str, bytes, int]] = [
    ("a good request", post(), 200),
    ("a crème brûlée", post(body='{"text": "Crème brûlée 🍮"}'.encode()), 200),
    ("scores", post(body=b'{"text": "fine", "return_scores": true}'), 200),
    ("a batch", post(b"/predict_batch", body=b'{"texts": ["a b", "terrible"]}'), 200),
    ("a charset", post(b"/predict", b"Content-Type: application/json; charset=utf-8"), 200),
    ("a suffix", post(b"/predict", b"Content-Type: application/cloudevents+json"), 200),
    ("no content type", post(b"/predict"), 200),
    ("a query", post(b"/predict?x=%20&y=a?b"), 200),
    ("doubled slashes", post(b"//predict"), 200),
    ("slashes in between", get(b"/health//live"), 200),
    ("a trailing slash", post(b"/predict/"), 200),
    ("percent-encoded letters", post(b"/%70redict"), 200),
    ("a percent-encoded slash", get(b"/health%2Flive"), 200),
    ("absolute form", post(b"http://x/predict"), 200),
    ("a chunked body", post(b"/predict", CHUNKED, body=b"24\r\n%s\r\n0\r\n\r\n" % BODY), 200),
    ("chunk extensions", post(b"/predict", CHUNKED, body=b"24;a=b\r\n%s\r\n0\r\n\r\n" % BODY), 200),
    ("expect 100", post(b"/predict", b"Expect: 100-continue"), 200),
    ("gzip", post(b"/predict", b"Content-Encoding: gzip", body=gzip.compress(BODY)), 200),
    ("deflate", post(b"/predict", b"Content-Encoding: deflate", body=zlib.compress(BODY)), 200),
    ("identity", post(b"/predict", b"Content-Encoding: identity"), 200),
    ("an upgrade", post(b"/predict", b"Connection: Upgrade", b"Upgrade: h2c"), 200),
    ("no JSON", post(body=b"{"), 400),
    ("an empty body", post(body=b""), 400),
    ("gzip that is none", post(b"/predict", b"Content-Encoding: gzip"), 400),
    ("half a gzip", post(b"/predict", b"Content-Encoding: gzip", body=HALF_A_GZIP), 400),
    ("an unknown path", get(b"/nowhere"), 404),
    ("a newline in the path", get(b"/pre%0Adict"), 404),
    ("a NUL in the path", get(b"/pre%00dict"), 404),
    ("no UTF-8 in the path", get(b"/%ff%fe"), 404),
    ("dots in the path", get(b"/x/../health"), 404),
    ("a wrong method", get(b"/predict"), 405),
    ("a client without JSON", get(b"/health", b"Accept: text/csv"), 406),
    ("JSON refused", get(b"/health", b"Accept: application/json;q=0, text/html"), 406),
    ("JSON among others", get(b"/health", b"Accept: text/csv, application/*;q=0.1"), 200),
    ("another content type", post(b"/predict", b"Content-Type: text/plain"), 415),
    ("an unknown coding", post(b"/predict", b"Content-Encoding: br"), 415),
    ("an invalid text", post(body=b'{"text": ""}'), 422),
    ("an unknown field", post(body=b'{"text": "a", "return_score": true}'), 422),
    ("an unknown method", get(b"/health", method=b"PROPFIND"), 501),
]  # fmt: skip


@pytest.mark.parametrize(("what", "request_", "status"), FAULTS, ids=[row[0] for row in FAULTS])
def test_every_request_is_answered_alike(
    doors: Doors, what: str, request_: bytes, status: int
) -> None:
    answer = ask(doors, request_)
    assert answer.status == status
    if status >= 400:
        assert answer.problem["status"] == status
    else:
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_alike(doors: Doors, chunked: bool) -> None:
    body = b" " * (LIMIT + 1)
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    request = post(b"/predict", *([CHUNKED] if chunked else []), body=framed)
    assert ask(doors, request).problem["status"] == 413


def test_what_a_compressed_body_expands_to_counts(doors: Doors) -> None:
    bomb = gzip.compress(json.dumps({"text": "a" * 50_000_000}).encode())
    for body in (bomb[:LIMIT], gzip.compress(b" " * (LIMIT + 1))):
        answer = ask(doors, post(b"/predict", b"Content-Encoding: gzip", body=body))
        assert answer.problem["status"] == 413


def test_a_coding_that_is_not_known_is_told_which_are(doors: Doors) -> None:
    answer = ask(doors, post(b"/predict", b"Content-Encoding: br"))
    assert answer.headers["accept-encoding"] == "gzip, deflate"


def test_a_body_cut_short_is_400_alike(doors: Doors) -> None:
    request = post(b"/predict", b"Content-Length: 500")
    assert ask(doors, request, ends_sending=True).problem["status"] == 400


def test_a_request_id_is_taken_over_by_both(doors: Doors) -> None:
    for server in doors.values():
        (answer,) = raw(server, get(b"/health", b"X-Request-ID: abc"))
        assert answer.headers["x-request-id"] == "abc"


def test_http_1_0_is_answered_and_closed(doors: Doors) -> None:
    for server in doors.values():
        (answer,) = raw(server, b"GET /health HTTP/1.0\r\n\r\n")
        assert (answer.status, answer.headers.get("connection")) == (200, "close")


def test_an_absolute_form_without_a_path_is_the_root(doors: Doors) -> None:
    """Flask would redirect where there is no path at all."""
    for server in doors.values():
        assert raw(server, get(b"http://x"))[0].status == 200


def test_pipelined_requests_are_answered_in_order(doors: Doors) -> None:
    """gunicorn's threads answer the first and forget the rest until more arrives."""
    texts = [b'{"text": "number %d"}' % number for number in range(40)]
    stream = b"".join(post(body=text) for text in texts[:-1])
    stream += post(b"/predict", b"Connection: close", body=texts[-1])
    found = raw(doors["serve"], stream, quiet_seconds=5)
    assert [json.loads(answer.body)["text"] for answer in found] == [
        json.loads(text)["text"] for text in texts
    ]


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_request_names_one_host(doors: Doors, hosts: int) -> None:
    fields = [b"Host: x"] * hosts
    for server in doors.values():
        found = raw(server, b"\r\n".join([b"GET /health HTTP/1.1", *fields, b"", b""]))
        assert [answer.status for answer in found] == [400]


# What is no HTTP that can be read never reaches the function under functions-framework: gunicorn
# answers by itself, in HTML. The function's own server answers in the one shape of every error.
UNREADABLE: list[tuple[str, bytes, int]] = [
    ("no request", b"hello\r\n\r\n", 400),
    ("no version", b"GET /health\r\nHost: x\r\n\r\n", 400),
    ("an unknown version", b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    ("a space in a field name", get(b"/health", b"X y: z"), 400),
    ("a field without a name", get(b"/health", b": z"), 400),
    ("a folded field", get(b"/health", b"X: y\r\n z"), 400),
    ("a control character", get(b"/health", b"X: a\x01b\x00"), 400),
    ("two lengths", post(b"/predict", b"Content-Length: 36", b"Content-Length: 35"), 400),
    ("a length and chunks", post(b"/predict", b"Content-Length: 36", CHUNKED), 400),
    ("a length that is none", post(b"/predict", b"Content-Length: x"), 400),
    ("a negative length", post(b"/predict", b"Content-Length: -1"), 400),
    ("a huge length", post(b"/predict", b"Content-Length: 99999999999999999999999"), 400),
    ("a bad chunk", post(b"/predict", CHUNKED, body=b"xyz\r\n"), 400),
    ("another transfer coding", post(b"/predict", b"Transfer-Encoding: gzip"), 501),
    ("chunks in something", post(b"/predict", b"Transfer-Encoding: gzip, chunked"), 501),
    ("another expectation", post(b"/predict", b"Expect: a-miracle"), 417),
    ("an unknown method", get(b"/health", method=b"BREW"), 501),
    ("too many fields", get(b"/health", *[b"X-%d: y" % n for n in range(200)]), 431),
    ("a long field", get(b"/health", b"X: " + b"y" * 200_000), 431),
    ("a long path", get(b"/" + b"y" * 200_000), 431),
]


@pytest.mark.parametrize(
    ("what", "request_", "status"), UNREADABLE, ids=[row[0] for row in UNREADABLE]
)
def test_what_is_not_http_is_refused_and_the_server_lives(
    doors: Doors, what: str, request_: bytes, status: int
) -> None:
    (answer,) = raw(doors["serve"], request_)
    assert answer.problem["status"] == status
    assert answer.headers["connection"] == "close"
    for server in doors.values():
        for answer in raw(server, request_, patience_seconds=1):
            assert answer.status < 500 or answer.status == 501
        assert server.request("/health").status == 200


def test_a_forbidden_trailer_is_no_failure_of_the_server(doors: Doors) -> None:
    chunks = b"24\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n" % BODY
    for server in doors.values():
        for answer in raw(server, post(b"/predict", CHUNKED, body=chunks)):
            assert answer.status in (200, 400)


def test_no_server_names_its_version(doors: Doors) -> None:
    for server in doors.values():
        (answer,) = raw(server, get())
        assert not any(character.isdigit() for character in answer.headers.get("server", ""))


def test_an_http_2_preface_is_refused(doors: Doors) -> None:
    (answer,) = raw(doors["serve"], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert answer.status == 400


def test_the_log_of_either_is_json_throughout(doors: Doors) -> None:
    for server in doors.values():
        assert all("time" in record for record in server.records())
        assert "Traceback" not in server.output.with_suffix(".err").read_text()
