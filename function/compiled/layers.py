"""Scores that go through layers before they are decided: MLPClassifier's neurons, and a Normalizer
behind a TruncatedSVD.

The terms' weights make the first layer's scores. Each layer then does something to all of them (its
activation) and multiplies what comes out with weights of its own. Follows `_forward_pass_fast` of
sklearn/neural_network/_multilayer_perceptron.py and `normalize` of sklearn/preprocessing/_data.py.
There the products are BLAS's, whose last digits are the machine's: a text on which two labels are
as likely to the last digit may get either.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from math import sqrt, tanh
from operator import mul
from sys import float_info
from typing import Any, NamedTuple

from function.compiled.numbers import LARGEST, is_number
from function.compiled.probabilities import PLAIN, Build, Decide, logistic
from function.predictor import Answer

Scores = Sequence[float]

LAST = (*PLAIN, "multilabel")
"""What may decide of what comes out: nothing that is made of others."""
LARGEST_SCORE = 1e30
"""That goes into the first layer: more is a file's that was made by hand, and is cut to it."""
NO_LENGTH = 10 * float_info.epsilon
"""`_handle_zeros_in_scale` of sklearn/preprocessing/_data.py: less is left as it is."""
SMALLEST_LENGTH = 1e-3
"""Dividing by less magnifies rounding: such a text is answered the faithful way."""


def _relu(scores: Scores) -> Scores:
    return [score if score > 0.0 else 0.0 for score in scores]


def _unit_length(scores: Scores) -> Scores:
    length = _length(scores)
    return [score / length for score in scores] if length >= NO_LENGTH else scores


ACTIVATIONS: Mapping[str, Callable[[Scores], Scores]] = {
    "identity": lambda scores: scores,
    "logistic": lambda scores: [*map(logistic, scores)],
    "tanh": lambda scores: [*map(tanh, scores)],
    "relu": _relu,
    "l2": _unit_length,
}


class Layer(NamedTuple):
    """What makes other scores of scores."""

    activation: str
    columns: list[tuple[float, ...]]
    """The weights of all that comes in, for each score that goes out."""
    intercepts: tuple[float, ...]

    def of(self, scores: Scores) -> list[float]:
        """Return what comes out."""
        found = ACTIVATIONS[self.activation](scores)
        pairs = zip(self.columns, self.intercepts, strict=True)
        return [sum(map(mul, found, column)) + intercept for column, intercept in pairs]

    def packed(self) -> bytes:
        """Return the weights as layers.c takes them: by what comes in."""
        return array("d", chain.from_iterable(zip(*self.columns, strict=True))).tobytes()


def build_layers(
    spec: Mapping[str, Any], names: Sequence[str], scores: int, build: Build
) -> Decide:
    """Return the decision `{"layers", "decision"}` of so many scores; a layer is `{"activation",
    "weights", "intercepts"}` with a list of weights for each score that comes in. Raises ValueError
    and KeyError as build_decision."""
    layers = read_layers(spec, scores)
    last = spec["decision"]
    if last["kind"] not in LAST or bool(spec.get("multilabel")) != (last["kind"] == "multilabel"):
        raise ValueError(f"layers before a decision {last['kind']!r}")
    decide_last = build(last, names, len(layers[-1].intercepts))

    def decide(scores: Scores, margin: float) -> Answer | None:
        found = scores
        if not max(map(abs, scores)) <= LARGEST_SCORE:
            found = [min(max(score, -LARGEST_SCORE), LARGEST_SCORE) for score in scores]
        for layer in layers:
            if layer.activation == "l2" and margin >= 0.0 and _length(found) < SMALLEST_LENGTH:
                return None
            found = layer.of(found)
        return decide_last(found, margin)

    return decide


def read_layers(spec: Mapping[str, Any], scores: int) -> list[Layer]:
    """Return the layers of a decision of so many scores. Raises ValueError and KeyError as
    build_decision."""
    layers, largest = list[Layer](), LARGEST_SCORE
    for layer in spec["layers"]:
        rows, intercepts = layer["weights"], layer["intercepts"]
        is_whole = len(rows) == scores > 0 and all(len(row) == len(intercepts) for row in rows)
        if layer["activation"] not in ACTIVATIONS or not is_whole or not intercepts:
            raise ValueError(f"a layer of {layer['activation']!r}, not of {scores} scores")
        if not all(map(is_number, chain(intercepts, *rows))):
            raise ValueError("a layer with weights that are not finite")
        largest = max(largest * (scores + 1) * max(map(abs, chain(intercepts, *rows))), 1.0)
        layers.append(Layer(layer["activation"], [*zip(*rows, strict=True)], tuple(intercepts)))
        scores = len(intercepts)
    if not layers or not largest <= LARGEST:
        raise ValueError(f"{len(layers)} layers, of numbers up to {largest:.2g}")
    return layers


def gain_of(spec: Mapping[str, Any], scores: int) -> float:
    """Return how many times as large a rounding of the first scores may be in the last."""
    gain = 1.0
    for layer in read_layers(spec, scores):
        gain *= max(sum(map(abs, column)) for column in layer.columns) or 1.0
        if layer.activation == "l2":
            gain *= 2.0 * sqrt(len(layer.columns[0])) / SMALLEST_LENGTH
    return gain


def has_lengths(spec: Mapping[str, Any]) -> bool:
    """Whether what goes in is divided by its length. Next to nothing is then made as long as any
    other, so it must be scikit-learn's own to the bit."""
    return any(layer["activation"] == "l2" for layer in spec["layers"])


def micros_of(spec: Mapping[str, Any]) -> float:
    """Return how long a text takes in C, roughly: a thousand products in a microsecond."""
    return sum(len(layer["weights"]) * len(layer["intercepts"]) for layer in spec["layers"]) / 1000


def _length(scores: Scores) -> float:
    return sqrt(sum(map(mul, scores, scores)))
