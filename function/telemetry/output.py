"""Where log lines go: stdout, from a thread of its own, and never at the cost of a request.

A write lets go of the interpreter's lock, and on a busy server getting it back costs more than a
prediction; a write to a pipe that nobody reads blocks for ever. So lines are handed over and
written many at once, past the io module's own buffers, which Python would flush (and wait for) when
it exits. When the reader falls behind, lines are dropped and counted, and a record says how many.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

DELAY_SECONDS = 0.01
"""Each write costs throughput, each line that waits memory: in that time there are 200 at most."""
MOST_WAITING_LINES = 10_000
MOST_WAITING_LONG_LINES = 500
FLUSH_SECONDS = 1.0
_LONG_LINE = 2_000
_CHUNK_BYTES = 65_536
_LINES_PER_WRITE = 500

RenderDropped = Callable[[int], str]
_render_dropped: RenderDropped = "{} lines dropped\n".format


class BackgroundWriter:
    """Takes lines and writes them to ``stream``'s descriptor a moment later, in order."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._descriptor = stream.fileno()
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._is_writing = False
        self._wake = threading.Event()
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def write(self, line: str) -> None:
        """Take one line; returns at once, whether or not anybody reads."""
        most = MOST_WAITING_LINES if len(line) < _LONG_LINE else MOST_WAITING_LONG_LINES
        if len(self._lines) >= most:
            self._dropped += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, seconds: float) -> None:
        """Wait until what was taken is written, for at most so long."""
        deadline = time.monotonic() + seconds
        while (self._lines or self._is_writing) and time.monotonic() < deadline:
            time.sleep(DELAY_SECONDS / 5)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(DELAY_SECONDS)
            self._wake.clear()
            self._is_writing = True  # before any line is taken: flush looks for one or the other
            self._write_waiting()
            self._is_writing = False

    def _write_waiting(self) -> None:
        lines = self._lines
        while lines:
            taken = [lines.popleft() for _ in range(min(len(lines), _LINES_PER_WRITE))]
            self._write_whole("".join(taken))
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._write_whole(_render_dropped(dropped))

    def _write_whole(self, text: str) -> None:
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest[:_CHUNK_BYTES]) :]
            except BlockingIOError:  # somebody made it a descriptor that does not wait
                time.sleep(DELAY_SECONDS)
            except OSError:  # nobody reads any more; requests go on
                return


_writer: BackgroundWriter | None = None


def write(line: str) -> None:
    """Write one line of log, its newline included."""
    if _writer is not None and _writer.stream is sys.stdout:
        _writer.write(line)
    else:
        _write_to_another_stdout(line)


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Wait until all is written, at most so long: for a process that is about to end."""
    if _writer is not None:
        _writer.flush(seconds)


def tell_dropped_with(render: RenderDropped) -> None:
    """Use ``render`` for the line that says how many were dropped."""
    global _render_dropped
    _render_dropped = render


def _write_to_another_stdout(line: str) -> None:
    """Start a writer for stdout as it is now; one that is no file is written to at once."""
    global _writer
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        _writer = BackgroundWriter(sys.stdout)
    except OSError:  # no descriptor of its own
        sys.stdout.write(line)
    else:
        _writer.write(line)


def _forget() -> None:
    """A thread does not survive a fork: the child starts its own with its first line."""
    global _writer
    _writer = None


os.register_at_fork(after_in_child=_forget)
atexit.register(flush)
