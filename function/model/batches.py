"""Who answers large batches where there is no C code: the compiled predictor, or the original.

Without it a text alone is always answered sooner than by scikit-learn, but not a batch of any
model: trees, layers and many classes cost scikit-learn next to nothing for each further text.
Which of the two is quicker depends on the model and the machine, so both are asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import ceil
from random import Random

from function.compiled.predictor import CompiledPredictor
from function.compiler.verify import PROBES
from function.predictor import Predictor

BATCH, TERMS = 100, 15
"""Texts that both are asked for, and the model's terms in each."""
ROUNDS = 5
MOST_SECONDS = 0.005
"""For a text: what takes longer is a function of the model's own, and takes either as long."""


def share(predictor: CompiledPredictor, original: Predictor) -> None:
    """Let the original have batches, from so many texts on as it is quicker at, if it is at all."""
    try:
        least = None if predictor.native else least_for(predictor, original)
    except Exception:  # a function of the model's own, of texts that nobody wrote
        return
    if least is not None:
        predictor.share_batches(original, least)


def least_for(predictor: CompiledPredictor, original: Predictor) -> int | None:
    """Return from how many texts on the original is quicker at a batch; None where it is not, or
    not before BATCH. It is taken to want a time for each call and another for each text."""
    texts = _texts(predictor)
    if _seconds(predictor, texts[:1]) > MOST_SECONDS:
        return None
    asked = [(predictor, texts), (original, texts), (original, texts[:1])]
    rounds = [[_seconds(asker, batch) for asker, batch in asked] for _ in range(ROUNDS)]
    ours, theirs, first = map(min, zip(*rounds, strict=True))
    each, further = ours / BATCH, max(0.0, theirs - first) / (BATCH - 1)
    if each <= further:
        return None
    least = max(2, ceil((first - further) / (each - further)))
    return least if least <= BATCH else None


def _texts(predictor: CompiledPredictor) -> list[str]:
    """Texts of the model's own terms, or of words where it does not know its terms."""
    known = [term for part in predictor.vectorizers for term in part.vocabulary.terms()]
    terms, random = known or " ".join(PROBES).split(), Random(0)
    return [" ".join(random.choices(terms, k=TERMS)) for _ in range(BATCH)]


def _seconds(predictor: Predictor, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    predictor.predict(texts)
    return time.perf_counter() - started
