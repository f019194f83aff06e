"""granian's WSGI worker in this very process, and leaving without losing a request.

granian's own command forks a worker and watches over it. A container has someone watching already,
and a second process costs it a fifth of its memory. So the worker is run here, as
``granian.server.mp`` runs it in the fork.

When it is told to stop, granian closes idle connections at once. A request that a client sends just
then reaches a closed connection, and nobody can tell the client whether it was answered. So first
no new connection is let in; then every response says ``Connection: close``, and the client itself
leaves after it; only then granian stops.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import threading
import time
from asyncio import new_event_loop
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from granian._futures import _new_cbscheduler
from granian._granian import WorkerSignal, WSGIWorker
from granian.http import HTTP1Settings
from granian.net import SocketSpec
from granian.wsgi import _callback_wrapper

from function.settings import Settings
from function.telemetry import output

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BACKLOG = 1024
# Clients with requests under way leave in this time; one that is idle for longer may lose a race.
CLOSING_SECONDS = 0.5
# Connections that the kernel has half let in are in after this time, and accepted in that.
HANDSHAKE_SECONDS = 0.02
ACCEPTING_SECONDS = 1.0
_NO_TLS: tuple[Any, ...] = (False, None, None, None, "tls1.3", None, [], False)
_IDLE_THREAD_SECONDS = 30
_SO_BINDTOIFINDEX = 62  # <asm-generic/socket.h>


class Server:
    """One WSGI worker, listening on ``settings.host`` and ``settings.port``."""

    def __init__(self, settings: Settings) -> None:
        """Ends the process with one line where it cannot listen there."""
        self._threads = settings.threads
        self._drain_seconds = settings.drain_seconds
        self._address = SocketSpec(*_free_address(settings.host, settings.port), BACKLOG)
        self._closing = threading.Event()
        self._stop = WorkerSignal()
        self._stopped = threading.Event()
        self._stop.add_cb(self._stopped.set)

    def run(self, app: WSGIApplication) -> None:
        """Serve ``app`` until SIGTERM or SIGINT; call it in the main thread."""
        worker = WSGIWorker(
            1,  # its number
            (self._address, None),
            None,  # no channel to a parent
            1,  # one thread of Rust's own
            1,  # and one for its file system
            self._threads,
            _IDLE_THREAD_SECONDS,
            BACKLOG,
            "1",  # HTTP/1.1
            HTTP1Settings(),
            None,  # no HTTP/2
            None,  # no static files
            *_NO_TLS,
            (None, None),  # no metrics
        )
        callback = _callback_wrapper(self._sending_clients_away(app), {}, None)
        for order in (signal.SIGTERM, signal.SIGINT):
            signal.signal(order, self._leave)
        loop = new_event_loop()  # WSGI runs nothing in it, but granian wants one
        worker.serve_mtr(_new_cbscheduler(loop, callback, impl_asyncio=True), loop, self._stop)
        self._stopped.wait()

    def _leave(self, *_: Any) -> None:
        if not self._closing.is_set():
            self._closing.set()
            threading.Thread(target=self._leave_in_steps, name="leave", daemon=True).start()

    def _leave_in_steps(self) -> None:
        with suppress(OSError):  # no /proc, say: then granian's own shutdown has to do
            stop_listening()
        time.sleep(CLOSING_SECONDS)
        self._stop.set()
        time.sleep(self._drain_seconds)
        output.flush()
        os._exit(0)

    def _sending_clients_away(self, app: WSGIApplication) -> WSGIApplication:
        """`app`, whose responses end their connections once the order to leave has come."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if not self._closing.is_set():
                return app(environ, start_response)

            def start_last(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                return start_response(status, [*headers, ("Connection", "close")], *more)

            return app(environ, start_last)

        return answer


def _free_address(host: str, port: int) -> tuple[str, int]:
    """The IP address and port to listen on.

    Granian itself would share the port with whoever listens there already, an older server that
    was forgotten, say, and each would get half the requests.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        place = f"HOST={host} and PORT={port}"
        raise SystemExit(f"The server cannot listen on {place}: {exc.strerror}") from None
    return str(address[0]), port


def stop_listening() -> None:
    """Close this process's listening sockets behind granian's back, which has no way to ask for it.

    Clients are refused from now on; those whom the kernel has let in, or half in, are answered. A
    socket that nobody knows takes the place of each, so that granian goes on waiting as before.
    """
    for descriptor in _listening_descriptors():
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind("")  # the kernel makes up a name, in no file system
            nobody.listen()
            nobody.setblocking(False)  # dup2 shares this; granian's accept must not wait
            with socket.socket(fileno=os.dup(descriptor)) as listener:
                with suppress(OSError):  # Linux before 5.7, gVisor
                    # Listening on a network interface that is not there, and only there.
                    listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, 2**31 - 1)
                _wait_until_accepted(listener)
                os.dup2(nobody.fileno(), descriptor, inheritable=False)


def _wait_until_accepted(listener: socket.socket) -> None:
    """Return when nobody is in the queue of connections let in: closing it would reset them."""
    deadline = time.monotonic() + ACCEPTING_SECONDS
    time.sleep(HANDSHAKE_SECONDS)
    while _queue_length(listener) and time.monotonic() < deadline:
        time.sleep(HANDSHAKE_SECONDS)


def _queue_length(listener: socket.socket) -> int:
    """tcpi_unacked, which is this for a socket that listens (tcp_get_info in the Linux kernel)."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return int.from_bytes(info[24:28], sys.byteorder)


def _listening_descriptors() -> list[int]:
    """Those of this process's listening sockets, which granian made in Rust."""
    found = []
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # the descriptor that listed the folder is gone
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as copy:
                    if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        found.append(descriptor)
    return found
