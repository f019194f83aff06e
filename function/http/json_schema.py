"""What the OpenAPI document's shapes are written in: JSON Schema (2020-12), with fewer words."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
NULLABLE_TEXT: Json = {"type": ["string", "null"]}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
PROBABILITY: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


def object_of(**properties: Json) -> Json:
    """An object that has these members, and may have more."""
    return {"type": "object", "required": list(properties), "properties": properties}


def closed(needed: Json, **more: Json) -> Json:
    """An object that has the ``needed`` members, may have ``more``, and no others."""
    found = object_of(**needed)
    return {**found, "properties": {**needed, **more}, "additionalProperties": False}


def with_more(found: Json, **more: Json) -> Json:
    """The object, that may have these members too."""
    return {**found, "properties": {**found["properties"], **more}}


def list_of(of: Json) -> Json:
    return {"type": "array", "items": of}


def by_label(of: Json) -> Json:
    """An object with a member for each label."""
    return {"type": "object", "additionalProperties": of}
