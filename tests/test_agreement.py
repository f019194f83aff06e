"""Over every supported combination and a hundred thousand texts, natively and in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import pytest
import sklearn
from sklearn.pipeline import Pipeline

from function.compiler.compiler import translate
from function.compiler.verify import Agreement, compare
from tests import explanations
from tests.conftest import without_native
from tests.fitted_models import (
    COMBINATIONS,
    VECTORIZERS,
    answers_of,
    as_input,
    fit,
    texts_for,
)

TEXTS_EACH = 70
Answers = tuple[list[Any], Any]


@pytest.mark.slow
@pytest.mark.parametrize("vectorizer", VECTORIZERS)
def test_all_answers_and_explanations_are_scikit_learns(vectorizer: str) -> None:
    # Of what is fitted and asked here, nothing is infinite and no parameter is wrong.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = agreement_of(vectorizer)
    print(f"{found.texts} texts, largest difference {found.largest_difference:.3g}")
    assert found.texts == TEXTS_EACH * sum(it.vectorizer == vectorizer for it in COMBINATIONS)


def agreement_of(vectorizer: str) -> Agreement:
    found = Agreement(0, 0, 0.0)
    for classes in (2, 3):
        asked = {
            place: texts_for(place, TEXTS_EACH, longest=classes - 2)  # ten thousand characters
            for place, it in enumerate(COMBINATIONS)
            if it.vectorizer == vectorizer and it.classes == classes
        }
        models = {place: fit(COMBINATIONS[place]) for place in asked}
        for place, answers in answers_to(asked, models):
            found += agreement(place, models[place], asked[place], answers)
    return found


def answers_to(
    asked: Mapping[int, list[str]], models: Mapping[int, Pipeline]
) -> Iterator[tuple[int, Answers]]:
    """What each model says of its texts. They share the vectorizer, which reads each text once."""
    rows = {text: row for row, text in enumerate(dict.fromkeys(chain(*asked.values())))}
    first = next(iter(models.values()))
    features = first[:-1].transform(as_input(first, rows)).tocsr()
    for place, texts in asked.items():
        yield place, answers_of(models[place][-1], features[[rows[text] for text in texts]])


def agreement(place: int, model: Pipeline, texts: list[str], answers: Answers) -> Agreement:
    """Of the model's answers with those of the compiled one, natively and in Python; explanations
    of one or the other."""
    predictors = [translate(model)]
    if predictors[0].native:
        with without_native():
            predictors.append(translate(model))
    for predictor in predictors:
        part = compare(predictor, lambda _: answers, texts)
        assert part.problem is None, (model, predictor.native, part)
    explanations.check(model, predictors[place % len(predictors)], texts[-1])
    return part


def test_together_they_are_a_hundred_thousand_texts() -> None:
    assert TEXTS_EACH * len(COMBINATIONS) >= 100_000
