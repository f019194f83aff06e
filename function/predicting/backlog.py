"""What is asked and not answered yet, to be asked again where a connection breaks.

One thread fills it from the source, another sends what is in it, and a third takes what is
answered off it. It holds a few chunks at most: a service that is slow slows down the reading.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from function.predicting.chunks import Chunk, Fault

MOST_CHUNKS = 32


class Asked(NamedTuple):
    """A chunk, of each row its text or why it has none, and the lines to send for the texts."""

    chunk: Chunk
    given: list[str | Fault]
    body: bytes


class Backlog:
    """Chunks in their order, those that were sent before those that were not."""

    def __init__(self, asked: Iterator[Asked]) -> None:
        self._waiting: deque[Asked] = deque()
        self._sent = 0
        self._sender = 0
        self._has_ended = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._fill, args=(asked,), daemon=True).start()

    def first(self) -> Asked | None:
        """The one to be answered next, once it is there; None where there is no more. Raises what
        reading the source raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_ended)
            if self._waiting:
                return self._waiting[0]
            if self._failure is not None:
                raise self._failure
            return None

    def answered(self) -> None:
        """The first one is."""
        with self._changed:
            self._waiting.popleft()
            self._sent -= 1
            self._changed.notify_all()

    def begin(self) -> int:
        """All that is here is to be sent, by a new sender; the one before gets no more."""
        with self._changed:
            self._sender += 1
            self._sent = 0
            self._changed.notify_all()
            return self._sender

    def next_for(self, sender: int) -> Asked | None:
        """The one to be sent next, once it is there; None where there is none for this sender."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._sender != sender or self._sent < len(self._waiting) or self._has_ended
            )
            if self._sender != sender or self._sent == len(self._waiting):
                return None
            self._sent += 1
            return self._waiting[self._sent - 1]

    def is_current(self, sender: int) -> bool:
        """Whether nobody else sends by now."""
        with self._changed:
            return self._sender == sender

    def _fill(self, asked: Iterator[Asked]) -> None:
        failure: BaseException | None = None
        try:
            for one in asked:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._waiting) < MOST_CHUNKS)
                    self._waiting.append(one)
                    self._changed.notify_all()
        except BaseException as exc:
            failure = exc
        with self._changed:
            self._failure, self._has_ended = failure, True
            self._changed.notify_all()
