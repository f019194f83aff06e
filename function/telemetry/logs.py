"""JSON logs: one object a line on stdout, in the fields that log collectors know, no secrets.

``severity``, ``message`` and ``time`` are what Cloud Logging, Loki and Elastic pick up by
themselves. Request records are written without the ``logging`` module, which costs more than
the prediction they tell of; what libraries log through it is rendered the same way.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from typing import Any

from function.security.redaction import Redaction
from function.settings import LOG_LEVELS
from function.telemetry import output

_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


class JsonLog:
    """Writes records at or above ``level`` to stdout, each with the service's name.

    ``redact`` is what takes secrets out of all but the records of requests, and of what else
    leaves the process with a load in it: error details and a model's lineage.
    """

    def __init__(self, level: str, service_name: str) -> None:
        self._written = frozenset(LOG_LEVELS[LOG_LEVELS.index(level) :])
        self._service = _encode(service_name)
        self.redact = Redaction()

    def write(self, severity: str, message: str, **fields: Any) -> None:
        """Write one record; ``fields`` that are None are left out."""
        if severity not in self._written:
            return
        given = {key: self.redact.of(item) for key, item in fields.items() if item is not None}
        more = f",{_encode(given)[1:-1]}" if given else ""
        told = _encode(self.redact(message))
        output.write(
            f'{{"time":"{timestamp()}","severity":"{severity}","message":{told},'
            f'"service":{self._service}{more}}}\n'
        )

    def request(
        self,
        severity: str,
        request_id: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        **fields: Any,
    ) -> None:
        """Write the record of one answered request.

        As ``write`` with these fields, in a third of the time: there is one for every request.
        """
        if severity not in self._written:
            return
        verb, place = _encode(method), _encode(path)
        given = {key: value for key, value in fields.items() if value is not None}
        more = f",{_encode(given)[1:-1]}" if given else ""
        output.write(
            f'{{"time":"{timestamp()}","severity":"{severity}",'
            f'"message":"{verb[1:-1]} {place[1:-1]} {status}","service":{self._service},'
            f'"request_id":{_encode(request_id)},"method":{verb},"path":{place},'
            f'"status":{status},"duration_ms":{seconds * 1000:.3f}{more}}}\n'
        )

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
        self._traced: set[tuple[str, int]] = set()  # where in the code; there are not many

    def emit(self, record: logging.LogRecord) -> None:
        severity = record.levelname if record.levelname in LOG_LEVELS else "WARNING"
        fields: dict[str, Any] = {"logger": record.name}
        place = record.pathname, record.lineno
        if record.exc_info and place not in self._traced:  # a load is tried every few seconds
            self._traced.add(place)
            fields["stack_trace"] = "".join(traceback.format_exception(*record.exc_info))
        self._log.write(severity, record.getMessage(), **fields)


_last_second = (0, "")


def timestamp() -> str:
    """Now as RFC 3339 in UTC with milliseconds."""
    global _last_second
    whole, milliseconds = divmod(int(time.time() * 1000), 1000)
    if _last_second[0] != whole:  # a pair, replaced as one: threads may come here together
        _last_second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_last_second[1]}.{milliseconds:03d}Z"
