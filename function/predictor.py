"""What a predictor is: the one protocol that every engine implements and every endpoint calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Prediction(NamedTuple):
    """One text's answer.

    ``confidence`` is the probability of ``label``, and ``scores`` the probability of each class
    in the order of ``Predictor.labels``; both are None where the model gives no probabilities.
    ``label`` is None where all it gives for this text are probabilities that are not numbers (NaN).
    """

    label: str | None
    confidence: float | None
    scores: tuple[float, ...] | None


class MultilabelPrediction(NamedTuple):
    """One text's answer where any number of labels may apply, none included.

    ``labels`` are those that the model says apply, and ``scores`` the probability of each of
    ``Predictor.labels`` in their order, which need not sum to 1; None where it gives none.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...] | None

    @property
    def label(self) -> None:
        """There is no one label."""

    @property
    def confidence(self) -> None:
        """Nor a probability of it."""


Answer = Prediction | MultilabelPrediction
"""Told apart by type; a predictor gives the one or the other, as its ``multilabel`` says."""


def said(answer: Answer) -> str | tuple[str, ...] | None:
    """What an answer decided, to compare by: the label, or those that apply."""
    return answer.labels if isinstance(answer, MultilabelPrediction) else answer.label


class Predictor(Protocol):
    """A loaded model: texts in, one prediction per text out, in input order."""

    @property
    def engine(self) -> str:
        """``compiled``, ``sklearn`` or ``pyfunc``."""

    @property
    def quick_bytes(self) -> int:
        """The largest request that is answered within a millisecond or so, in bytes of its body;
        0 where none is."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The class names in the order of an answer's ``scores``; None where unknown."""

    @property
    def multilabel(self) -> bool:
        """Whether its answers are MultilabelPrediction."""

    def predict(self, texts: Sequence[str]) -> Sequence[Answer]:
        """Classify the texts; raises ModelOutputError where the answer has another shape."""


def answer_each(
    predict: Callable[[Sequence[str]], Sequence[Answer]], texts: Sequence[str]
) -> Sequence[Answer | Exception]:
    """An answer for each text, or what the model failed with on it. Where it fails on all of them
    together, it is asked for each alone: one that it cannot take is no reason to lose the others.
    """
    try:
        return predict(texts) if texts else []
    except Exception as exc:
        if len(texts) == 1:
            return [exc]
        return [answer_each(predict, [text])[0] for text in texts]
