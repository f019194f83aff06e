"""The keys that tokens are verified with: a JSON Web Key Set (RFC 7517), from a file or a server.

A server is asked in a thread of its own, so no request waits for one that is slow but those that
bring a key id that is not known, and these for seconds at most. What was fetched is fetched again
after a while, and sooner for an unknown id, as issuers change keys; while the server is away the
keys that were there still hold, for an hour.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jwt
from jwt.exceptions import PyJWTError

from function.errors import InvalidSetting
from function.security.watched import Tell, WatchedFile

FETCH_SECONDS = 5.0
MOST_BYTES = 262_144
LIFETIME_SECONDS = 300.0
PAUSE_SECONDS = 5.0
"""Between two fetches, whatever ids are asked for: tokens cost nothing to invent."""
MOST_STALE_SECONDS = 3600.0
MOST_WAITING = 4
"""Requests that wait for a fetch at a time: anybody can bring a token with an id of his own."""
LEAST_RSA_BITS = 2048
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}


class VerifyingKey(NamedTuple):
    """A public key, and the one algorithm that it is for: a token does not choose."""

    key: Any
    algorithm: str


Keys = dict[str, VerifyingKey]


def parse(text: str | bytes) -> Keys:
    """The keys that can verify, by id; raises InvalidSetting where it is no key set."""
    try:
        listed = json.loads(text)["keys"]
        found = [(str(one.get("kid", "")), _verifying(one)) for one in listed]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise InvalidSetting("JWT_JWKS", "its content", "a JSON Web Key Set") from exc
    keys = {name: key for name, key in found if key is not None}
    if not keys:
        expected = "at least one public key for RS256, ES256 (P-256) or EdDSA (Ed25519)"
        raise InvalidSetting("JWT_JWKS", "its content", expected)
    return keys


def _verifying(one: dict[str, Any]) -> VerifyingKey | None:
    """None for a key of another kind or purpose: a set may have these for others."""
    kind = one.get("kty")
    algorithm = _ALGORITHMS.get(str(kind))
    if algorithm is None or one.get("alg", algorithm) != algorithm or one.get("use") == "enc":
        return None
    if one.get("crv") != _CURVES.get(str(kind)) or "d" in one:
        return None
    try:
        key = jwt.PyJWK.from_dict(one, algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    if kind == "RSA" and key.key_size < LEAST_RSA_BITS:
        return None
    return VerifyingKey(key, algorithm)


class KeySet(Protocol):
    """Where keys are looked up."""

    def keys(self) -> Keys | None:
        """Those that hold now; None where there have never been any."""

    def must_wait(self, key_id: str) -> bool:
        """Whether asking the server may bring this key, and may be done now."""

    def wait(self) -> None:
        """Until the server has been asked, or has had time enough."""


class FileKeySet:
    """Keys from a mounted file, read again when it changes."""

    def __init__(self, path: str, tell: Tell) -> None:
        self._file = WatchedFile("JWT_JWKS", Path(path), parse, tell)

    def keys(self) -> Keys:
        return self._file.content()

    def must_wait(self, key_id: str) -> bool:
        return False

    def wait(self) -> None: ...


class RemoteKeySet:
    """Keys from a server."""

    def __init__(self, url: str, tell: Tell) -> None:
        self._url = url
        self._tell = tell
        self._keys: Keys | None = None
        self._fetched_at = -MOST_STALE_SECONDS
        self._failures = 0
        self._forget()
        self._start()
        os.register_at_fork(after_in_child=self._forget)  # the thread is the parent's

    def keys(self) -> Keys | None:
        age = time.monotonic() - self._fetched_at
        if age > LIFETIME_SECONDS:
            self._start()
        return self._keys if age < MOST_STALE_SECONDS else None

    def must_wait(self, key_id: str) -> bool:
        keys = self.keys()
        if keys and (key_id in keys or not key_id):
            return False
        return time.monotonic() < self._gives_up_at or self._may_ask()

    def wait(self) -> None:
        under_way = self._start()
        if under_way is not None and self._places.acquire(blocking=False):
            under_way.wait(max(0.0, self._gives_up_at - time.monotonic()))
            self._places.release()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._under_way: threading.Event | None = None
        self._gives_up_at = self._asks_again_at = 0.0

    def _may_ask(self) -> bool:
        return time.monotonic() >= self._asks_again_at

    def _start(self) -> threading.Event | None:
        """Ask the server, unless somebody does or did a moment ago; what is set at the end. One
        that has not answered in time is given up, and what it says later is not heard."""
        with self._lock:
            now = time.monotonic()
            if self._under_way is not None and now >= self._gives_up_at:
                self._end(self._under_way, TimeoutError("no answer in time"))
            if self._under_way is None and self._may_ask():
                self._gives_up_at = now + FETCH_SECONDS
                self._under_way = threading.Event()
                threading.Thread(
                    target=self._run, args=(self._under_way,), name="jwks", daemon=True
                ).start()
            return self._under_way

    def _run(self, own: threading.Event) -> None:
        found: Keys | Exception
        try:
            found = parse(_fetched(self._url))
        except urllib.error.HTTPError as error:
            with error:
                found = ValueError(f"HTTP status {error.code}")
        except Exception as exc:
            found = exc
        with self._lock:
            if self._under_way is own:
                self._end(own, found)

    def _end(self, own: threading.Event, found: Keys | Exception) -> None:
        """Take what was found, and pause: longer each time that nothing comes of it."""
        now = time.monotonic()
        if isinstance(found, Exception):
            self._failures += 1
            if self._failures == 1:
                told = "the keys that verify tokens cannot be fetched from JWT_JWKS"
                self._tell(f"{told}: {found or type(found).__name__}")
        else:
            self._keys, self._fetched_at, self._failures = found, now, 0
        self._asks_again_at = now + PAUSE_SECONDS * 2 ** min(max(self._failures - 1, 0), 4)
        self._under_way, self._gives_up_at = None, 0.0
        own.set()


class _NoWayOutOfTls(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none that leaves https."""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any
    ) -> Any:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError("it redirects from https to something else")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(url: str) -> bytes:
    """The body of the answer, of MOST_BYTES at most."""
    until, content = time.monotonic() + FETCH_SECONDS, b""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    opener = urllib.request.build_opener(_NoWayOutOfTls)
    with opener.open(request, timeout=FETCH_SECONDS) as response:
        while chunk := response.read1(MOST_BYTES + 1 - len(content)):
            content += chunk
            if len(content) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes")
            if time.monotonic() > until:
                raise TimeoutError(f"it took longer than {FETCH_SECONDS:g} s")
    return content
