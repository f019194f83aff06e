"""The quick way from texts to scores: sums of packed rows, in fixed-point numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from math import sqrt
from operator import add, mul
from typing import Any

from function.compiled.faithful import frequency
from function.compiled.rows import COLUMN_BITS, FIELD_MASK, RowLayout
from function.compiled.terms import Repeats
from function.compiled.vectorizer import Vectorizer, row_layout
from function.compiled.vocabularies import NativeVocabulary

Scores = Sequence[float]
Score = Callable[[Sequence[str]], list[Scores | None]]
"""Texts to the scores of each; None for one that only the faithful way can answer."""

Given = Sequence[Sequence[Any]]
"""The texts as each vectorizer gets them, or the rows of the model's own numbers."""

Fields = Sequence[float]
"""The sums of a text's terms, in units: of squares where texts are normed, then of each score. What
may follow (the number of terms) is nobody's, hence no `strict=True` below."""

MOST_TERMS = 4096
"""So many of a text's terms can be added up; a longer text takes the faithful way. Room for more
would be taken from what follows the point."""

MOST_UNNORMALISED_TERMS = 512
"""Without a norm the scores grow with the text and so does the rounding."""


def build_scores(
    vectorizers: Sequence[Vectorizer], intercepts: Sequence[float]
) -> Callable[[Given], list[Scores | None]]:
    """Return the quick way through all vectorizers; nothing but None where one of them has none."""
    if not all(map(_is_quick, vectorizers)):
        return lambda given: [None] * len(given[0])
    nothing = (0.0,) * len(intercepts)
    first, *others = [
        _build_score(vectorizer, nothing if position else intercepts)
        for position, vectorizer in enumerate(vectorizers)
    ]
    return _add_scores(first, others) if others else lambda given: first(given[0])


def _is_quick(vectorizer: Vectorizer) -> bool:
    """Whether there is a quick way in Python; C has its own, for all of a model or for nothing."""
    is_native = isinstance(vectorizer.vocabulary, NativeVocabulary)
    return vectorizer.units is not None and not is_native


def _add_scores(first: Score, others: Sequence[Score]) -> Callable[[Given], list[Scores | None]]:
    def add_two(some: Scores | None, more: Scores | None) -> Scores | None:
        return None if some is None or more is None else [*map(add, some, more)]

    def score(given: Given) -> list[Scores | None]:
        total = first(given[0])
        for other, texts in zip(others, given[1:], strict=True):
            total = [*map(add_two, total, other(texts))]
        return total

    return score


def _build_score(vectorizer: Vectorizer, intercepts: Sequence[float]) -> Score:
    """Return the quick way through one vectorizer, which must have units."""
    finish, add_up = _build_finish(vectorizer, intercepts), _build_sums(vectorizer, len(intercepts))

    def score(texts: Sequence[str]) -> list[Scores | None]:
        return [None if fields is None else finish(fields) for fields in add_up(texts)]

    return score


def _build_sums(
    vectorizer: Vectorizer, scores: int
) -> Callable[[Sequence[str]], Iterable[Fields | None]]:
    """Return what adds up the terms of each text."""
    vocabulary, has_squares = vectorizer.vocabulary, vectorizer.norm == "l2"
    most = MOST_TERMS if has_squares else MOST_UNNORMALISED_TERMS
    assert not isinstance(vocabulary, NativeVocabulary), "answers.py asks those in C"
    assert vocabulary.kind != "numbers", "they have no units"
    layout = row_layout(scores, vectorizer.norm, is_quick=True)
    if vocabulary.kind == "hashed":
        from function.compiled.hashed import HashedRows

        assert vectorizer.units is not None
        rows = HashedRows(vocabulary, vectorizer.table, scores, layout, vectorizer.units)
        totals = rows.totals
    else:
        totals = vocabulary.totals
    unpack, size = layout.unpack, layout.sum_bytes
    settle = _build_settle(vectorizer, layout)

    def add_up(texts: Sequence[str]) -> Iterator[Fields | None]:
        for total, repeats in totals(texts):
            sums = unpack(total.to_bytes(size, "little"))
            yield None if sums[-1] > most else settle(total, sums, repeats) if repeats else sums

    return add_up


def _build_settle(
    vectorizer: Vectorizer, layout: RowLayout
) -> Callable[[int, Fields, Repeats], Fields | None]:
    """Return what sets right the sums of a text with repeated terms."""
    is_normed = vectorizer.norm == "l2"
    unpack, size = layout.unpack, layout.sum_bytes

    def add_squares(total: int, fields: Fields, repeats: Repeats) -> Fields | None:
        # n squares were added for a term that occurs n times, and it is to have n * n.
        squares = ways = 0
        for row, count in repeats:
            more = count * (count - 1)
            ways += more
            squares += more * (row >> COLUMN_BITS & FIELD_MASK)
        if ways > 2 * MOST_TERMS:  # they may have left their field
            return None
        return (fields[0] + squares, *fields[1:])

    def count_once(total: int, fields: Fields, repeats: Repeats) -> Fields:
        once = total - sum([(count - 1) * row for row, count in repeats])
        return unpack(once.to_bytes(size, "little"))

    def dampen(total: int, fields: Fields, repeats: Repeats) -> Fields:
        by_count: dict[int, int] = {}
        for row, count in repeats:
            by_count[count] = by_count.get(count, 0) + row
        others = total - sum([count * rows for count, rows in by_count.items()])
        sums: Fields = unpack(others.to_bytes(size, "little"))
        for count, rows in by_count.items():
            value = frequency(vectorizer, count)
            values = (value * value if is_normed else value, *repeat(value, layout.fields - 1))
            sums = [*map(_add_times, sums, unpack(rows.to_bytes(size, "little")), values)]
        return sums

    if vectorizer.binary:
        return count_once
    if vectorizer.sublinear:
        return dampen
    return add_squares if is_normed else lambda total, fields, repeats: fields


def _add_times(total: float, own: float, times: float) -> float:
    return total + own * times


def _build_finish(
    vectorizer: Vectorizer, intercepts: Sequence[float]
) -> Callable[[Fields], Scores]:
    """Return what divides the sums by the text's norm and adds the intercepts. Nothing known gives
    the intercepts, as the norm of nothing divides by 1."""
    assert vectorizer.units is not None
    unit, square_unit = vectorizer.units
    weight = vectorizer.scale * unit

    def divide_three(fields: Fields) -> Scores:
        factor = weight / (sqrt(fields[0]) or 1.0)
        return fields[1] * factor + i, fields[2] * factor + j, fields[3] * factor + k

    def divide(fields: Fields) -> Scores:
        factor = weight / (sqrt(fields[0]) or 1.0)
        return [*map(add, map(mul, fields[1:], repeat(factor)), intercepts)]

    def leave(fields: Fields) -> Scores:
        return [*map(add, map(mul, fields, repeat(weight)), intercepts)]

    if vectorizer.norm != "l2":
        return leave
    weight /= sqrt(square_unit)
    if len(intercepts) != 3:
        return divide
    i, j, k = intercepts  # negative, neutral, positive: half the time of any number of classes
    return divide_three
