"""``python -m tests.fuzz``: conversations that no client should have, with both doors.

Requests that are nearly right, in every part, with bodies that Hypothesis makes, some with a few
bytes changed or lost. Whatever comes, a door answers within two seconds or closes, never with a
status of 5xx but an honest 503 (or the 501 of a method or coding that is unknown), and no text is
in any log.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some

from function.compiled import writing
from function.compiler.compiler import translate
from function.http.routes import ROUTES
from tests.doors import commands, connect, start_door
from tests.processes import LiveServer
from tests.registry import strings_pipeline

LONGEST_WAIT_SECONDS = 2.0
MARK = "qzxfuzzmark"
"""In every text that is sent, so that it would be found in a log."""
MOST_REQUESTS = 8
POOL_SIZE = 1000
"""Of one conversation."""
_PROGRESS_SECONDS = 2.0
_HEAD = re.compile(r"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")

PATHS = [
    *ROUTES,
    "//predict/",
    "/predict?x=1",
    "/pre%64ict",
    "/%00",
    "/..",
    "*",
    "http://x/predict",
]
METHODS = ["GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "BREW", "get", ""]
FIELDS = [
    *("Content-Type: application/json", "Content-Type: text/plain", "Content-Type: ;;"),
    *("Content-Type: application/x-ndjson", "Content-Type: text/csv", "Accept-Encoding: gzip"),
    *("Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: x"),
    *("Content-Length: 5", "Content-Length: -1", "Content-Length: 99999999", "Content-Length: 1_0"),
    *("Expect: 100-continue", "Expect: 200-ok", "Connection: close", "Connection: keep-alive"),
    *("Accept: text/html", "Accept: */*;q=0", "Accept: application/json;q=x", "Upgrade: websocket"),
    *("Host: y", "Host:", "X-Request-ID: \x01", "X-Request-ID: " + "a" * 200, "Cookie: a=b"),
    *("traceparent: 00-" + "0" * 32, "X-Cloud-Trace-Context: 1/2;o=9", "Authorization: Bearer x"),
    *("X-API-Key: k", "Origin: null", "Access-Control-Request-Method: POST", "A" * 300 + ": b"),
    *("X-MLflow-Signature: v1,x", "Accept: text/plain;version=x", " folded: x", "no colon", ": x"),
]

marked = some.text(max_size=40).map(lambda text: f"{MARK} {text}")
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | marked,
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(some.sampled_from(["text", "texts", "return_scores", "x"]), inner)
    ),
    max_leaves=6,
)
right = marked.map(lambda text: {"text": text}) | some.lists(marked, max_size=5).map(
    lambda texts: {"texts": texts}
)
bodies = (right | values).map(lambda value: json.dumps(value).encode()) | some.sampled_from(
    [
        b"",
        b"[" * 5000,
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": 1e999}',
        b"9" * 6000,
        gzip.compress(b'{"text": "lovely"}'),
        b"5\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
    ]
)


def pool(number: int) -> list[bytes]:
    """Bodies that Hypothesis thinks of; it takes milliseconds for each."""
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=POOL_SIZE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies)
    def collect(body: bytes) -> None:
        found.append(body)

    collect()
    return found


class Client:
    """Makes conversations of requests that are right but for a part or two, or a few bytes."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._bodies = pool(number)

    def conversation(self) -> list[bytes]:
        """Requests to be sent one right after the other."""
        return [self.request() for _ in range(self._random.randint(1, MOST_REQUESTS))]

    def request(self) -> bytes:
        """One of them."""
        pick, chance = self._random.choice, self._random.random
        body = pick(self._bodies)
        is_plain = chance() < 0.5
        method = "POST" if is_plain else pick(METHODS)
        lines = [f"{method} {pick(['/predict', '/predict_batch'] if is_plain else PATHS)} HTTP/1.1"]
        lines += ["Host: x"] * (1 if chance() < 0.95 else pick([0, 2]))
        if chance() < 0.4:
            lines += self._random.sample(FIELDS, self._random.randint(1, 3))
        if chance() < 0.95:
            lines.append(f"Content-Length: {len(body)}")
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
        return whole if chance() < 0.9 else self._changed(whole)

    def _changed(self, whole: bytes) -> bytes:
        place, gone = self._random.randrange(len(whole)), self._random.randint(0, 8)
        more = self._random.randbytes(self._random.randint(0, 8))
        return whole[:place] + more + whole[place + gone :]


def hold(server: LiveServer, conversation: list[bytes]) -> list[tuple[int, str]]:
    """Say all of it at once; the status and the fields of each answer until the server closes.
    TimeoutError where it is silent for too long."""
    heard = b""
    with connect(server, LONGEST_WAIT_SECONDS) as client:
        try:
            client.sendall(b"".join(conversation))
            client.shutdown(socket.SHUT_WR)
        except OSError:  # it has heard enough
            pass
        try:
            while chunk := client.recv(65_536):
                heard += chunk
        except ConnectionError:
            pass
    found = _HEAD.findall(heard.decode("latin-1"))
    return [(int(status), fields) for status, fields in found]


def fault(server: LiveServer, conversation: list[bytes], seen: Counter[int]) -> str | None:
    """What the door did that none may; None where all is well."""
    try:
        heads = hold(server, conversation)
    except TimeoutError:
        return f"no end within {LONGEST_WAIT_SECONDS:g} s"
    for status, fields in heads:
        seen[status] += 1
        if status == 503 and "Retry-After" not in fields:
            return f"503 without Retry-After: {fields}"
        if status >= 500 and status not in (501, 503):
            return f"{status}: {fields}"
    return None


def shortest(server: LiveServer, conversation: list[bytes]) -> list[bytes]:
    """A part of a conversation that goes wrong as well."""
    for length in range(1, len(conversation)):
        for start in range(len(conversation) - length + 1):
            part = conversation[start : start + length]
            if fault(server, part, Counter()):
                return part
    return conversation


def fuzz(name: str, server: LiveServer, count: int, number: int) -> None:
    """Hold conversations of ``count`` requests with one door; ends the process with the words that
    it cannot bear."""
    client, seen, said, told = Client(number), Counter[int](), 0, time.monotonic()
    while said < count:
        conversation = client.conversation()
        said += len(conversation)
        if wrong := fault(server, conversation, seen):
            sys.exit(f"{name}: {wrong}\n{shortest(server, conversation)}")
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"  {name}: {said:,} of {count:,} requests", flush=True)
    if server.request("/predict", {"text": "lovely"}).status != 200:
        sys.exit(f"{name}: it answers no prediction any more")
    log = server.output.read_text() + server.output.with_suffix(".err").read_text()
    for sign, wrong in ((MARK, "a text is in the log"), ("Traceback", "something broke")):
        if sign in log:
            line = next(line for line in log.splitlines() if sign in line)
            sys.exit(f"{name}: {wrong}: {line[:500]}")
    statuses = ", ".join(f"{status} x {times:,}" for status, times in sorted(seen.items()))
    print(f"{name}: {said:,} requests; {statuses}", flush=True)


def main() -> None:
    """Fuzz the doors; a conversation that one cannot bear is shown, as short as it gets."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Holds conversations with both doors that no client should have.",
        epilog="example: python -m tests.fuzz --requests 1000000 --seed 7 --door serve",
    )
    parser.add_argument("--requests", type=int, default=100_000, help="in all (100,000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to do the same again")
    parser.add_argument("--door", choices=commands(0), help="only this one")
    given = parser.parse_args()
    names = [given.door] if given.door else [*commands(0)]
    print(f"--seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        writing.save(folder / "model", translate(strings_pipeline()), {"model_name": "reviews"})
        for name in names:
            server = start_door(
                *(name, folder / "model", folder), MAX_BODY_BYTES="20000", LOG_LEVEL="DEBUG"
            )
            try:
                fuzz(name, server, given.requests // len(names), given.seed)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
