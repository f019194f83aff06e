"""By kind of model: the compiled predictor beside the pipeline it was made of, in one process.

    python -m tests.benchmarks.kinds [--only NAME ...] [--pure] [--rounds 21] [--output FILE]

Each pipeline is fitted here on the benchmark's sentences; then both are asked for the same unseen
texts, alone and in batches, in turns on one core. The medians' ratio says how often faster we are.
With --pure it is as in a process that has the model from the registry and no C code: the original
has those batches at which it is quicker. A new kind is a line in KINDS.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, LinearSVC

from function.compiled import native
from function.compiler.compiler import NotCompilable, translate
from function.model import batches
from function.originals.predictors import SklearnPredictor
from tests.benchmarks import corpus, report

TRAINED_ON = 4_000
MOST_TERMS = 25_000
BATCH = 100
LONGEST = 10_000
"""Characters, as MAX_TEXT_LENGTH has it."""


HEADER = ["kind", "µs alone", "times as quick", f"µs in {BATCH}", "times as quick"]
HEADER += [f"ms of {LONGEST:,}"]


class Kind(NamedTuple):
    """A pipeline to be fitted, and on how many classes."""

    name: str
    vectorizer: Callable[[], Any]
    classifier: Callable[[], Any] = LogisticRegression
    classes: int = 3


def _tfidf(**options: Any) -> Callable[[], Any]:
    return lambda: TfidfVectorizer(**{"max_features": MOST_TERMS, **options})


def _char_wb(**options: Any) -> Callable[[], Any]:
    return _tfidf(analyzer="char_wb", **{"ngram_range": (3, 5), **options})


def _union(**options: Any) -> Callable[[], Any]:
    words, characters = _tfidf(ngram_range=(1, 2), **options), _char_wb(**options)
    return lambda: FeatureUnion([("words", words()), ("characters", characters())])


def _calibrated(method: str) -> Callable[[], Any]:
    return lambda: CalibratedClassifierCV(LinearSVC(), method=method, cv=3)


def _few_steps() -> Any:
    return LogisticRegression(max_iter=8)


def _one_vs_rest() -> Any:
    return SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0)


def _svc() -> Any:
    return SVC(kernel="linear", max_iter=300, random_state=0, probability=True)


def _rbf() -> Any:
    return SVC()


def _rbf_probabilities() -> Any:
    return SVC(probability=True, random_state=0)


def _random_forest() -> Any:
    return RandomForestClassifier(100, random_state=0)


def _extra_trees() -> Any:
    return ExtraTreesClassifier(100, random_state=0)


def _boosting() -> Any:
    return GradientBoostingClassifier(random_state=0, subsample=0.3)


def _mixed_voting() -> Any:
    members = [("logistic", LogisticRegression()), ("bayes", MultinomialNB())]
    return VotingClassifier([*members, ("forest", _random_forest())], voting="soft")


def _neurons() -> Any:
    return MLPClassifier(max_iter=3, random_state=0)


def _semantic() -> Any:
    return make_pipeline(_pairs(), TruncatedSVD(100), Normalizer())


def _voting() -> Any:
    members = [("logistic", LogisticRegression()), ("bayes", MultinomialNB())]
    return VotingClassifier(members, voting="soft")


_pairs = _tfidf(ngram_range=(1, 2))
KINDS = [
    Kind("words and pairs", _pairs),
    Kind("words and pairs, sublinear", _tfidf(ngram_range=(1, 2), sublinear_tf=True)),
    Kind("words and pairs, binary", _tfidf(ngram_range=(1, 2), binary=True)),
    Kind("words and pairs, l1", _tfidf(ngram_range=(1, 2), norm="l1")),
    Kind("words and pairs, no norm", _tfidf(ngram_range=(1, 2), norm=None)),
    Kind("words 1-3, sublinear", _tfidf(ngram_range=(1, 3), sublinear_tf=True)),
    Kind("words 1-3, own stop words", _tfidf(ngram_range=(1, 3), stop_words=["the", "and", "is"])),
    Kind(r"\S+ 1-2", _tfidf(ngram_range=(1, 2), token_pattern=r"\S+")),
    Kind("[a-z]+ 1-2", _tfidf(ngram_range=(1, 2), token_pattern="[a-z]+")),
    Kind("a pattern of one's own", _tfidf(token_pattern=r"[^\W\d_]+(?:'\w+)?")),
    Kind("char 2-4", _tfidf(analyzer="char", ngram_range=(2, 4))),
    Kind("char_wb 3-5", _char_wb()),
    Kind("char_wb 3-5, sublinear", _char_wb(sublinear_tf=True)),
    Kind("char_wb 3-5, accents stripped", _char_wb(strip_accents="unicode")),
    Kind("words and char_wb", _union()),
    Kind("words and char_wb, sublinear", _union(sublinear_tf=True)),
    Kind("counts, MultinomialNB", lambda: CountVectorizer(max_features=MOST_TERMS), MultinomialNB),
    Kind("BernoulliNB", lambda: CountVectorizer(max_features=MOST_TERMS), BernoulliNB),
    Kind("calibrated, sigmoid", _pairs, _calibrated("sigmoid")),
    Kind("calibrated, isotonic", _pairs, _calibrated("isotonic")),
    Kind("one-vs-rest of 3", _pairs, _one_vs_rest),
    Kind("SVC, rbf", _pairs, _rbf),
    Kind("SVC, rbf, probabilities", _pairs, _rbf_probabilities, 2),
    Kind("random forest of 100", _pairs, _random_forest),
    Kind("extra trees of 100", _pairs, _extra_trees),
    Kind("gradient boosting of 100", _pairs, _boosting),
    Kind("AdaBoost of 50", _pairs, AdaBoostClassifier),
    Kind("soft vote of forest, logistic, NB", _pairs, _mixed_voting),
    Kind("softmax of 10", _pairs, _few_steps, 10),
    Kind("char_wb 3-5, softmax of 10", _char_wb(), _few_steps, 10),
    Kind("softmax of 50", _pairs, _few_steps, 50),
    Kind("softmax of 100", _pairs, _few_steps, 100),
    Kind("one-vs-rest of 100", _pairs, _one_vs_rest, 100),
    Kind("MultinomialNB of 100", _pairs, MultinomialNB, 100),
    Kind("SVC, linear, probability", _pairs, _svc),
    Kind("hashed words", HashingVectorizer, _one_vs_rest),
    Kind("hashed words and pairs", lambda: HashingVectorizer(ngram_range=(1, 2)), _one_vs_rest),
    Kind("voting, soft", _pairs, _voting),
    Kind("TruncatedSVD to 100", lambda: make_pipeline(_pairs(), TruncatedSVD(100))),
    Kind("TruncatedSVD to 100, normed", _semantic),
    Kind("MLPClassifier of 100", _pairs, _neurons),
]


class Speed(NamedTuple):
    """Seconds for each text, the original's and ours."""

    original: float
    compiled: float


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kinds")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of kinds' names")
    parser.add_argument("--pure", action="store_true", help="as where there is no C compiler")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--output", type=Path, help="a file for the table, in Markdown")
    chosen = parser.parse_args()
    if chosen.pure:
        native._native = None  # type: ignore[assignment]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{'µs for each text':32}  {'alone':>24}  {f'in {BATCH}':>24}  {f'of {LONGEST:,}':>9}")
    measured = []
    for kind in KINDS:
        if any(part in kind.name for part in chosen.only):
            try:
                alone, batch, longest = measure(kind, chosen.rounds)
            except NotCompilable as exc:  # kernels, where there is no C code
                print(f"{kind.name:32}  {exc}", flush=True)
                continue
            told = f"{_told(alone)}  {_told(batch)}  {longest * 1000:6.2f} ms"
            print(f"{kind.name:32}  {told}", flush=True)
            measured.append([kind.name, *_cells(alone), *_cells(batch), f"{longest * 1000:.2f}"])
    if chosen.output:
        chosen.output.write_text(report.table(HEADER, measured) + "\n", encoding="utf-8")


def measure(kind: Kind, rounds: int) -> tuple[Speed, Speed, float]:
    """Return the speed alone and in batches, and the seconds of a text as long as may be."""
    pipeline = fit(kind)
    predictor = translate(pipeline)
    batches.share(predictor, SklearnPredictor(pipeline, {}))
    texts = corpus.unseen_texts(BATCH)
    longest = (" ".join(texts) * (LONGEST // 50))[:LONGEST]
    original = getattr(pipeline, "predict_proba", pipeline.predict)
    alone = compare(original, predictor.predict, [[text] for text in texts], rounds)
    batch = compare(original, predictor.predict, [texts], rounds)
    seconds = statistics.median(_time(predictor.predict, [[longest]]) for _ in range(rounds))
    return alone, batch, seconds


def fit(kind: Kind) -> Any:
    """Return the pipeline, fitted."""
    labelled = [*itertools.islice(corpus.sentences(seed=1), TRAINED_ON)]
    labels = [label for label, _ in labelled]
    if kind.classes != len(corpus.LABELS):
        labels = [f"class {number % kind.classes:03}" for number in range(TRAINED_ON)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps that did not converge: nobody minds here
        return make_pipeline(kind.vectorizer(), kind.classifier()).fit(
            [text for _, text in labelled], labels
        )


def compare(
    original: Callable[[Any], Any],
    compiled: Callable[[Any], Any],
    batches: Sequence[Sequence[str]],
    rounds: int,
) -> Speed:
    """Ask both for all batches, in turns, and return the median rounds' seconds for each text."""
    texts = sum(map(len, batches))
    times = [(_time(original, batches), _time(compiled, batches)) for _ in range(rounds)]
    medians = [statistics.median(column) / texts for column in zip(*times, strict=True)]
    return Speed(*medians)


def _time(ask: Callable[[Any], Any], batches: Sequence[Sequence[str]]) -> float:
    started = time.perf_counter()
    for batch in batches:
        ask(batch)
    return time.perf_counter() - started


def _cells(speed: Speed) -> list[str]:
    return [f"{speed.compiled * 1e6:.1f}", f"{speed.original / speed.compiled:.1f}"]


def _told(speed: Speed) -> str:
    original, compiled = speed.original * 1e6, speed.compiled * 1e6
    return f"{original:8.1f} {compiled:7.2f} {original / compiled:6.2f}x"


if __name__ == "__main__":
    main()
