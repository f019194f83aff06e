"""A fitted vectorizer and the classifier's weights to the tables that serve."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from math import isfinite, sqrt

from function.compiled.analyzer import Analyze, AnalyzerSpec
from function.compiled.pairs import PairVocabulary, link
from function.compiled.predictor import MARGIN
from function.compiled.quick import MOST_TERMS, MOST_UNNORMALISED_TERMS
from function.compiled.rows import RowLayout, fixed_point, unit_for
from function.compiled.terms import TermVocabulary
from function.compiled.vectorizer import Vectorizer, Vocabulary, row_layout
from function.compiled.vocabularies import pair_vocabulary, term_vocabulary
from function.compiler.fitted import FittedVectorizer

MOST_ROUNDING = MARGIN / 2
"""Of a score: then what the quick way decides, the faithful one decides the same."""

MOST_PACKED = 2**22
"""Of a vectorizer's weights: more take minutes to pack, and as much room again as by themselves."""

MOST_SQUARE_ROUNDING = 1e-12
"""Of a square, as a share of the smallest."""


def pack_vectorizer(
    fitted: FittedVectorizer,
    weights: Sequence[list[float]],
    most_rounding: float,
    in_python: bool = False,
) -> Vectorizer:
    """Return the vectorizer with its part of the classifier: one list of weights per score, each
    with a weight per term.

    It has a quick way if that rounds scores by `most_rounding` at most (below zero is never), and
    the weights are not too many to pack.
    """
    values = fitted.idf or [1.0] * len(fitted.terms)
    units, layout, rows = None, RowLayout(0), [()] * len(values)
    if fitted.norm != "l1" and len(weights) * len(values) <= MOST_PACKED:
        products = [[v * w for v, w in zip(values, row, strict=True)] for row in weights]
        units = units_for(fitted, values, weights, products, most_rounding)
    if units is not None:
        layout = row_layout(len(weights), fitted.norm, is_quick=True)
        fields = [[*fixed_point(product, units[0])] for product in products]
        if fitted.norm == "l2":
            fields.insert(0, [*fixed_point([v * v for v in values], units[1])])
        rows = [*zip(*fields, strict=True)]
    packed = [layout.pack(column, row) for column, row in enumerate(rows)]
    by_term = dict(zip(fitted.terms, packed, strict=True))
    vocabulary = build_vocabulary(
        fitted.analyzer, layout, by_term, fitted.own_analyzer(), in_python
    )
    table = array("d", chain.from_iterable(zip(values, *weights, strict=True))).tobytes()
    return fitted.packed(vocabulary, table, len(values), units)


def build_vocabulary(
    analyzer: AnalyzerSpec,
    layout: RowLayout,
    rows: dict[str, int],
    analyze: Analyze | None = None,
    in_python: bool = False,
) -> Vocabulary:
    """Return the quickest vocabulary for such terms, which `analyze` makes where the analyzer does
    not; C calls none of a model's own functions."""
    quickest: type[Vocabulary]
    found: TermVocabulary | PairVocabulary
    if analyze is None and PairVocabulary.fits(analyzer):
        found, quickest = PairVocabulary(analyzer, link(analyzer, rows)), pair_vocabulary()
    else:
        found, quickest = TermVocabulary(analyzer, rows, analyze), term_vocabulary()
    if in_python or isinstance(found, quickest):
        return found
    more, files = found.to_parts(layout)
    return quickest.from_parts(analyzer, layout, files, **more)


def units_for(
    fitted: FittedVectorizer,
    values: Sequence[float],
    weights: Sequence[Sequence[float]],
    products: Sequence[Sequence[float]],
    most_rounding: float,
) -> tuple[float, float] | None:
    """Return the units of scores and squares, or None where they would be too coarse.

    Each term rounds by half a unit. Of n terms, the sum of products is divided by the norm, at
    least the root of n times the smallest value; and the norm's own error, half the squares' as a
    share, counts as often as the score is large, at most the root of n times the largest weight.
    """
    largest = max(map(abs, chain.from_iterable(products)), default=0.0)
    largest_square = max([value * value for value in values], default=0.0)
    if not (isfinite(largest) and isfinite(largest_square)):
        return None
    unit, square_unit = unit_for(largest, MOST_TERMS), unit_for(largest_square, MOST_TERMS)
    rounding = MOST_UNNORMALISED_TERMS * unit / 2
    if fitted.norm == "l2":
        smallest = min(filter(None, map(abs, values)), default=1.0)
        share = square_unit / 2 / (smallest * smallest) if smallest * smallest else 1.0
        if share > MOST_SQUARE_ROUNDING:
            return None
        largest_weight = max(map(abs, chain.from_iterable(weights)), default=0.0)
        rounding = sqrt(MOST_TERMS) * (unit / 2 / smallest + largest_weight * share / 2)
    return (unit, square_unit) if rounding * abs(fitted.scale) <= most_rounding else None
