"""The Open Inference Protocol, version 2, over HTTP with JSON, and its binary tensor data.

    {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["...", "..."]}]}

The texts are those of one input tensor of strings, in whatever shape (tensors.py). Outputs are
those that were asked for, else ``label`` and, where the model has any, ``confidence``:

    label, predict                  BYTES [n]
    confidence                      FP64 [n]
    probabilities, predict_proba    FP64 [n, classes]

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from function.errors import InvalidInput, MalformedRequest, ServiceError, UnsupportedMediaType
from function.predictor import Answer, said
from function.protocols.sentiment import parse_json
from function.protocols.tensors import an_object, name_of, parameters, parted, texts_in
from function.settings import Settings

JSON, OCTETS = "application/json", "application/octet-stream"
LABELS, CONFIDENCES = ("label", "predict"), ("confidence",)
PROBABILITIES = ("probabilities", "predict_proba")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Wanted(NamedTuple):
    """One output that a request asks for."""

    name: str
    is_binary: bool
    most_classes: int
    """The classification extension's: so many labels with their scores; 0 for the tensor."""


class Inference(NamedTuple):
    """What a request asks."""

    id: str | None
    texts: list[str]
    outputs: list[Wanted]


def parse(
    body: bytes, headers: Mapping[str, str], column: str | None, settings: Settings
) -> Inference:
    """A request, with or without binary data behind its JSON; ``column`` is what the model's
    signature calls its texts.

    Raises UnsupportedMediaType (415), MalformedRequest (400), or InvalidInput (422) for texts that
    are none, or too many.
    """
    _check_content_type(headers)
    head, binary = parted(body, headers)
    payload = an_object(parse_json(head, settings), "The body")
    request_id = payload.get("id")
    if not isinstance(request_id, str | None):
        raise MalformedRequest("id is a string.")
    texts = texts_in(payload.get("inputs"), binary, column, settings)
    return Inference(request_id, texts, list(_outputs(payload)))


def render(
    asked: Inference, answers: Sequence[Answer], name: str, version: str | None, labels: Any
) -> tuple[bytes, int | None]:
    """The response, and how long its JSON is where binary data follows it.

    Raises InvalidInput (422) for an output that the model does not have.
    """
    wanted = asked.outputs or _default(answers)
    tensors, parts = [], []
    for output in wanted:
        tensor, content = _tensor(output, answers, labels)
        tensors.append(tensor)
        parts.append(content)
    head = {"model_name": name, "model_version": version or "", "outputs": tensors}
    if asked.id is not None:
        head["id"] = asked.id
    text = _encode(head).encode()
    binary = b"".join(parts)
    return text + binary, len(text) if any(output.is_binary for output in wanted) else None


def metadata(
    name: str, versions: Sequence[str], labels: Sequence[str] | None, multilabel: bool
) -> dict[str, Any]:
    """What the model takes and gives: where several labels may apply, none has a confidence."""
    outputs = [_described("label", "BYTES", [-1])]
    if not multilabel:
        outputs.append(_described("confidence", "FP64", [-1]))
    if labels is not None:
        outputs.append(_described("probabilities", "FP64", [-1, len(labels)]))
    return {
        "name": name,
        "versions": list(versions),
        "platform": "sentiment-function",
        "inputs": [_described("text", "BYTES", [-1])],
        "outputs": outputs,
    }


def error_members(error: ServiceError) -> dict[str, Any]:
    """What the protocol's clients look for in an error, beside what every problem has."""
    return {"error": error.detail}


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _check_content_type(headers: Mapping[str, str]) -> None:
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in ("", JSON, OCTETS):
        raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON} or {OCTETS}.")


def _outputs(payload: Mapping[str, Any]) -> Iterator[Wanted]:
    given = payload.get("outputs", [])
    if not isinstance(given, list):
        raise MalformedRequest("outputs is a list.")
    all_binary = parameters(payload).get("binary_data_output") is True
    for place, item in enumerate(given):
        output = an_object(item, f"outputs[{place}]")
        name, more = name_of(output, f"outputs[{place}]"), parameters(output)
        classes = more.get("classification", 0)
        if not isinstance(classes, int) or isinstance(classes, bool) or classes < 0:
            raise MalformedRequest("classification is a number of classes.")
        yield Wanted(name, more.get("binary_data", all_binary) is True, classes)
    if all_binary and not given:
        yield Wanted(LABELS[0], True, 0)


def _default(answers: Sequence[Answer]) -> list[Wanted]:
    names = [LABELS[0]]
    if answers and all(answer.confidence is not None for answer in answers):
        names.append(CONFIDENCES[0])
    return [Wanted(name, False, 0) for name in names]


def _tensor(
    output: Wanted, answers: Sequence[Answer], labels: Sequence[str] | None
) -> tuple[dict[str, Any], bytes]:
    """The tensor as JSON has it, and its binary data where it was asked for so."""
    datatype, shape, values = _values(output, answers, labels)
    tensor = {"name": output.name, "datatype": datatype, "shape": shape}
    if not output.is_binary:
        return {**tensor, "data": values}, b""
    if datatype == "BYTES":
        content = b"".join(struct.pack("<I", len(one)) + one for one in map(str.encode, values))
    else:
        content = struct.pack(f"<{len(values)}d", *values)
    return {**tensor, "parameters": {"binary_data_size": len(content)}}, content


def _values(
    output: Wanted, answers: Sequence[Answer], labels: Sequence[str] | None
) -> tuple[str, list[int], list[Any]]:
    """Datatype, shape and elements, in row-major order."""
    count = len(answers)
    if output.most_classes:
        rows = [_classified(answer, labels, output.most_classes) for answer in answers]
        width = len(rows[0]) if rows else 0
        return "BYTES", [count, width], [item for row in rows for item in row]
    if output.name in LABELS:
        return "BYTES", [count], [_said(answer) for answer in answers]
    if output.name in CONFIDENCES:
        numbers = [answer.confidence for answer in answers]
        if None not in numbers:
            return "FP64", [count], numbers
    elif output.name in PROBABILITIES:
        scores = [answer.scores for answer in answers]
        if None not in scores:
            width = len(labels or (scores[0] if scores and scores[0] else ()))
            return "FP64", [count, width], [number for row in scores for number in row or ()]
    having = [answer.confidence is not None for answer in answers]
    scored = [answer.scores is not None for answer in answers]
    known = [
        *LABELS,
        *(CONFIDENCES if all(having) else ()),
        *(PROBABILITIES if all(scored) else ()),
    ]
    told = f"the model has no such output for these texts; it has {', '.join(known)}"
    raise InvalidInput([{"pointer": "/outputs", "detail": told}])


def _said(answer: Answer) -> str:
    """A label; several with commas between."""
    label = said(answer)
    return ",".join(label) if isinstance(label, tuple) else label or ""


def _classified(answer: Answer, labels: Sequence[str] | None, most: int) -> list[str]:
    """The likeliest classes, each as ``score:index:label``."""
    if answer.scores is None or labels is None:
        told = "classification takes a model that gives probabilities"
        raise InvalidInput([{"pointer": "/outputs", "detail": told}])
    ranked = sorted(zip(answer.scores, range(len(labels)), labels, strict=True), reverse=True)
    return [f"{score:f}:{index}:{label}" for score, index, label in ranked[:most]]
