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
"""Texts that both are asked for at most, and the model's terms in each."""
LEAST_BATCH = 8
ROUNDS = 5
BATCH_SECONDS = 0.1
"""That a batch may take: of a slow model it has fewer texts, and fewer rounds."""


def share(predictor: CompiledPredictor, original: Predictor) -> None:
    """Let the original have batches, from so many texts on as it is quicker at, if it is at all."""
    if predictor.native or any(part.own_numbers for part in predictor.vectorizers):
        return  # numbers that are none fail a text here, and may not there
    try:
        least = least_for(predictor, original)
    except Exception:  # a function of the model's own, of texts that nobody wrote
        return
    if least is not None:
        predictor.share_batches(original, least)


def least_for(predictor: CompiledPredictor, original: Predictor) -> int | None:
    """Return from how many texts on the original is quicker at a batch; None where it is not, or
    not before BATCH. It is taken to want a time for each call and another for each text."""
    texts = _texts(predictor)
    alone = min(_seconds(predictor, texts[:1]) for _ in range(2)) or BATCH_SECONDS / BATCH
    size = max(LEAST_BATCH, min(BATCH, int(BATCH_SECONDS / alone)))
    asked = [(predictor, texts[:size]), (original, texts[:size]), (original, texts[:1])]
    rounds = list[list[float]]()
    while len(rounds) < ROUNDS and sum(map(sum, rounds)) < BATCH_SECONDS:
        rounds.append([_seconds(asker, batch) for asker, batch in asked])
    ours, theirs, first = map(min, zip(*rounds, strict=True))
    each, further = ours / size, max(0.0, theirs - first) / (size - 1)
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
