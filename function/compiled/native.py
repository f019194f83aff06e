"""The C code in native/, where it has been built: `python -m function.build` builds it.

Nothing needs it, and both ways give the same answers; with it batches take a small part of the time
(answers.py), and a vocabulary is served as its files have it (vocabularies.py).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from math import inf, isfinite
from struct import Struct

VERSION = 11
"""Of native.h: what was built of another stays aside until it is built again."""

VALUE = Struct("Qd")
"""A column and its value: a text's values are one after the other."""

try:
    from function.compiled import _native as _native
except ImportError:
    _native = None  # type: ignore[assignment]
if getattr(_native, "VERSION", None) != VERSION:
    _native = None  # type: ignore[assignment]


def add_values(
    machine: _native.Forest | _native.Kernels, values: Iterable[tuple[int, float]], scores: int
) -> list[float]:
    """Return the scores that it gives one text, of its columns, ascending, and their values."""
    totals = bytearray(8 * scores)
    machine.add_up([b"".join([VALUE.pack(*pair) for pair in values])], totals)
    return array("d", totals).tolist()


def largest_of(doubles: bytes) -> float:
    """Return a bound on the magnitudes of native doubles, one after the other: infinite or not a
    number where one of them is."""
    if _native is not None:
        return _native.largest(doubles)
    if not doubles[_HIGHEST::8].translate(None, _SMALL):
        return 2.0**257
    numbers = array("d", doubles)
    return max(map(abs, numbers)) if all(map(isfinite, numbers)) else inf


_HIGHEST = 7 if sys.byteorder == "little" else 0
_SMALL = bytes(byte for byte in range(256) if byte & 0x7F < 0x50)
"""The highest byte, sign and most of the exponent, of doubles below 2.0 ** 257."""
