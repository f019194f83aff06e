"""Pipelines of imbalanced-learn, whose samplers are for training only, are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from function.compiled.artifact import load
from function.compiled.writing import save
from function.compiler.compiler import compile_model
from function.compiler.verify import compare
from function.model.sources import answers_of
from function.originals.predictors import SklearnPredictor
from tests.fitted_models import LABELS, TEXTS, texts_for
from tests.packages import installed

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def imblearn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package; skips where it cannot be had."""
    wanted = ["imbalanced-learn==0.14.2", "sklearn-compat==0.1.6"]
    with installed(tmp_path_factory.mktemp("imblearn"), "imblearn", *wanted) as module:
        yield module


@pytest.mark.parametrize("sampler", ["SMOTE", "RandomOverSampler", "RandomUnderSampler", "nested"])
def test_a_pipeline_with_a_sampler_is_compiled(imblearn: Any, sampler: str, tmp_path: Path) -> None:
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.pipeline import make_pipeline as make_resampling
    from imblearn.under_sampling import RandomUnderSampler

    few = [place for place, label in enumerate(LABELS) if label != "neutral" or place % 2]
    texts, labels = [TEXTS[place] for place in few], [LABELS[place] for place in few]
    model = {
        "SMOTE": lambda: make_resampling(
            TfidfVectorizer(), SMOTE(k_neighbors=2, random_state=0), LogisticRegression()
        ),
        "RandomOverSampler": lambda: make_resampling(
            TfidfVectorizer(), RandomOverSampler(random_state=0), LogisticRegression()
        ),
        "RandomUnderSampler": lambda: make_resampling(
            TfidfVectorizer(), RandomUnderSampler(random_state=0), LogisticRegression()
        ),
        "nested": lambda: make_pipeline(
            TfidfVectorizer(),
            make_resampling(RandomOverSampler(random_state=0), LogisticRegression()),
        ),
    }[sampler]().fit(texts, labels)
    original = answers_of(SklearnPredictor(model, {}))
    predictor, _ = compile_model(model, original)
    save(tmp_path / "model", predictor, {})
    for served in (predictor, load(tmp_path / "model")[0]):
        assert compare(served, original, texts_for(2, 100)).problem is None
