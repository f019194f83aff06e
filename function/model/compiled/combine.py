"""Rows to scores: the inner loop of the compiled predictor, unrolled where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from operator import mul

Row = tuple[float, ...]
Combine = Callable[[Iterable[Row], float], Sequence[float]]
"""Rows of (value, weight in score 0, in score 1, ...), and squares to add to theirs, to scores."""


def build_combine(intercepts: Row, scale: float, is_normed: bool) -> Combine:
    """Return the function that weighs rows, divides by their l2 norm if `is_normed`, multiplies
    by `scale` and adds `intercepts`.

    Three classes and a single score have loops of their own, at half and a third of the time of
    the general one. No rows give the intercepts, as the norm of nothing divides by 1.
    """
    if len(intercepts) == 1:
        return _combine_one(*intercepts, scale, is_normed)
    if len(intercepts) == 3:
        return _combine_three(*intercepts, scale, is_normed)
    return _combine_many(intercepts, scale, is_normed)


def _combine_one(bias: float, scale: float, is_normed: bool) -> Combine:
    def combine(rows: Iterable[Row], squares: float) -> Sequence[float]:
        total = 0.0
        for value, weight in rows:
            squares += value * value
            total += value * weight
        factor = scale / (sqrt(squares) or 1.0) if is_normed else scale
        return (total * factor + bias,)

    return combine


def _combine_three(i: float, j: float, k: float, scale: float, is_normed: bool) -> Combine:
    def combine(rows: Iterable[Row], squares: float) -> Sequence[float]:
        first = second = third = 0.0
        for value, a, b, c in rows:
            squares += value * value
            first += value * a
            second += value * b
            third += value * c
        factor = scale / (sqrt(squares) or 1.0) if is_normed else scale
        return first * factor + i, second * factor + j, third * factor + k

    return combine


def _combine_many(intercepts: Row, scale: float, is_normed: bool) -> Combine:
    def combine(rows: Iterable[Row], squares: float) -> Sequence[float]:
        columns = [*zip(*rows, strict=True)]
        if not columns:
            return intercepts
        values = columns[0]
        own_squares, *totals = [sum(map(mul, values, column)) for column in columns]
        factor = scale / (sqrt(squares + own_squares) or 1.0) if is_normed else scale
        return [total * factor + bias for total, bias in zip(totals, intercepts, strict=True)]

    return combine
