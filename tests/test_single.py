"""Decisions in single precision: glibc's exponential, and XGBoost's rules for what is as likely."""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from array import array

import numpy as np
import pytest

from function.compiled.single import LEAST, MOST, build_boosted_single, exponential, single


def test_exponentials_are_glibcs() -> None:
    """Whose rounding another C library may not share."""
    library = ctypes.util.find_library("m")
    if library != "libm.so.6":
        pytest.skip("another C library than glibc")
    expf = ctypes.CDLL(library).expf
    expf.argtypes, expf.restype = [ctypes.c_float], ctypes.c_float
    rng = random.Random(0)
    ranges = ((-1.0, 1.0), (-20.0, 20.0), (LEAST, MOST))
    numbers = array("f", [rng.uniform(*ends) for ends in ranges for _ in range(10_000)])
    assert [*map(exponential, numbers)] == [*map(expf, numbers)]
    assert exponential(-1e30) == expf(-1e30) == 0.0


def test_probabilities_are_in_single_precision() -> None:
    rng = np.random.default_rng(0)
    for scores in rng.uniform(-9, 9, (300, 3)).astype(np.float32):
        powers = np.array([*map(exponential, scores - scores.max())], np.float32)
        expected = powers / np.float32(powers.sum(dtype=np.float64))
        answer = build_boosted_single(["a", "b", "c"])(scores.tolist(), -1.0)
        assert answer is not None and [*(answer.scores or ())] == expected.tolist()
        answer = build_boosted_single(["a", "b"])(scores[:1].tolist(), -1.0)
        assert answer is not None and answer.scores is not None
        share = np.float32(1) / (np.float32(exponential(-float(scores[0]))) + np.float32(1))
        assert answer.scores == (float(np.float32(1) - share), float(share))


@pytest.mark.parametrize(
    ("scores", "label"), [([0.0], "a"), ([1e-9], "a"), ([1e-6], "b"), ([2.0, 2.0, 1.0], "a")]
)
def test_of_classes_as_likely_the_first_is_told(scores: list[float], label: str) -> None:
    """As likely in single precision, where the scores may differ."""
    names = "abc"[: max(len(scores), 2)]
    answer = build_boosted_single(names)(scores, -1.0)
    assert answer is not None and answer.label == label
    assert (build_boosted_single(names)(scores, 1e-9) is None) == (label == "a")


@pytest.mark.parametrize("scores", [[1e80], [-1e80], [1e80, -1e80, 1e80], [-1e80, 1e80, 0.0]])
def test_any_finite_scores_have_probabilities(scores: list[float]) -> None:
    answer = build_boosted_single("abc"[: max(len(scores), 2)])(scores, -1.0)
    assert answer is not None and answer.scores is not None
    assert single(sum(answer.scores)) == 1.0
