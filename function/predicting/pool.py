"""The same work in several processes, the results in order.

The processes are forked, so that they have the model without loading it, and each gets every n-th
chunk and gives its result by pipes of its own. A thread deals chunks out while results are taken
in the same turn: so they are in order, a chunk that has come waits for none that has not, and what
is under way is bounded by what the pipes hold.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle
from typing import IO

from function.predicting.chunks import Chunk, Part, Unavailable

Work = Callable[[Chunk], Part]


class Worker:
    """A process that works on chunks until there are no more."""

    def __init__(self, work: Work, others: list[Worker]) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for end in (ours[1], theirs[0]):
                os.close(end)
            for other in others:  # or they would not see that there are no more
                other.close()
            _serve(work, os.fdopen(ours[0], "rb"), os.fdopen(theirs[1], "wb"))
        os.close(ours[0])
        os.close(theirs[1])
        self.chunks: IO[bytes] = os.fdopen(ours[1], "wb")
        self.parts: IO[bytes] = os.fdopen(theirs[0], "rb")

    def close(self) -> None:
        for file in (self.chunks, self.parts):
            with suppress(OSError):  # what was not written yet is for nobody
                file.close()

    def ended(self) -> int:
        """Its exit status; that of a signal is below zero."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Pool:
    """Several workers; made while there are no threads yet."""

    def __init__(self, work: Work, jobs: int) -> None:
        gc.freeze()  # or looking for garbage would copy the model into each
        self._workers: list[Worker] = []
        for _ in range(jobs):
            self._workers.append(Worker(work, self._workers))
        self._failure: BaseException | None = None

    def parts(self, chunks: Iterator[Chunk]) -> Iterator[Part]:
        """Raises what reading the chunks raises, and Unavailable where a worker was ended."""
        threading.Thread(target=self._deal, args=(chunks,), daemon=True).start()
        try:
            with suppress(
                EOFError, pickle.UnpicklingError
            ):  # whose turn it is has nothing left to do
                for worker in cycle(self._workers):
                    yield pickle.load(worker.parts)
        finally:
            statuses = self._end()
        self._check(statuses)

    def _end(self) -> list[int]:
        """Close all pipes, those of parts first: a worker that waits to be read from would go on
        waiting, and whoever deals to it with it."""
        for worker in self._workers:
            worker.parts.close()
        for worker in self._workers:
            worker.close()
        return [worker.ended() for worker in self._workers]

    def _deal(self, chunks: Iterator[Chunk]) -> None:
        try:
            for chunk, worker in zip(chunks, cycle(self._workers), strict=False):
                pickle.dump(chunk, worker.chunks, pickle.HIGHEST_PROTOCOL)
                worker.chunks.flush()
        except BrokenPipeError:
            pass  # it has ended, which is seen where results are taken
        except BaseException as exc:
            self._failure = exc
        for worker in self._workers:
            with suppress(OSError):
                worker.chunks.close()

    def _check(self, statuses: list[int]) -> None:
        for status in statuses:
            if status and self._failure is None:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                self._failure = Unavailable(f"a process that answered was ended {how}")
        if self._failure is not None:
            raise self._failure


def _serve(work: Work, chunks: IO[bytes], parts: IO[bytes]) -> None:
    """A worker's life; never returns."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever deals is told, and tells by the pipe
        gc.enable()
        with suppress(EOFError):
            while True:
                pickle.dump(work(pickle.load(chunks)), parts, pickle.HIGHEST_PROTOCOL)
                parts.flush()
        status = 0
    except BrokenPipeError:
        status = 0
    except BaseException as exc:
        with suppress(OSError):
            os.write(2, f"predict: {type(exc).__name__}: {exc}\n".encode())
    finally:
        os._exit(status)
