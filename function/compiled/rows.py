"""A term's numbers packed into one integer, so that adding up a text takes one addition a term.

Python's integers are as wide as needed and `sum` adds them in C, where a float for every score of
every term would be an object and a bytecode each. A row is, from the lowest bit up:

    32 bits  the term's column
    64 bits  one for each field: a fixed-point number, in two's complement
     8 bits  the number of terms in the row (two where a row holds a pair and its second word)

A sum of rows is a row of sums. A negative field borrows one from its neighbour, and the sum of the
columns may carry into the first field: a unit or a few, where rounding costs half a unit a term.
The last field borrows from the count, which may be one too low.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import frexp
from struct import Struct, iter_unpack
from typing import Literal

COLUMN_BITS = 32
FIELD_BITS = 64
COLUMN_MASK = (1 << COLUMN_BITS) - 1
FIELD_MASK = (1 << FIELD_BITS) - 1
LARGEST_FIELD = 5 << 48
"""What no field comes up to: `unit_for` makes 4 << 48 at most of numbers of which 4,096 are to be
added up. native.h knows it."""
_SIGN = bytes(128) + b"\xff" * 128
_COUNT_BYTES = 4
"""In a sum; in a row, one byte."""


class RowLayout:
    """How rows of so many fields are packed, of which the first few may be squares."""

    def __init__(self, fields: int, squares: int = 0) -> None:
        self.fields = fields
        self.squares = squares
        self.row_bytes = (COLUMN_BITS + fields * FIELD_BITS) // 8 + 1
        self.sum_bytes = self.row_bytes - 1 + _COUNT_BYTES
        self.unpack: Callable[[bytes], tuple[int, ...]] = Struct(f"<4x{fields}qi").unpack
        """From `sum_bytes` little-endian bytes to the fields and the number of terms."""

    def pack(self, column: int, values: Sequence[int]) -> int:
        """Return the row of one term."""
        row = 1
        for value in reversed(values):
            row = (row << FIELD_BITS) + value
        return (row << COLUMN_BITS) + column

    def fields_of(self, row: int) -> list[int]:
        """Return the fields of one row, each with what the one before it had borrowed."""
        *fields, _ = self.unpack(row.to_bytes(self.sum_bytes, "little"))
        return [own + (below < 0) for below, own in zip((0, *fields), fields, strict=False)]

    def check(self, packed: bytes, columns: int) -> None:
        """Raise ValueError for rows that `pack` could not have made of one of so many columns and
        of numbers in a unit that `unit_for` gave: what is added up would leave its field."""
        self.check_sums(packed, bytes(len(packed) // self.row_bytes), 1)
        if max(self.columns_of(packed), default=-1) >= columns:
            raise ValueError(f"a row is of another column than these {columns}")

    def check_sums(self, packed: bytes, more: bytes, most: int) -> None:
        """As `check`, of sums of rows: each of one and of so many `more`, of `most` at most, and
        whatever their columns. A field's two highest bytes tell enough, and all rows' at once."""
        borrowed = bytes(len(more))
        for field in range(self.fields):
            end = (COLUMN_BITS + (field + 1) * FIELD_BITS) // 8
            high, highest = packed[end - 2 :: self.row_bytes], packed[end - 1 :: self.row_bytes]
            largest = bytes(range(most * LARGEST_FIELD >> FIELD_BITS - 16))
            if field >= self.squares:
                largest += bytes(255 - byte for byte in largest)
            if high.translate(None, largest) or high.translate(_SIGN) != highest:
                raise ValueError("a row holds numbers that cannot be added up")
            borrowed = highest.replace(b"\xff", b"\x01")
        counts = packed[self.row_bytes - 1 :: self.row_bytes]
        if _as_integer(counts) + _as_integer(borrowed) - _as_integer(more) != _as_integer(
            b"\x01" * len(more)
        ):
            raise ValueError("a row counts for another number of terms")

    def columns_of(self, packed: bytes) -> array[int]:
        """Return each row's column; of a sum, the sum of them."""
        return self._numbers_at(packed, 0, "I")

    def first_of(self, packed: bytes) -> array[int]:
        """Return each row's first field, which there must be."""
        return self._numbers_at(packed, COLUMN_BITS // 8, "q")

    def _numbers_at(self, packed: bytes, place: int, code: Literal["I", "q"]) -> array[int]:
        numbers = array(code)
        size = numbers.itemsize
        content = bytearray(len(packed) // self.row_bytes * size)
        for byte in range(size):
            content[byte::size] = packed[place + byte :: self.row_bytes]
        numbers.frombytes(content)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def to_bytes(self, rows: Iterable[int]) -> bytes:
        """Return the rows one after the other."""
        return b"".join([row.to_bytes(self.row_bytes, "little") for row in rows])

    def from_bytes(self, packed: bytes) -> list[int]:
        """Return the rows that `to_bytes` wrote. Raises ValueError where one is cut short."""
        size, read = self.row_bytes, int.from_bytes
        if len(packed) % size:
            raise ValueError(f"{len(packed)} bytes are not rows of {size}")
        return [read(row, "little") for (row,) in iter_unpack(f"{size}s", packed)]


def _as_integer(digits: bytes) -> int:
    return int.from_bytes(digits, "little")


def unit_for(largest: float, terms: int) -> float:
    """Return the power of two to count in, so that twice as many terms' numbers, up to `largest`
    in magnitude, add up without leaving their field."""
    spare_bits = 2 + (terms - 1).bit_length()  # the sign's, and the doubling
    exponent = frexp(largest)[1] if largest else 0
    return 2.0 ** max(exponent - FIELD_BITS + spare_bits, -1000)


def fixed_point(values: Iterable[float], unit: float) -> Iterator[int]:
    """Yield the numbers in whole units, rounded to the nearest."""
    return (round(value / unit) for value in values)
