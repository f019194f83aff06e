"""What a folder may say of decisions that are made of others, and of pairs: the rest is refused."""

from __future__ import annotations

from typing import Any

import pytest

from function.compiled.decision import build_decision
from function.predictor import Prediction

ONE = {"kind": "one_vs_rest", "link": "logistic", "all_zero": "uniform"}
MEMBER: dict[str, Any] = {
    "columns": [0, 1],
    "decision": ONE,
    "classes": [0, 1],
    "votes": False,
    "weight": 1.0,
}
MEMBERS = {"kind": "members", "members": [MEMBER], "total": 1.0, "has_probabilities": True}
THRESHOLD = {
    "kind": "threshold",
    "base": ONE,
    "response": "probability",
    "threshold": 0.5,
    "positive": 1,
}
PAIRS = {"kind": "pairwise", "zero": "second", "ties": "first", "platt": [[-1.0], [0.0]]}
FIXED = {"kind": "fixed", "best": 1, "shares": [0.25, 0.75]}
APART = {"kind": "bayes_apart", "by": "probability", "multilabel": True}
SEVERAL = {"kind": "multilabel", "link": "logistic"}
LAYER = {"activation": "relu", "weights": [[1.0]], "intercepts": [0.5]}
LAYERS = {"kind": "layers", "layers": [LAYER], "decision": ONE}
NAMES = ("no", "yes")


@pytest.mark.parametrize(
    "spec",
    [MEMBERS, THRESHOLD, PAIRS, FIXED, {**MEMBERS, "members": [{**MEMBER, "decision": LAYERS}]}]
    + [{**THRESHOLD, "base": LAYERS}],
)
def test_each_decides_two_classes(spec: Any) -> None:
    answer = build_decision(spec, NAMES, 1)([2.0], 1e-9)
    assert isinstance(answer, Prediction)
    assert answer.label == "yes" and answer.scores is not None
    assert sum(answer.scores) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "spec",
    [
        {**MEMBERS, "members": []},
        {**MEMBERS, "total": 0.0},
        {**MEMBERS, "total": None},
        {**MEMBERS, "has_probabilities": 1},
        *[
            {**MEMBERS, "members": [{**MEMBER, **edit}]}
            for edit in (
                {"columns": [0, 2]},
                {"columns": [1, 1]},
                {"columns": [0.0, 1]},
                {"columns": [False, True]},
                {"decision": {**LAYERS, "decision": {"kind": "labels"}}},
                {"decision": {**LAYERS, "decision": SEVERAL, "multilabel": True}},
                {"classes": [0, 2]},
                {"classes": [1, 1]},
                {"classes": [0]},
                {"classes": [True, False]},
                {"decision": MEMBERS},
                {"decision": {"kind": "labels"}},
                {"votes": 0},
                {"weight": -1.0},
            )
        ],
        {**THRESHOLD, "base": THRESHOLD},
        {**THRESHOLD, "base": {"kind": "labels"}},
        {**THRESHOLD, "threshold": "0.5"},
        {**THRESHOLD, "positive": 2},
        {**THRESHOLD, "positive": True},
        {**THRESHOLD, "response": "other"},
        {**THRESHOLD, "response": "score", "base": LAYERS},
        {**THRESHOLD, "base": {**LAYERS, "decision": {"kind": "labels"}}},
        {**PAIRS, "platt": [[-1.0], []]},
        {**PAIRS, "platt": [[-1.0], [None]]},
        {**PAIRS, "zero": "third"},
        {**PAIRS, "ties": "last"},
        APART,
        {**APART, "multilabel": 1},
        {**APART, "multilabel": False, "by": "other"},
        {**FIXED, "best": 2},
        {**FIXED, "shares": [1.0]},
        {**FIXED, "shares": [0.5, 1.5]},
    ],
)
def test_what_none_of_them_can_be_is_refused(spec: Any) -> None:
    with pytest.raises((ValueError, KeyError)):
        build_decision(spec, NAMES, 1)


def test_a_tie_of_a_pair_or_at_the_threshold_waits_for_the_faithful_way() -> None:
    pairs = build_decision({**PAIRS, "platt": None}, NAMES, 1)
    assert pairs([1e-10], 1e-9) is None
    assert [pairs([score], -1.0) for score in (0.0, -1e-10)] == [
        ("yes", None, None),
        ("no", None, None),
    ]
    threshold = build_decision(THRESHOLD, NAMES, 1)
    assert threshold([1e-10], 1e-9) is None
    at_it = threshold([0.0], -1.0)
    assert at_it is not None and at_it.label == "yes"
