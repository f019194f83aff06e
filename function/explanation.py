"""What an explanation is: each term's share of one score of a linear model.

It passes between an engine that can explain (compiled/explain.py) and the protocol that writes it
down (protocols/explanations.py), as an answer does (predictor.py), and is imported when it is
first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Span = tuple[int, int]
"""Where in a text: from and to, in code points, as a slice has it."""


class Term(NamedTuple):
    """A term of the vocabulary: ``contribution`` is ``value``, what the classifier is given for it,
    times ``weight``, what it makes of that. ``vectorizer`` says whose it is, from 0 on, where there
    are several."""

    term: str
    value: float
    weight: float
    contribution: float
    spans: Sequence[Span]
    vectorizer: int | None


class Unknown(NamedTuple):
    """A term that the vocabulary does not have."""

    term: str
    spans: Sequence[Span]
    vectorizer: int | None


class Explanation(NamedTuple):
    """Why one text has this score for one label.

    ``intercept`` and the contributions sum to ``score``, but for rounding. ``terms`` begin with
    what contributes most, either way; ``unknown`` are in the text's order. ``link`` is how the
    scores become the probability, as JSON (compiled/links.py).
    """

    label: str
    score: float
    intercept: float
    terms: Sequence[Term]
    unknown: Sequence[Unknown]
    link: Mapping[str, Any]
