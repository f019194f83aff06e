"""A command line's output without secrets, whoever writes it: us, a library, the interpreter. And
what it lacks, in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from function.security.redaction import Redaction


def redact(*addresses: str) -> None:
    """From now on stdout and stderr are redacted; of ``addresses`` too, beside the environment."""
    redaction = Redaction(None, *addresses)
    sys.stdout = _redacted(sys.stdout, redaction)
    sys.stderr = _redacted(sys.stderr, redaction)


def redact_errors() -> None:
    """The same for stderr alone, where stdout belongs to the log."""
    sys.stderr = _redacted(sys.stderr, Redaction())


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """A package that is missing ends the process with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise SystemExit(
            f"{exc.name} is missing: pip install 'sentiment-function[{extra}]', in a clone"
            f" '.[{extra}]', or run .venv/bin/python, which make sets up"
        ) from exc


def _redacted(stream: TextIO, redaction: Redaction) -> Any:
    return _Redacted(stream, redaction) if stream is not None else stream  # a closed one is None


class _Redacted:
    """A text stream that writes to another what a redaction leaves."""

    def __init__(self, stream: TextIO, redaction: Redaction) -> None:
        self._stream = stream
        self._redaction = redaction

    def write(self, text: str) -> int:
        return self._stream.write(self._redaction(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
