"""Secrets out of what leaves the process: logs, error details, a command line's output.

By value, wherever it stands and whoever wrote the text; and by place, for what is no secret of
ours: a URL's user and password, an Authorization header, ``token=...``. A value that the settings
say openly too (user ``reviews``, model ``reviews``), and a word that every log is full of, is
hidden by place only.

Records of requests are not redacted: they hold a method, a path and ids, all of which the client
sent, and never the query.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from typing import Any

from function.security.secrets import SHORTEST, open_text, secret_values

MARK = "***"
_EVERYWHERE_SHORTER_THAN = 8
_OPEN_SETTINGS = ("SERVICE_NAME", "MODEL_URI", "COMPILED_MODEL", "MLFLOW_TRACKING_URI", "LABELS")
_EVERYDAY = """
mlflow model models function python python3 http https localhost sqlite user users admin root guest
test default service file line none null true false error info warning debug main data text name
version stage champion production staging latest load loaded registry run runs
sentiment positive negative neutral
"""


class Redaction:
    """Built once from the environment and from addresses given otherwise; call it with a text."""

    def __init__(self, environ: Mapping[str, str] | None = None, *addresses: str) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._addresses = addresses

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._values is not None:
            text = self._values.sub(MARK, text)
        if "://" in text and "@" in text:
            text = _userinfo().sub(f"{MARK}@", text)
        if "=" in text or ":" in text:
            text = _named().sub(rf"\1{MARK}", text)
        if "asic " in text or "earer " in text:
            text = _header().sub(rf"\1{MARK}", text)
        return text

    def of(self, value: Any) -> Any:
        """The same for all the text within a value that becomes JSON."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item) for item in value]
        return value if value is None or isinstance(value, int | float) else self(str(value))

    @cached_property
    def _values(self) -> re.Pattern[str] | None:
        open_words = self._open_words()
        values = {
            value
            for value in secret_values(self._environ, self._addresses)
            if _is_telling(value) and value.lower() not in open_words
        }
        patterns = [_pattern(value) for value in sorted(values, key=len, reverse=True)]
        return re.compile("|".join(patterns)) if patterns else None

    def _open_words(self) -> frozenset[str]:
        said = [open_text(self._environ.get(name, "")) for name in _OPEN_SETTINGS]
        said += map(open_text, self._addresses)
        return frozenset(_EVERYDAY.split()).union(*(_words(text.lower()) for text in said))


def _words(text: str) -> Iterable[str]:
    return {*re.findall(r"[\w.-]+", text), *re.findall(r"\w+", text)}


def _is_telling(value: str) -> bool:
    """Whether the value by itself is more than chance: numbers of five digits are everywhere."""
    return len(value) >= (SHORTEST + 2 if value.isdigit() else SHORTEST)


def _pattern(value: str) -> str:
    """A short value as a word of its own only: "1234" is part of many numbers."""
    escaped = re.escape(value)
    if len(value) >= _EVERYWHERE_SHORTER_THAN:
        return escaped
    return rf"(?<![0-9A-Za-z]){escaped}(?![0-9A-Za-z])"


@cache
def _userinfo() -> re.Pattern[str]:
    """What stands between :// and the last @ of a URL; not a path's @ behind host and port."""
    lenient = r"[^\s/:@'\"<>]*:(?!\d{1,5}(?:[/?#]|$))[^\s'\"<>]*"
    return re.compile(rf"(?<=://)(?:{lenient}|[^\s/'\"<>]+)@")


@cache
def _named() -> re.Pattern[str]:
    """What follows ``token=`` and ``'password': '``, by such names."""
    name = (
        r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|account|private)[_-]?key"
        r"|signature|\bsig|credential|cookie)[\w.-]*"
    )
    value = r"[^\s&;,'\"<>()\[\]{}\\*]+"
    return re.compile(rf"({name}(?:\s?=\s?['\"]?|['\"]\s?:\s?['\"])){value}", re.IGNORECASE)


@cache
def _header() -> re.Pattern[str]:
    """What follows Basic and Bearer, unless it is a word."""
    return re.compile(r"(\b(?:[Bb]asic|[Bb]earer)\s+)(?=\S*[0-9A-Z=])[\w.~+/=-]{8,}")
