"""Over every supported combination and a hundred thousand texts, natively and in Python."""

from __future__ import annotations

import pytest

from function.compiler.compiler import translate
from function.compiler.verify import Agreement, compare
from tests.conftest import without_native
from tests.fitted_models import COMBINATIONS, original, texts_for


@pytest.mark.slow
def test_a_hundred_thousand_answers_are_scikit_learns(fitted):
    found = Agreement(0, 0, 0.0)
    for position, combination in enumerate(COMBINATIONS):
        model, texts = fitted(combination), texts_for(position, 80)
        answers = original(model)(texts)
        with without_native():
            in_python = translate(model)
        for predictor in (translate(model), in_python):
            part = compare(predictor, lambda texts, answers=answers: answers, texts)
            assert part.problem is None, (combination, predictor.native, part)
        found += part
    print(f"{found.texts} texts, largest difference {found.largest_difference:.3g}")
    assert found.texts >= 100_000
