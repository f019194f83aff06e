"""Lines that tell a waiting person what is happening: one when a step starts, one every ten
seconds, one at its end.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

HEARTBEAT_SECONDS = 10.0


class StepFailed(Exception):
    """A command of the benchmark's preparation failed; the message ends with the last lines it
    wrote.
    """


def say(message: str) -> None:
    """One line, at once, also through a pipe."""
    print(message, flush=True)


@contextmanager
def step(message: str) -> Iterator[None]:
    """Announces a step, says every ten seconds that it is still running, and how long it took."""
    started = time.monotonic()
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(HEARTBEAT_SECONDS):
            say(f"  ... {message}: {time.monotonic() - started:.0f} s so far")

    say(f"  {message}")
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        finished.set()
        heart.join()
    if (seconds := time.monotonic() - started) >= 2:
        say(f"  done in {seconds:.1f} s: {message}")


def run(message: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Runs a command as one step and returns what it wrote; StepFailed with its last lines if it
    fails.
    """
    with step(message):
        finished = subprocess.run(
            command,
            env={**os.environ, **QUIET, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if finished.returncode:
        lines = "\n".join(finished.stdout.splitlines()[-15:])
        raise StepFailed(f"{message}: exit code {finished.returncode}\n{lines}")
    return finished.stdout


# Nothing this benchmark starts reports its use to anyone.
QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
}
