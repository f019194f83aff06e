"""What the kernel says of a server's processes: which they are, and how much memory is theirs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


def family(leader: int) -> set[int]:
    """The process, its descendants and everything else in its session (servers fork, and orphans
    stay in it).
    """
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if fields[0] != "Z":
                parents[int(entry.name)], sessions[int(entry.name)] = int(fields[1]), int(fields[3])
    members = {pid for pid in parents if pid == leader or sessions[pid] == leader}
    while grown := {
        pid for pid, parent in parents.items() if parent in members and pid not in members
    }:
        members |= grown
    return members


def memory_mb(leader: int) -> float:
    """Proportional set size of the whole family in MB (10^6 bytes): shared pages count once, split
    among sharers.
    """
    return sum(_pss_kib(pid) for pid in family(leader)) * 1024 / 1e6


def _pss_kib(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # it ended meanwhile
    return 0


def stop(leader: int, grace_seconds: float = 10.0) -> None:
    """Ends the family: SIGTERM to the leader's process group, SIGKILL to whoever is left after the
    grace period.
    """
    members = family(leader)
    _signal_group(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and (family(leader) or _alive(members)):
        time.sleep(0.05)
    for pid in family(leader) | _alive(members):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if (_PROC / str(pid)).exists() and not _is_zombie(pid)}


def _is_zombie(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return
