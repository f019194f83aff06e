"""Where log lines go: stdout, line by line, or from a thread of its own.

A write lets go of the interpreter's lock, and on a busy server getting it back costs more than a
prediction. So the container's server hands lines to a thread that writes many at
once; everything else writes each line as it comes.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

DELAY_SECONDS = 0.01
"""Each write costs throughput, each line that waits memory: a busy server makes 90 in that time."""


def _write_now(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # nobody reads stdout any more; requests go on
        pass


class BackgroundWriter:
    """Collects lines and writes them to stdout at most ``DELAY_SECONDS`` later, in order."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._wake = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()
        atexit.register(self.flush)

    def write(self, line: str) -> None:
        """Take one line; returns at once."""
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Write what has been taken so far."""
        with self._writing:
            lines = self._lines
            taken = [lines.popleft() for _ in range(len(lines))]
            if taken:
                _write_now("".join(taken))

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(DELAY_SECONDS)
            self._wake.clear()
            self.flush()


_write: Callable[[str], None] = _write_now
_writer: BackgroundWriter | None = None


def write(line: str) -> None:
    """Write one line of log, its newline included."""
    _write(line)


def write_in_background() -> None:
    """From now on, write lines from a thread; call it in the process that answers requests."""
    global _write, _writer
    _writer = BackgroundWriter()
    _write = _writer.write


def flush() -> None:
    """Write what is not written yet: for a process that ends without Python's own leave-taking."""
    if _writer is not None:
        _writer.flush()
