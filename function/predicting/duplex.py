"""A socket that one thread sends on while another receives, over TLS too.

The ssl module locks nothing, and OpenSSL allows one call at a time on a connection: so no call
waits, each has the lock for itself, and the waiting is done outside of it.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

BUFFER_BYTES = 65_536


class Duplex:
    """As much of a socket as http.client needs; ``sendall`` is for another thread. Sending and
    receiving raise TimeoutError where nothing moves for so many seconds."""

    def __init__(self, connected: socket.socket, idle_seconds: float) -> None:
        self._socket = connected
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        connected.setblocking(False)

    def sendall(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[self._moved(partial(self._socket.send, view), select.POLLOUT) :]

    def receive_into(self, buffer: Any) -> int:
        return self._moved(partial(self._socket.recv_into, buffer), select.POLLIN)

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client reads the answer from."""
        return io.BufferedReader(_Received(self), BUFFER_BYTES)

    def close(self) -> None:
        """What http.client says where an answer is the connection's last, and still to be read."""

    def hang_up(self) -> None:
        """Nothing is sent or received from now on, whoever waits for it."""
        with self._lock, suppress(OSError):  # it may have hung up itself
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Once nobody uses it."""
        self._socket.close()

    def _moved(self, move: Callable[[], int], event: int) -> int:
        while True:
            try:
                with self._lock:
                    return move()
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            except BlockingIOError:
                self._wait(event)

    def _wait(self, event: int) -> None:
        waiting = select.poll()
        waiting.register(self._socket, event)
        if not waiting.poll(self._idle_seconds * 1000):
            raise TimeoutError(f"nothing moved for {self._idle_seconds:g} s")


class _Received(io.RawIOBase):
    def __init__(self, duplex: Duplex) -> None:
        super().__init__()
        self._duplex = duplex

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._duplex.receive_into(buffer)
