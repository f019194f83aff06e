"""CloudEvents in every mode, made and read by the SDK at both ends."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_dict, from_http

from tests.doors import start_door
from tests.processes import LiveServer, Reply

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ATTRIBUTES = {"type": "review.written", "source": "/shop", "subject": "shoes", "id": "e-1"}
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


OF_EVENTS = {"FUNCTION_SIGNATURE_TYPE": "cloudevent"}
"""What --signature-type says."""
DOORS = {
    "functions-framework": ("functions-framework", {}),
    "functions-framework, of events": ("functions-framework", OF_EVENTS),
    "serve": ("serve", {}),
}


@pytest.fixture(scope="module", params=DOORS)
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    door, environ = DOORS[request.param]
    server = start_door(door, compiled_folder, tmp_path_factory.mktemp("events"), **environ)
    yield server
    server.stop()


def event(data: Any, **more: str) -> CloudEvent:
    return CloudEvent({**ATTRIBUTES, "traceparent": TRACE, **more}, data)


def send(server: LiveServer, sent: tuple[Any, bytes | str]) -> Reply:
    headers, body = sent
    data = body.encode() if isinstance(body, str) else body
    return server.request("/", headers=dict(headers), data=data)


def received(reply: Reply) -> CloudEvent:
    return from_http({name.lower(): value for name, value in reply.headers.items()}, reply.body)


@pytest.mark.parametrize("mode", [to_binary, to_structured])
@pytest.mark.parametrize("data", [{"text": "lovely"}, {"texts": ["lovely", "awful"]}])
def test_an_event_is_answered_by_one_in_its_own_mode(
    server: LiveServer, mode: Any, data: dict[str, Any]
) -> None:
    reply = send(server, mode(event(data)))
    assert reply.status == 200
    is_structured = reply.headers["Content-Type"].startswith(STRUCTURED)
    assert is_structured is (mode is to_structured)
    answered = received(reply)
    path = "/predict_batch" if "texts" in data else "/predict"
    assert answered.data == server.request(path, data).json
    assert (answered["type"], answered["source"]) == ("sentiment.prediction", "/sentiment")
    assert (answered["subject"], answered["causationid"]) == ("shoes", "e-1")
    assert answered["traceparent"] == TRACE
    assert answered["id"] not in ("", "e-1")


def test_a_batch_is_answered_by_a_batch_in_its_order(server: LiveServer) -> None:
    asked = [event({"text": text}, id=text) for text in ("lovely", "awful", "fine")]
    body = json.dumps([json.loads(to_structured(one)[1]) for one in asked]).encode()
    reply = send(server, ({"content-type": BATCH}, body))
    assert reply.headers["Content-Type"] == BATCH
    answers = [from_dict(one) for one in reply.json]
    assert [answer["causationid"] for answer in answers] == ["lovely", "awful", "fine"]
    assert [answer.data["text"] for answer in answers] == ["lovely", "awful", "fine"]
    assert send(server, ({"content-type": BATCH}, b"[]")).json == []


def without(name: str, **more: str) -> tuple[dict[str, str], bytes]:
    headers, body = to_binary(event({"text": "a"}))
    return {**{key: value for key, value in headers.items() if key != name}, **more}, body


def structured(**more: Any) -> bytes:
    """An event with other attributes; None leaves one out."""
    whole = {**json.loads(to_structured(event({"text": "a"}))[1]), **more}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


BAD: dict[str, tuple[int, Any]] = {
    "no event": (400, ({"content-type": "application/json"}, b"{}")),
    "no id": (400, without("ce-id")),
    "no source": (400, without("ce-source")),
    "no type": (400, without("ce-type")),
    "another version": (400, without("ce-specversion", **{"ce-specversion": "9.9"})),
    "structured and no JSON": (400, ({"content-type": STRUCTURED}, b"{")),
    "structured and no object": (400, ({"content-type": STRUCTURED}, b"[1]")),
    "an empty id": (400, without("ce-id", **{"ce-id": ""})),
    "an empty type": (400, ({"content-type": STRUCTURED}, structured(type=""))),
    "a source that is no text": (400, ({"content-type": STRUCTURED}, structured(source=1))),
    "a batch with an empty type": (400, ({"content-type": BATCH}, b"[%b]" % structured(type=""))),
    "a batch without an id": (400, ({"content-type": BATCH}, b"[%b]" % structured(id=None))),
    "a batch of no version": (
        400,
        ({"content-type": BATCH}, b"[%b]" % structured(specversion=None)),
    ),
    "structured without an id": (400, ({"content-type": STRUCTURED}, structured(id=None))),
    "batch and no list": (400, ({"content-type": BATCH}, b"{}")),
    "batch of no events": (400, ({"content-type": BATCH}, b"[1]")),
    "batch too deep": (400, ({"content-type": BATCH}, b"[" * 5000)),
    "batch too large": (400, ({"content-type": BATCH}, json.dumps([{}] * 101).encode())),
    "version 0.3": (400, without("ce-specversion", **{"ce-specversion": "0.3"})),
    "structured of version 0.3": (
        400,
        ({"content-type": STRUCTURED}, structured(specversion="0.3")),
    ),
    "both kinds of data": (400, ({"content-type": STRUCTURED}, structured(data_base64="YQ=="))),
    "a subject that is a list": (400, ({"content-type": STRUCTURED}, structured(subject=["a"]))),
    "an empty subject": (400, without("ce-subject", **{"ce-subject": ""})),
    "an extension that is an object": (400, ({"content-type": STRUCTURED}, structured(more={}))),
    "an extension with a dash": (400, without("", **{"ce-foo-bar": "1"})),
    "a time without seconds": (
        400,
        ({"content-type": STRUCTURED}, structured(time="2026-11-29T17:31Z")),
    ),
    "a week": (400, ({"content-type": STRUCTURED}, structured(time="2018-W14-4T17:31:00Z"))),
    "a time that is none": (400, without("ce-time", **{"ce-time": "yesterday"})),
    "a day": (400, ({"content-type": STRUCTURED}, structured(time="2026-11-29"))),
    "a time of no place": (
        400,
        ({"content-type": STRUCTURED}, structured(time="2026-11-29T12:00:00")),
    ),
    "data no JSON": (400, (to_binary(event({"text": "a"}))[0], b"{")),
    "data of something else": (422, to_binary(event({"review": "a"}))),
    "a blank text": (422, to_structured(event({"text": " "}))),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_event_is_a_problem_so_that_a_broker_gives_it_up(
    server: LiveServer, what: str
) -> None:
    status, sent = BAD[what]
    reply = send(server, sent)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"


GOOD_TIMES = ["2026-11-29t17:31:00z", "2016-12-31T23:59:60Z", "2026-11-29T17:31:00.25-01:30"]


@pytest.mark.parametrize("time", GOOD_TIMES)
def test_every_time_of_rfc_3339_is_one(server: LiveServer, time: str) -> None:
    assert send(server, ({"content-type": STRUCTURED}, structured(time=time))).status == 200


def test_data_in_base64_is_read_in_every_mode_and_types_in_any_case(server: LiveServer) -> None:
    given = structured(data=None, data_base64=base64.b64encode(b'{"text": "a"}').decode())
    for kind, body in ((STRUCTURED.upper(), given), (BATCH, b"[%b]" % given)):
        reply = send(server, ({"content-type": kind}, body))
        assert reply.status == 200 and b'"sentiment"' in reply.body


def test_what_is_wrong_with_an_event_is_said_and_with_which_of_a_batch(server: LiveServer) -> None:
    reply = send(server, without("ce-source"))
    assert reply.json["detail"] == "This is no CloudEvent of version 1.0: it has no source."
    for bad, said in ((structured(id=None), "it has no id"), (structured(type=1), "type is not")):
        reply = send(server, ({"content-type": BATCH}, b"[%b, %b]" % (structured(), bad)))
        assert (
            f"Event 1 of the batch is no CloudEvent of version 1.0: {said}" in reply.json["detail"]
        )
    typo = structured(data={"txt": "a"})
    reply = send(server, ({"content-type": BATCH}, b"[%b, %b]" % (structured(), typo)))
    assert reply.json["errors"][0]["pointer"] == "/1/data/text"


def test_type_and_source_are_settings_and_replies_may_be_off(
    compiled_folder: Path, tmp_path: Path
) -> None:
    settings = {"EVENT_TYPE": "com.example.scored", "EVENT_SOURCE": "https://example.com/s"}
    server = start_door("serve", compiled_folder, tmp_path, **settings)
    answered = received(send(server, to_binary(event({"text": "lovely"}))))
    assert (answered["type"], answered["source"]) == tuple(settings.values())
    server.stop()
    server = start_door("serve", compiled_folder, tmp_path, EVENT_REPLIES="false")
    reply = send(server, to_binary(event({"text": "lovely"})))
    assert (reply.status, reply.body) == (200, b"")
    assert not [name for name in reply.headers if name.lower().startswith("ce-")]
    server.stop()


def test_a_framework_of_events_answers_all_else_too(compiled_folder: Path, tmp_path: Path) -> None:
    server = start_door("functions-framework", compiled_folder, tmp_path, **OF_EVENTS)
    assert server.request("/predict", {"text": "lovely"}).status == 200
    assert server.request("/health").json["model_loaded"]
    server.stop()
