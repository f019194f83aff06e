"""What is said of every answered request: a record in the log, and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from time import perf_counter
from typing import Any

from function.http.messages import Request, Response
from function.http.routes import ROUTES, route_of
from function.settings import Settings
from function.telemetry import context
from function.telemetry.logs import JsonLog
from function.telemetry.signals import Signals
from function.telemetry.start import StartRecord

_LONGEST_LOGGED_PATH = 256
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)
"""RFC 9110, section 9, PATCH (RFC 5789) and QUERY; what is not among them is 501, what a path lacks
405."""
UNKNOWN = "(unknown)"
"""What every path and method that is not known here is called: they are anybody's to invent."""


class Recorder:
    """Tells the signals of requests; ``start`` gets the first of them."""

    def __init__(self, settings: Settings, signals: Signals, start: StartRecord | None) -> None:
        self._signals = signals
        self._start = start
        self._logged_one_in = settings.logged_one_in()
        self._without_error = count()

    def record(self, request: Request, response: Response, request_id: str) -> None:
        """An answer is about to leave. One that is streamed is counted now and logged at its end,
        with what became of it."""
        log, metrics, tracing = self._signals
        method, path, status = request.method, request.path, response.status
        trace = tracing.fields() if tracing is not None else {}
        trace = trace or context.trace_fields(request.headers)
        seconds = perf_counter() - request.started
        is_probe = context.is_probe(request.headers)
        if self._logged_one_in == 1 or self._is_logged(status):
            severity = "DEBUG" if is_probe else _severity(status)
            shown = path[:_LONGEST_LOGGED_PATH]
            fields = {**trace, **request.caller} if request.caller else trace
            if response.stream is None:
                log.request(severity, request_id, method, shown, status, seconds, fields)
            else:
                what = severity, request_id, method, shown, status
                response.stream.when_closed = _at_the_end(log, what, request.started, fields)
        route = path if path in ROUTES else known_route(path)
        metrics.request(route, known_method(method), status, seconds, trace)
        if self._start is not None and self._start.answered(is_probe):
            self._start = None

    def _is_logged(self, status: int) -> bool:
        """As ACCESS_LOG says; of a sample the first is one."""
        if status >= 400:
            return True
        one_in = self._logged_one_in
        return one_in > 0 and next(self._without_error) % one_in == 0


def _at_the_end(
    log: JsonLog, what: tuple[str, str, str, str, int], started: float, fields: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], None]:
    def closed(told: Mapping[str, Any]) -> None:
        log.request(*what, perf_counter() - started, {**fields, **told})

    return closed


def known_route(path: str) -> str:
    """The path as ROUTES has it, or what the unknown are called."""
    route = route_of(path)
    return route if route in ROUTES else UNKNOWN


def known_method(method: str) -> str:
    """The method, or what the unknown are called."""
    return method if method in METHODS else UNKNOWN


def _severity(status: int) -> str:
    if status < 400:
        return "INFO"
    # 503 is a cold start's honest answer; what made a load fail is logged as ERROR on its own.
    return "WARNING" if status < 500 or status in (501, 503) else "ERROR"
