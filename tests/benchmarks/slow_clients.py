"""How long others wait while a thousand clients stall: `python -m tests.benchmarks.slow_clients`.

Every line has all connections stall in one way, opened again as soon as the server lets one go, and
a client beside them that behaves (prober.py). What it waited is compared with what it waited with
nobody else there, before and after. To reach: a p99 within twice the quiet one.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks import own_server, servers
from tests.benchmarks.prober import PATHS, Prober, Wait, Waits, described

WITHIN = 2.0
_POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
STALLED = {
    "nothing sent": b"",
    "half a head": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-",
    "half a declared body": _POST + b'Content-Length: 3000\r\n\r\n{"text": "This',
    "half a chunked body": _POST + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"text": "This',
}
_COLUMNS = ("p50 ms", "p99 ms", "max ms", "failures", "p99 times quiet")
_LINES = {"quiet": b"", **STALLED, "quiet again": b""}


@contextmanager
def stalled(port: int, connections: int, sent: bytes) -> Iterator[dict[str, int]]:
    """So many connections that have sent this and nothing more, kept up by a process of its own:
    how many are `held`, and at the end, how many of them the server has `let_go`.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_stall, args=(there, port, connections, sent))
    process.start()
    there.close()
    try:
        counts = {"held": here.recv()}
        yield counts
        here.send("enough")
        counts["let_go"] = here.recv()
    finally:
        here.close()
        process.join()


def _stall(parent: Connection, port: int, connections: int, sent: bytes) -> None:
    watched = selectors.DefaultSelector()
    watched.register(parent, selectors.EVENT_READ)
    let_go = 0
    for _ in range(connections):
        _open(watched, port, sent)
    parent.send(len(watched.get_map()) - 1)
    while True:
        for key, _ in watched.select():
            if key.fileobj is parent:
                with suppress(OSError):
                    parent.send(let_go)
                return
            watched.unregister(key.fileobj)
            key.fileobj.close()
            let_go += 1
            _open(watched, port, sent)


def _open(watched: selectors.BaseSelector, port: int, sent: bytes) -> None:
    with suppress(OSError):
        client = socket.create_connection((servers.HOST, port), timeout=5)
        client.sendall(sent)
        watched.register(client, selectors.EVENT_READ)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every p99 is within twice the quiet one, 1 when not."""
    given = own_server.options(__doc__.partition("\n")[0], 12.0).parse_args(arguments)
    found: dict[str, list[Wait]] = {}
    beside: dict[str, dict[str, Any]] = {}
    with own_server.running(given) as server:
        prober = Prober(server.port)
        prober.ask_for(1.0)
        for name, sent in _LINES.items():
            connections = given.connections if name in STALLED else 0
            with stalled(server.port, connections, sent) as counts:
                found[name] = prober.ask_for(given.seconds)
                memory_mb = server.memory_mb()
            beside[name] = {"memory_mb": memory_mb, **counts}
            time.sleep(1.0)
    return _tell(given.connections, found, beside)


def _tell(connections: int, found: dict[str, list[Wait]], beside: dict[str, dict[str, Any]]) -> int:
    quiet = found["quiet"] + found["quiet again"]
    rows, worst = [], 0.0
    for name, waits in found.items():
        row = [name]
        for path in PATHS:
            times = Waits.of(waits, path).p99_ms / Waits.of(quiet, path).p99_ms
            worst = max(worst, times if name in STALLED else 0.0)
            row += [*_cells(Waits.of(waits, path)), f"{times:.2f} x"]
        row += [f"{count:,.0f}" for count in beside[name].values()]
        rows.append(row)
    columns = (f"{path} {what}" for path in PATHS for what in _COLUMNS)
    result = {name: {**described(waits), **beside[name]} for name, waits in found.items()}
    result["worst"] = {"times_quiet_p99": worst, "wanted_at_most": WITHIN}
    header = [f"{connections:,} clients", *columns, "MB", "held", "let go"]
    own_server.show(header, rows, result)
    return 0 if worst <= WITHIN else 1


def _cells(waits: Waits) -> list[str]:
    times = (waits.p50_ms, waits.p99_ms, waits.max_ms)
    return [*(f"{milliseconds:.2f}" for milliseconds in times), str(waits.failures)]


if __name__ == "__main__":
    sys.exit(main())
