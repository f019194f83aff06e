"""JSON logs: one object a line on stdout, in the fields that log collectors know, no secrets.

``severity``, ``message`` and ``time`` are what Cloud Logging, Loki and Elastic pick up by
themselves. Request records are written without the ``logging`` module, which costs more than
the prediction they tell of; what libraries log through it comes out the same way (libraries.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from function.errors import chain
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
        output.tell_dropped_with(self._dropped)

    def write(self, severity: str, message: str, **fields: Any) -> None:
        """Write one record; ``fields`` that are None are left out."""
        if severity in self._written:
            output.write(self._render(severity, message, fields))

    def request(
        self,
        severity: str,
        request_id: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        fields: Mapping[str, Any],
    ) -> None:
        """Write the record of one answered request; ``request_id`` needs no escapes in JSON.

        As ``write`` with these fields, in a sixth of the time: there is one for every request.
        """
        if severity not in self._written:
            return
        more = ""
        if fields:
            given = {key: value for key, value in fields.items() if value is not None}
            more = f",{_encode(given)[1:-1]}"
        message, what = _request_parts(method, path, status)
        output.write(
            f'{{"time":"{timestamp()}","severity":"{severity}",{message},"service":{self._service},'
            f'"request_id":"{request_id}",{what},"duration_ms":{seconds * 1000:.3f}{more}}}\n'
        )

    def _render(self, severity: str, message: str, fields: Mapping[str, Any]) -> str:
        given = {key: self.redact.of(item) for key, item in fields.items() if item is not None}
        more = f",{_encode(given)[1:-1]}" if given else ""
        told = _encode(self.redact(message))
        return (
            f'{{"time":"{timestamp()}","severity":"{severity}","message":{told},'
            f'"service":{self._service}{more}}}\n'
        )

    def _dropped(self, count: int) -> str:
        message = "log records were dropped: nobody read them in time"
        return self._render("WARNING", message, {"dropped": count})

    def failure(self, message: str, exc: BaseException, **fields: Any) -> None:
        """Write an ERROR with the whole traceback of ``exc``, causes included."""
        import traceback

        trace = "".join(traceback.format_exception(exc))
        self.write("ERROR", message, **fields, stack_trace=trace)

    def request_failure(self, message: str, exc: BaseException, **fields: Any) -> None:
        """As ``failure``, without the exceptions' own messages: these may quote the request."""
        import traceback

        links = [
            "".join(traceback.format_tb(link.__traceback__)) + type(link).__name__
            for link in chain(exc)
        ]
        self.write("ERROR", message, **fields, stack_trace="\n\n".join(reversed(links)))


@lru_cache(maxsize=256)
def _request_parts(method: str, path: str, status: int) -> tuple[str, str]:
    """What a request's record says of it, the message and the fields: a few are most of them."""
    verb, place = _encode(method), _encode(path)
    message = f'"message":"{verb[1:-1]} {place[1:-1]} {status}"'
    return message, f'"method":{verb},"path":{place},"status":{status}'


_last_second = (0, "")


def timestamp() -> str:
    """Now as RFC 3339 in UTC with milliseconds."""
    global _last_second
    whole, milliseconds = divmod(int(time.time() * 1000), 1000)
    if _last_second[0] != whole:  # a pair, replaced as one: threads may come here together
        _last_second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_last_second[1]}.{milliseconds:03d}Z"
