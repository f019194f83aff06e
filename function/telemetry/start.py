"""What a wake-up was spent on: one record, in milliseconds since the process began.

Written with the first answer to anyone but a probe, since all the parts are known by then. The
same clock, the kernel's, as the container's own start: what lies before is the platform's.
"""

from __future__ import annotations

import os
import time

from function.telemetry.logs import JsonLog

_IMPORTED = time.monotonic()
_marks: dict[str, float] = {}


def mark(name: str) -> None:
    """Remember that this happened now, where it has not happened before."""
    _marks.setdefault(name, milliseconds_since_start())


def seconds_until(name: str) -> float | None:
    """From the start of the process until this happened; None where it has not."""
    return _marks[name] / 1000 if name in _marks else None


def milliseconds_since_start() -> float:
    """Since the kernel started this process, to 10 ms; where there is no /proc, since import."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])  # starttime, proc(5)
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        seconds = time.monotonic() - _IMPORTED
    return round(1000 * seconds, 1)


class StartRecord:
    """Writes the one record of a server's process."""

    def __init__(self, log: JsonLog) -> None:
        self._log = log

    def answered(self, is_probe: bool) -> bool:
        """A request has been answered; returns whether that completed the record."""
        mark("first_probe" if is_probe else "first_request")
        if is_probe:
            return False
        parts = ("listening", "model_loaded", "first_probe", "first_request")
        fields = {f"{name}_ms": _marks.get(name) for name in parts}
        self._log.write("INFO", "started", **fields)
        return True
