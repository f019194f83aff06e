"""A process of its own, which may be stopped: how long a pattern takes on texts made to be hard.

Reads `{"pattern", "probes": [[first, repeated, last], ...], "length"}` from stdin, and writes lines
of `[seconds, times, text]` to stdout: what such a text of that length takes, and how many times as
long that is as words take with scikit-learn's own pattern; both null before they are known, so that
the last line tells even where the process was stopped. Run by patterns.py.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from math import log2
from time import thread_time

MOST_SECONDS = 0.5
"""Of the processor, for one text; then the process ends, by a signal that nobody handles."""
SHORT = 120
"""Characters on which no pattern in use takes a thousandth of a second."""
TOO_LONG = 0.05
"""Seconds for a short text from which on a long one would not end."""
CLEAR = 0.05
"""Seconds that tell how the time grows."""
WORST = 6
USUAL_PATTERN = r"(?u)\b\w\w+\b"
USUAL_WORDS = "word and "

Probe = tuple[str, str, str]


def main() -> None:
    """Time each probe, short, then the slowest at twice the length until it is clear."""
    asked = json.load(sys.stdin)
    find = re.compile(asked["pattern"]).findall
    short = _time_short(find, [(first, more, last) for first, more, last in asked["probes"]])
    slowest = sorted(short, key=short.__getitem__)[-WORST:]
    found = [(_grown(find, probe, asked["length"]), _text(probe, 40)) for probe in slowest]
    seconds, example = max(found, default=(0.0, ""))
    _say(seconds, seconds / _usual(asked["length"]), example)


def _usual(length: int) -> float:
    """How quick this machine is: what a text of words takes."""
    text = USUAL_WORDS * (length // len(USUAL_WORDS))
    return _least(re.compile(USUAL_PATTERN).findall, text, times=20)


def _time_short(find: Callable[[str], object], probes: list[Probe]) -> dict[Probe, float]:
    """Those of a second at most: a text that takes too long alone is the last."""
    found: dict[Probe, float] = {}
    began = thread_time()
    for size in (24, SHORT):
        for probe in probes:
            _say(None, None, _text(probe, 40))
            text = _text(probe, size)
            found[probe] = _least(find, text)
            if found[probe] > TOO_LONG:
                found[probe] = _least(find, text)
            if found[probe] > TOO_LONG:
                sys.exit()
            if thread_time() - began > 1.0 and size == SHORT:
                return found
    return found


def _grown(find: Callable[[str], object], probe: Probe, length: int) -> float:
    """What a text of that length takes, judged by how the time grew up to what is clear."""
    _say(None, None, _text(probe, 40))
    size, before, seconds = SHORT, 0.0, _least(find, _text(probe, SHORT))
    while seconds < CLEAR and size < length:
        size, before, seconds = 2 * size, seconds, _least(find, _text(probe, 2 * size))
    growth = log2(seconds / before) if before and seconds else 1.0
    return seconds * float((length / size) ** growth)


def _least(find: Callable[[str], object], text: str, times: int = 3) -> float:
    """The least of several, since the machine may be busy with others."""
    return min(_time(find, text) for _ in range(times))


def _time(find: Callable[[str], object], text: str) -> float:
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    start = thread_time()  # the process's own would move in ticks of 4 ms beside its timer
    find(text)
    return thread_time() - start


def _text(probe: Probe, size: int) -> str:
    first, more, last = probe
    return first + more * max(1, (size - len(first) - len(last)) // len(more)) + last


def _say(seconds: float | None, times: float | None, text: str) -> None:
    print(json.dumps([seconds, times, text]), flush=True)


if __name__ == "__main__":
    main()
