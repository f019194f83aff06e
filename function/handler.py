"""Door 1: ``handle``, the entrypoint that Functions Framework and buildpacks look for.

flask.Request -> Request, Response -> flask.Response; nothing else knows Flask. Here a request holds
a thread while its body arrives, so this door is for laptops, buildpacks and platforms with a proxy
in front; the one for the open internet is ``python -m function.serve``.

What Flask and Functions Framework would answer by themselves (a path with a newline, doubled
slashes, /robots.txt, events) comes here too, so that every answer has the one shape and a log
record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from errno import ECONNRESET
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

import flask
from werkzeug.exceptions import RequestEntityTooLarge

from function.errors import BodyTooLarge, MalformedRequest, Overloaded, ServiceError
from function.http.application import Application
from function.http.messages import Request, Response, Stream
from function.settings import Settings
from function.telemetry.metrics import Gauge
from function.wiring import create_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Handle = Callable[[flask.Request], flask.Response]

_CHUNK_BYTES = 65_536
_ENDLESS = 2**62
_MOST_DRAINED_BYTES = 16 * 1_048_576


def create_handle(settings: Settings) -> Handle:
    """Wire the service together and return its Functions Framework entrypoint."""
    from function.telemetry import libraries

    application = create_application(settings)
    libraries.capture(application.log)
    # A thread that waited for its turn would be one that no probe gets: the surplus is sent away.
    slots = BoundedSemaphore(settings.max_concurrency)
    # Each holds a thread for as long as its client likes.
    streams = BoundedSemaphore(max(1, settings.max_concurrency // 2))
    application.service.signals.metrics.gauges.append(
        Gauge(
            "requests_in_flight",
            "Requests that a thread works on with the model",
            lambda: settings.max_concurrency - slots._value,
        )
    )

    def handle(request: flask.Request) -> flask.Response:
        """Answer one HTTP request."""
        received = _received(request)
        if application.streams(received):
            return _streamed(application, received, request, streams)
        try:
            received.body = _read_body(request, settings.max_body_bytes)
        except ServiceError as exc:
            return _as_flask(application.refuse(received, exc), isinstance(exc, BodyTooLarge))
        if not application.needs_model(received) or application.is_quick(received):
            return _as_flask(application.patiently(received))
        if not slots.acquire(blocking=False):
            return _as_flask(application.refuse(received, _too_many(settings)))
        try:
            return _as_flask(application.patiently(received))
        finally:
            slots.release()

    if flask.has_app_context():
        _take_over(flask.current_app, handle)
    return handle


def _too_many(settings: Settings) -> Overloaded:
    return Overloaded(f"MAX_CONCURRENCY={settings.max_concurrency} requests are under way.")


def _take_over(app: flask.Flask, handle: Handle) -> None:
    """Answer before any route is looked for, whatever ``--signature-type`` says: that of events
    would hand over what it reads itself, and answer OK."""
    app.before_request(lambda: handle(flask.request))


def _received(request: flask.Request) -> Request:
    environ = request.environ
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        headers.setdefault("host", "")
    query = environ.get("QUERY_STRING", "")
    return Request(request.method, request.path, headers, query=query)


def _read_body(request: flask.Request, limit_bytes: int) -> bytes:
    """The whole body; raises BodyTooLarge (413) beyond ``limit_bytes``, chunked or not.

    Functions Framework reads what is left of a body after the response, without any limit, so
    every body is read here, even one that no endpoint wants.
    """
    announced = request.environ.get("CONTENT_LENGTH", "")
    if not (announced.isdecimal() and int(announced) <= limit_bytes):
        # One byte more than allowed: werkzeug cuts a chunked body at its limit without a word.
        # Not for every request, since a limited stream takes 5 µs longer to read.
        request.max_content_length = limit_bytes + 1
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        body = None
    except Exception as exc:  # the server's own: a bad chunk, a trailer field it forbids
        raise MalformedRequest("The body could not be read to its end.") from exc
    if body is None or len(body) > limit_bytes:
        _drain(request)
        raise BodyTooLarge(limit_bytes)
    if announced.isdecimal() and len(body) < int(announced):
        raise MalformedRequest("The body ended before its announced length.")
    return body


def _drain(request: flask.Request) -> None:
    """Read on and throw away, within reason: a client that is still sending when the connection
    closes sees a reset instead of the 413."""
    stream = request.environ["wsgi.input"]
    left = _MOST_DRAINED_BYTES
    announced = request.content_length
    if announced is not None:
        left = min(left, announced)
    try:
        while left > 0 and (chunk := stream.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
    except Exception:  # the client has gone, or what it sends is no body
        pass


class _Incoming:
    """A body that is read part by part."""

    def __init__(self, request: flask.Request) -> None:
        request.max_content_length = _ENDLESS
        self._stream = request.stream
        self._left = request.content_length or 0

    def read(self) -> bytes:
        """The next part, nothing at the end; raises MalformedRequest (400) where it breaks off."""
        try:
            part: bytes = self._stream.read(_CHUNK_BYTES)
        except Exception as exc:  # the server's own: a bad chunk, a client that has gone
            raise MalformedRequest("The body could not be read to its end.") from exc
        self._left -= len(part)
        if not part and self._left > 0:
            raise MalformedRequest("The body ended before its announced length.")
        return part


def _streamed(
    application: Application, received: Request, request: flask.Request, streams: BoundedSemaphore
) -> flask.Response:
    """The answer to a body of lines, made while it arrives."""
    if not streams.acquire(blocking=False):
        _drain(request)
        error = Overloaded("As many bodies of lines are under way as half of MAX_CONCURRENCY.")
        return _as_flask(application.refuse(received, error), is_streamed=True)
    body = _Incoming(request)
    try:
        received.is_whole = False
        while len(received.body) < _CHUNK_BYTES and not received.is_whole:
            part = body.read()
            received.body += part
            received.is_whole = not part
        response = application.patiently(received)
    except MalformedRequest as exc:
        response = application.refuse(received, exc)
    if response.stream is None:
        streams.release()
        _drain(request)
        return _as_flask(response, is_streamed=True)
    answer = flask.Response(_parts(response.stream, body), response.status, response.headers)
    answer.call_on_close(response.stream.close)
    answer.call_on_close(streams.release)
    return answer


def _parts(stream: Stream, body: _Incoming) -> Iterator[bytes]:
    while not stream.is_over:
        if not stream.is_hungry:
            yield stream.work()
            continue
        try:
            part = body.read()
        except MalformedRequest as exc:
            yield stream.fail(exc)
            break
        if part:
            stream.feed(part)
        else:
            stream.end()
    if stream.is_broken:  # or the client would take it for whole
        raise ConnectionResetError(ECONNRESET, "a streamed answer ends before its end")


class _WholeResponse(flask.Response):
    """As flask.Response for a body in memory and headers that are complete.

    flask.Response copies and checks its headers once more and wraps the body in an iterator when
    the server asks for it, 10 µs a request.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer as a WSGI application; HEAD gets the headers only."""
        start_response(self.status, self.headers.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else list(self.iter_encoded())


def _as_flask(response: Response, is_streamed: bool = False) -> flask.Response:
    answer = _WholeResponse([response.body], response.status, response.headers)
    if is_streamed:
        # Functions Framework then does not read on through an endless body.
        answer.response = iter([response.body])
    if response.status == 204:
        del answer.headers["Content-Type"]
    return answer
