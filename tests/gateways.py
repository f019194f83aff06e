"""A proxy on loopback between a browser and the service, as gateways are: under a prefix, slow, or
answering for a service that is starting."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.processes import LiveServer, QuietHandler, on_loopback

WEIGHTS = {"lovely": 1.5, "wonderful": 1.2, "not": -0.9, "terrible": -1.4}
Reply = tuple[int, dict[str, str], bytes]
Stand = Callable[[str, bytes], Reply | None]
"""From path and body to what is answered in its stead, None where the service is asked."""


def explained(path: str, body: bytes) -> Reply | None:
    """What /explain answers of words with a weight each; all others are unknown."""
    if path != "/explain":
        return None
    asked = json.loads(body)
    known: dict[str, list[list[int]]] = {}
    unknown: dict[str, list[list[int]]] = {}
    for word in re.finditer(r"\w+", asked["text"]):
        place = known if word[0].lower() in WEIGHTS else unknown
        place.setdefault(word[0].lower(), []).append([word.start(), word.end()])
    terms = [
        {"term": term, "value": 1, "weight": WEIGHTS[term], "contribution": WEIGHTS[term]}
        | {"spans": spans}
        for term, spans in known.items()
    ]
    explanation = {
        "label": asked.get("label", "positive"),
        "score": sum(term["contribution"] for term in terms),
        "intercept": 0.1,
        "terms": terms,
        "rest": {"terms": 0, "contribution": 0},
        "unknown": [{"term": term, "spans": spans} for term, spans in unknown.items()],
        "link": {"kind": "softmax", "scores": {}, "probability": 0.8},
    }
    answer = {"text": asked["text"], "explanation": explanation}
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


@contextmanager
def front(
    server: LiveServer,
    stand: Stand = explained,
    prefix: str = "",
    tells_prefix: bool = False,
    seen: list[tuple[str, dict[str, str]]] | None = None,
) -> Iterator[str]:
    """The address of a proxy that strips ``prefix``; ``seen`` gets each path and its headers."""
    host = urlsplit(server.url).netloc

    class Front(QuietHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.removeprefix(prefix) or "/"
            if seen is not None:
                seen.append((path, dict(self.headers)))
            if not self.path.startswith(prefix):
                reply = (404, {}, b"")
            else:
                reply = stand(path, body) or self._asked(path, body)
            status, headers, content = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _asked(self, path: str, body: bytes) -> Reply:
            headers = dict(self.headers) | {"Host": host}
            if tells_prefix:
                headers["X-Forwarded-Prefix"] = prefix
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(self.command, path, body or None, headers)
            response = connection.getresponse()
            dropped = ("transfer-encoding", "connection", "content-length", "date", "server")
            kept = {
                name: value for name, value in response.getheaders() if name.lower() not in dropped
            }
            content = response.read()
            connection.close()
            return response.status, kept, content

        do_GET = do_POST = do_HEAD = do_OPTIONS = _answer

    with on_loopback(Front) as url:
        yield url + prefix


def late(first: bytes, seconds: float) -> Stand:
    """As ``explained``, but what has ``first`` in its body is answered late."""

    def stand(path: str, body: bytes) -> Reply | None:
        if first in body:
            time.sleep(seconds)
        return explained(path, body)

    return stand


def starting(times: int) -> Stand:
    """As ``explained``, once the model's answers have been 503 so many times."""
    left = [times]

    def stand(path: str, body: bytes) -> Reply | None:
        if path in ("/predict", "/models/info") and left[0] > 0:
            left[0] -= 1
            problem: dict[str, Any] = {"status": 503, "detail": "The model is loading."}
            headers = {"Content-Type": "application/problem+json", "Retry-After": "1"}
            return 503, headers, json.dumps(problem).encode()
        return explained(path, body)

    return stand
