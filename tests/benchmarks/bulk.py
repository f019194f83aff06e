"""Lines by the million through /predict_batch: `python -m tests.benchmarks.bulk`.

How many a second, what memory the server has before and after, and how long a client that asks for
a text now and then (prober.py) waits meanwhile; beside it batches of 100, as the benchmark has
them. To reach: memory flat, and a p99 of the others within three times the quiet one. The clients
share a core, so that the prober waits for curl, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from function.demo.sentences import read_sentences
from tests.benchmarks import load, own_server, servers
from tests.benchmarks.prober import PREDICT, Prober, Waits
from tests.benchmarks.progress import say
from tests.benchmarks.soak import private_mb

WITHIN = 3.0
MOST_GROWTH_MB = 1.0
BATCH = 100


def write_lines(path: Path, lines: int) -> Path:
    """So many lines, no two alike."""
    texts = [sentence.text for sentence in read_sentences()]
    with path.open("w") as file:
        for number in range(lines):
            text = f"{texts[number % len(texts)]} {number}"
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return path


def write_batches(path: Path) -> Path:
    """The same texts in bodies of a hundred."""
    texts = [sentence.text for sentence in read_sentences()]
    starts = range(0, len(texts) - BATCH, BATCH)
    return load.write_bodies(
        path, [json.dumps({"texts": texts[at : at + BATCH]}).encode() for at in starts]
    )


def stream(server: servers.Server, lines: Path) -> float:
    """Send the lines and read the answers, which are as many; the seconds that it took."""
    started = time.monotonic()
    command = [
        *("curl", "--silent", "--show-error", "--fail", "-X", "POST", "-T", str(lines)),
        *("-H", "Content-Type: application/x-ndjson", server.url("/predict_batch")),
    ]
    with tempfile.TemporaryFile() as answers:
        subprocess.run(command, stdout=answers, check=True)
        seconds = time.monotonic() - started
        answers.seek(0)
        answered = sum(1 for line in answers if b'"sentiment"' in line)
    with lines.open("rb") as file:
        asked = sum(1 for _ in file)
    if answered != asked:
        sys.exit(f"{answered:,} of {asked:,} lines were answered")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where memory stayed and the others' p99 is within three times the quiet one, else 1."""
    parser = own_server.options(__doc__.partition("\n")[0], 8.0)
    parser.add_argument("--lines", type=int, metavar="N", default=1_000_000, help="how many")
    given = parser.parse_args(arguments)
    with own_server.running(given) as server, tempfile.TemporaryDirectory() as folder:
        lines = write_lines(Path(folder) / "lines", given.lines)
        batches = write_batches(Path(folder) / "batches")
        prober = Prober(server.port, [PREDICT])
        prober.ask_for(1.0)
        quiet = Waits.of(prober.ask_for(given.seconds), PREDICT)
        batch = load.run(server.url("/predict_batch"), batches, 1, int(given.seconds))
        stream(server, write_lines(Path(folder) / "some", 50_000))
        before = private_mb(server.pid)
        say(f"  sending {given.lines:,} lines")
        seconds = stream(server, lines)
        after = private_mb(server.pid)
        sender = threading.Thread(target=stream, args=(server, lines))
        sender.start()
        beside = Waits.of(prober.ask(sender.is_alive), PREDICT)
        sender.join()
    times = beside.p99_ms / quiet.p99_ms
    found = {
        "lines_per_second": round(given.lines / seconds),
        "texts_per_second_in_batches": round(batch.requests_per_second * BATCH),
        "memory_mb": [round(before, 2), round(after, 2)],
        "quiet_p50_p99_ms": [round(quiet.p50_ms, 3), round(quiet.p99_ms, 3)],
        "beside_p50_p99_ms": [round(beside.p50_ms, 3), round(beside.p99_ms, 3)],
        "times_quiet_p99": round(times, 2),
        "failures": beside.failures,
    }
    print(json.dumps(found))
    return 0 if times <= WITHIN and after - before <= MOST_GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
