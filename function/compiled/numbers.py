"""How large the numbers of a model may be, so that what is reckoned with them stays finite."""

from __future__ import annotations

from typing import Any

LARGEST = 1e300
"""As often as a text can have terms, and more: below the largest double, 1.8e308."""


def is_slice(start: Any, stop: Any, scores: int) -> bool:
    """Whether these are the places of some of so many scores."""
    return type(start) is int and type(stop) is int and 0 <= start < stop <= scores


def is_number(value: Any) -> bool:
    """Whether it is a number that can be reckoned with."""
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST
