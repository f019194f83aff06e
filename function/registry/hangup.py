"""Ending what mlflow and its helpers wait for, whose clients have no way to ask for it.

Each of their timeouts bounds one read, so an answer that drips never ends. All of them (requests,
boto3, the Azure and Google clients) speak through http.client: its connections are found among
Python's objects and shut, and the thread that reads finds an end.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from socket import SHUT_RDWR, socket
from typing import Any


def hang_up() -> None:
    """Shut every HTTP connection that this process has open as a client."""
    for item in gc.get_objects():
        if issubclass(type(item), HTTPConnection | HTTPResponse):  # isinstance would wake proxies
            for found in _sockets(item):
                with suppress(OSError):  # it is closed already
                    socket.shutdown(found, SHUT_RDWR)


def _sockets(item: Any) -> Iterator[socket]:
    """A connection's socket; a response has it where the connection is not kept."""
    reader = getattr(getattr(item, "fp", None), "raw", None)
    for found in (getattr(item, "sock", None), getattr(reader, "_sock", None)):
        if isinstance(found, socket):
            yield found
