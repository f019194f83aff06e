"""Wakes the loop from elsewhere: a byte through a socket."""

from __future__ import annotations

import _socket as socket
import os
from contextlib import suppress


class Waker:
    """Wakes the loop from other threads and from signal handlers: a byte through a socket."""

    def __init__(self) -> None:
        self.socket, self._writer = socket.socketpair()
        self.socket.setblocking(False)
        self._writer.setblocking(False)
        self.descriptor = self._writer.fileno()

    def wake(self) -> None:
        """Make select return; safe from any thread."""
        with suppress(BlockingIOError):  # it is full, so the loop wakes anyway
            os.write(self.descriptor, b"\0")

    def ready(self, events: int) -> None:
        """Take the bytes away: they have done what they are for."""
        with suppress(BlockingIOError):
            self.socket.recv(4096)
