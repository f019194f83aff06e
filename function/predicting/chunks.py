"""What goes through the command: rows a few hundred at a time, and the parts of output they become.

    source -> Chunk -> engine -> Part -> output

A source (sources.py) reads rows as they come; an engine (local.py, service.py) answers them, in
order and one line each, as ``/predict_batch`` does; a format (formats.py) makes output of the
lines. What is held at a time is a few chunks, whatever the input's size. A chunk is answered as a
whole or not at all, so that what is written is a whole number of lines at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from function.errors import InvalidInput, MalformedRequest, ServiceError
from function.protocols.lines import LineTooLong

CHUNK_BYTES = 65_536
CHUNK_ROWS = 1_000
TEXT = "text"
"""The column that has the texts, where nobody says which."""


class UsageProblem(Exception):
    """What was asked for cannot be done as it is put (exit status 2)."""


class Unavailable(Exception):
    """The model or the service cannot be had, or not any longer (exit status 3)."""


class Fault(NamedTuple):
    """Why a row has no text: with a pointer its content is wrong, with a limit its length."""

    detail: str
    pointer: str | None = None
    limit_bytes: int | None = None

    @property
    def error(self) -> ServiceError:
        """As the service answers such a line."""
        if self.limit_bytes is not None:
            return LineTooLong(self.limit_bytes)
        if self.pointer is not None:
            return InvalidInput([{"pointer": self.pointer, "detail": self.detail}])
        return MalformedRequest(self.detail)


class Chunk(NamedTuple):
    """Some rows; ``first`` is the number of the first, from 1, and ``done`` how much of the
    source's total they and those before them are."""

    first: int
    rows: list[Any]
    done: int


class Part(NamedTuple):
    """What a chunk became: output for so many lines, of which some are errors."""

    output: bytes
    lines: int
    errors: int
    done: int

    @classmethod
    def of(cls, chunk: Chunk, lines: Sequence[str], written_as: Format) -> Part:
        """The chunk's lines of answer, as they are written."""
        output = written_as.render(lines).encode()
        return cls(output, len(lines), sum(map(is_error, lines)), chunk.done)


Engine = Callable[[Iterator[Chunk]], Iterator[Part]]


class Source(Protocol):
    """Rows, and what they say."""

    total: int | None
    """How much there is, in what ``Chunk.done`` counts; None where nobody knows."""

    def chunks(self) -> Iterator[Chunk]:
        """The rows in their order, as soon as they are there."""

    def text(self, row: Any) -> str | Fault:
        """A row's text, or why it has none."""

    def close(self) -> None:
        """Nothing more is read."""


class Shape(NamedTuple):
    """What every answer has: scores by label where they are asked for and there are any."""

    labels: tuple[str, ...] = ()
    multilabel: bool = False
    with_scores: bool = False
    with_terms: bool = False

    @property
    def score_labels(self) -> tuple[str, ...]:
        return self.labels if self.with_scores else ()


class Format(Protocol):
    """Lines of answer to output, one record each."""

    head: str
    """What comes before the first record."""

    def render(self, lines: Sequence[str]) -> str:
        """The records of these lines, each with its line break."""


class Answerer(Protocol):
    """A model, here or elsewhere."""

    @property
    def shape(self) -> Shape:
        """What its answers have."""

    def engine(self, source: Source, written_as: Format) -> Engine:
        """What answers the source's chunks; raises Unavailable while it does."""


def text_of(value: object, column: str) -> str | Fault:
    """A value as a text; none, or no text, is a fault."""
    if isinstance(value, str):
        return value
    what = "no text" if value is None else f"not a text but {type(value).__name__}"
    return Fault(f"there is {what}", f"/{column}")


def is_error(line: str) -> bool:
    """Whether a line of answer says why there is none (protocols/lines.py)."""
    return line.startswith('{"line":')


def numbered(blocks: Iterator[tuple[list[Any], int]]) -> Iterator[Chunk]:
    """Blocks of rows, each with what is done after it, as chunks."""
    first = 1
    for rows, done in blocks:
        for start in range(0, len(rows), CHUNK_ROWS):
            some = rows[start : start + CHUNK_ROWS]
            yield Chunk(first, some, done)
            first += len(some)
