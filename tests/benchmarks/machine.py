"""What the numbers were measured on, and whether the tools to measure with are there."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.benchmarks import servers

_TOOLS = {"wrk": "apt-get install wrk", "taskset": "apt-get install util-linux"}


def missing() -> list[str]:
    """One line for each thing this machine lacks; empty when the benchmark can run."""
    lines = [
        f"{tool} is not installed: {remedy}"
        for tool, remedy in _TOOLS.items()
        if not shutil.which(tool)
    ]
    if not {servers.SERVER_CORE, servers.LOAD_CORE} <= os.sched_getaffinity(0):
        lines.append(
            f"cores {servers.SERVER_CORE} (server) and {servers.LOAD_CORE} (load) are both needed"
        )
    return lines


def describe() -> dict[str, Any]:
    """Processor, cores, memory, kernel, Python, load generator and how busy the machine already
    was.
    """
    return {
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(
            int((_field(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]) / 1e6, 1
        ),
        "kernel": platform.release(),
        "system": _field(Path("/etc/os-release"), "PRETTY_NAME", "=").strip('"')
        or platform.system(),
        "python": platform.python_version(),
        "load_generator": _wrk_version(),
        "load_average_at_start": os.getloadavg()[0],
    }


def _field(path: Path, name: str, separator: str = ":") -> str:
    if not path.exists():
        return ""
    for line in path.read_text().splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip()
    return ""


def _wrk_version() -> str:
    written = subprocess.run(
        ["wrk", "--version"], capture_output=True, text=True, check=False
    ).stdout
    return " ".join(written.split()[:2])
