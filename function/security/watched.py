"""A mounted file that may change while the service runs, as Kubernetes' secrets do."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from function.errors import InvalidSetting

MOST_CHARACTERS = 1_048_576
LOOK_SECONDS = 1.0
"""Between two looks: a change is seen that soon, and a request costs none of its own."""

T = TypeVar("T")
Tell = Callable[[str], None]
"""Says something to the operator."""


class WatchedFile(Generic[T]):
    """What ``parse`` makes of a file's text, made again when the file changes."""

    def __init__(self, name: str, path: Path, parse: Callable[[str], T], tell: Tell) -> None:
        """Raises InvalidSetting, in the name of the setting, where it cannot be read now."""
        self._name = name
        self._path = path
        self._parse = parse
        self._tell = tell
        self._looked_at = time.monotonic()
        self._seen = self._state()
        self._content = self._read()

    def content(self) -> T:
        """What the file has; what it had before where it cannot be read any more."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._take()
        return self._content

    def _take(self) -> None:
        try:
            self._content = self._read()
        except InvalidSetting as exc:
            self._tell(f"{exc}; what was read before still holds")

    def _state(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> T:
        try:
            text = _text_of(self._path)
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            raise InvalidSetting(
                self._name, str(self._path), f"a readable file ({reason})"
            ) from exc
        return self._parse(text)


def _text_of(path: Path) -> str:
    """A regular file's text: one that is a pipe, or endless, would hold up all requests."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, encoding="utf-8-sig") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        text = file.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
    return text
