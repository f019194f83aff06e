"""The listening socket: one port for one server, deaf before it closes.

Here and in its neighbours sockets are those of ``_socket``: the socket module around it makes enums
of all its constants, which takes a start longer than all that is wanted of it.
"""

from __future__ import annotations

import _socket as socket
import sys
from contextlib import suppress

BACKLOG = 1024
_SO_BINDTOIFINDEX = 62  # <asm-generic/socket.h>


class Listener:
    """Listens on ``host`` and ``port``; ends the process with one line where it cannot."""

    def __init__(self, host: str, port: int) -> None:
        try:
            name = host.encode() if host.isascii() else host  # bytes need no codec for IDNA
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            self.socket = socket.socket(family, kind, protocol)
            # Not SO_REUSEPORT: with an older server that was forgotten, each would get half the
            # requests.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(address)
            self.socket.listen(BACKLOG)
        except (OSError, UnicodeError) as exc:
            place = f"HOST={host} and PORT={port}"
            reason = getattr(exc, "strerror", None) or exc
            raise SystemExit(f"The server cannot listen on {place}: {reason}") from None
        self.socket.setblocking(False)

    def accept(self) -> socket.socket | None:
        """The next client, or None where none waits; raises OSError where there is no descriptor
        for it."""
        try:
            descriptor, _ = self.socket._accept()  # type: ignore[attr-defined]
        except (BlockingIOError, ConnectionError, InterruptedError):
            return None
        own = self.socket
        client = socket.socket(own.family, own.type, own.proto, descriptor)
        client.setblocking(False)
        with suppress(OSError):  # the client has gone again
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def turn_deaf(self) -> None:
        """Let nobody new in. Those whom the kernel has let in, or half in, are still accepted."""
        with suppress(OSError):  # Linux before 5.7, gVisor, other systems
            # Listening on a network interface that is not there, and only there.
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, 2**31 - 1)

    @property
    def has_waiting(self) -> bool:
        """Whether the kernel has let in clients that are not accepted: closing would reset them."""
        try:  # tcpi_unacked, which is this for a socket that listens (tcp_get_info in Linux)
            info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
        except (OSError, AttributeError):
            return False
        return int.from_bytes(info[24:28], sys.byteorder) > 0

    def close(self) -> None:
        self.socket.close()
