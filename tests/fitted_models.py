"""Small real models over every supported part, and texts to ask them about."""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from function.compiler.verify import PROBES

WORDS = {
    "positive": "good great excellent happy Café naïve lovely 好 很好 👍 хорошо größe İyi",
    "negative": "bad awful terrible broken sad déjà worst horrible 坏 非常差 👎 плохо straße Ǆep",
    "neutral": "okay average plain usual fine the box 普通 ordinary 2024 a_b обычно ﬁne x",
}
COMMON = [
    "the",
    "a",
    "is",
    "was",
    "it",
    "this",
    "product",
    "and",
    "not",
    "very",
    "delivery",
    "I",
    "don't",
    "service",
    "to",
    "of",
]


def make_corpus(size: int = 150) -> tuple[list[str], list[str]]:
    rng, texts, labels = random.Random(7), [], []
    for position in range(size):
        label = sorted(WORDS)[position % 3]
        words = rng.choices(WORDS[label].split(), k=rng.randint(1, 4))
        words += rng.choices(COMMON, k=rng.randint(1, 9))
        words += rng.choices(" ".join(WORDS.values()).split(), k=1)
        rng.shuffle(words)
        texts.append(rng.choice([" ", "  ", ", ", "\n"]).join(words) + rng.choice(".!? "))
        labels.append(label)
    return texts, labels


TEXTS, LABELS = make_corpus()
FIXED_VOCABULARY = ["very", "bad", "good", "the box", "a_b", "is", "okay", "awful", "great"]


def _column(step):
    return ColumnTransformer([("text", step, "text")], sparse_threshold=1.0)


def _union(**weights):
    parts = [
        ("words", TfidfVectorizer(ngram_range=(1, 2))),
        ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), norm=None)),
        ("counts", Pipeline([("count", CountVectorizer()), ("tfidf", TfidfTransformer())])),
    ]
    return FeatureUnion(parts, transformer_weights=weights or None)


VECTORIZERS = {
    "tfidf": lambda: TfidfVectorizer(ngram_range=(1, 2)),
    "tfidf-unigrams": TfidfVectorizer,
    "tfidf-bigrams-only": lambda: TfidfVectorizer(ngram_range=(2, 2)),
    "tfidf-to-4-grams": lambda: TfidfVectorizer(ngram_range=(1, 4)),
    "tfidf-sublinear": lambda: TfidfVectorizer(sublinear_tf=True),
    "tfidf-binary": lambda: TfidfVectorizer(binary=True),
    "tfidf-l1": lambda: TfidfVectorizer(norm="l1"),
    "tfidf-no-norm": lambda: TfidfVectorizer(norm=None, ngram_range=(1, 2)),
    "tfidf-no-norm-sublinear": lambda: TfidfVectorizer(norm=None, sublinear_tf=True),
    "tfidf-no-idf": lambda: TfidfVectorizer(use_idf=False),
    "tfidf-no-smoothing": lambda: TfidfVectorizer(smooth_idf=False),
    "tfidf-cased": lambda: TfidfVectorizer(lowercase=False),
    "tfidf-ascii": lambda: TfidfVectorizer(strip_accents="ascii"),
    "tfidf-unicode": lambda: TfidfVectorizer(strip_accents="unicode", lowercase=False),
    "tfidf-stop-words": lambda: TfidfVectorizer(stop_words="english", ngram_range=(1, 2)),
    "tfidf-own-stop-words": lambda: TfidfVectorizer(stop_words=["the", "good"]),
    "tfidf-pattern": lambda: TfidfVectorizer(token_pattern=r"\S+"),
    "tfidf-capturing-pattern": lambda: TfidfVectorizer(token_pattern=r"\b(\w)\w*"),
    "tfidf-char": lambda: TfidfVectorizer(analyzer="char", ngram_range=(1, 3)),
    "tfidf-char-wb": lambda: TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)),
    "tfidf-fixed-vocabulary": lambda: TfidfVectorizer(
        vocabulary=FIXED_VOCABULARY, ngram_range=(1, 2)
    ),
    "tfidf-pruned": lambda: TfidfVectorizer(min_df=2, max_df=0.5, max_features=40),
    "count": CountVectorizer,
    "count-binary": lambda: CountVectorizer(binary=True, ngram_range=(1, 2)),
    "count-char": lambda: CountVectorizer(analyzer="char", ngram_range=(2, 3)),
    "count-then-tfidf": lambda: make_pipeline(CountVectorizer(), TfidfTransformer(norm="l1")),
    "nested-with-nothings": lambda: Pipeline(
        [
            ("nothing", FunctionTransformer()),
            ("inner", make_pipeline(CountVectorizer(), "passthrough", TfidfTransformer())),
            ("none", None),
        ]
    ),
    "selected": lambda: make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), SelectKBest(chi2, k=30)),
    "union": _union,
    "union-weighted": lambda: _union(words=0.7, characters=0.3),
    "union-selected": lambda: make_pipeline(_union(), SelectKBest(chi2, k=50)),
    "column": lambda: _column(TfidfVectorizer(ngram_range=(1, 2))),
    "column-pipeline": lambda: _column(make_pipeline(CountVectorizer(), TfidfTransformer())),
}


def _calibrated(estimator, **options):
    return lambda: CalibratedClassifierCV(estimator(), cv=3, **options)


def _sgd(loss):
    return lambda: SGDClassifier(loss=loss, random_state=0, alpha=1e-3)


def _svc():
    return LinearSVC(random_state=0)


CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(C=10, max_iter=1000),
    "logistic-no-intercept": lambda: LogisticRegression(fit_intercept=False, max_iter=1000),
    "one-vs-rest-logistic": lambda: OneVsRestClassifier(LogisticRegression(solver="liblinear")),
    "one-vs-rest-huber": lambda: OneVsRestClassifier(_sgd("modified_huber")()),
    "one-vs-rest-svc": lambda: OneVsRestClassifier(_svc()),
    "sgd-log-loss": _sgd("log_loss"),
    "sgd-modified-huber": _sgd("modified_huber"),
    "sgd-hinge": _sgd("hinge"),
    "multinomial": MultinomialNB,
    "multinomial-uniform": lambda: MultinomialNB(fit_prior=False, alpha=0.1),
    "complement": ComplementNB,
    "complement-norm": lambda: ComplementNB(norm=True),
    "bernoulli": BernoulliNB,
    "bernoulli-threshold": lambda: BernoulliNB(binarize=0.3),
    "bernoulli-as-is": lambda: BernoulliNB(binarize=None),
    "linear-svc": _svc,
    "ridge": RidgeClassifier,
    "calibrated-sigmoid": _calibrated(_svc),
    "calibrated-together": _calibrated(_svc, ensemble=False),
    "calibrated-isotonic": _calibrated(_svc, method="isotonic"),
    "calibrated-logistic": _calibrated(lambda: LogisticRegression(max_iter=1000)),
    "calibrated-multinomial": _calibrated(MultinomialNB),
    "calibrated-hinge": _calibrated(_sgd("hinge"), method="isotonic", ensemble=False),
}


class Combination(NamedTuple):
    vectorizer: str
    classifier: str
    classes: int

    def __str__(self) -> str:
        return "-".join(map(str, self))


COMBINATIONS = [
    Combination(vectorizer, classifier, classes)
    for vectorizer in VECTORIZERS
    for classifier in CLASSIFIERS
    for classes in (2, 3)
    # Unbinarized, BernoulliNB gives probabilities only to features that are 0 or 1.
    if classifier != "bernoulli-as-is" or vectorizer == "count-binary"
]
TYPICAL = [
    combination
    for combination in COMBINATIONS
    if combination.vectorizer in ("tfidf", "count", "union")
    or (combination.classifier in ("logistic", "multinomial") and combination.classes == 3)
    or combination.classifier == "bernoulli-as-is"
]


@functools.cache
def _vectorized(vectorizer: str, classes: int):
    """The fitted vectorizer, and what every classifier of so many classes is fitted on."""
    chosen = [
        (text, label)
        for text, label in zip(TEXTS, LABELS, strict=True)
        if classes == 3 or label != "neutral"
    ]
    texts, labels = [text for text, _ in chosen], [label for _, label in chosen]
    step = VECTORIZERS[vectorizer]()
    return step, step.fit_transform(as_input(make_pipeline(step), texts), labels), labels


def fit(combination: Combination):
    vectorizer, features, labels = _vectorized(combination.vectorizer, combination.classes)
    classifier = CLASSIFIERS[combination.classifier]().fit(features, labels)
    return Pipeline([("vectorizer", vectorizer), ("classifier", classifier)])


def fitted_pipeline(vectorizer=None, classifier=None, texts=None, labels=None):
    vectorizer = TfidfVectorizer() if vectorizer is None else vectorizer
    classifier = LogisticRegression() if classifier is None else classifier
    model = make_pipeline(vectorizer, classifier)
    return model.fit(TEXTS if texts is None else texts, LABELS if labels is None else labels)


def frozen_calibration():
    vectors = TfidfVectorizer().fit(TEXTS)
    base = FrozenEstimator(_svc().fit(vectors.transform(TEXTS), LABELS))
    calibrated = CalibratedClassifierCV(base).fit(vectors.transform(TEXTS), LABELS)
    return make_pipeline(vectors, calibrated)


def as_input(model, texts):
    """ColumnTransformer reads a table, everything else a list."""
    if isinstance(model, Pipeline) and isinstance(model.steps[0][1], ColumnTransformer):
        import pandas as pd

        return pd.DataFrame({"text": pd.Series(list(texts), dtype=object)})
    return list(texts)


def original(model):
    """What the compiler takes as the original: the model itself, its last step asked for both."""
    steps, last = (model[:-1], model[-1]) if isinstance(model, Pipeline) else (None, model)

    def ask(texts):
        data = as_input(model, texts)
        return answers_of(last, data if steps is None else steps.transform(data))

    return ask


def answers_of(classifier, features):
    """Its labels, and its probabilities where it gives any."""
    labels = [str(label) for label in classifier.predict(features)]
    if not hasattr(classifier, "predict_proba"):
        return labels, None
    return labels, np.asarray(classifier.predict_proba(features)).tolist()


ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz     ",
    "aeiouAEIOU\u0301\u0308\u0327\u030a  ßİıǅﬁẞſK",
    "好很坏非常差普通産品。、 ",
    "хорошоплохообычно ΑΣςσ שלום مرحبا नमस्ते ไทย",
    "👍👎😀🏽\u200d🇫🇷 x",
    "0123456789_-.,;:'\"()  \t\n\r\x0b\x0c\x1c\x1d\x1e\x85\xa0\u2028\u3000",
    "\x00\x01\x7f\xad\u200b\ufeff\ud800\udc00\udfff ab",
]


def random_text(rng: random.Random) -> str:
    """Real-ish sentences, repeats, foreign scripts, controls, lone surrogates, all of Unicode."""
    kind = rng.randrange(8)
    if kind < 3:
        words = rng.choices(" ".join([*WORDS.values(), *COMMON]).split(), k=rng.randint(1, 25))
        return rng.choice([" ", " ", ", ", "\t", "  "]).join(words)
    if kind == 3:
        return " ".join([rng.choice(COMMON + ["good", "bad"])] * rng.randint(1, 30))
    if kind == 4:
        return "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randint(0, 40)))
    if kind == 5:
        return rng.choice(TEXTS).swapcase() + rng.choice(TEXTS).title()
    if kind == 6:
        return "".join(rng.choices("".join(ALPHABETS), k=rng.randint(0, 80)))
    return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(0, 60)))


def long_text(rng: random.Random) -> str:
    words = rng.choices(" ".join([*WORDS.values(), *COMMON]).split(), k=2000)
    return " ".join(words)[:10_000]


def texts_for(seed: int, count: int, longest: int = 1) -> list[str]:
    """Probes, long texts and random ones, the same for a seed every time."""
    rng = random.Random(seed)
    texts = ["", " ", "qqqq zzzz", "good " * 500, *PROBES]
    texts += [long_text(rng) for _ in range(longest)]
    return texts + [random_text(rng) for _ in range(count - len(texts))]
