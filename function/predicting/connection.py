"""Where a service is, how it is asked, and what its answers mean."""

from __future__ import annotations

import json
from collections import deque
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from function.predicting.chunks import Unavailable, UsageProblem
from function.predicting.duplex import Duplex

CONNECT_SECONDS, IDLE_SECONDS = 10.0, 120.0
BUSY = (429, 502, 503, 504)
NDJSON = "application/x-ndjson"


class Busy(HTTPException):
    """The service is not there right now, and may say when it will be."""

    def __init__(self, told: str, retry_after_seconds: float | None) -> None:
        super().__init__(told)
        self.retry_after_seconds = retry_after_seconds


class Address:
    """A service's URL, with a key or a token for it."""

    def __init__(self, url: str, key: str) -> None:
        """UsageProblem where that is no URL."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            self._host, self._port = parts.hostname, parts.port
        except ValueError as exc:
            raise UsageProblem(f"--url is no URL: {exc}") from exc
        if parts.scheme not in ("http", "https") or not self._host or parts.query:
            raise UsageProblem("--url is to be http(s)://HOST[:PORT][/PATH]")
        if parts.username is not None:
            raise UsageProblem("--url has a user; keys and tokens go with --key")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.path = parts.path.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.shown = f"{parts.scheme}://{parts.netloc}{self.path}"

    def connection(self) -> HTTPConnection:
        """One to ask on; it connects when it is asked."""
        return self._kind(self._host or "", self._port, timeout=IDLE_SECONDS)

    def json_of(self, path: str) -> Any:
        """GET it; raises as ``check``."""
        connection = self.connection()
        try:
            connection.request("GET", self.path + path, headers=self.headers)
            response = connection.getresponse()
            self.check(response)
            return _json(response.read())
        finally:
            connection.close()

    def begin_lines(self) -> tuple[HTTPConnection, Duplex]:
        """Begin to POST lines, whose body is then sent by the second."""
        connection = self._kind(self._host or "", self._port, timeout=CONNECT_SECONDS)
        connection.connect()
        duplex = Duplex(connection.sock, IDLE_SECONDS)
        connection.sock = duplex
        connection.putrequest("POST", f"{self.path}/predict_batch", skip_accept_encoding=True)
        given = {"Content-Type": NDJSON, "Accept": NDJSON, "Transfer-Encoding": "chunked"}
        for name, value in (given | self.headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection, duplex

    def check(self, response: HTTPResponse) -> None:
        """Raise Busy for what may pass, Unavailable for what will not."""
        if response.status == 200:
            return
        problem = _json(response.read(65_536))
        said = problem.get("detail") if isinstance(problem, dict) else None
        told = f"answers {response.status} {response.reason}" + (f": {said}" if said else "")
        if response.status in BUSY:
            after = response.getheader("Retry-After") or ""
            raise Busy(told, float(after) if after.isdecimal() else None)
        if place := response.getheader("Location"):
            told += f"; it points to {place}"
        raise Unavailable(f"{self.shown} {told}")


class LineReader:
    """An answer's lines, as they come."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def take(self, count: int) -> list[str]:
        """So many; raises where the answer ends before."""
        while len(self._lines) < count:
            data = self._response.read1(65_536)
            if not data:
                last = self._lines[-1].decode() if self._lines else ""
                raise ConnectionError(f"the answer ended early {last}".strip())
            *whole, last_part = data.split(b"\n")
            if whole:
                whole[0] = self._rest + whole[0]
                self._rest = b""
                self._lines.extend(whole)
            self._rest += last_part
        return [self._lines.popleft().decode() for _ in range(count)]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
