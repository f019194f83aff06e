"""Threads for the requests that may take long: so many at work, so many waiting, no more.

The loop's thread keeps the accounts, so there is nothing to lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from function.http.messages import Request, Response
from function.server.requests import Item

if TYPE_CHECKING:
    from queue import SimpleQueue

    from function.server.connection import Connection


class Job:
    """One request at work, or waiting for its turn until ``deadline`` (time.monotonic).

    One that ``is_quick`` is the loop's own, the others are the workers'.
    """

    __slots__ = ("connection", "deadline", "is_abandoned", "is_quick", "item")

    def __init__(self, connection: Connection, item: Item, deadline: float) -> None:
        self.connection = connection
        self.item = item
        self.deadline = deadline
        self.is_abandoned = self.is_quick = False


class Workers:
    """Answers jobs in threads that are started when they are needed."""

    def __init__(
        self,
        answer: Callable[[Request], Response],
        most_running: Callable[[], int],
        most_queued: int,
        wake: Callable[[], None],
    ) -> None:
        """``most_running`` is asked anew each time: what is compiled wants fewer threads, and that
        is known once the model is loaded. ``wake`` makes the loop call ``finished``."""
        self._answer = answer
        self._most_running = most_running
        self._most_queued = most_queued
        self._wake = wake
        self._running = self._threads = 0
        self._queued: deque[Job] = deque()
        self._given: SimpleQueue[Job] | None = None
        self._done: deque[tuple[Job, Response]] = deque()

    @property
    def running(self) -> int:
        """How many jobs are at work."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._queued)

    def submit(self, job: Job) -> bool:
        """Take a job; False where as many wait already as may."""
        if self._running < self._most_running():
            self._run(job)
            return True
        if len(self._queued) >= self._most_queued:
            self._queued = deque(item for item in self._queued if not item.is_abandoned)
        if len(self._queued) >= self._most_queued:
            return False
        self._queued.append(job)
        return True

    def finished(self) -> list[tuple[Job, Response]]:
        """What has been answered since the last call; those who wait get the places."""
        done = [self._done.popleft() for _ in range(len(self._done))]
        self._running -= len(done)
        while self._queued and self._running < self._most_running():
            job = self._queued.popleft()
            if job.connection.has_left():
                job.connection.close()
            elif not job.is_abandoned:
                self._run(job)
        return done

    def _run(self, job: Job) -> None:
        self._running += 1
        if self._given is None:
            from queue import SimpleQueue  # which a start on a compiled model does without

            self._given = SimpleQueue()
        if self._running > self._threads:
            self._threads += 1
            threading.Thread(
                target=self._work, args=(self._given,), name="worker", daemon=True
            ).start()
        self._given.put(job)

    def _work(self, given: SimpleQueue[Job]) -> None:
        while True:
            job = given.get()
            response = self._answer(job.item.request)
            self._done.append((job, response))
            del job, response  # or the last request would stay in memory until the next
            self._wake()
