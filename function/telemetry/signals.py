"""The three signals of one process, handed on together: log, metrics and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from function.telemetry.logs import JsonLog
from function.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from function.telemetry.tracing import Tracing


class Signals(NamedTuple):
    """What a part of the service says of its work; ``tracing`` is None where nobody wants it."""

    log: JsonLog
    metrics: Metrics
    tracing: Tracing | None = None
