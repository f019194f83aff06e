"""This project's server with a compiled model, and the options of the measurements that are no rows
of the benchmark: slow clients, overload.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import commands, report, servers
from tests.benchmarks.commands import REPOSITORY
from tests.benchmarks.prober import BODY

_MODEL = REPOSITORY / ".bench" / "sites" / "bench" / "compiled" / "compiled"
_FRAMEWORK = str(Path(sys.executable).with_name("functions-framework"))
_DOORS = {
    "serve": [sys.executable, "-m", "function.serve"],
    "gunicorn": [_FRAMEWORK, "--target=handle", "--host", servers.HOST],
}
_SPARE_DESCRIPTORS = 256


def options(description: str, seconds: float) -> argparse.ArgumentParser:
    """What both measurements can be told."""
    parser = argparse.ArgumentParser(
        prog=description.partition("`")[2].partition("`")[0],
        description=description,
        epilog="Needs two cores (0: server, 1: clients); the server listens on loopback only. "
        "Settings of the server are taken from the environment, as READ_TIMEOUT_SECONDS=2.",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        default=_MODEL,
        help="compiled model (that of the benchmark's last run)",
    )
    parser.add_argument("--door", choices=_DOORS, default="serve", help="which server (serve)")
    parser.add_argument("--connections", type=int, metavar="N", default=1_000, help="how many")
    parser.add_argument(
        "--seconds", type=float, metavar="N", default=seconds, help=f"for each line ({seconds:g})"
    )
    return parser


@contextmanager
def running(given: argparse.Namespace) -> Iterator[servers.Server]:
    """The server, after its first prediction; this process and its children on the other core."""
    if not given.model.is_dir():
        sys.exit(
            f"--model={given.model} is not there: python -m function.compile MODEL --output FOLDER "
            "makes one, and so does python -m tests.benchmarks --only compiled"
        )
    most = given.connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))
    os.sched_setaffinity(0, {servers.LOAD_CORE})
    port = servers.free_port()
    environment = {
        **commands.allocators(),
        "COMPILED_MODEL": str(given.model.resolve()),
        "HOST": servers.HOST,
        "PORT": str(port),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(
            *(_DOORS[given.door], environment, REPOSITORY, Path(folder) / "log"),
            *(port, "/predict", BODY),
        ) as server,
    ):
        yield server


def show(header: list[str], rows: list[list[str]], found: dict[str, Any]) -> None:
    """The table to read, then everything as one line of JSON."""
    print(report.table(header, rows), json.dumps(found), sep="\n\n")
