"""Over every supported combination and a hundred thousand texts, natively and in Python."""

from __future__ import annotations

import pytest
import sklearn

from function.compiler.compiler import translate
from function.compiler.verify import Agreement, compare
from tests.conftest import without_native
from tests.fitted_models import COMBINATIONS, VECTORIZERS, fit, original, texts_for

TEXTS_EACH = 80


@pytest.mark.slow
@pytest.mark.parametrize("vectorizer", VECTORIZERS)
def test_all_answers_are_scikit_learns(vectorizer: str) -> None:
    # Of what is fitted and asked here, nothing is infinite and no parameter is wrong.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = agreement_of(vectorizer)
    print(f"{found.texts} texts, largest difference {found.largest_difference:.3g}")
    assert found.texts == TEXTS_EACH * sum(it.vectorizer == vectorizer for it in COMBINATIONS)


def agreement_of(vectorizer: str) -> Agreement:
    found = Agreement(0, 0, 0.0)
    asked = [place for place, it in enumerate(COMBINATIONS) if it.vectorizer == vectorizer]
    for place in asked:
        longest = COMBINATIONS[place].classes - 2  # ten thousand characters, for each classifier
        model, texts = fit(COMBINATIONS[place]), texts_for(place, TEXTS_EACH, longest)
        answers = original(model)(texts)
        predictors = [translate(model)]
        if predictors[0].native:
            with without_native():
                predictors.append(translate(model))
        for predictor in predictors:
            part = compare(predictor, lambda texts, answers=answers: answers, texts)
            assert part.problem is None, (COMBINATIONS[place], predictor.native, part)
        found += part
    return found


def test_together_they_are_a_hundred_thousand_texts() -> None:
    assert TEXTS_EACH * len(COMBINATIONS) >= 100_000
