"""What a predictor is: the one protocol that every engine implements and every endpoint calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Prediction(NamedTuple):
    """One text's answer.

    ``confidence`` is the probability of ``label``, and ``scores`` the probability of each class
    in the order of ``Predictor.labels``; both are None where the model gives no probabilities.
    """

    label: str
    confidence: float | None
    scores: tuple[float, ...] | None


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
        """The class names in the order of ``Prediction.scores``; None where unknown."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Classify the texts; raises ModelOutputError where the answer has another shape."""
