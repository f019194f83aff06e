"""Bodies of any length, a line at a time, whatever is in the lines (ndjson.py, csv_lines.py).

Sans-I/O: ``add`` takes what arrived, ``take`` gives what is whole. What is held at a time is
bounded by what is added at a time and by MAX_LINE_BYTES.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from function.errors import BodyTooLarge, ServiceError

NDJSON = "application/x-ndjson"
NDJSON_TYPES = frozenset(
    (NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines")
)
CSV = "text/csv"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Asked(NamedTuple):
    """A line that can be answered."""

    text: str
    with_scores: bool = False
    is_explained: bool = False


Line = Asked | ServiceError
"""Of the body, in its order: what is asked, or why it cannot be answered."""


class LineTooLong(BodyTooLarge):
    def __init__(self, limit_bytes: int) -> None:
        ServiceError.__init__(self, f"The line is longer than MAX_LINE_BYTES={limit_bytes} bytes.")


class Lines(Protocol):
    """A body that is read line by line."""

    def add(self, data: bytes) -> None:
        """Take the next bytes; raises ServiceError where they say that none can be read."""

    def end(self) -> None:
        """There are no more: what has no line break at its end is a line too. May be said again."""

    def take(self, most_bytes: int) -> list[Line]:
        """The next whole lines, of about so many bytes together; empty where there is none."""


class Splitter:
    """Bytes to lines; of one that is too long there is the error, and nothing is kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._whole: deque[bytes] = deque()
        self._rest = b""

    def add(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0] = self._rest + whole[0]
            self._whole.extend(whole)
            self._rest = b""
        if len(self._rest) <= self._limit:  # of a longer one its length is all that matters
            self._rest += rest

    def end(self) -> None:
        if self._rest:
            self.add(b"\n")

    def next(self) -> bytes | ServiceError | None:
        """The next line without its break; None where there is none yet."""
        if not self._whole:
            return None
        line = self._whole.popleft()
        return line if len(line) <= self._limit else LineTooLong(self._limit)


def is_lines(content_type: str) -> bool:
    """Whether a body of this type is read here."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == CSV or media_type in NDJSON_TYPES


def parsed_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """The media type and its parameters (RFC 9110, 8.3.1)."""
    media_type, *parts = content_type.split(";")
    pairs = (part.partition("=") for part in parts)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return media_type.strip().lower(), parameters


def error_line(number: int, error: ServiceError) -> str:
    """What stands in the place of line ``number``, from 1, which has no answer."""
    problem = error.problem("")
    del problem["request_id"]
    return _encode({"line": number, "error": problem})
