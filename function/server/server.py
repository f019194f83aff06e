"""The event loop: who can be read or written, who has waited too long, and when to leave."""

from __future__ import annotations

import _socket as socket
from collections import deque
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Protocol

from function.http.application import Application
from function.http.messages import Response
from function.server.connection import LARGE_READ_BYTES, Connection
from function.server.crowd import Crowd
from function.server.listener import Listener
from function.server.room import BodyRoom
from function.server.waker import Waker
from function.server.workers import Job, Workers
from function.settings import MOST_THREADS_FOR_COMPILED, Settings
from function.telemetry.metrics import Gauge

MOST_ACCEPTED_AT_ONCE = 64
TICK_SECONDS = 0.25
LEAVING_TICK_SECONDS = 0.02
# Clients with requests under way leave in this time; one that is idle for longer may lose a race.
CLOSING_SECONDS = 0.5
# Connections that the kernel has half let in are in after this time, and accepted in that.
HANDSHAKE_SECONDS = 0.02
ACCEPTING_SECONDS = 1.0
# Predictions between two looks at who else has something to say: a probe waits no longer than this.
QUICK_SECONDS = 0.02
# Who waits for longer may have given up, and is asked before the work is done.
PATIENCE_SECONDS = 0.1
# What needs no model and takes longer than a moment does not wait for those that do.
MOST_ASIDE = 2
# Who brings a token of an unknown key may be anybody: few wait until the issuer has been asked.
MOST_PATIENT, MOST_PATIENT_QUEUED = 2, 8


class Watcher(Protocol):
    """Whom the loop tells that a socket can be read or written."""

    def ready(self, events: int) -> None: ...


class Server:
    """One event loop on one listening socket; ``run`` returns when it has left."""

    def __init__(self, settings: Settings, application: Application) -> None:
        """Ends the process with one line where it cannot listen."""
        self.settings = settings
        self.application = application
        self.now = monotonic()
        # recv would take its most from the heap each time and give back the rest, which frays it.
        self.buffer = memoryview(bytearray(LARGE_READ_BYTES))
        self.room = BodyRoom(settings.max_body_bytes)
        self._selector = DefaultSelector()
        self._waker = Waker()
        self.workers = Workers(
            application, self._most_running, settings.max_queue, self._waker.wake
        )
        self.aside = Workers(application, lambda: MOST_ASIDE, settings.max_queue, self._waker.wake)
        self.patient = Workers(
            application.patiently, lambda: MOST_PATIENT, MOST_PATIENT_QUEUED, self._waker.wake
        )
        self._crowd = Crowd(settings.max_connections, settings.read_timeout_seconds)
        self._quick: deque[Job] = deque()
        self._slices: deque[Job] = deque()
        self._listener = Listener(settings.host, settings.port)
        self._is_accepting = False
        self._leaving_since: float | None = None
        self._told_to_leave = False
        self._selector.register(self._waker.socket, EVENT_READ, self._waker)
        self._listen()

    @property
    def wakes_by(self) -> int:
        """The descriptor to which a signal writes."""
        return self._waker.descriptor

    def gauges(self) -> list[Gauge]:
        """What the metrics say of the server."""
        workers, quick = self.workers, self._quick
        return [
            Gauge(
                "requests_in_flight",
                "Requests that a thread works on with the model",
                lambda: workers.running,
            ),
            Gauge(
                "requests_queued",
                "Requests that wait for their turn",
                lambda: workers.waiting + len(quick),
            ),
            Gauge("connections", "Connections that are open", lambda: len(self._crowd)),
        ]

    def leave(self) -> None:
        """Begin to leave, as the package's docstring says; safe in a signal handler."""
        self._told_to_leave = True

    def seconds_left(self) -> float:
        """Of DRAIN_SECONDS, once told to leave."""
        since = self.now if self._leaving_since is None else self._leaving_since
        return max(0.0, since + self.settings.drain_seconds - monotonic())

    def run(self) -> None:
        """Serve until told to leave and for what is under way then, DRAIN_SECONDS at most."""
        next_tick = self.now
        while True:
            ready = self._selector.select(self._patience())
            self.now = monotonic()
            for key, events in ready:
                self._tell(key.data, events)
            self._answer_quick()
            self._go_on_streaming()
            for workers in (self.workers, self.aside, self.patient):
                for job, response in workers.finished():
                    self._finish(job, response)
            if self.now >= next_tick:
                next_tick = self.now + TICK_SECONDS
                self._tick()
            self._crowd.check_some(self.now)
            if self._told_to_leave and self._leaving_since is None:
                self._begin_to_leave()
            if self._leaving_since is not None and self._has_left(self._leaving_since):
                return

    # What connections ask of the loop.

    def watch(self, of: socket.socket, before: int, events: int, watcher: Watcher) -> None:
        """Tell ``watcher`` from now on of ``events`` (a mask) instead of those ``before``."""
        if not events:
            self._selector.unregister(of)
        elif before:
            self._selector.modify(of, events, watcher)
        else:
            self._selector.register(of, events, watcher)

    def submit(self, job: Job) -> bool:
        """Take a request that takes time; False where more wait already than may."""
        application, request = self.application, job.item.request
        if application.is_quick(request):
            job.is_quick = True
            (self._quick if job.stream is None else self._slices).append(job)
            return True
        if job.stream is not None:
            return self.workers.submit(job)
        if application.must_wait(request):
            return self.patient.submit(job)
        if application.is_aside(request):
            return self.aside.submit(job)
        return self.workers.submit(job)

    def ends(self, connection: Connection) -> bool:
        """Whether the connection's next answer is its last."""
        if self._told_to_leave:
            return True
        age = self.settings.max_connection_age_seconds
        spread = connection.born * 997 % 1  # those that came together do not leave together
        return age > 0 and self.now - connection.born > age * (0.9 + 0.1 * spread)

    def forget(self, connection: Connection) -> None:
        """The connection is closed."""
        self._crowd.discard(connection)
        self.room.release(connection)
        if self._leaving_since is None:
            self._listen()

    # The loop's own.

    def ready(self, events: int) -> None:
        """Somebody connects."""
        for _ in range(MOST_ACCEPTED_AT_ONCE):
            try:
                client = self._listener.accept()
            except OSError:  # no descriptor left, in the process or on the machine
                if not self._crowd.make_place(self.now):
                    self._do_not_listen()
                return
            if client is None:
                return
            connection = Connection(self, client)
            self._crowd.add(connection)
            connection.read()  # what it sent with its first packets has come with it
            if self._crowd.is_too_large and not self._crowd.make_place(self.now):
                self._do_not_listen()
                return

    def _tell(self, watcher: Watcher, events: int) -> None:
        try:
            watcher.ready(events)
        except Exception as exc:
            self._end_after(exc, watcher)

    def _finish(self, job: Job, answered: Response | bytes) -> None:
        try:
            job.connection.finish(job, answered)
        except Exception as exc:
            self._end_after(exc, job.connection)

    def _end_after(self, exc: Exception, watcher: Watcher) -> None:
        """A fault of ours ends one connection, not the service."""
        self.application.log.request_failure("connection failed", exc)
        if isinstance(watcher, Connection):
            watcher.close()

    def _patience(self) -> float | None:
        """How long to sleep at most: for ever where nothing can time out."""
        is_busy = self._quick or self._slices
        if self._leaving_since is not None and not is_busy:
            return LEAVING_TICK_SECONDS
        if self._told_to_leave or is_busy or self._crowd.has_unchecked:
            return 0.0
        return TICK_SECONDS if self._crowd or not self._is_accepting else None

    def _answer_quick(self) -> None:
        """Answer what the model makes short work of, for a moment: then others are looked at."""
        quick, application = self._quick, self.application
        until = self.now + QUICK_SECONDS
        long_ago = self.now + self.settings.request_timeout_seconds - PATIENCE_SECONDS
        while quick:
            job = quick.popleft()
            if job.is_abandoned or job.connection.is_closed:
                continue
            if job.deadline < long_ago and job.connection.has_left():
                job.connection.close()
                continue
            self._finish(job, application(job.item.request))
            if quick and monotonic() > until:
                return

    def _go_on_streaming(self) -> None:
        """Answer a part of what streams: whoever asks for less has been served before, and is asked
        for before the next."""
        job = self._slices.popleft() if self._slices else None
        if job is not None and job.stream is not None and not job.connection.is_closed:
            self._finish(job, job.stream.work())

    def _tick(self) -> None:
        self._crowd.begin_check()
        if not self._is_accepting and self._leaving_since is None:
            self._listen()

    def _most_running(self) -> int:
        model = self.application.service.models.model
        most = self.settings.max_concurrency
        is_quick = model is not None and model.predictor.quick_bytes > 0
        return min(most, MOST_THREADS_FOR_COMPILED) if is_quick else most

    def _listen(self) -> None:
        if not self._is_accepting:
            self._is_accepting = True
            self._selector.register(self._listener.socket, EVENT_READ, self)

    def _do_not_listen(self) -> None:
        """Until the next tick: who waits stays in the kernel's queue, and nothing spins."""
        if self._is_accepting:
            self._is_accepting = False
            self._selector.unregister(self._listener.socket)

    def _begin_to_leave(self) -> None:
        self._leaving_since = self.now
        self._listener.turn_deaf()

    def _has_left(self, since: float) -> bool:
        """One look while leaving: whether everybody has been answered, or had time enough."""
        passed = self.now - since
        if passed > self.settings.drain_seconds:
            return True
        if self._is_accepting and passed > HANDSHAKE_SECONDS:
            if self._listener.has_waiting and passed < ACCEPTING_SECONDS:
                return False
            self._do_not_listen()
            self._listener.close()
        if passed > CLOSING_SECONDS:
            self._crowd.close_idle()
        return not self._crowd and not self._is_accepting
