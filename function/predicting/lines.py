"""Lines of a file or of stdin, a block at a time."""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Iterator

from function.predicting.chunks import CHUNK_BYTES, Chunk, Fault, UsageProblem, numbered

BOM = b"\xef\xbb\xbf"


class Lines:
    """A text a line, of a file or stdin, in UTF-8."""

    def __init__(self, path: str | None, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        try:
            # Without a buffer, whose lock a thread that waits for stdin would keep to the end.
            if path is None:
                self._file = io.FileIO(sys.stdin.fileno(), closefd=False)
            else:
                self._file = io.FileIO(path)
            size = os.fstat(self._file.fileno()).st_size
        except OSError as exc:
            raise UsageProblem(f"--input {path or '-'}: {exc.strerror}") from exc
        self.total: int | None = size or None  # of a pipe 0

    def blocks(self) -> Iterator[tuple[list[bytes], int]]:
        """Whole lines without their breaks, and the bytes read so far. Of one that is longer than
        MAX_LINE_BYTES only the beginning is kept, which is still too long."""
        rest, done = b"", 0
        while data := self._file.read(CHUNK_BYTES):
            if not done:
                data = data.removeprefix(BOM)
            done += len(data)
            *whole, last = data.split(b"\n")
            if whole:
                whole[0] = rest + whole[0]
                rest = b""
            if len(rest) <= self.limit_bytes:
                rest += last
            if whole:
                yield whole, done
        if rest:
            yield [rest], done

    def chunks(self) -> Iterator[Chunk]:
        return numbered(self.blocks())

    def text(self, row: bytes) -> str | Fault:
        if len(row) > self.limit_bytes:
            return Fault("too long", limit_bytes=self.limit_bytes)
        try:
            return row.decode().removesuffix("\r")
        except UnicodeDecodeError:
            return Fault("The line is not UTF-8.")

    def close(self) -> None:
        self._file.close()


class Feed:
    """Lines one at a time, in text, with their breaks; those that are there are known."""

    def __init__(self, lines: Lines) -> None:
        self._limit = lines.limit_bytes
        self._blocks = lines.blocks()
        self._waiting: deque[bytes] = deque()
        self.done = 0

    def fill(self) -> bool:
        """Wait for lines where there are none; False at the end."""
        while not self._waiting:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._waiting.extend(block[0])
            self.done = block[1]
        return True

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> str:
        if not self.fill():
            raise StopIteration
        line = self._waiting.popleft()
        if len(line) > self._limit:
            raise OverflowError
        return line.decode(errors="surrogateescape") + "\n"
