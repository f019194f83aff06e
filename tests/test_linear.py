"""The arithmetic on terms, by hand and against scikit-learn, one setting at a time."""

import itertools
import math
import random
import threading
from array import array
from operator import add

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.svm import LinearSVC

from function.compiled.answers import build_sums
from function.compiled.calibration import build_calibrated
from function.compiled.decision import build_decision, logistic
from function.compiled.predictor import CompiledPredictor
from function.compiler.compiler import translate
from function.compiler.fitted import FittedVectorizer
from function.compiler.packing import MOST_ROUNDING, pack_vectorizer
from tests.fitted_models import TEXTS, fitted_pipeline, random_text

pytestmark = pytest.mark.usefixtures("way")
WORDS = {
    "analyzer": "word",
    "ngram_range": [1, 1],
    "lowercase": True,
    "strip_accents": None,
    "stop_words": None,
    "token_pattern": None,
}


def make_vectorizer(rows, **options):
    values, *weights = map(list, zip(*rows.values(), strict=True))
    fitted = FittedVectorizer(WORDS, [*rows], idf=values, **{"binary": False, **options})
    return pack_vectorizer(fitted, weights, MOST_ROUNDING)


def quick_scores(predictor, text):
    """None where the quick way cannot answer; in C there is only the faithful one."""
    if not predictor.native:
        return predictor._build_score()(predictor._given([text]))[0]
    add_up = build_sums(predictor.vectorizers, len(predictor.intercepts), predictor.binarize)
    found = [*map(add, array("d", add_up([text])), predictor.intercepts)]
    assert found == predictor.faithful_scores(text)
    return found


def make_predictor(*vectorizers, scores=1, **options):
    names = ["no", "yes"] if scores == 1 else list("abcdefgh"[:scores])
    kind = "softmax" if scores == 2 else "labels"
    options = {"decision": {"kind": kind}, "intercepts": [0.0] * scores, **options}
    return CompiledPredictor(names, vectorizers, **options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2 * 3.0 * 5.0 + 1 * 2.0 * 7.0),
        ({"binary": True}, 3.0 * 5.0 + 2.0 * 7.0),
        ({"sublinear": True}, (1 + math.log(2)) * 3.0 * 5.0 + 2.0 * 7.0),
        ({"norm": "l1"}, (6.0 * 5.0 + 2.0 * 7.0) / 8.0),
        ({"norm": "l2"}, (6.0 * 5.0 + 2.0 * 7.0) / math.sqrt(40.0)),
        ({"norm": "l2", "scale": 0.5}, (6.0 * 5.0 + 2.0 * 7.0) / math.sqrt(40.0) / 2),
    ],
    ids=str,
)
def test_weighting_by_hand(options, expected):
    vectorizer = make_vectorizer({"aa": (3.0, 5.0), "bb": (2.0, 7.0)}, **options)
    predictor = make_predictor(vectorizer)
    assert predictor.faithful_scores("aa bb aa unknown") == [pytest.approx(expected, rel=1e-15)]
    quick = quick_scores(predictor, "aa bb aa unknown")
    assert quick is None or list(quick) == [pytest.approx(expected, rel=1e-15)]


@pytest.mark.parametrize("scores", [1, 2, 3, 5])
@pytest.mark.parametrize("norm", [None, "l1", "l2"])
@pytest.mark.parametrize(("binary", "sublinear"), [*itertools.product((False, True), repeat=2)])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_quick_and_the_faithful_way_agree(scores, norm, binary, sublinear, parts):
    rng = random.Random(f"{scores}{norm}{binary}{sublinear}")
    words = [f"w{n}" for n in range(40)]
    rows = {
        word: (rng.choice((-1, 1)) * rng.uniform(0.5, 9), *(rng.gauss(0, 3) for _ in range(scores)))
        for word in words
    }
    vectorizers = [
        make_vectorizer(rows, norm=norm, binary=binary, sublinear=sublinear, scale=0.7)
    ] * parts
    intercepts = [rng.gauss(0, 1) for _ in range(scores)]
    predictor = make_predictor(*vectorizers, scores=scores, intercepts=intercepts)
    taken = 0
    for size in (0, 1, 2, 10, 60, 400):
        text = " ".join(rng.choices([*words, "unknown"], k=size))
        quick = quick_scores(predictor, text)
        if quick is not None:
            taken += 1
            assert list(quick) == pytest.approx(predictor.faithful_scores(text), rel=1e-11)
    assert taken or norm == "l1"


@pytest.mark.parametrize("norm", [None, "l2"])
@pytest.mark.parametrize(
    "rows",
    [
        {"aa": (1.0, 1e9), "bb": (1.0, 1.0)},
        {"aa": (1e-9, 1.0), "bb": (1.0, 1.0), "cc": (1.0, 1e4)},
    ],
    ids=["heavy", "light"],
)
def test_numbers_too_far_apart_for_fixed_point_take_the_faithful_way(rows, norm):
    predictor = make_predictor(make_vectorizer(rows, norm=norm))
    for text in ("aa", "bb", "aa bb aa", "zz"):
        assert predictor.native or quick_scores(predictor, text) is None
        assert predictor.predict([text])[0].label == ("no" if text == "zz" else "yes")


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e300])
def test_fixed_point_takes_numbers_of_any_size(value):
    predictor = make_predictor(make_vectorizer({"aa": (1.0, value), "bb": (1.0, -value)}))
    for text in ("aa aa", "bb", "aa bb"):
        quick = quick_scores(predictor, text)
        expected = predictor.faithful_scores(text)
        assert quick is None or list(quick) == pytest.approx(expected, abs=1e-12)


def test_long_unnormalised_texts_take_the_faithful_way():
    predictor = make_predictor(make_vectorizer({"aa": (1.0, 1.0)}))
    assert quick_scores(predictor, "aa " * 512) is not None
    assert predictor.native or quick_scores(predictor, "aa " * 513) is None
    assert predictor.predict(["aa " * 513])[0].label == "yes"


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2)])
@pytest.mark.parametrize("options", [{}, {"binary": True}, {"sublinear_tf": True}], ids=str)
def test_words_and_pairs_repeated_without_end_count_as_in_scikit_learn(ngram_range, options):
    model = fitted_pipeline(TfidfVectorizer(ngram_range=ngram_range, **options))
    predictor = translate(model)
    for words in ("good", "good great", "good great not", "good good bad not", "is is not"):
        for times in (1, 2, 3, 50, 300, 3000, 30_000):
            text = f"{words} " * times
            expected = model.predict_proba([text])[0].tolist()
            assert list(predictor.predict([text])[0].scores) == pytest.approx(expected, abs=1e-12)


def test_a_text_of_unknown_terms_has_the_intercepts_for_scores():
    for scores in (1, 3, 4):
        rows = {"aa": (1.0,) * (scores + 1)}
        intercepts = [0.5 + n for n in range(scores)]
        predictor = make_predictor(
            make_vectorizer(rows, norm="l2"), scores=scores, intercepts=intercepts
        )
        for text in ("", "zz yy zz"):
            assert (
                list(quick_scores(predictor, text)) == predictor.faithful_scores(text) == intercepts
            )


@pytest.mark.parametrize("kind", ["labels", "softmax", "naive_bayes"])
@pytest.mark.parametrize("scores", [3, 4])
def test_a_tie_goes_to_the_first_class(kind, scores):
    names = "abcd"[:scores]
    decide = build_decision({"kind": kind}, names, scores)
    assert decide([0.0, 2.0, *[2.0] * (scores - 2)], 1e-9) is None
    assert decide([0.0, 2.0, *[2.0] * (scores - 2)], -1.0).label == "b"
    assert decide([2.0 + 1e-10, 2.0, *[0.0] * (scores - 2)], 1e-9) is None
    assert decide([2.0 + 1e-8, 2.0, *[0.0] * (scores - 2)], 1e-9).label == "a"


@pytest.mark.parametrize("winner", [0, 1, 2])
@pytest.mark.parametrize("kind", ["labels", "softmax", "naive_bayes"])
def test_the_best_score_wins_wherever_it_is(kind, winner):
    scores = [0.0, 0.5, -0.5]
    scores[winner] = 3.0
    answer = build_decision({"kind": kind}, "abc", 3)(scores, 1e-9)
    assert answer.label == "abc"[winner]
    assert answer.scores is None or max(answer.scores) == answer.scores[winner]


def test_a_score_of_zero_is_the_first_of_two_classes():
    for spec in (
        {"kind": "labels"},
        {"kind": "one_vs_rest", "link": "logistic", "all_zero": "zero"},
    ):
        decide = build_decision(spec, ["no", "yes"], 1)
        assert decide([0.0], -1.0).label == "no"
        assert decide([0.0], 1e-9) is None
        assert decide([1e-300], -1.0).label == "yes"


def test_an_unknown_decision_is_an_error():
    with pytest.raises(ValueError, match="unknown decision kind 'oracle'"):
        build_decision({"kind": "oracle"}, ["a", "b"], 2)


@example(-740.0)
@example(-709.79)
@settings(deadline=None)
@given(st.floats(allow_nan=False))
def test_logistic_is_scipys(score):
    assert logistic(score) == pytest.approx(float(expit(score)), rel=1e-14, abs=0.0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(-9, 9), max_size=10),
)
def test_isotonic_calibration_is_scikit_learns(points, asked):
    x, y = [point for point, _ in points], [float(value) for _, value in points]
    theirs = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    spec = {
        "kind": "isotonic",
        "x": theirs.X_thresholds_.tolist(),
        "y": theirs.y_thresholds_.tolist(),
    }
    member = {"columns": [0, 1], "response": "decision", "calibrators": [spec]}
    ours = build_calibrated([member], 2, 1)
    for score in [*asked, *x]:
        assert ours([score])[1] == theirs.predict([score])[0]


def test_threads_share_one_predictor():
    predictor = translate(fitted_pipeline(TfidfVectorizer(ngram_range=(1, 2))))
    rng = random.Random(2)
    texts = TEXTS + [random_text(rng) for _ in range(200)]
    expected, found = predictor.predict(texts), []
    threads = [
        threading.Thread(target=lambda: found.append(predictor.predict(texts))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_labels_only_models_give_labels_only():
    predictor = translate(fitted_pipeline(classifier=LinearSVC()))
    assert {answer[1:] for answer in predictor.predict(TEXTS)} == {(None, None)}
