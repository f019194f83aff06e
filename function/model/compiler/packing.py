"""A fitted vectorizer and the classifier's weights to the tables that serve."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from math import sqrt

from function.model.compiled.analyzer import AnalyzerSpec
from function.model.compiled.linear import MARGIN
from function.model.compiled.pairs import PairVocabulary, link
from function.model.compiled.quick import MAX_UNNORMALISED_TERMS, most_terms_bits
from function.model.compiled.rows import RowLayout, fixed_point, unit_for
from function.model.compiled.terms import TermVocabulary
from function.model.compiled.vectorizer import Vectorizer, row_layout
from function.model.compiler.vectorizers import FittedVectorizer

MOST_ROUNDING = MARGIN / 2
"""Of a score: then what the quick way decides, the faithful one decides the same."""

MOST_SQUARE_ROUNDING = 1e-12
"""Of a square, as a share of the smallest: a text of such terms only is divided by their root."""


def pack_vectorizer(
    fitted: FittedVectorizer, weights: Sequence[list[float]], is_faithful: bool
) -> Vectorizer:
    """Return the vectorizer with its part of the classifier: one list of weights per score, each
    with a weight per term. `is_faithful` leaves out the quick way."""
    values = fitted.idf or [1.0] * len(fitted.terms)
    units, layout, rows = None, RowLayout(0), [()] * len(values)
    if not is_faithful and fitted.norm != "l1":
        products = [[v * w for v, w in zip(values, row, strict=True)] for row in weights]
        units = _units(fitted, values, products)
    if units is not None:
        layout = row_layout(len(weights), fitted.norm, is_quick=True)
        fields = [[*fixed_point(product, units[0])] for product in products]
        if fitted.norm:
            fields.insert(0, [*fixed_point([v * v for v in values], units[1])])
        rows = [*zip(*fields, strict=True)]
    packed = [layout.pack(column, row) for column, row in enumerate(rows)]
    return Vectorizer(
        analyzer=fitted.analyzer,
        vocabulary=build_vocabulary(fitted.analyzer, dict(zip(fitted.terms, packed, strict=True))),
        table=array("d", chain.from_iterable(zip(values, *weights, strict=True))).tobytes(),
        units=units,
        columns=len(values),
        binary=fitted.binary,
        sublinear=fitted.sublinear,
        norm=fitted.norm,
        scale=fitted.scale,
    )


def build_vocabulary(
    analyzer: AnalyzerSpec, rows: dict[str, int]
) -> TermVocabulary | PairVocabulary:
    """Return the quickest vocabulary for such terms."""
    if PairVocabulary.fits(analyzer):
        return PairVocabulary(analyzer, link(analyzer, rows))
    return TermVocabulary(analyzer, rows)


def _units(
    fitted: FittedVectorizer, values: Sequence[float], products: Sequence[Sequence[float]]
) -> tuple[float, float] | None:
    """Return the units of scores and squares, or None where they would be too coarse.

    Terms round by half a unit each. What they add up to is divided by the text's norm, which is
    at least the root of their number times the smallest value.
    """
    bits = most_terms_bits(fitted.analyzer["analyzer"])
    unit = unit_for(max(map(abs, chain.from_iterable(products)), default=0.0), bits)
    square_unit = unit_for(max([value * value for value in values], default=0.0), bits)
    rounding = MAX_UNNORMALISED_TERMS * unit * abs(fitted.scale)
    if fitted.norm:
        smallest = min(filter(None, map(abs, values)), default=1.0)
        if square_unit > MOST_SQUARE_ROUNDING * smallest * smallest:
            return None
        rounding = sqrt(1 << bits) * unit / smallest * abs(fitted.scale)
    return (unit, square_unit) if rounding / 2 <= MOST_ROUNDING else None
