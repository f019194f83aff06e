"""What has arrived: a request, whole or as far as it goes, and how its connection goes on."""

from __future__ import annotations

from typing import NamedTuple

from function.errors import ServiceError
from function.http.messages import Request


class Incoming:
    """A body that is taken part by part while it arrives."""

    __slots__ = ("error", "is_whole", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.is_whole = False
        self.error: ServiceError | None = None
        """Why it broke off."""

    def begin(self, request: Request) -> None:
        """Give the request what has come by now."""
        request.body += self.take()
        request.is_whole = self.is_whole

    def take(self) -> bytes:
        """What has come and was not taken yet."""
        part, self.parts = b"".join(self.parts), []
        return part


class Item(NamedTuple):
    """A whole request, or the request as far as it came and the error that it deserves.

    Of one that streams the head, and its body in ``incoming``.
    """

    request: Request
    error: ServiceError | None
    keeps_alive: bool
    is_http_1_0: bool
    incoming: Incoming | None = None
