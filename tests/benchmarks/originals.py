"""``python -m tests.benchmarks.originals``: models that are not compiled, asked by the service's
engine and by scikit-learn directly.

The engine gives label, confidence and scores; ``pipeline.predict_proba(list)`` the last two only.
Turn and turn about, medians; alone, and in batches of 100.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC

from function.demo.sentences import read_sentences
from function.originals.predictors import SklearnPredictor

SECONDS = 2.0
BATCH = 100


def own_words(text: str) -> list[str]:
    """A tokenizer of the kind that people write."""
    return text.lower().split()


def stripped(texts: Any) -> list[str]:
    """A cleaning step of the kind that people write."""
    return [text.strip().replace("'", "") for text in texts]


def _pipeline(classifier: Any, **options: Any) -> Any:
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), **options), classifier)


MODELS: dict[str, Callable[[], Any]] = {
    "random forest": lambda: _pipeline(RandomForestClassifier(100, random_state=0)),
    "extra trees": lambda: _pipeline(ExtraTreesClassifier(50, random_state=0)),
    "gradient boosting": lambda: _pipeline(GradientBoostingClassifier(n_estimators=20)),
    "SVC(probability=True)": lambda: _pipeline(SVC(probability=True, random_state=0)),
    "calibrated SVC": lambda: _pipeline(CalibratedClassifierCV(SVC(), cv=2, ensemble=False)),
    "HashingVectorizer, SGD": lambda: make_pipeline(
        HashingVectorizer(), SGDClassifier(loss="log_loss", random_state=0)
    ),
    "neighbours": lambda: _pipeline(KNeighborsClassifier()),
    "neural network": lambda: _pipeline(MLPClassifier((16,), max_iter=5, random_state=0)),
    "FunctionTransformer": lambda: make_pipeline(
        FunctionTransformer(stripped), TfidfVectorizer(), LogisticRegression()
    ),
    "own tokenizer": lambda: _pipeline(
        LogisticRegression(), tokenizer=own_words, token_pattern=None
    ),
    "float32": lambda: _pipeline(LogisticRegression(), dtype=np.float32),
    "union": lambda: make_pipeline(
        FeatureUnion([("w", HashingVectorizer()), ("t", TfidfVectorizer(dtype=np.float32))]),
        LogisticRegression(),
    ),
    "vote of pipelines": lambda: VotingClassifier(
        [("a", _pipeline(LogisticRegression())), ("b", _pipeline(MultinomialNB()))], voting="soft"
    ),
    "stack": lambda: _pipeline(
        StackingClassifier([("a", LinearSVC()), ("b", MultinomialNB())], cv=2)
    ),
    "calibrated pipelines": lambda: CalibratedClassifierCV(_pipeline(LinearSVC()), cv=3),
    "one-vs-rest of pipelines": lambda: OneVsRestClassifier(_pipeline(LogisticRegression())),
    "tuned threshold of a pipeline": lambda: TunedThresholdClassifierCV(
        _pipeline(LogisticRegression(), dtype=np.float32), cv=2
    ),
}


def main(wanted: list[str]) -> None:
    """Print a line per model: microseconds for each way, and their ratio."""
    warnings.simplefilter("ignore")
    sentences = read_sentences()[::3]
    texts = [sentence.text for sentence in sentences]
    print(f"{'model':32}{'texts':>6}{'direct us':>12}{'engine us':>12}{'ratio':>8}")
    for name, build in MODELS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        labels = [sentence.label for sentence in sentences]
        if "threshold" in name:
            labels = ["positive" if label == "positive" else "other" for label in labels]
        model = build().fit(texts, labels)
        engine = SklearnPredictor(model, {})
        for size in (1, BATCH):
            batches = [texts[start : start + size] for start in range(0, 100 * size, 7 * size)]
            batches = [batch for batch in batches if len(batch) == size]
            direct, ours = _timed(model.predict_proba, engine.predict, batches)
            print(
                f"{name:32}{size:6}{direct * 1e6:12.0f}{ours * 1e6:12.0f}{ours / direct:8.2f}",
                flush=True,
            )


def _timed(
    one: Callable[[Any], Any], other: Callable[[Any], Any], batches: list[list[str]]
) -> tuple[float, float]:
    """The median seconds of each, taking turns."""
    times: tuple[list[float], list[float]] = ([], [])
    ends = time.perf_counter() + SECONDS
    turn = 0
    while time.perf_counter() < ends or turn < 10:
        batch = batches[turn % len(batches)]
        pair = ((one, times[0]), (other, times[1]))
        for ask, into in pair if turn % 2 else reversed(pair):
            start = time.perf_counter()
            ask(batch)
            into.append(time.perf_counter() - start)
        turn += 1
    return median(times[0]), median(times[1])


if __name__ == "__main__":
    main(sys.argv[1:])
