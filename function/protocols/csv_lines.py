"""CSV (RFC 4180) a row at a time; a row may go over several lines, within quotes."""

from __future__ import annotations

import csv
from collections import deque

from function.errors import InvalidInput, MalformedRequest, ServiceError
from function.protocols import sentiment
from function.protocols.lines import Asked, Line, Splitter
from function.settings import Settings

TEXT = "text"
_BOM = b"\xef\xbb\xbf"


class CsvLines:
    """The rows' texts: of the column named ``text``, or of the only one.

    With ``header=absent`` in its Content-Type a body names no columns, and has one.
    """

    def __init__(self, settings: Settings, has_header: bool) -> None:
        self._settings = settings
        self._rows = _Rows(settings.max_line_bytes)
        self._width, self._place = (0, 0) if has_header else (1, 0)

    def add(self, data: bytes) -> None:
        self._rows.add(data)
        self._read_names()

    def end(self) -> None:
        self._rows.end()
        self._read_names()

    def _read_names(self) -> None:
        if not self._width and (row := self._rows.next()) is not None:
            if isinstance(row, ServiceError):
                raise row
            self._read_header(row)

    def take(self, most_bytes: int) -> list[Line]:
        found: list[Line] = []
        while most_bytes > 0 and (row := self._rows.next()) is not None:
            if isinstance(row, ServiceError):
                found.append(row)
                continue
            most_bytes -= len(row) + 1
            if row.strip():
                found.append(self._read(row))
        return found

    def _read_header(self, row: bytes) -> None:
        names = _fields(row.removeprefix(_BOM))
        self._width = len(names)
        if len(names) > 1:
            if names.count(TEXT) != 1:
                raise InvalidInput([{"pointer": "", "detail": f"no one column named {TEXT}"}])
            self._place = names.index(TEXT)

    def _read(self, row: bytes) -> Line:
        try:
            fields = _fields(row)
        except ServiceError as error:
            return error.with_traceback(None)
        if len(fields) != self._width:
            told = f"the row has {len(fields)} fields, not {self._width}"
            return InvalidInput([{"pointer": "", "detail": told}])
        text = fields[self._place]
        if fault := sentiment.fault_of(text, self._settings.max_text_length):
            return InvalidInput([{"pointer": "/text", "detail": fault}])
        return Asked(text)


class _Rows:
    """Bytes to rows, each of as many lines as it takes to close its quotes.

    Where nothing closes them, a line is taken to be at fault by itself, and those after it to be
    rows of their own.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lines = Splitter(limit_bytes)
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._again: deque[bytes | ServiceError] = deque()
        self._has_ended = False
        self.add = self._lines.add

    def end(self) -> None:
        self._lines.end()
        self._has_ended = True

    def next(self) -> bytes | ServiceError | None:
        """The next row without its line break; None where there is none yet."""
        while True:
            line = self._again.popleft() if self._again else self._lines.next()
            if line is None:
                return self._unclosed() if self._open and self._has_ended else None
            if isinstance(line, ServiceError):
                if not self._open:
                    return line
                self._again.appendleft(line)
                return self._unclosed()
            is_even = line.count(b'"') % 2 == 0
            if not self._open and is_even:
                return line
            self._open.append(line)
            self._open_bytes += len(line) + 1
            if self._open_bytes > self._limit + 1:
                return self._unclosed()
            if len(self._open) > 1 and not is_even:
                return b"\n".join(self._take_open())

    def _unclosed(self) -> ServiceError:
        _, *others = self._take_open()
        self._again.extendleft(reversed(others))
        told = (
            f"The row opens a quote that is not closed within MAX_LINE_BYTES={self._limit} bytes."
        )
        return MalformedRequest(told)

    def _take_open(self) -> list[bytes]:
        lines = [*self._open]
        self._open.clear()
        self._open_bytes = 0
        return lines


def _fields(row: bytes) -> list[str]:
    """Raises MalformedRequest (400)."""
    try:
        return next(csv.reader([row.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        raise MalformedRequest("The row is not CSV in UTF-8 that can be read.") from None
