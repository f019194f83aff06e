"""What libraries say through ``logging`` and ``warnings``, as records of the service's own shape.

A module of its own, since a process that serves a compiled model needs no ``logging``.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from function.settings import LOG_LEVELS
from function.telemetry.logs import JsonLog


def capture(log: JsonLog) -> None:
    """From now on, write what libraries (mlflow, gunicorn) log and warn of to ``log``."""
    logging.basicConfig(handlers=[LibraryHandler(log)], force=True)
    logging.captureWarnings(True)


class LibraryHandler(logging.Handler):
    """Hands what is logged at WARNING or above to a JsonLog."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(level=logging.WARNING)
        self._log = log
        self._traced: set[tuple[str, int]] = set()  # where in the code; there are not many

    def emit(self, record: logging.LogRecord) -> None:
        severity = record.levelname if record.levelname in LOG_LEVELS else "WARNING"
        fields: dict[str, Any] = {"logger": record.name}
        place = record.pathname, record.lineno
        if record.exc_info and place not in self._traced:  # a load is tried every few seconds
            self._traced.add(place)
            fields["stack_trace"] = "".join(traceback.format_exception(*record.exc_info))
        self._log.write(severity, record.getMessage(), **fields)
