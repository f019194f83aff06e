"""KServe's first protocol, TensorFlow Serving's: instances in, a label for each out.

    {"instances": ["...", {"text": "..."}]}  ->  {"predictions": ["positive", ...]}

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from function.errors import MalformedRequest
from function.predictor import Answer, said
from function.protocols.rows import texts_of
from function.protocols.sentiment import parse_json
from function.settings import Settings

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def parse(body: bytes, settings: Settings) -> list[str]:
    """The texts, in order; MalformedRequest (400), InvalidInput (422)."""
    payload = parse_json(body, settings)
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list):
        raise MalformedRequest('The body is {"instances": ["...", ...]}.')
    return texts_of([_text(one) for one in instances], settings, "/instances")


def render(answers: Sequence[Answer]) -> str:
    """The labels, in order; of several labels a list."""
    return _encode({"predictions": [*map(said, answers)]})


def _text(instance: Any) -> Any:
    """An instance's text: itself, the one item of a list, or the one value of an object."""
    if isinstance(instance, dict) and len(instance) == 1:
        return next(iter(instance.values()))
    if isinstance(instance, list) and len(instance) == 1:
        return instance[0]
    return instance
