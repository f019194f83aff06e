"""Terms to predictions: the compiled predictor, in the standard library only.

A vectorizer becomes a dict from each term to the place of its row in one packed table: its idf,
then its weight in every score. Scoring is one lookup per term, and one pass over the rows found.

There are two ways through the arithmetic. The quick one takes terms as they come. It differs from
scikit-learn by rounding alone, about 1e-16, which matters only where rounding decides: two scores
that tie, or a calibrator with steps. The faithful one then sums in scikit-learn's own order
(columns ascending, value by value: CountVectorizer._count_vocab, TfidfTransformer.transform,
sparsefuncs_fast.pyx, scipy's csr_matvecs) and gets the same bits, for one and a half
to two times the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from math import log, sqrt
from operator import add, eq
from struct import Struct
from typing import Any, Literal

from function.model.compiled.analyzer import AnalyzerSpec, build_analyzer
from function.model.compiled.combine import Row, build_combine
from function.model.compiled.decision import build_decision
from function.model.predictor import Prediction

Score = Callable[[str], Sequence[float] | None]

MARGIN = 1e-9
"""Scores (or calibrated probabilities) closer than this are settled the faithful way."""

MAX_UNNORMALISED_ROWS = 512
"""Without a norm the scores grow with the text and so does the rounding; longer texts than this
take the faithful way, which rounds as scikit-learn does."""


@dataclass(frozen=True, slots=True)
class Vectorizer:
    """One fitted vectorizer and its part of the classifier's weights.

    Packed, since a tuple of floats per term takes more than twice the memory and the time to load,
    and is no faster: unpacking a row costs what touching its scattered floats does.
    """

    analyzer: AnalyzerSpec
    vocabulary: Mapping[str, int]
    """Term to the offset of its row in `table`, in bytes. Ascending in column order; never 0."""
    table: bytes
    """Native doubles: a row of zeros, then a row per term of (idf, weight in score 0, in score 1,
    ...). idf is 1.0 where the vectorizer has none; terms that feature selection dropped have
    weights of 0.0, since they still count towards the norm."""
    binary: bool = False
    sublinear: bool = False
    norm: Literal["l1", "l2"] | None = None
    scale: float = 1.0
    """The vectorizer's share in FeatureUnion.transformer_weights."""


class LinearPredictor:
    """A compiled text classifier; see predictor.Predictor. Safe to share between threads."""

    engine = "compiled"

    def __init__(
        self,
        labels: Sequence[str],
        vectorizers: Sequence[Vectorizer],
        intercepts: Sequence[float],
        decision: Mapping[str, Any],
        binarize: float | None = None,
    ) -> None:
        """`binarize` is BernoulliNB's threshold on the vectorizers' values; None leaves them."""
        self.labels: tuple[str, ...] | None = tuple(labels)
        self.vectorizers = tuple(vectorizers)
        self.intercepts = tuple(intercepts)
        self.decision = dict(decision)
        self.binarize = binarize
        self._decide = build_decision(decision, labels)
        self._row = row_layout(len(self.intercepts))
        self._features = [_build_features(part, self._row) for part in self.vectorizers]
        self._score = self._build_score()

    @property
    def terms(self) -> int:
        """How many terms the vocabularies hold together."""
        return sum(len(vectorizer.vocabulary) for vectorizer in self.vectorizers)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Answer each text, in order; the empty and the wholly unknown text included."""
        return [self._predict_one(text) for text in texts]

    def faithful_scores(self, text: str) -> list[float]:
        """Return the decision function, summed in scikit-learn's order."""
        found = [pair for features in self._features for pair in features(text)]
        if self.binarize is not None:
            found = [(1.0, row) for value, row in found if value > self.binarize]
        scores = []
        for column, intercept in enumerate(self.intercepts, start=1):
            total = 0.0  # not sum(), see _length
            for value, row in found:
                total += value * row[column]
            scores.append(total + intercept)
        return scores

    def _predict_one(self, text: str) -> Prediction:
        scores = self._score(text)
        prediction = None if scores is None else self._decide(scores, MARGIN)
        if prediction is None:
            prediction = self._decide(self.faithful_scores(text), -1.0)
            assert prediction is not None, "a margin below zero always decides"
        return prediction

    def _build_score(self) -> Score:
        is_faithful = self.binarize is not None or self.decision.get("faithful")
        if is_faithful or any(vectorizer.norm == "l1" for vectorizer in self.vectorizers):
            return lambda text: None
        nothing = (0.0,) * len(self.intercepts)
        first, *others = [
            _build_score(vectorizer, self._row, nothing if position else self.intercepts)
            for position, vectorizer in enumerate(self.vectorizers)
        ]
        return _add_scores(first, others) if others else first


def row_layout(scores: int) -> Struct:
    """Return how a row of a vectorizer's table is packed, for so many scores."""
    return Struct(f"{1 + scores}d")


def _build_features(
    vectorizer: Vectorizer, layout: Struct
) -> Callable[[str], list[tuple[float, Row]]]:
    """Return the function from a text to its line of the document-term matrix: the value of each
    known term beside its row, columns ascending."""
    analyze, get = build_analyzer(vectorizer.analyzer), vectorizer.vocabulary.get

    def features(text: str) -> list[tuple[float, Row]]:
        counts: dict[int, int] = {}
        for place in sorted(filter(None, map(get, analyze(text)))):
            counts[place] = counts.get(place, 0) + 1
        rows = [layout.unpack_from(vectorizer.table, place) for place in counts]
        values = [
            _frequency(vectorizer, count) * row[0]
            for count, row in zip(counts.values(), rows, strict=True)
        ]
        length, scale = _length(vectorizer.norm, values), vectorizer.scale
        return [(value / length * scale, row) for value, row in zip(values, rows, strict=True)]

    return features


def _frequency(vectorizer: Vectorizer, count: int) -> float:
    if vectorizer.binary:
        return 1.0
    return log(count) + 1.0 if vectorizer.sublinear else float(count)


def _length(norm: str | None, values: Iterable[float]) -> float:
    """The divisor that gives `values` unit norm; 1.0 leaves them, as scikit-learn does zeros."""
    total = 0.0  # not sum(): since Python 3.12 it compensates, scikit-learn's loop does not
    if norm == "l1":
        for value in values:
            total += abs(value)
    elif norm == "l2":
        for value in values:
            total += value * value
        total = sqrt(total)
    return total or 1.0


def _build_score(vectorizer: Vectorizer, layout: Struct, intercepts: Row) -> Score:
    """Return the quick way from a text to its scores, or to None where there is none."""
    analyze, get = build_analyzer(vectorizer.analyzer), vectorizer.vocabulary.get
    unpack, table, binary = layout.unpack_from, vectorizer.table, vectorizer.binary
    is_normed, sublinear = vectorizer.norm == "l2", vectorizer.sublinear
    combine = build_combine(intercepts, vectorizer.scale, is_normed)

    def score(text: str) -> Sequence[float] | None:
        # None, which filter drops, is a term never seen in training.
        places = sorted(filter(None, map(get, analyze(text))))
        if binary:
            return combine(map(unpack, repeat(table), set(places)), 0.0)
        # A repeated term's row is simply met again: right for all but its square.
        repeats = [*compress(places, map(eq, places, places[1:]))]
        surplus = 0.0
        if repeats:
            if sublinear:
                return None
            for place in set(repeats):
                count = repeats.count(place) + 1
                surplus += (count * count - count) * unpack(table, place)[0] ** 2
        if len(places) > MAX_UNNORMALISED_ROWS and not is_normed:
            return None
        return combine(map(unpack, repeat(table), places), surplus)

    return score


def _add_scores(first: Score, others: Sequence[Score]) -> Score:
    def score(text: str) -> Sequence[float] | None:
        total = first(text)
        for other in others:
            part = other(text)
            if total is None or part is None:
                return None
            total = [*map(add, total, part)]
        return total

    return score
