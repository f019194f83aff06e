"""Requests to an ingress with or without DNS, load, and what the answers add up to."""

from __future__ import annotations

import http.client
import json
import math
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TEXT = {"text": "This product is amazing!"}


@dataclass(frozen=True)
class Endpoint:
    """Where to connect, and the host to ask for there."""

    scheme: str
    address: str
    port: int
    path: str
    host: str

    def connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if self.scheme == "https":
            return http.client.HTTPSConnection(
                self.address,
                self.port,
                timeout=timeout_seconds,
                context=ssl.create_default_context(),
            )
        return http.client.HTTPConnection(self.address, self.port, timeout=timeout_seconds)


def endpoint(service_url: str, ingress_url: str = "", host_header: str = "{host}") -> Endpoint:
    """The Service's own URL; or the ingress's, asked for the Service's host by header."""
    own = urlsplit(service_url)
    via = urlsplit(ingress_url or service_url)
    for name, url, parts in (("status", service_url, own), ("E2E_URL", ingress_url, via)):
        if (url or name == "status") and (
            parts.scheme not in ("http", "https") or not parts.hostname
        ):
            raise ValueError(f"{name}: {url!r} is not an http(s) URL")
    assert via.hostname  # checked above
    return Endpoint(
        scheme=via.scheme,
        address=via.hostname,
        port=via.port or (443 if via.scheme == "https" else 80),
        path=via.path.rstrip("/"),
        host=host_header.replace("{host}", own.netloc) if ingress_url else own.netloc,
    )


@dataclass(frozen=True)
class Answer:
    """One response, and how long it took."""

    status: int
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    target: Endpoint,
    path: str,
    payload: Any = None,
    *,
    timeout_seconds: float = 30,
    connection: http.client.HTTPConnection | None = None,
) -> Answer:
    """GET, or POST where there is a payload; over a new connection unless one is given."""
    link = connection or target.connect(timeout_seconds)
    start = time.perf_counter()
    try:
        link.request(
            "GET" if payload is None else "POST",
            target.path + path,
            body=None if payload is None else json.dumps(payload),
            headers={"Host": target.host, "Content-Type": "application/json"},
        )
        response = link.getresponse()
        body = response.read()
    finally:
        if connection is None:
            link.close()
    return Answer(response.status, body, time.perf_counter() - start)


def answered_by(target: Endpoint, requests: int) -> Counter[str]:
    """How many of the requests each revision answered; any other answer counts as its status."""
    found: Counter[str] = Counter()
    for _ in range(requests):
        answer = ask(target, "/health")
        found[answer.json["service_name"] if answer.status == 200 else str(answer.status)] += 1
    return found


def share_bounds(percent: float, requests: int, deviations: float = 4) -> tuple[float, float]:
    """Where the measured share may lie, in percent: chance leaves it in 1 of 16,000 runs."""
    share = percent / 100
    margin = deviations * math.sqrt(share * (1 - share) / requests)
    return 100 * max(0.0, share - margin), 100 * min(1.0, share + margin)


@dataclass
class Load:
    """What became of the requests of several clients."""

    answers: Counter[str] = field(default_factory=Counter)  # "200", "503", "ConnectionResetError"
    seconds: list[float] = field(default_factory=list)
    last_answer: dict[str, float] = field(default_factory=dict)  # by model version, monotonic
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    @property
    def lost(self) -> dict[str, int]:
        return {kind: count for kind, count in self.answers.items() if kind != "200"}

    def record(self, kind: str, seconds: float, model_version: str | None = None) -> None:
        with self.lock:
            self.answers[kind] += 1
            self.seconds.append(seconds)
            if model_version is not None:
                self.last_answer[model_version] = time.monotonic()

    def summary(self) -> dict[str, Any]:
        """In few words, as JSON takes them."""
        return {
            "total": self.total,
            "lost": self.lost,
            "p50_ms": round(1000 * percentile(self.seconds, 50), 2),
            "p99_ms": round(1000 * percentile(self.seconds, 99), 2),
        }


def run_load(target: Endpoint, clients: int, seconds: float, meanwhile: Callable[[], None]) -> Load:
    """Predict from several keep-alive clients; ``meanwhile`` runs a third of the way in.

    What ``meanwhile`` raises is raised once the clients have stopped.
    """
    load = Load()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_keep_asking, args=(target, load, stop), daemon=True)
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        time.sleep(seconds / 3)
        meanwhile()
        time.sleep(seconds * 2 / 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=120)
    if any(thread.is_alive() for thread in threads):
        load.record("no answer in 120 s", 120)
    return load


def _keep_asking(target: Endpoint, load: Load, stop: threading.Event) -> None:
    connection = target.connect(100)
    while not stop.is_set():
        start = time.perf_counter()
        model_version = None
        try:
            answer = ask(target, "/predict", TEXT, connection=connection)
            kind = str(answer.status)
            if answer.status == 200:
                model_version = answer.json.get("model_version")
        except (OSError, http.client.HTTPException) as exc:
            kind = type(exc).__name__
            connection.close()
        load.record(kind, time.perf_counter() - start, model_version)
    connection.close()


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
