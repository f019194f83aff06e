"""How good the demo model is on sentences that it was not trained on."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedGroupKFold

from function.demo.phrases import make_sentences
from function.demo.sentences import LABELS, Sentence, read_held_out, read_sentences
from function.demo.train import Evaluation, Report, build_pipeline, labelled

FOLDS = 5
OPENING = 3
"""Sentences that begin with the same words are in one fold: they are much alike."""


def evaluate(report: Report) -> Evaluation:
    """Cross-validate on the sentences, ask for the held-out ones by kind, and tell."""
    written = read_sentences()
    report(f"{len(written)} written sentences; {FOLDS}-fold cross-validation ...")
    metrics, confusion = cross_validate(written)
    report(f"accuracy {metrics['cv_accuracy']:.3f}, macro F1 {metrics['cv_macro_f1']:.3f}")
    report(confusion)
    report("sentences held out, by kind: right of all")
    kinds = held_out_by_kind()
    report(", ".join(f"{kind} {right}/{total}" for kind, (right, total) in kinds.items()))
    right, total = (sum(numbers) for numbers in zip(*kinds.values(), strict=True))
    return {**metrics, "held_out_accuracy": right / total}, confusion


def cross_validate(written: list[Sentence]) -> Evaluation:
    """Ask for each fold of the written sentences; made ones that say the same are left out."""
    known = {_words(sentence.text) for sentence in written}
    made = [sentence for sentence in make_sentences() if _words(sentence.text) not in known]
    texts, labels = labelled(written)
    openings = [" ".join(_words(sentence.text)[:OPENING]) for sentence in written]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    predicted = np.empty(len(labels), dtype=object)
    for kept, asked in folds.split(texts, labels, openings):
        train = labelled([written[index] for index in kept] + made)
        predicted[asked] = build_pipeline().fit(*train).predict(texts.iloc[asked])
    metrics = {
        "cv_accuracy": float(accuracy_score(labels, list(predicted))),
        "cv_macro_f1": float(f1_score(labels, list(predicted), average="macro")),
        "sentences": float(len(labels)),
    }
    matrix = confusion_matrix(labels, list(predicted), labels=list(LABELS))
    frame = pd.DataFrame(matrix, index=[f"true {label}" for label in LABELS], columns=list(LABELS))
    return metrics, frame.to_string()


def held_out_by_kind() -> dict[str, tuple[int, int]]:
    """By kind, how many of the held-out sentences are answered right, and how many there are."""
    held_out = read_held_out()
    asked = pd.DataFrame({"text": [item.text for item in held_out]})
    train = labelled(read_sentences() + make_sentences())
    answers = build_pipeline().fit(*train).predict(asked)
    total = Counter(item.kind for item in held_out)
    right = Counter(
        item.kind for item, answer in zip(held_out, answers, strict=True) if item.label == answer
    )
    return {kind: (right[kind], total[kind]) for kind in total}


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))
