"""NDJSON: each line a body of ``/predict``, and answered as that is, or told why not.

    {"text": "...", "return_scores": false, "explain": false}     as /predict takes it
    {"text", "sentiment", "confidence", "model_version"}          its line of the answer
    {"line": 3, "error": {"type", "title", "status", "detail"}}   or why there is none

https://github.com/ndjson/ndjson-spec
"""

from __future__ import annotations

from function.errors import ServiceError
from function.protocols import sentiment
from function.protocols.lines import Asked, Line, Splitter
from function.settings import Settings


class NdjsonLines:
    """Each line a body of ``/predict``; an empty one is an error too, so that the lines of the
    answer are those of the body."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lines = Splitter(settings.max_line_bytes)
        self.add, self.end = self._lines.add, self._lines.end

    def take(self, most_bytes: int) -> list[Line]:
        found: list[Line] = []
        while most_bytes > 0 and (line := self._lines.next()) is not None:
            if isinstance(line, bytes):
                most_bytes -= len(line) + 1
                found.append(self._read(line))
            else:
                found.append(line)
        return found

    def _read(self, line: bytes) -> Line:
        try:
            return Asked(*sentiment.parse_predict(line, self._settings))
        except ServiceError as error:
            return error.with_traceback(None)
