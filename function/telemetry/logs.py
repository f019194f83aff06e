"""JSON logs: one object a line on stdout, in the fields that log collectors know.

``severity``, ``message`` and ``time`` are what Cloud Logging, Loki and Elastic pick up by
themselves. Request records are written without the ``logging`` module, which costs more than
the prediction they tell of; what libraries log through it is rendered the same way.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

from function.settings import LOG_LEVELS

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class JsonLog:
    """Writes records at or above ``level`` to stdout, each with the service's name."""

    def __init__(self, level: str, service_name: str) -> None:
        self._rank = LOG_LEVELS.index(level)
        self._service_name = service_name

    def write(self, severity: str, message: str, **fields: Any) -> None:
        """Write one record; ``fields`` that are None are left out."""
        if LOG_LEVELS.index(severity) < self._rank:
            return
        record = {
            "time": timestamp(),
            "severity": severity,
            "message": message,
            "service": self._service_name,
        }
        record.update((key, value) for key, value in fields.items() if value is not None)
        sys.stdout.write(_encode(record) + "\n")
        sys.stdout.flush()

    def failure(self, message: str, exc: BaseException, **fields: Any) -> None:
        """Write an ERROR with the whole traceback of ``exc``, causes included."""
        trace = "".join(traceback.format_exception(exc))
        self.write("ERROR", message, **fields, stack_trace=trace)

    def request_failure(self, message: str, exc: BaseException, **fields: Any) -> None:
        """As ``failure``, without the exceptions' own messages: these may quote the request."""
        links: list[str] = []
        link: BaseException | None = exc
        while link is not None:
            links.append("".join(traceback.format_tb(link.__traceback__)) + type(link).__name__)
            link = link.__cause__ or link.__context__
        self.write("ERROR", message, **fields, stack_trace="\n\n".join(reversed(links)))


class LibraryHandler(logging.Handler):
    """Renders what libraries log (mlflow, gunicorn, warnings) as records of the same shape."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(level=logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        severity = record.levelname if record.levelname in LOG_LEVELS else "WARNING"
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["stack_trace"] = "".join(traceback.format_exception(*record.exc_info))
        self._log.write(severity, record.getMessage(), **fields)


def timestamp(seconds: float | None = None) -> str:
    """A time as RFC 3339 in UTC with milliseconds; now by default."""
    seconds = time.time() if seconds is None else seconds
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{milliseconds:03d}Z"
