"""Several labels to a text: how they are answered."""

from __future__ import annotations

import json

from function.predictor import MultilabelPrediction, Prediction
from function.protocols.sentiment import render_batch, render_prediction

LABELS = ("funny", "sad")


def test_several_labels_are_listed_and_sentiment_is_null() -> None:
    answer = MultilabelPrediction(("sad",), (0.25, 0.75))
    assert json.loads(render_prediction("x", answer, "3")) == {
        "text": "x",
        "sentiment": None,
        "confidence": None,
        "labels": ["sad"],
        "model_version": "3",
    }


def test_scores_are_each_labels_own() -> None:
    answers = [MultilabelPrediction((), (0.25, 0.5)), MultilabelPrediction(LABELS, (0.75, 1.0))]
    found = json.loads(render_batch(["x", "y"], answers, None, LABELS))["predictions"]
    assert [item["labels"] for item in found] == [[], ["funny", "sad"]]
    assert [item["scores"] for item in found] == [
        {"funny": 0.25, "sad": 0.5},
        {"funny": 0.75, "sad": 1.0},
    ]


def test_labels_without_probabilities_have_no_scores() -> None:
    answer = MultilabelPrediction(("sad",), None)
    assert "scores" not in json.loads(render_prediction("x", answer, "3", LABELS))


def test_one_label_is_answered_without_a_list() -> None:
    assert "labels" not in json.loads(render_prediction("x", Prediction("sad", None, None), "3"))
