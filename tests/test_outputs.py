"""Every shape a model may answer in becomes (label, confidence); any other is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from function.errors import ModelOutputError
from function.originals.outputs import read_output

CLASSES = ["neg", "pos"]
BINARY = {"0": "negative", "1": "positive"}


def pairs(output: Any, **how: Any) -> list[tuple[str, float | None]]:
    """Read an answer for two texts."""
    return [(item.label, item.confidence) for item in read_output(output, 2, **how)]


@pytest.mark.parametrize(
    "output",
    [
        ["pos", "neg"],
        ("pos", "neg"),
        np.array(["pos", "neg"]),
        np.array(["pos", "neg"], dtype=object),
        pd.Series(["pos", "neg"], index=[7, 3]),
        pd.DataFrame({"sentiment": ["pos", "neg"]}),
        pd.DataFrame({0: ["pos", "neg"]}),
        [{"prediction": "pos"}, {"prediction": "neg"}],
        {"label": ["pos", "neg"]},
        np.array([["pos"], ["neg"]]),
    ],
)
def test_labels_alone_have_no_confidence(output: Any) -> None:
    assert pairs(output) == [("pos", None), ("neg", None)]


@pytest.mark.parametrize(
    "output",
    [
        pd.DataFrame({"label": ["pos", "neg"], "score": [0.9, 0.6]}),
        pd.DataFrame({"Sentiment": ["pos", "neg"], "Confidence": [0.9, 0.6]}, index=[5, 5]),
        pd.DataFrame({"prediction": ["pos", "neg"], "probability": [0.9, 0.6], "x": [1, 2]}),
        [{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.6}],
        np.array([{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.6}]),
        {"label": np.array(["pos", "neg"]), "score": np.array([0.9, 0.6])},
    ],
)
def test_label_and_score_columns_are_label_and_confidence(output: Any) -> None:
    assert pairs(output) == [("pos", 0.9), ("neg", 0.6)]


@pytest.mark.parametrize(
    "output",
    [
        np.array([[0.1, 0.9], [0.6, 0.4]]),
        [[0.1, 0.9], [0.6, 0.4]],
        [np.array([0.1, 0.9]), np.array([0.6, 0.4])],
        pd.DataFrame({"pos": [0.9, 0.4], "neg": [0.1, 0.6]}),
    ],
)
def test_probabilities_with_known_classes_are_scores(output: Any) -> None:
    assert pairs(output, classes=CLASSES) == [("pos", 0.9), ("neg", 0.6)]
    assert read_output(output, 2, CLASSES)[0].scores == (0.1, 0.9)


@pytest.mark.parametrize(
    "output",
    [
        pd.DataFrame({"neg": [0.1, 0.6], "pos": [0.9, 0.4]}),
        pd.DataFrame({"neg": np.float32([0.1, 0.6]), "pos": np.float32([0.9, 0.4])}),
        {"neg": [0.1, 0.6], "pos": [0.9, 0.4]},
        [{"neg": 0.1, "pos": 0.9}, {"pos": 0.4, "neg": 0.6}],
        pd.Series([{"neg": 0.1, "pos": 0.9}, {"neg": 0.6, "pos": 0.4}]),
        pd.DataFrame({"label": ["pos", "neg"], "neg": [0.1, 0.6], "pos": [0.9, 0.4]}),
        [
            {"label": "pos", "probabilities": {"neg": 0.1, "pos": 0.9}},
            {"label": "neg", "probabilities": {"neg": 0.6, "pos": 0.4}},
        ],
        [
            [{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.1}],
            [{"label": "neg", "score": 0.6}, {"label": "pos", "score": 0.4}],
        ],
        pd.DataFrame({"label": [["pos", "neg"]] * 2, "score": [[0.9, 0.1], [0.4, 0.6]]}),
    ],
    ids=[
        *("frame", "float32", "columns", "dicts", "series", "beside-label", "inside"),
        *("lists-of-labels", "cells-of-lists"),
    ],
)
def test_classes_that_the_answer_names_are_taken_from_it(output: Any) -> None:
    found = read_output(output, 2)
    assert [item.label for item in found] == ["pos", "neg"]
    assert [item.confidence for item in found] == pytest.approx([0.9, 0.6])
    assert found[0].scores == pytest.approx((0.1, 0.9))


def test_the_best_of_a_list_that_was_cut_has_no_scores() -> None:
    best = [[{"label": "pos", "score": 0.7}, {"label": "neu", "score": 0.2}]] * 2
    assert read_output(best, 2)[0] == ("pos", 0.7, None)


def test_a_confidence_that_is_no_number_is_none() -> None:
    assert pairs({"label": ["pos", "neg"], "score": [0.9, float("nan")]})[1] == ("neg", None)


@pytest.mark.parametrize(
    "output",
    [
        np.array([[float("nan")] * 2, [0.4, 0.6]]),
        [[float("nan"), 1.0], [0.4, 0.6]],
        pd.DataFrame({"neg": [float("nan"), 0.4], "pos": [float("nan"), 0.6]}),
        [{"neg": None, "pos": float("nan")}, {"neg": 0.4, "pos": 0.6}],
    ],
)
def test_probabilities_that_are_not_numbers_leave_that_text_alone_without_an_answer(
    output: Any,
) -> None:
    assert read_output(output, 2, CLASSES) == [(None, None, None), ("pos", 0.6, (0.4, 0.6))]


@pytest.mark.parametrize("output", [[1, 0], np.array([1, 0]), np.array([1.0, 0.0]), ["1", "0"]])
def test_integer_classes_are_named_by_labels(output: Any) -> None:
    assert pairs(output, names=BINARY) == [("positive", None), ("negative", None)]


def test_an_even_row_takes_the_first_class_as_argmax_does() -> None:
    assert pairs([[0.5, 0.5], [0.5, 0.5]], classes=CLASSES)[0] == ("neg", 0.5)


@pytest.mark.parametrize(
    "output",
    [
        None,
        "pos",
        3,
        [],
        ["pos"],
        ["pos", "neg", "pos"],
        [None, None],
        [0.93, 0.2],
        [float("nan"), float("nan")],
        [object(), object()],
        np.zeros((2, 3)),
        np.zeros((2, 2, 2)),
        np.array([[7.0, 1.0], [2.0, 1.0]]),
        np.array([[0.5, 0.4], [0.5, 0.5]]),
        np.array([[0, 1], [1, 0]]),
        [[0.5, 0.7], [1.0, 0.0]],
        pd.DataFrame({"neg": [10.0, 60.0], "pos": [90.0, 40.0]}),
        [{"other": 0.1, "pos": 0.9}, {"other": 0.6, "pos": 0.4}],
        [[{"label": "pos", "score": 0.9}, {"label": "neg", "score": 0.8}]] * 2,
        pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
        np.array([[-0.1, 1.1], [0.0, 1.0]]),
        [[True, False], [True, False]],
        pd.DataFrame({"label": ["pos"], "score": [0.5]}),
        [{"label": "pos", "score": 93}, {"label": "neg", "score": 60}],
        {"label": ["pos", "neg"], "score": [0.5]},
        {},
        {"label": 3},
    ],
)
def test_any_other_shape_is_refused_telling_what_came_back(output: Any) -> None:
    with pytest.raises(ModelOutputError) as caught:
        read_output(output, 2, CLASSES)
    assert type(output).__name__ in caught.value.returned
    assert "2 texts" in caught.value.returned
    assert caught.value.returned not in caught.value.detail


def test_what_came_back_is_told_without_its_content() -> None:
    private = pd.DataFrame({"a private sentence": [1, 2], "b": [3, 4]})
    with pytest.raises(ModelOutputError) as caught:
        read_output(private, 2, CLASSES)
    assert "private" not in caught.value.returned


def test_rounding_beyond_zero_and_one_is_forgiven() -> None:
    assert pairs([[-1e-12, 1 + 1e-12], [1.0, 0.0]], classes=CLASSES) == [("pos", 1.0), ("neg", 1.0)]


def test_probabilities_without_class_names_point_to_labels() -> None:
    with pytest.raises(ModelOutputError) as caught:
        read_output(np.array([[0.1, 0.9]]), 1)
    assert "LABELS" in caught.value.returned
