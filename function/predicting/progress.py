"""How far it is, on stderr, for who waits longer than two seconds.

On a terminal a bar that moves; else a line now and then, for a log.
"""

from __future__ import annotations

import sys
import time

from function.predicting.chunks import Part

PATIENCE_SECONDS = 2.0
BAR_SECONDS, LINE_SECONDS = 0.1, 10.0
WIDTH = 30


class Progress:
    """Counts lines, and errors among them, and shows them when it is time."""

    def __init__(self, total: int | None, shares_terminal: bool) -> None:
        """``total`` as Source has it; a table on the same terminal is progress enough."""
        self.lines = self.errors = 0
        self._total = total
        self._done = self._first_done = 0
        self._is_bar = sys.stderr.isatty()
        self._is_shown = not (self._is_bar and shares_terminal)
        self._has_bar = False
        self._first_at = 0.0
        self.restart()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def is_long(self) -> bool:
        """Whether whoever started it has begun to wait."""
        return self.seconds >= PATIENCE_SECONDS

    def restart(self) -> None:
        """Time begins now: the model is there."""
        self._started = time.monotonic()
        self._next = self._started + PATIENCE_SECONDS

    def add(self, part: Part) -> None:
        """Count a part that is written."""
        if not self.lines:  # what came before is an earlier run's, and no part of this one's rate
            self._first_done, self._first_at = part.done, time.monotonic()
        self.lines += part.lines
        self.errors += part.errors
        self._done = part.done
        now = time.monotonic()
        if self._is_shown and now >= self._next:
            self._next = now + (BAR_SECONDS if self._is_bar else LINE_SECONDS)
            self._show()

    def summary(self) -> str:
        """How many, in what time."""
        rate = f" ({self.lines / self.seconds:,.0f} a second)" if self.is_long else ""
        return f"{self.lines:,} lines in {self.seconds:.1f} s{rate}"

    def end(self) -> None:
        """Leave the bar's line."""
        if self._has_bar:
            print(file=sys.stderr)
            self._has_bar = False

    def _show(self) -> None:
        told = f"{self.lines:,} lines, {self.lines / self.seconds:,.0f} a second"
        if self.errors:
            told += f", {self.errors:,} errors"
        if self._total:
            share = min(1.0, self._done / self._total)
            told = f"{share:4.0%}  {told}{self._left()}"
            if self._is_bar:
                filled = round(WIDTH * share)
                told = f"[{'#' * filled}{'-' * (WIDTH - filled)}] {told}"
        if self._is_bar:
            print(f"\r\x1b[K{told}", end="", file=sys.stderr, flush=True)
            self._has_bar = True
        else:
            print(f"predict: {told.strip()}", file=sys.stderr, flush=True)

    def _left(self) -> str:
        mine, left = self._done - self._first_done, (self._total or 0) - self._done
        if mine <= 0 or left <= 0:
            return ""
        passed = time.monotonic() - self._first_at
        minutes, seconds = divmod(round(passed * left / mine), 60)
        return f", {minutes}:{seconds:02} to go"
