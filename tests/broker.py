"""A broker of CloudEvents on loopback, as Knative's is: its Triggers are those of a manifest.

An event is taken with 202 and given to each Trigger whose filter it passes. What the subscriber
replies with is an event like any other. What it refuses for good (4xx), or still refuses after so
many retries (5xx, 404, 408, 409, 429, no answer at all), goes to the dead-letter sink, with the
error's code and body. After knative/specs specs/eventing/data-plane.md, and pkg/kncloudevents of
knative.dev/eventing v0.51: retries.go, attributes/knative_error.go.
"""

from __future__ import annotations

import base64
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.manifests.eventing import Delivery, Destination, Trigger
from tests.processes import QuietHandler, on_loopback

RETRIED = {404, 408, 409, 429}
LONGEST_ERROR = 1024


class Event(NamedTuple):
    """In binary mode; header names in lower case."""

    headers: dict[str, str]
    body: bytes


class Attempt(NamedTuple):
    """One delivery: when, and the status; 0 where nobody answered."""

    at: float
    status: int


@dataclass
class Broker:
    """``addresses`` are the URLs of what destinations refer to, by name; ``hurry`` divides each
    pause, so that a test need not wait for a policy made for clusters."""

    triggers: list[Trigger]
    addresses: Mapping[str, str]
    hurry: float
    url: str = ""
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))
    _given: list[Future[None]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Give an event to whoever wants it, each in a thread of its own."""
        for trigger in self.triggers:
            wanted = trigger.spec.filter.attributes.items()
            if all(event.headers.get(f"ce-{name}") == value for name, value in wanted):
                self._given.append(self._pool.submit(self._give, trigger, event))

    def wait(self) -> None:
        """Until there is nothing left to deliver; what went wrong in it is raised here."""
        while self._given:
            self._given.pop(0).result(timeout=60)

    def _give(self, trigger: Trigger, event: Event) -> None:
        delivery = trigger.spec.delivery
        url = self._address(trigger.spec.subscriber)
        tried = self.attempts.setdefault(event.headers["ce-id"], [])
        for number in range(delivery.retry + 1):
            status, answer = post(url, {**event.headers, "prefer": "reply"}, event.body)
            tried.append(Attempt(time.monotonic(), status))
            if 200 <= status < 300:
                if status == 200 and "ce-type" in answer.headers:
                    self.take(answer)
                return
            if status and status < 500 and status not in RETRIED:
                break
            if number < delivery.retry:
                time.sleep(pause_seconds(delivery, number) / self.hurry)
        if delivery.dead_letter_sink:
            told = base64.b64encode(answer.body[:LONGEST_ERROR]).decode()
            error = {"ce-knativeerrordest": url, "ce-knativeerrorcode": str(status)}
            headers = {**event.headers, **error, "ce-knativeerrordata": told}
            post(self._address(delivery.dead_letter_sink), headers, event.body)

    def _address(self, destination: Destination) -> str:
        assert destination.ref
        return self.addresses[destination.ref.name] + (destination.uri or "/")


def pause_seconds(delivery: Delivery, number: int) -> float:
    """Before a retry, the first of which has the number 0."""
    delay = float(re.fullmatch(r"PT([\d.]+)S", delivery.backoff_delay)[1])  # type: ignore[index]
    return float(delay * (2**number if delivery.backoff_policy == "exponential" else number))


def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Event]:
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, Event(_lower(reply.headers), reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, Event(_lower(error.headers), error.read())
    except OSError:
        return 0, Event({}, b"")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """An event's own: its attributes, and what its data is."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {
        name: value
        for name, value in lowered.items()
        if name.startswith("ce-") or name == "content-type"
    }


@contextmanager
def listening(broker: Broker) -> Iterator[Broker]:
    """The broker with a URL to send events to."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            broker.take(Event(_lower(self.headers), body))
            self.send_response(202)
            self.end_headers()

    with on_loopback(Handler) as url, broker._pool:
        broker.url = url
        yield broker


@contextmanager
def sink() -> Iterator[tuple[str, dict[str, list[Event]]]]:
    """A URL that takes events, and those that came, by path."""
    received: dict[str, list[Event]] = {}

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.setdefault(self.path, []).append(Event(_lower(self.headers), body))
            self.send_response(202)
            self.end_headers()

    with on_loopback(Handler) as url:
        yield url, received
