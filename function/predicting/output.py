"""Where answers go: stdout, or a file that a later run goes on with after its last whole record.

A record is a line of JSON, or a row of CSV, which may go over several lines within quotes. There is
one for each row of the input, so that their number says where to go on.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

from function.predicting.chunks import UsageProblem

READ_BYTES = 1 << 20


class Kept(NamedTuple):
    """What a file has already: whole records in so many bytes, and the text of the last one, None
    where it has none."""

    records: int = 0
    errors: int = 0
    size: int = 0
    last_text: str | None = None


class Output:
    """Takes parts, each a whole number of records."""

    def __init__(self, path: str | None, kept: Kept | None = None) -> None:
        """``kept`` is what to go on after; without it the file must not be there.

        Raises UsageProblem where it cannot be written.
        """
        self.path = path
        self.size = 0
        if path is None:
            self._file = io.FileIO(sys.stdout.fileno(), "wb", closefd=False)
            return
        try:
            # As it is, where it is a device or a pipe: nothing there can be lost.
            if kept is None and _is_file(path) and os.path.getsize(path):
                told = "is there already; --resume goes on with it, and else it has to go first"
                raise UsageProblem(f"--output {path} {told}")
            self._file = io.FileIO(path, "wb" if kept is None else "ab")
            if kept is not None:
                self.size = kept.size
                self._file.truncate(kept.size)
        except OSError as exc:
            raise UsageProblem(f"--output {path}: {exc.strerror}") from exc

    @property
    def is_terminal(self) -> bool:
        return self._file.isatty()

    def write(self, data: bytes) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
        self.size += len(data)

    def close(self) -> None:
        """Of a part that was broken off nothing stays."""
        if self.path is not None:
            if _is_file(self.path):
                self._file.truncate(self.size)
            self._file.close()


def kept_in(path: str, name: str, head: str) -> Kept:
    """What is in the file, in the format of that name; UsageProblem where it is something else."""
    if not os.path.exists(path):
        return Kept()
    if not _is_file(path):
        raise UsageProblem(f"--resume goes on with a file, which {path} is not")
    count, errors, size, last = 0, 0, 0, b""
    is_error_of = _is_csv_error if name == "csv" else _is_json_error
    with open(path, "rb") as file:
        begun = file.read(len(head.encode()))
        if begun != head.encode():
            if head.encode().startswith(begun):
                return Kept()
            raise UsageProblem(f"--output {path} has other columns; it is not gone on with")
        for last in _records(file, name == "csv"):
            count += 1
            size += len(last)
            errors += is_error_of(last)
    return Kept(count, errors, size + len(begun), _text_of(path, last, name) if last else None)


def _records(file: Iterator[bytes], may_be_several_lines: bool) -> Iterator[bytes]:
    """The whole ones: a row of CSV ends where as many quotes were closed as opened."""
    record: list[bytes] = []
    quotes = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        record.append(line)
        if may_be_several_lines:
            quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield b"".join(record)
            record.clear()
            quotes = 0


def _is_csv_error(record: bytes) -> bool:
    return not record.endswith(b",\n")  # the last column is what went wrong


def _is_json_error(record: bytes) -> bool:
    return record.startswith(b'{"line":')


def _text_of(path: str, record: bytes, name: str) -> str | None:
    """UsageProblem where it is no record of ours."""
    try:
        if name == "csv":
            return next(csv.reader(record.decode().splitlines(keepends=True)))[0] or None
        found = json.loads(record)
        return None if "error" in found else str(found["text"])
    except (ValueError, LookupError, TypeError, csv.Error, StopIteration) as exc:
        told = f"its last whole line is not of this format ({name})"
        raise UsageProblem(f"--output {path} is not gone on with: {told}") from exc


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
