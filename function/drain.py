"""Leaving without losing a request: what happens between SIGTERM and granian's own shutdown.

granian closes idle connections the moment it is told to stop. A request that a client sends just
then reaches a closed connection, and nobody can tell the client whether it was answered. So first
every response says `Connection: close`, and the client itself leaves after it; then no new
connection is let in, while those the kernel has accepted are served; only then granian stops.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import threading
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from granian.server.mp import MPServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Clients with requests under way leave in this time; one that is idle for longer may lose a race.
CLOSING_SECONDS = 0.5
# Then the worker says that it lets nobody in any more: at once, but on a busy machine not always.
LONGEST_WAIT_SECONDS = 2.0
# Then connections that the kernel has accepted reach the worker.
SETTLING_SECONDS = 0.3
_CLOSE, _REFUSE = signal.SIGUSR1, signal.SIGUSR2
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module does not have it
# Classic BPF over the TCP header: drop what carries SYN (byte 13, bit 2), pass the rest.
_REFUSE_SYN = (
    (0x30, 0, 0, 13),  # load byte 13
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
)

closing = threading.Event()
_refused: tuple[int, int] = (-1, -1)  # a pipe from the worker to the server


class DrainingServer(MPServer):
    """As MPServer, with clients sent away before the worker is told to stop."""

    def _init_shared_socket(self) -> None:
        global _refused
        _refused = os.pipe()
        for order in (_CLOSE, _REFUSE):  # a worker that is still starting must not die of one
            signal.signal(order, signal.SIG_IGN)
        try:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
        except Exception as exc:
            reason = str(exc).splitlines()[0]
            address = f"HOST={self.bind_addr} and PORT={self.bind_port}"
            raise SystemExit(f"The server cannot listen on {address}: {reason}") from None

    def _stop_workers(self) -> None:
        workers: list[Any] = self.wrks
        alive = [worker for worker in workers if worker.is_alive()]
        if alive:
            self._order(alive, _CLOSE)
            time.sleep(CLOSING_SECONDS)
            self._order(alive, _REFUSE)
            select.select([_refused[0]], [], [], LONGEST_WAIT_SECONDS)
            time.sleep(SETTLING_SECONDS)
        super()._stop_workers()  # type: ignore[no-untyped-call]

    def _order(self, workers: list[Any], order: signal.Signals) -> None:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker._id(), order)


def listen_for_orders() -> None:
    """Take the server's orders; call it in the worker's main thread."""
    # Until granian has its own handlers, what the fork inherited would swallow these.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(_CLOSE, lambda *_: closing.set())
    signal.signal(_REFUSE, lambda *_: refuse_connections())


def refuse_connections() -> None:
    """Let no new connection in; one that is half open still completes.

    The client's first packet is dropped, not answered: it tries again a second later, and learns
    that nobody listens before it has sent anything. Where the kernel knows no such filter,
    connections made in the last moment are reset, as with any server.
    """
    code = array("B", b"".join(struct.pack("HBBI", *line) for line in _REFUSE_SYN))
    program = struct.pack("HL", len(_REFUSE_SYN), code.buffer_info()[0])
    for listener in _listeners():
        with listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    os.write(_refused[1], b"!")


def _listeners() -> Iterator[socket.socket]:
    """This process's listening sockets; they are granian's own, made in Rust."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found = socket.socket(fileno=os.dup(int(name)))
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found
            else:
                found.close()


def sending_clients_away(app: WSGIApplication) -> WSGIApplication:
    """`app`, whose responses end their connections once SIGTERM has come."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not closing.is_set():
            return app(environ, start_response)

        def start_last(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return app(environ, start_last)

    return answer
