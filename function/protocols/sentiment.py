"""The native JSON protocol: ``{"text"}`` and ``{"texts"}`` in, labels and confidences out.

    {"text", "sentiment", "confidence", "model_version"}             one label per text
    {"text", "sentiment", "confidence", "labels", "model_version"}   several: the first two null

With ``"return_scores": true`` also ``scores``, label to probability, where the model has any. Those
of one label sum to 1; those of several are each label's own.

A request that is plainly right is read by hand, because importing pydantic costs a cold start a
tenth of a second and a request 10 µs. Everything else goes to the schemas, which alone say what
is wrong; a test holds the two to the same verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from function.errors import InvalidInput, MalformedRequest
from function.predictor import Answer, MultilabelPrediction
from function.settings import Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    Schema = TypeVar("Schema", bound=BaseModel)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quote = json.encoder.encode_basestring  # what _encode makes of a string, at a third of the time
_MOST_ERRORS = 20
_MOST_FIELDS = 16
_SMALL_BYTES = 16_384
_LEAST_VALUES = 65_536
_BYTES_PER_VALUE = 4
_CONTAINER_WEIGHT = 10  # what an object or an array takes of memory, in strings
_STRING = rb'"(?:[^"\\]++|(?s:\\.))*+"?'
"""A string, or one that never ends: every byte is looked at once."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity, which Python reads and JSON has not


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_scan: Any = vars(_decoder)["scan_once"]  # the value at a place, and its end: no white space


def parse_json(body: bytes, settings: Settings) -> Any:
    """The body as JSON; raises MalformedRequest (400) where it is none, and InvalidInput (422)
    where it is of more values than any request has."""
    if not body:
        raise MalformedRequest('The body is empty; send JSON such as {"text": "..."}.')
    if len(body) > _SMALL_BYTES:
        _refuse_crowds(body, max(_LEAST_VALUES, settings.max_body_bytes // _BYTES_PER_VALUE))
    try:
        return _value_of(body.decode())
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        raise MalformedRequest(f"The body is not valid JSON at {place}.") from exc
    except (ValueError, RecursionError) as exc:  # not UTF-8, NaN, 5,000 digits, too deep
        raise MalformedRequest("The body is not JSON that can be read.") from exc


def _value_of(text: str) -> Any:
    try:
        value, end = _scan(text, 0)
    except StopIteration:  # white space, or no value
        end = -1
    return value if end == len(text) else _decoder.decode(text)


def _refuse_crowds(body: bytes, most: int) -> None:
    """Bytes are not memory: a mebibyte of small objects is 83 of Python. So values are counted,
    by the commas and brackets outside of strings, before any is made."""
    if _weight(body) > most and _weight(re.sub(_STRING, b"", body)) > most:
        raise InvalidInput([{"pointer": "", "detail": "more values than a body may have"}])


def _weight(text: bytes) -> int:
    return text.count(b",") + _CONTAINER_WEIGHT * (text.count(b"{") + text.count(b"["))


def parse_predict(body: bytes, settings: Settings) -> tuple[str, bool]:
    """A ``/predict`` body -> its text and whether scores are asked for.

    Raises MalformedRequest (400) or InvalidInput (422).
    """
    payload = parse_json(body, settings)
    if type(payload) is dict and len(payload) == 1:
        text = payload.get("text")
        if _is_plain_text(text, settings.max_text_length):
            return text, False
    from function.protocols.schemas import PredictRequest

    request = _validated(PredictRequest, payload, settings)
    return request.text, request.return_scores


def parse_batch(body: bytes, settings: Settings) -> tuple[list[str], bool]:
    """A ``/predict_batch`` body -> its texts in order and whether scores are asked for.

    Raises MalformedRequest (400) or InvalidInput (422).
    """
    payload = parse_json(body, settings)
    if type(payload) is dict and len(payload) == 1:
        texts = payload.get("texts")
        if type(texts) is list and 0 < len(texts) <= settings.max_batch_size:
            longest = settings.max_text_length
            if all(_is_plain_text(text, longest) for text in texts):
                return texts, False
    from function.protocols.schemas import BatchRequest

    request = _validated(BatchRequest, payload, settings)
    return request.texts, request.return_scores


def render_prediction(
    text: str,
    prediction: Answer,
    model_version: str | None,
    labels: tuple[str, ...] | None = None,
) -> str:
    """One prediction as JSON; with ``labels``, also the scores where there are any."""
    return render_each([text], [prediction], model_version, labels)[0]


def render_batch(
    texts: Sequence[str],
    predictions: Sequence[Answer],
    model_version: str | None,
    labels: tuple[str, ...] | None = None,
) -> str:
    """The predictions as JSON, in the order of the texts."""
    items = render_each(texts, predictions, model_version, labels)
    return f'{{"predictions":[{",".join(items)}]}}'


def render_each(
    texts: Sequence[str],
    answers: Sequence[Answer],
    model_version: str | None,
    labels: tuple[str, ...] | None = None,
) -> list[str]:
    """Each prediction as JSON, as render_prediction has it.

    Put together by hand, in one loop: encoding dicts takes four times as long as their strings, and
    a call for each answer as long as all that is done in it.
    """
    version = _encode(model_version)
    items: list[str] = []
    quoted: dict[str | None, str] = {None: "null"}
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(answer, MultilabelPrediction):
            items.append(_render_multilabel(text, answer, version, labels))
            continue
        label, confidence, scores = answer
        if label not in quoted:
            quoted[label] = _encode(label)
        items.append(
            f'{{"text":{_quote(text)},"sentiment":{quoted[label]},'
            f'"confidence":{"null" if confidence is None else repr(confidence)},'
            f'"model_version":{version}{_scores(labels, scores) if labels else ""}}}'
        )
    return items


def _render_multilabel(
    text: str, answer: MultilabelPrediction, version: str, labels: tuple[str, ...] | None
) -> str:
    return (
        f'{{"text":{_quote(text)},"sentiment":null,"confidence":null,'
        f'"labels":{_encode(answer.labels)},"model_version":{version}'
        f"{_scores(labels, answer.scores)}}}"
    )


def _scores(labels: tuple[str, ...] | None, scores: tuple[float, ...] | None) -> str:
    if labels is None or scores is None:
        return ""
    return f',"scores":{_encode(dict(zip(labels, scores, strict=True)))}'


def fault_of(text: str, longest: int) -> str | None:
    """Why a text is not taken, in the words of the schemas; None where it is."""
    if _is_plain_text(text, longest):
        return None
    if not text.strip():
        return "the text is blank"
    if not _is_encodable(text):
        return "the text is not valid Unicode"
    return f"the text has {len(text)} characters, more than MAX_TEXT_LENGTH={longest}"


def _is_plain_text(text: Any, longest: int) -> TypeGuard[str]:
    if type(text) is not str or not 0 < len(text) <= longest or text.isspace():
        return False
    return text.isascii() or _is_encodable(text)


def _is_encodable(text: str) -> bool:
    """False for lone surrogates, which JSON can spell and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _validated(schema: type[Schema], payload: Any, settings: Settings) -> Schema:
    from pydantic import ValidationError

    if isinstance(payload, dict) and len(payload) > _MOST_FIELDS:
        raise InvalidInput([{"pointer": "", "detail": f"{len(payload)} fields"}])
    limits = {
        "max_text_length": settings.max_text_length,
        "max_batch_size": settings.max_batch_size,
    }
    try:
        return schema.model_validate(payload, context=limits)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        known = list(schema.model_fields)
        raise InvalidInput([_fault(fault, known) for fault in faults[:_MOST_ERRORS]]) from None


def _fault(fault: Any, known: list[str]) -> dict[str, str]:
    pointer = "".join(f"/{key}" for key in fault["loc"])
    if fault["type"] == "model_type":
        return {"pointer": pointer, "detail": "a JSON object is expected"}
    if fault["type"] != "extra_forbidden":
        return {"pointer": pointer, "detail": fault["msg"]}
    from difflib import get_close_matches

    # An unknown field's name is the client's own text: told back only as a slip of a known one.
    meant = get_close_matches(str(fault["loc"][-1])[:64], known, n=1)
    if not meant:
        return {"pointer": "", "detail": f"an unknown field; known are {', '.join(known)}"}
    return {"pointer": pointer, "detail": f"an unknown field; did you mean {meant[0]}?"}
