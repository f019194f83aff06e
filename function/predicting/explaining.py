"""Answers with the words that decided them: a service's ``POST /explain``, a text at a time.

{"text", "top"}                                   is asked
{"text", "sentiment", ..., "explanation"}         is answered, and written
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException

from function.predicting.chunks import Chunk, Engine, Fault, Format, Part, Source
from function.predicting.connection import Address
from function.protocols.lines import error_line

PATH = "/explain"
_OF_A_LINE = (400, 413, 422)
"""What is wrong with a text, and not with the service."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Explaining:
    """One connection, which is made anew where it breaks."""

    def __init__(
        self, address: Address, top: int, pause: Callable[[OSError | HTTPException], None]
    ) -> None:
        """``pause`` waits before the next try, or raises Unavailable."""
        self._address = address
        self._top = top
        self._pause = pause
        self._connection: HTTPConnection | None = None

    def engine(self, source: Source, written_as: Format) -> Engine:
        """See chunks.Answerer."""

        def part(chunk: Chunk) -> Part:
            given = [source.text(row) for row in chunk.rows]
            lines = [self._line(text, number) for number, text in enumerate(given, chunk.first)]
            return Part.of(chunk, lines, written_as)

        def parts(chunks: Iterator[Chunk]) -> Iterator[Part]:
            try:
                yield from map(part, chunks)
            finally:
                self._hang_up()

        return parts

    def _line(self, text: str | Fault, number: int) -> str:
        if isinstance(text, Fault):
            return error_line(number, text.error)
        while True:
            try:
                return self._asked(text, number)
            except (OSError, HTTPException) as exc:
                self._hang_up()
                self._pause(exc)

    def _asked(self, text: str, number: int) -> str:
        if self._connection is None:
            self._connection = self._address.connection()
        body = json.dumps({"text": text, "top": self._top}).encode()
        headers = {"Content-Type": "application/json", **self._address.headers}
        self._connection.request("POST", self._address.path + PATH, body, headers)
        response = self._connection.getresponse()
        if response.status not in _OF_A_LINE:
            self._address.check(response)
        found = json.loads(response.read())
        if response.status != 200:
            found.pop("request_id", None)
            return _encode({"line": number, "error": found})
        return _encode(found)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
