"""Threads for the requests that may take long: so many at work, so many waiting, no more.

The loop's thread keeps the accounts, so there is nothing to lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from function.http.messages import Request, Response, Stream
from function.server.items import Item

if TYPE_CHECKING:
    from queue import SimpleQueue

    from function.server.connection import Connection


class Job:
    """One request at work, or waiting for its turn until ``deadline`` (time.monotonic).

    One that ``is_quick`` is the loop's own, the others are the workers'. With a ``stream`` it is
    the next part of that answer.
    """

    __slots__ = ("connection", "deadline", "is_abandoned", "is_quick", "item", "stream")

    def __init__(
        self, connection: Connection, item: Item, deadline: float, stream: Stream | None = None
    ) -> None:
        self.connection = connection
        self.item = item
        self.deadline = deadline
        self.stream = stream
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
        self._slices: deque[Job] = deque()
        self._running_slices = 0
        self._took_slice = False
        self._given: SimpleQueue[Job] | None = None
        self._done: deque[tuple[Job, Response | bytes]] = deque()

    @property
    def running(self) -> int:
        """How many jobs are at work."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._queued) + len(self._slices)

    def submit(self, job: Job) -> bool:
        """Take a job; False where as many wait already as may. The next part of an answer that
        streams has its place: there is one for each connection at most."""
        if job.stream is not None:
            self._slices.append(job)
            self._run_waiting()
            return True
        if self._running < self._most_running():
            self._run(job)
            return True
        if len(self._queued) >= self._most_queued:
            self._queued = deque(item for item in self._queued if not item.is_abandoned)
        if len(self._queued) >= self._most_queued:
            return False
        self._queued.append(job)
        return True

    def finished(self) -> list[tuple[Job, Response | bytes]]:
        """What has been answered since the last call; those who wait get the places."""
        done = [self._done.popleft() for _ in range(len(self._done))]
        self._running -= len(done)
        self._running_slices -= sum(job.stream is not None for job, _ in done)
        self._run_waiting()
        return done

    def _run_waiting(self) -> None:
        while self._running < self._most_running() and (job := self._next()) is not None:
            if job.stream is None and job.connection.has_left():
                job.connection.close()
            elif not job.is_abandoned:
                self._run(job)

    def _next(self) -> Job | None:
        """Who waits and is to go on: parts of streams take turns with requests, and take half of
        the places."""
        most_slices = max(1, self._most_running() // 2)
        may_slice = bool(self._slices) and self._running_slices < most_slices
        self._took_slice = may_slice and not (self._took_slice and self._queued)
        if self._took_slice:
            return self._slices.popleft()
        return self._queued.popleft() if self._queued else None

    def _run(self, job: Job) -> None:
        self._running += 1
        self._running_slices += job.stream is not None
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
            stream = job.stream
            answered = self._answer(job.item.request) if stream is None else stream.work()
            self._done.append((job, answered))
            del job, stream, answered  # or the last request would stay in memory until the next
            self._wake()
