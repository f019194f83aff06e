"""The clients that are connected: how many there may be, who stalls, and who makes place."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from function.errors import RequestTimeout

if TYPE_CHECKING:
    from function.server.connection import Connection

LEAST_IDLE_SECONDS = 1.0
"""Who has done nothing for so long may have to make place for others."""
MOST_CHECKED_AT_ONCE = 64
_SPARE_DESCRIPTORS = 32
"""For the log, the model's files, and the registry."""


class Crowd:
    """The connections of one server."""

    def __init__(self, wanted: int, read_timeout_seconds: float) -> None:
        """At most so many, and fewer where the process may not have as many descriptors."""
        self._members: set[Connection] = set()
        self._unchecked: list[Connection] = []
        self._most = _most(wanted)
        self._read_timeout_seconds = read_timeout_seconds

    def __len__(self) -> int:
        return len(self._members)

    def add(self, connection: Connection) -> None:
        self._members.add(connection)

    def discard(self, connection: Connection) -> None:
        self._members.discard(connection)

    @property
    def is_too_large(self) -> bool:
        return len(self._members) > self._most

    @property
    def has_unchecked(self) -> bool:
        """Whether `check_some` has somebody to look at."""
        return bool(self._unchecked)

    def begin_check(self) -> None:
        """Look at everybody from now on, some at a time."""
        self._unchecked = list(self._members)

    def check_some(self, now: float) -> None:
        """A thousand who stalled together are told so one after the other, while others go on."""
        for _ in range(min(len(self._unchecked), MOST_CHECKED_AT_ONCE)):
            self._unchecked.pop().check(now)

    def make_place(self, now: float) -> bool:
        """Close the connection that is of the least use; False where each is of some."""
        long_ago = now - LEAST_IDLE_SECONDS
        quiet = [item for item in self._members if item.idle_since < long_ago]
        idle = [item for item in quiet if item.is_idle or item.lingers]
        arriving = [item for item in quiet if item.is_arriving]
        for chosen in (idle, arriving):
            if chosen:
                longest = min(chosen, key=lambda item: item.idle_since)
                if longest.is_arriving:
                    longest.refuse(RequestTimeout(self._read_timeout_seconds))
                longest.close()
                return True
        return False

    def close_idle(self) -> None:
        """Close those that have been answered, and send nothing."""
        for connection in list(self._members):
            if connection.is_idle and not connection.lingers:
                connection.close()


def _most(wanted: int) -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - _SPARE_DESCRIPTORS))
