"""CloudEvents 1.0 over HTTP: an event with a text or several in, an event with predictions out.

    data {"text": "..."}                ->  data as /predict answers
    data {"texts": ["...", "..."]}      ->  data as /predict_batch answers

Binary and structured mode, each answered in its own, and batches, answered as one. The SDK reads
and writes them. https://github.com/cloudevents/spec/tree/v1.0.2
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from cloudevents.conversion import to_binary, to_structured
from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_http

from function.errors import InvalidInput, MalformedRequest

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_MOST_EVENTS = 100
_FAULTS = (GenericException, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""The SDK's own, and what it lets pass."""
_REQUIRED = ("specversion", "id", "source", "type")
_TEXTS = (*_REQUIRED, "subject", "time", "datacontenttype", "dataschema", "partitionkey")
_NAME = re.compile("[a-z0-9]+")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_CARRIED = ("subject", "traceparent", "tracestate", "partitionkey")
"""Attributes that a reply has from what it replies to."""

Answer = Callable[[bytes], str]
"""From an event's data, as JSON, to the reply's."""


class Replies:
    """How replies are addressed: their type and their source, as settings have them."""

    def __init__(self, event_type: str, source: str) -> None:
        self._type = event_type
        self._source = source

    def to(self, event: CloudEvent, data: str) -> CloudEvent:
        """The reply to an event; ``causationid`` is that of its cause."""
        given = event.get_attributes()
        carried = {name: given[name] for name in _CARRIED if name in given}
        addressed = {"type": self._type, "source": self._source}
        said = {**carried, **addressed, "causationid": given["id"]}
        return CloudEvent.create({**said, "datacontenttype": "application/json"}, json.loads(data))


def is_event(headers: Mapping[str, str]) -> bool:
    """Whether a request carries events, in any mode."""
    kind = _media_type(headers)
    return "ce-specversion" in headers or kind in (STRUCTURED, BATCH)


def has_texts(data: bytes) -> bool:
    """Whether an event's data asks for several predictions; what is no JSON asks for one, and is
    refused as that."""
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(payload, dict) and "texts" in payload


def answered(
    headers: Mapping[str, str], body: bytes, answer: Answer, replies: Replies
) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the reply, in the mode of the request.

    Raises MalformedRequest (400) for what is no event, and what ``answer`` does of its data.
    """
    kind = _media_type(headers)
    if kind == BATCH:
        events = [
            replies.to(event, _answered_in_its_place(answer, event, place))
            for place, event in enumerate(_batch(body))
        ]
        listed = [json.loads(to_structured(event)[1]) for event in events]
        return {"content-type": BATCH}, json.dumps(listed).encode()
    event = _event(headers, body)
    reply = replies.to(event, answer(_data(event)))
    sent, content = to_structured(reply) if kind == STRUCTURED else to_binary(reply)
    return dict(sent), content


def _answered_in_its_place(answer: Answer, event: CloudEvent, place: int) -> str:
    """The answer to one event of a batch; what its data is refused for says which it was."""
    try:
        return answer(_data(event))
    except InvalidInput as exc:
        raise InvalidInput(
            [{**error, "pointer": f"/{place}/data{error['pointer']}"} for error in exc.errors]
        ) from exc
    except MalformedRequest as exc:
        raise MalformedRequest(f"Event {place} of the batch: {exc.detail}") from exc


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _event(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    if _media_type(headers) == STRUCTURED:
        return _read(_json(body), {"content-type": STRUCTURED}, body, "This")
    given = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    return _read(given, headers, body, "This")


def _batch(body: bytes) -> list[CloudEvent]:
    listed = _json(body)
    if not isinstance(listed, list) or len(listed) > _MOST_EVENTS:
        told = f"A batch is a JSON array of {_MOST_EVENTS} CloudEvents of version 1.0 at most."
        raise MalformedRequest(told)
    headers = {"content-type": STRUCTURED}
    return [
        _read(one, headers, None, f"Event {place} of the batch") for place, one in enumerate(listed)
    ]


def _json(body: bytes) -> Any:
    """What it says; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _read(given: Any, headers: Mapping[str, str], body: bytes | None, what: str) -> CloudEvent:
    """The event whose attributes are ``given``, and which is written so where it has no body."""
    fault = _fault_of(given)
    try:
        if fault is None:
            content = json.dumps(given).encode() if body is None else body
            return from_http(dict(headers), content, data_unmarshaller=_as_it_is)
    except _FAULTS:
        fault = "it cannot be read"
    raise MalformedRequest(f"{what} is no CloudEvent of version 1.0: {fault}.")


def _fault_of(given: Any) -> str | None:
    """What an event's attributes lack, or have otherwise than the specification (context attributes
    of version 1.0.2) says: the SDK makes up what is not there, and lets others pass."""
    if not isinstance(given, Mapping):
        return "it is no object"
    for name in _REQUIRED:
        if not (isinstance(given.get(name), str) and given[name]):
            return f"{name} is not a text" if given.get(name) else f"it has no {name}"
    if given["specversion"] != "1.0":
        return "its specversion is another"
    if {"data", "data_base64"} <= given.keys():
        return "it has both data and data_base64"
    for name, value in given.items():
        if name in ("data", "data_base64") or value is None:
            continue
        if not _NAME.fullmatch(name):
            return "an attribute's name is other than small letters and digits"
        kinds = str if name in _TEXTS else (str, int)
        if not isinstance(value, kinds) or value == "" and name in _TEXTS:
            return f"{name if name in _TEXTS else 'an extension'} is no text"
    return None if _is_time(given.get("time")) else "time is no timestamp of RFC 3339"


def _is_time(value: str | None) -> bool:
    if value is None:
        return True
    try:
        return bool(_TIME.fullmatch(value) and date.fromisoformat(value[:10]))
    except ValueError:
        return False


def _as_it_is(data: Any) -> Any:
    return data


def _data(event: CloudEvent) -> bytes:
    """The event's data as JSON."""
    data = event.get_data()
    if isinstance(data, bytes):
        return data
    return data.encode() if isinstance(data, str) else json.dumps(data).encode()
