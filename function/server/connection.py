"""One client's connection: read, answer in order, and end without losing what was answered."""

from __future__ import annotations

import _socket as socket
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

from function.errors import AnswerTimeout, Overloaded, RequestTimeout, ServiceError, StreamTimeout
from function.http.messages import Response, Stream
from function.server.farewell import Farewell
from function.server.items import Item
from function.server.requests import RequestReader
from function.server.streaming import StreamedAnswer
from function.server.wire import CONTINUE, as_bytes
from function.server.workers import Job

if TYPE_CHECKING:
    from function.server.server import Server

READ_BYTES = 16_384
LARGE_READ_BYTES = 65_536
"""Of a body that BodyRoom has let in."""
MOST_UNSENT_BYTES = 16_384
"""Of answers to pipelined requests; the rest of the requests waits."""
LEAST_BYTES_PER_SECOND = 4_096
LEAST_CONTENDED_BYTES_PER_SECOND = 65_536
LEAST_SHARE = 0.1
"""Of READ_TIMEOUT_SECONDS: what a body that others wait for may stall."""
IDLE_SECONDS = 75.0


class Connection:
    """A client's socket, watched by the server's loop, and what is going on with it."""

    __slots__ = (
        "_began",
        "_farewell",
        "_items",
        "_job",
        "_reader",
        "_server",
        "_since",
        "_socket",
        "_streamed",
        "_unsent",
        "_watched",
        "born",
        "is_closed",
        "reserved_bytes",
    )

    def __init__(self, server: Server, client: socket.socket) -> None:
        self._server = server
        self._socket = client
        self._reader = RequestReader(server.settings.max_body_bytes, server.application.streams)
        self._items = self._reader.items
        self._unsent = b""
        self._job: Job | None = None
        self._streamed: StreamedAnswer | None = None
        self._watched = 0
        self._farewell: Farewell | None = None
        self.born = self._since = self._began = server.now
        self.reserved_bytes = 0  # what BodyRoom counts
        self.is_closed = False
        self._watch(EVENT_READ)

    def ready(self, events: int) -> None:
        """The socket can be read, or written."""
        if events & EVENT_WRITE:
            self._send()
            self._answer()
        elif self._farewell is not None:
            if not self._farewell.goes_on(self._server.now):
                self.close()
        elif self._job is None:
            self.read()

    def finish(self, job: Job, answered: Response | bytes) -> None:
        """A worker has answered, or a part; too late where the client was told something else
        meanwhile."""
        if self._job is job:
            self._job = None
            if isinstance(answered, Response):
                self._put(answered, job.item)
            elif self._streamed is not None:
                self._unsent += self._streamed.framed(answered)
            self._answer()

    def resume(self) -> None:
        """There is room again for what the client sends; its clock stood still meanwhile."""
        now = self._server.now
        self._began += now - self._since
        self._since = now
        self._update()

    def has_left(self) -> bool:
        """Whether the client has closed its side: while its request waits for its turn, it is taken
        to have given up, as a proxy does."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    # What the server asks when it looks for who stalls, idles, or has to go.

    @property
    def is_idle(self) -> bool:
        """Whether no request is arriving or under way, and no answer leaving."""
        is_busy = self._job or self._streamed or self._unsent or self._items
        return not (self._reader.in_message or is_busy)

    @property
    def is_arriving(self) -> bool:
        """Whether a part of a request has come."""
        return self._reader.in_message and not (self._job or self._unsent)

    @property
    def lingers(self) -> bool:
        """Whether the last answer has been sent, and what still comes is read over."""
        return self._farewell is not None

    @property
    def idle_since(self) -> float:
        return self._since if self._farewell is None else self._farewell.since

    def check(self, now: float) -> None:
        """End what has lasted too long."""
        quiet = now - self._since
        if self.is_closed:
            return
        if self._farewell is not None:
            if self._farewell.has_lasted(now, self._server.settings.read_timeout_seconds):
                self.close()
        elif self._job is not None:
            if now > self._job.deadline:
                self._give_up(self._job)
        elif self._streamed is not None:
            if quiet > self._server.settings.stream_idle_seconds:
                self.refuse(StreamTimeout(self._server.settings.stream_idle_seconds))
        elif self._unsent:
            if quiet > self._server.settings.read_timeout_seconds:
                self.close()
        elif self._reader.in_message:
            self._check_arrival(now, quiet)
        elif quiet > IDLE_SECONDS:
            self.close()

    def refuse(self, error: ServiceError) -> None:
        """Answer the request that is arriving with an error, and end."""
        if self._streamed is not None:
            self._break_off(self._streamed, error)
        else:
            self._reader.fail(error)
        self._answer()

    def close(self) -> None:
        """End now, whatever is under way."""
        if not self.is_closed:
            self.is_closed = True
            self._watch(0)
            self._job = None
            if self._streamed is not None:
                self._streamed.stream.close()
            self._reader.close()
            self._server.forget(self)
            self._socket.close()

    def _check_arrival(self, now: float, quiet: float) -> None:
        settings, reader = self._server.settings, self._reader
        if not self._watched:  # held up by the server itself
            if now - self._began > settings.request_timeout_seconds:
                self.refuse(Overloaded("Too many large requests are under way."))
            return
        limit, pace = settings.read_timeout_seconds, LEAST_BYTES_PER_SECOND
        if self.reserved_bytes and self._server.room.is_contended:
            limit, pace = limit * LEAST_SHARE, LEAST_CONTENDED_BYTES_PER_SECOND
        allowed = limit + reader.body_bytes / pace
        if quiet > limit or now - self._began > allowed:
            self.refuse(RequestTimeout(settings.read_timeout_seconds))

    def _give_up(self, job: Job) -> None:
        self._job = None
        job.is_abandoned = True
        seconds = self._server.settings.request_timeout_seconds
        error = AnswerTimeout(f"No answer within REQUEST_TIMEOUT_SECONDS={seconds:g}.")
        if job.stream is not None:
            self.close()
            return
        self._put(self._server.application.refuse(job.item.request, error), job.item)
        self._answer()

    def read(self) -> None:
        """Take what has arrived, and see what can be answered."""
        server, reader = self._server, self._reader
        most = LARGE_READ_BYTES if self.reserved_bytes else READ_BYTES
        try:
            size = self._socket.recv_into(server.buffer, most)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        data = bytes(server.buffer[:size])
        self._since = server.now
        if not data:
            reader.end()
        else:
            if not reader.in_message:
                self._began = server.now
            reader.feed(data)
        if reader.wants_continue and not self._items:
            reader.wants_continue = False
            self._unsent += CONTINUE
        self._answer()

    def _answer(self) -> None:
        """Answer what has arrived whole, in order, as far as that goes without waiting."""
        server, items = self._server, self._items
        application = server.application
        if self.is_closed:
            return
        while True:
            while self._can_go_on():
                if self._streamed is not None:
                    self._go_on(self._streamed)
                    continue
                item = items.popleft()
                request, error = item.request, item.error
                if item.incoming is not None:
                    item.incoming.begin(request)
                    error = item.incoming.error
                if error is not None:
                    self._put(application.refuse(request, error), item)
                elif application.takes_time(request):
                    self._submit(item)
                else:
                    self._put(application(request), item)
            if self._unsent:
                self._send()
            if self.is_closed:
                return
            if self._job is not None or self._unsent:
                break
            if not (self._reader.read_on() or self._can_go_on()):
                break
        self._update()

    def _can_go_on(self) -> bool:
        """Whether there is something to answer, and room for the answer."""
        if self._job is not None or len(self._unsent) >= MOST_UNSENT_BYTES:
            return False
        return bool(self._items) if self._streamed is None else self._streamed.can_go_on()

    def _go_on(self, streamed: StreamedAnswer) -> None:
        server, stream = self._server, streamed.stream
        if stream.is_over:
            self._streamed = None
            stream.close()
            if stream.is_broken or not streamed.keeps_alive:
                self._read_no_more()
        elif streamed.error is not None:
            self._break_off(streamed, streamed.error)
        else:
            deadline = server.now + server.settings.request_timeout_seconds
            self._job = Job(self, streamed.item, deadline, stream)
            server.submit(self._job)

    def _break_off(self, streamed: StreamedAnswer, error: ServiceError) -> None:
        """End a streamed answer before its end: in words, where the client reads any."""
        if len(self._unsent) >= MOST_UNSENT_BYTES:
            self.close()
        else:
            self._unsent += streamed.failed(error)

    def _read_no_more(self) -> None:
        self._reader.is_done = True
        self._items.clear()

    def _submit(self, item: Item) -> None:
        server = self._server
        job = Job(self, item, server.now + server.settings.request_timeout_seconds)
        if server.submit(job):
            self._job = job
        else:
            error = Overloaded(
                f"More requests wait than MAX_QUEUE={server.settings.max_queue} allows."
            )
            self._put(server.application.refuse(item.request, error), item)

    def _put(self, response: Response, item: Item) -> None:
        keeps_alive = item.keeps_alive and not self._server.ends(self)
        if response.stream is not None:
            self._put_head(response, response.stream, item, keeps_alive and not item.is_http_1_0)
            return
        if item.incoming is not None:  # and nobody will read it
            keeps_alive = False
        if not keeps_alive:
            self._read_no_more()
        self._unsent += as_bytes(response, item, keeps_alive)

    def _put_head(self, response: Response, stream: Stream, item: Item, keeps_alive: bool) -> None:
        if self._reader.wants_continue:
            self._reader.wants_continue = False
            self._unsent += CONTINUE
        self._unsent += as_bytes(response, item, keeps_alive)
        self._streamed = StreamedAnswer(stream, item, keeps_alive)

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the client has gone
            self.close()
            return
        self._unsent = self._unsent[sent:]
        self._since = self._server.now

    def _update(self) -> None:
        """Wait for what is to happen next."""
        reader, server = self._reader, self._server
        if self._farewell is not None:
            return
        if self._job is not None:
            if not self._job.is_quick:
                self._watch(0)
        elif self._unsent:
            self._watch(EVENT_WRITE)
        elif reader.is_done and not self._items and self._streamed is None:
            self._end()
        else:
            wanted = reader.expected_bytes if reader.in_body else 0
            if self.reserved_bytes not in (0, wanted):  # room for the body before this one
                server.room.release(self)
            self._watch(EVENT_READ if server.room.admits(self, wanted) else 0)

    def _end(self) -> None:
        self._server.room.release(self)
        try:
            self._farewell = Farewell(self._socket, self._server.now)
        except OSError:
            self.close()
            return
        self._watch(EVENT_READ)

    def _watch(self, events: int) -> None:
        if events != self._watched:
            self._server.watch(self._socket, self._watched, events, self)
            self._watched = events
