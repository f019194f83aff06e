"""Texts to answers in C: the faithful way (faithful.py) and, of most models, the decision too.

A text's scores have the same bits as scikit-learn's, so there is no margin within which they would
have to be reckoned anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from function.compiled import native
from function.compiled.decision import build_decision
from function.compiled.vectorizer import Vectorizer
from function.compiled.vocabularies import NativeVocabulary
from function.predictor import Answer, Prediction

if TYPE_CHECKING:
    from function.compiled.forest import Forest
    from function.compiled.kernels import KernelVectors

Answers = Callable[[Sequence[str]], list[Answer]]
Add = Callable[[Sequence[str], bytearray], None]
"""What adds each text's part to its scores."""
Machine: TypeAlias = "Forest | KernelVectors"
"""What makes scores of the values of a text's terms together; where it is `alone`, all of them."""
Settle = tuple[float, Callable[[str], Answer]]
"""A margin, and what answers a text whose scores are within it."""

_make = tuple.__new__  # as decision.py


def build_answers(
    vectorizers: Sequence[Vectorizer],
    intercepts: Sequence[float],
    decision: Mapping[str, Any],
    labels: Sequence[str],
    binarize: float | None,
    settle: Settle | None = None,
    machine: Machine | None = None,
) -> Answers:
    """Return the function from texts to the answer of each; the vocabularies must be native ones,
    and are this model's from now on. `settle` is for a model whose scores are other sums than of
    weights."""
    names = tuple(labels)
    add_up = build_sums(vectorizers, len(intercepts), binarize, machine)
    layers, last, decision = _layers(decision, intercepts)
    packed, decide, pass_on = _packed(last), native._native.decide, native._native.pass_on
    decide_in_python = build_decision(decision, labels, len(last))
    kind, is_uniform = _kind(decision)

    def found(texts: Sequence[str]) -> list[tuple[Any, ...]]:
        totals = add_up(texts)
        for layer in layers:
            totals = pass_on(totals, *layer)
        return decide(totals, packed, kind, is_uniform)

    def with_probabilities(texts: Sequence[str]) -> list[Answer]:
        return [
            _make(Prediction, (names[best], shares[best], shares)) for best, shares in found(texts)
        ]

    def labels_only(texts: Sequence[str]) -> list[Answer]:
        return [Prediction(names[best], None, None) for best, _ in found(texts)]

    def by_scores(texts: Sequence[str]) -> list[Answer]:
        return [cast(Answer, decide_in_python(numbers, -1.0)) for numbers in found(texts)]

    def settled(texts: Sequence[str]) -> list[Answer]:
        assert settle is not None
        margin, answer = settle
        return [
            decide_in_python(numbers, margin) or answer(text)
            for text, numbers in zip(texts, found(texts), strict=True)
        ]

    if kind == "scores":
        return by_scores if settle is None else settled
    return labels_only if kind == "labels" else with_probabilities


def build_sums(
    vectorizers: Sequence[Vectorizer],
    scores: int,
    binarize: float | None,
    machine: Machine | None = None,
) -> Callable[[Sequence[str]], bytearray]:
    """Return the function from texts to their scores but for the intercepts: native doubles, one
    text's after the other's."""
    weights = 0 if machine is not None and machine.alone else scores
    weighed = [_weighed(vectorizer, weights, binarize) for vectorizer in vectorizers]
    adders: list[Add] = [vocabulary.add_up for vocabulary in weighed if weights]
    if machine is not None:
        adders.append(_build_adder(vectorizers, machine))

    def add_up(texts: Sequence[str]) -> bytearray:
        totals = bytearray(8 * scores * len(texts))
        for add in adders:
            add(texts, totals)
        return totals

    return add_up


def _build_adder(vectorizers: Sequence[Vectorizer], machine: Machine) -> Add:
    """What adds the machine's part, of the values of all vectorizers together."""
    assert machine.native is not None
    add_up = machine.native.add_up
    starts = accumulate((part.width for part in vectorizers), initial=0)
    parts = [*zip(map(_native_of, vectorizers), starts, strict=False)]

    def add(texts: Sequence[str], totals: bytearray) -> None:
        lines, *others = [vocabulary.values(texts, start) for vocabulary, start in parts]
        if others:
            lines = [*map(b"".join, zip(lines, *others, strict=True))]
        add_up(lines, totals)

    return add


def _native_of(vectorizer: Vectorizer) -> NativeVocabulary:
    assert isinstance(vectorizer.vocabulary, NativeVocabulary)
    return vectorizer.vocabulary


def _weighed(vectorizer: Vectorizer, scores: int, binarize: float | None) -> NativeVocabulary:
    vocabulary = _native_of(vectorizer)
    vocabulary.weigh(
        vectorizer.table,
        scores,
        binary=vectorizer.binary,
        sublinear=vectorizer.sublinear,
        norm=vectorizer.norm,
        scale=vectorizer.scale,
        binarize=binarize,
    )
    return vocabulary


def _layers(
    decision: Mapping[str, Any], intercepts: Sequence[float]
) -> tuple[list[tuple[bytes, str, bytes]], Sequence[float], Mapping[str, Any]]:
    """The layers that the scores go through, as layers.c takes them; then the intercepts of those
    that come out, and what is decided of them."""
    if decision["kind"] != "layers":
        return [], intercepts, decision
    from function.compiled.layers import read_layers

    found = []
    for layer in read_layers(decision, len(intercepts)):
        found.append((_packed(intercepts), layer.activation, layer.packed()))
        intercepts = layer.intercepts
    return found, intercepts, decision["decision"]


def _packed(numbers: Sequence[float]) -> bytes:
    return array("d", numbers).tobytes()


def _kind(decision: Mapping[str, Any]) -> tuple[str, bool]:
    """What decision.c calls it; those that it has not are decided in Python."""
    kind = decision["kind"]
    if kind == "one_vs_rest":
        return decision["link"], decision["all_zero"] == "uniform"
    return (kind if kind in ("labels", "softmax", "naive_bayes") else "scores"), False
