"""Leaving without losing a request: what happens between SIGTERM and granian's own shutdown.

granian closes idle connections the moment it is told to stop. A request that a client sends just
then reaches a closed connection, and nobody can tell the client whether it was answered. So first
no new connection is let in; then every response says `Connection: close`, and the client itself
leaves after it; only then granian stops.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from granian.server.mp import MPServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Clients with requests under way leave in this time; one that is idle for longer may lose a race.
CLOSING_SECONDS = 0.5
# What is in the queue of new connections by then is accepted in this time.
ACCEPTING_SECONDS = 0.02
_ORDER = signal.SIGUSR1
closing = threading.Event()
_leaving = False


class DrainingServer(MPServer):
    """As MPServer, with a worker that is told to leave before it is told to stop."""

    def _init_shared_socket(self) -> None:
        signal.signal(_ORDER, signal.SIG_IGN)  # a worker that is still starting must not die of it
        try:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
        except Exception as exc:
            reason = str(exc).splitlines()[0]
            address = f"HOST={self.bind_addr} and PORT={self.bind_port}"
            raise SystemExit(f"The server cannot listen on {address}: {reason}") from None

    def _stop_workers(self) -> None:
        drain_seconds = self.workers_kill_timeout or 0
        deadline = time.monotonic() + ACCEPTING_SECONDS + CLOSING_SECONDS + drain_seconds
        workers: list[Any] = self.wrks
        for worker in workers:
            worker.interrupt_by_parent = True  # its end is no crash
            while worker.is_alive() and time.monotonic() < deadline:
                with suppress(ProcessLookupError):
                    os.kill(worker.inner.pid, _ORDER)  # again, should it still have been starting
                worker.join(0.1)
        self.workers_kill_timeout = 1
        super()._stop_workers()  # type: ignore[no-untyped-call]


def leave_when_told() -> None:
    """Take the server's order; call it in the worker's main thread."""
    # Until granian has its own handlers, what the fork inherited would swallow these.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(_ORDER, _leave)


def _leave(*_: Any) -> None:
    global _leaving
    if not _leaving:
        _leaving = True
        threading.Thread(target=_leave_in_steps, name="leave", daemon=True).start()


def _leave_in_steps() -> None:
    """In the worker, since on a busy server the next step must not overtake this one."""
    with suppress(OSError):  # no /proc, say: then granian's own shutdown has to do
        stop_listening()
    closing.set()
    time.sleep(CLOSING_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def stop_listening() -> None:
    """Close this process's listening sockets behind granian's back, which has no way to ask for it.

    A socket that nobody knows takes the place of each, so that granian goes on waiting for
    connections as before. Clients are refused from now on.
    """
    for descriptor in _listening_descriptors():
        with socket.socket(socket.AF_UNIX) as nobody:
            with socket.socket(fileno=os.dup(descriptor)) as listener:
                listener.listen(0)  # as few as possible in the queue
            time.sleep(ACCEPTING_SECONDS)
            nobody.bind("")  # the kernel makes up a name, in no file system
            nobody.listen()
            nobody.setblocking(False)  # dup2 shares this; granian's accept must not wait
            os.dup2(nobody.fileno(), descriptor, inheritable=False)


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


def sending_clients_away(app: WSGIApplication) -> WSGIApplication:
    """`app`, whose responses end their connections once the order to leave has come."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not closing.is_set():
            return app(environ, start_response)

        def start_last(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return app(environ, start_last)

    return answer
