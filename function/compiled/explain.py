"""Why a text has its score: what each of its terms adds to it.

A linear model's score is an intercept and, for each term, its value times its weight: these are the
contributions, and nothing is estimated. They are taken from the faithful way's numbers; where in
the text they come from is for spans.py to say, and how the score becomes a probability for
links.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from function.compiled.faithful import Feature, Line, add_up
from function.compiled.functions import build_own_analyzer
from function.compiled.links import Mix, link, mixed, mixes
from function.compiled.spans import build_finder
from function.compiled.vectorizer import Vectorizer, Vocabulary
from function.errors import NotExplainable
from function.explanation import Explanation, Span, Term, Unknown
from function.predictor import Answer

if TYPE_CHECKING:
    from function.compiled.hashed import HashedVocabulary

MACHINES = "trees and kernels weigh several terms together"
Features = Callable[[Any], Line]
"""As faithful.build_features has it."""


class Explainer:
    """Explains a compiled model's answers. Safe to share between threads."""

    def __init__(
        self,
        labels: Sequence[str],
        parts: Sequence[tuple[Vectorizer, Features]],
        intercepts: Sequence[float],
        decision: Mapping[str, Any],
    ) -> None:
        self._labels = tuple(labels)
        self._parts = [
            (vectorizer, features, _build_finder(vectorizer)) for vectorizer, features in parts
        ]
        self._intercepts = intercepts
        self._decision = decision
        self._mixes = mixes(decision, len(self._labels), len(intercepts))

    def explain(self, given: Sequence[Any], answer: Answer, label: str | None) -> Explanation:
        """As CompiledPredictor.explain, of a text as each vectorizer gets it."""
        pairs = zip(self._parts, given, strict=True)
        found = [features(text) for (_, features, _), text in pairs]
        values = [dict(zip(*line, strict=True)) for line in found]
        rows = add_up([pair for _, line in found for pair in line], self._intercepts)
        scores = [mixed(mix, rows) for mix in self._mixes]
        place = self._place_of(answer.label if label is None else label, scores)
        mix = self._mixes[place]
        terms, unknown = self._terms(given, values, mix)
        terms.sort(key=lambda term: abs(term.contribution), reverse=True)
        probability = None if answer.scores is None else answer.scores[place]
        return Explanation(
            self._labels[place],
            scores[place],
            mixed(mix, self._intercepts),
            terms,
            unknown,
            link(self._decision, self._labels, place, scores, rows, probability),
        )

    def _place_of(self, label: str | None, scores: Sequence[float]) -> int:
        return scores.index(max(scores)) if label is None else self._labels.index(label)

    def _terms(
        self, given: Sequence[Any], values: Sequence[Mapping[int, Feature]], mix: Mix
    ) -> tuple[list[Term], list[Unknown]]:
        terms, unknown = list[Term](), list[Unknown]()
        for position, (vectorizer, _, find) in enumerate(self._parts):
            whose = position if len(self._parts) > 1 else None
            places = find(given[position])
            feature_of = _build_feature_of(vectorizer.vocabulary, values[position], places)
            for term, spans in places.items():
                feature = feature_of(term)
                if feature is None:
                    unknown.append(Unknown(term, spans, whose))
                    continue
                value, (_, *weights) = feature
                weight = mixed(mix, weights)
                contribution = value * weight + 0.0  # no -0.0
                terms.append(Term(term, value, weight, contribution, spans, whose))
        return terms, unknown


def _build_feature_of(
    vocabulary: Vocabulary, features: Mapping[int, Feature], terms: Iterable[str]
) -> Callable[[str], Feature | None]:
    """Return what finds a term's value and row among a text's, None where it is not known."""
    if vocabulary.kind == "hashed":
        return _build_hashed_feature_of(vocabulary, features, terms)
    column_of = vocabulary.column_of

    def feature_of(term: str) -> Feature | None:
        column = column_of(term)
        return None if column is None else features[column]

    return feature_of


def _build_hashed_feature_of(
    vocabulary: HashedVocabulary, features: Mapping[int, Feature], terms: Iterable[str]
) -> Callable[[str], Feature | None]:
    """The same where terms may share a column, and then nothing tells whose its value is."""
    columns = {term: vocabulary.place_of(term)[0] for term in terms}
    if len({*columns.values()}) < len(columns):
        raise NotExplainable("compiled", "two of the text's terms have the same hash")

    def feature_of(term: str) -> Feature | None:
        feature = features[columns[term]]
        is_met = vocabulary.column_of(term) is not None or any(feature[1][1:])
        return feature if is_met else None

    return feature_of


def _build_finder(vectorizer: Vectorizer) -> Callable[[Any], dict[str, list[Span]]]:
    """As spans.build_finder; where functions make the terms, or numbers in their place, nobody can
    say of which characters."""
    if vectorizer.vocabulary.kind == "numbers":
        names_in = vectorizer.vocabulary.names_in
        return lambda row: {name: [] for name in names_in(row)}
    if vectorizer.functions is None:
        return build_finder(vectorizer.analyzer)
    analyze = build_own_analyzer(vectorizer.analyzer, vectorizer.functions)
    return lambda text: {term: [] for term in analyze(text) if isinstance(term, str)}
