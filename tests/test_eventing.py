"""The function behind a broker, with the Triggers of knative/overlays/eventing: good events are
answered by events, bad ones become dead letters, and what is not ready yet is asked again."""

from __future__ import annotations

import base64
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow.sklearn
import pytest
from cloudevents.conversion import to_binary
from cloudevents.http import CloudEvent

from function.http.routes import ROUTES
from tests.broker import Broker, Event, listening, pause_seconds, post, sink
from tests.doors import start_door
from tests.manifests import parse
from tests.manifests.eventing import Broker as BrokerManifest
from tests.manifests.eventing import PingSource, Trigger
from tests.manifests.knative import KnativeService
from tests.manifests.kubernetes import Service
from tests.manifests.rendered import render
from tests.processes import LiveServer, free_port
from tests.registry import frame_pipeline, text_signature
from tests.test_manifests import settings

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")

PREDICTIONS, DEAD_LETTERS = "/predictions", "/dead-letters"
OVERLAY = "eventing"


def manifests(kind: type[Any]) -> dict[str, Any]:
    """The overlay's objects of a kind, by name."""
    found = [item for item in map(parse, render(OVERLAY)) if isinstance(item, kind)]
    return {item.metadata.name: item for item in found}


class Mesh(NamedTuple):
    """A broker between the function and a sink."""

    broker: Broker
    received: dict[str, list[Event]]

    def send(self, data: Any, **attributes: str) -> str:
        """The id of an event that the broker took, once all that it leads to is delivered."""
        asked = manifests(Trigger)["sentiment"].spec.filter.attributes["type"]
        event = CloudEvent({"type": asked, "source": "/shop", **attributes}, data)
        headers, body = to_binary(event)
        status, _ = post(
            self.broker.url, headers, body if isinstance(body, bytes) else body.encode()
        )
        assert status == 202
        self.broker.wait()
        return str(event["id"])

    def statuses(self, event_id: str) -> list[int]:
        """What each delivery of the event was answered with."""
        return [attempt.status for attempt in self.broker.attempts.get(event_id, [])]


@pytest.fixture
def mesh() -> Iterator[Callable[..., Mesh]]:
    """From the function's URL to it behind the overlay's Triggers."""
    opened = []

    def between(url: str, hurry: float = 100.0) -> Mesh:
        sinks = sink()
        sink_url, received = sinks.__enter__()
        addresses = {"sentiment": url, "sentiment-events": sink_url}
        brokers = listening(Broker(list(manifests(Trigger).values()), addresses, hurry))
        opened.extend([sinks, brokers])
        return Mesh(brokers.__enter__(), received)

    yield between
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def server(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path_factory.mktemp("eventing"))
    yield server
    server.stop()


@pytest.mark.parametrize("data", [{"text": "lovely"}, {"texts": ["lovely", "awful"]}])
def test_an_event_is_answered_by_one_that_goes_on_its_way_and_is_not_asked_again(
    server: LiveServer, mesh: Callable[..., Mesh], data: dict[str, Any]
) -> None:
    asked = mesh(server.url)
    sent = asked.send(data)
    assert asked.statuses(sent) == [200]
    ((headers, body),) = asked.received[PREDICTIONS]
    assert headers["ce-type"] == settings(OVERLAY).event_type
    assert headers["ce-causationid"] == sent
    path = "/predict_batch" if "texts" in data else "/predict"
    assert json.loads(body) == server.request(path, data).json
    assert asked.statuses(headers["ce-id"]) == [202]  # by the sink alone
    assert DEAD_LETTERS not in asked.received


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"text": "  "}, 422),
        ({"review": "lovely"}, 422),
        ({"texts": ["lovely", None]}, 422),
        (b"no JSON", 400),
        (b"", 422),
    ],
)
def test_a_bad_event_is_a_dead_letter_at_once(
    server: LiveServer, mesh: Callable[..., Mesh], data: Any, status: int
) -> None:
    asked = mesh(server.url)
    sent = asked.send(data)
    assert asked.statuses(sent) == [status]
    ((headers, _),) = asked.received[DEAD_LETTERS]
    assert (headers["ce-id"], headers["ce-knativeerrorcode"]) == (sent, str(status))
    problem = json.loads(base64.b64decode(headers["ce-knativeerrordata"]))
    assert problem["status"] == status
    assert PREDICTIONS not in asked.received


def test_an_event_of_another_type_is_not_asked(
    server: LiveServer, mesh: Callable[..., Mesh]
) -> None:
    asked = mesh(server.url)
    sent = asked.send({"text": "lovely"}, type="order.placed")
    assert asked.statuses(sent) == [] and not asked.received


def test_a_model_that_loads_is_asked_again_until_it_answers(
    mesh: Callable[..., Mesh], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of itself
        mlflow.sklearn.save_model(
            frame_pipeline(),
            tmp_path / "model",
            signature=text_signature(),
            pip_requirements=[],
        )
    model = {"COMPILED_MODEL": "", "MODEL_URI": str(tmp_path / "model")}
    server = start_door("serve", Path(), tmp_path, LOAD_TIMEOUT_SECONDS="0.1", **model)
    asked = mesh(server.url, hurry=2.0)
    *before, last = asked.statuses(asked.send({"text": "lovely"}))
    server.stop()
    assert before and set(before) == {503} and last == 200
    assert len(asked.received[PREDICTIONS]) == 1 and DEAD_LETTERS not in asked.received


def test_a_function_that_is_away_is_tried_as_often_as_the_trigger_says_then_given_up(
    mesh: Callable[..., Mesh],
) -> None:
    asked = mesh(f"http://127.0.0.1:{free_port()}")
    sent = asked.send({"text": "lovely"})
    delivery = manifests(Trigger)["sentiment"].spec.delivery
    assert asked.statuses(sent) == [0] * (delivery.retry + 1)
    times = [attempt.at for attempt in asked.broker.attempts[sent]]
    pauses = [after - before for before, after in zip(times, times[1:], strict=False)]
    wanted = [pause_seconds(delivery, number) / 100 for number in range(delivery.retry)]
    assert all(found >= pause for found, pause in zip(pauses, wanted, strict=True))
    ((headers, body),) = asked.received[DEAD_LETTERS]
    assert (headers["ce-id"], json.loads(body)) == (sent, {"text": "lovely"})


def test_the_broker_gets_in_where_the_others_need_a_key(
    compiled_folder: Path, mesh: Callable[..., Mesh], tmp_path: Path
) -> None:
    keys = {"AUTH": "api-key", "API_KEYS": f"shop:{'0' * 64}", "AUTH_OPEN_PATHS": "/"}
    server = start_door("serve", compiled_folder, tmp_path, **keys)
    assert server.request("/predict", {"text": "lovely"}).status == 401
    asked = mesh(server.url)
    assert asked.statuses(asked.send({"text": "lovely"})) == [200]
    server.stop()


def test_the_overlays_source_sends_what_is_answered(
    server: LiveServer, mesh: Callable[..., Mesh]
) -> None:
    source = manifests(PingSource)["sentiment"].spec
    assert source.content_type == "application/json"
    asked = mesh(server.url)
    asked.send(json.loads(source.data))
    assert len(asked.received[PREDICTIONS]) == 1


def test_the_answers_come_from_the_broker_and_never_back_to_the_function() -> None:
    triggers = manifests(Trigger)
    types = {name: item.spec.filter.attributes["type"] for name, item in triggers.items()}
    own = settings(OVERLAY).event_type
    assert types["sentiment-predictions"] == own != types["sentiment"]
    assert triggers["sentiment"].spec.subscriber.ref.name == "sentiment"
    assert settings(OVERLAY).event_replies and "POST" in ROUTES["/"]


def test_every_destination_is_in_the_overlay() -> None:
    places = {
        ("eventing.knative.dev/v1", "Broker", *manifests(BrokerManifest)),
        ("serving.knative.dev/v1", "Service", *manifests(KnativeService)),
        ("v1", "Service", *manifests(Service)),
    }
    sinks = [manifests(PingSource)["sentiment"].spec.sink]
    for trigger in manifests(Trigger).values():
        assert trigger.spec.broker in manifests(BrokerManifest)
        dead_letters = trigger.spec.delivery.dead_letter_sink
        sinks += [trigger.spec.subscriber, *([dead_letters] if dead_letters else [])]
    for place in sinks:
        assert (place.ref.api_version, place.ref.kind, place.ref.name) in places
    (port,) = manifests(Service)["sentiment-events"].spec.ports
    assert port.port == 80  # where a Service is asked that a destination refers to


def test_a_delivery_waits_as_long_as_the_function_may_take() -> None:
    spec = manifests(KnativeService)["sentiment"].spec.template.spec
    timeout = manifests(Trigger)["sentiment"].spec.delivery.timeout
    assert timeout == f"PT{spec.timeout_seconds + 10}S"
