"""Answers from a running service: NDJSON to ``/predict_batch``, answered while it is sent.

One thread sends and another reads, or each side would wait for the other. Where a connection
breaks, what has no answer yet is sent again on the next one (backlog.py).
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from function.predicting.backlog import Asked, Backlog
from function.predicting.chunks import (
    Chunk,
    Engine,
    Fault,
    Format,
    Part,
    Shape,
    Source,
    Unavailable,
    is_error,
)
from function.predicting.connection import Address, Busy, LineReader
from function.predicting.duplex import Duplex
from function.protocols.lines import error_line

RETRIES, FIRST_RETRIES = 8, 3
"""In a row without an answer: once the service has been there or said that it is coming, and
before."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
_BROKEN_OFF = ('"status":408,', '"status":503,')
"""Of an error that is about the whole of an answer, and no line's own."""


class Service:
    """The service at a URL; see chunks.Answerer."""

    def __init__(
        self, url: str, key: str, with_scores: bool, top: int | None, say: Callable[[str], None]
    ) -> None:
        """Ask it for its model; raises Unavailable, and UsageProblem where that is no URL. With
        ``top`` its answers have so many of the terms that decided them."""
        self._address = Address(url, key)
        self._say = say
        self._failures = 0
        self._was_there = False
        info = self._asked_for_info()
        labels = tuple(info.get("labels") or ())
        self._top = top
        self.shape = Shape(labels, bool(info.get("multilabel")), with_scores, top is not None)

    def _asked_for_info(self) -> Any:
        while True:
            try:
                info = self._address.json_of("/models/info")
            except (OSError, HTTPException) as exc:
                self._pause(exc)
            else:
                self._was_there = True
                if not isinstance(info, dict) or "labels" not in info:
                    raise Unavailable(f"{self._address.shown} is no service of this kind")
                return info

    def engine(self, source: Source, written_as: Format) -> Engine:
        if self._top is not None:
            from function.predicting.explaining import Explaining

            return Explaining(self._address, self._top, self._pause).engine(source, written_as)
        more = ',"return_scores":true' if self.shape.with_scores else ""

        def asked(chunk: Chunk) -> Asked:
            given = [source.text(row) for row in chunk.rows]
            lines = [f'{{"text":{quote(text)}{more}}}\n' for text in given if isinstance(text, str)]
            return Asked(chunk, given, "".join(lines).encode())

        def parts(chunks: Iterator[Chunk]) -> Iterator[Part]:
            return self._parts(Backlog(map(asked, chunks)), written_as)

        return parts

    def _parts(self, backlog: Backlog, written_as: Format) -> Iterator[Part]:
        while backlog.first() is not None:
            try:
                yield from self._exchange(backlog, written_as)
            except (OSError, HTTPException) as exc:
                self._pause(exc)

    def _exchange(self, backlog: Backlog, written_as: Format) -> Iterator[Part]:
        """What one connection brings."""
        connection, duplex = self._address.begin_lines()
        number = backlog.begin()
        sender = threading.Thread(target=_send, args=(duplex, backlog, number), daemon=True)
        sender.start()
        try:
            response: HTTPResponse = connection.getresponse()
            self._address.check(response)
            lines = LineReader(response)
            while (asked := backlog.first()) is not None:
                part = _part(asked, lines, written_as)
                backlog.answered()
                self._failures = 0
                yield part
        finally:
            backlog.begin()
            duplex.hang_up()
            sender.join()
            connection.close()
            duplex.end()

    def _pause(self, exc: OSError | HTTPException) -> None:
        """Wait before the next try; raises Unavailable where there is none."""
        told = f"{self._address.shown}: {exc or type(exc).__name__}"
        self._failures += 1
        is_coming = self._was_there or isinstance(exc, Busy)
        most = RETRIES if is_coming else FIRST_RETRIES
        if self._failures > most or isinstance(exc, ssl.SSLCertVerificationError):
            raise Unavailable(told) from exc
        seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1))
        if isinstance(exc, Busy) and exc.retry_after_seconds is not None:
            seconds = min(2 * LONGEST_PAUSE_SECONDS, exc.retry_after_seconds)
        self._say(f"{told}; trying again in {seconds:g} s ({self._failures} of {most})")
        time.sleep(seconds)


def _send(duplex: Duplex, backlog: Backlog, number: int) -> None:
    """All that comes, as a body of chunks."""
    try:
        while (asked := backlog.next_for(number)) is not None:
            if asked.body:
                duplex.sendall(b"%x\r\n%b\r\n" % (len(asked.body), asked.body))
        if backlog.is_current(number):
            duplex.sendall(b"0\r\n\r\n")
    except (OSError, ValueError):  # the latter of TLS that has been closed
        pass  # whoever reads sees that it broke, and may find an answer that says why


def _part(asked: Asked, lines: LineReader, written_as: Format) -> Part:
    """The chunk's lines, each in its place and by its number in the input."""
    count = sum(not isinstance(text, Fault) for text in asked.given)
    answered = iter(lines.take(count))
    found = []
    for number, text in enumerate(asked.given, asked.chunk.first):
        if isinstance(text, Fault):
            found.append(error_line(number, text.error))
            continue
        line = next(answered)
        found.append(_renumbered(line, number) if is_error(line) else line)
    return Part.of(asked.chunk, found, written_as)


def _renumbered(line: str, number: int) -> str:
    """An error as the input counts, and not the request."""
    if any(mark in line for mark in _BROKEN_OFF):
        raise ConnectionError(f"the answer was broken off: {line}")
    return f'{{"line":{number},{line.partition(",")[2]}'
