"""LightGBM's classifiers, fitted here by the package itself, answer as it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from function.compiled.artifact import load
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, compile_model
from function.compiler.verify import compare
from tests.conftest import without_native
from tests.fitted_models import LABELS, TEXTS, original, texts_for
from tests.packages import installed

pytestmark = [pytest.mark.slow, pytest.mark.client]
BINARY = ["good" if "good" in text else "bad" for text in TEXTS]
COMPILED: dict[str, dict[str, Any]] = {
    "by itself": {"n_estimators": 8},
    "few leaves": {"n_estimators": 30, "num_leaves": 4, "learning_rate": 0.3},
    "dart": {"boosting_type": "dart", "n_estimators": 8},
    "another sigmoid": {"sigmoid": 2.0, "n_estimators": 8},
    "balanced": {"class_weight": "balanced", "n_estimators": 8},
}
REFUSED: dict[str, dict[str, Any]] = {
    "objective='multiclassova'": {"objective": "multiclassova"},
    "boosting_type='rf'": {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
    "zero_as_missing=True": {"zero_as_missing": True, "n_estimators": 3},
}


@pytest.fixture(scope="module")
def lightgbm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package; skips where it cannot be had."""
    folder = tmp_path_factory.mktemp("lightgbm")
    with installed(folder, "lightgbm", "lightgbm==4.7.0") as module:
        yield module


def fitted(lightgbm: Any, vectorizer: Any, labels: list[str], **options: Any) -> Any:
    classifier = lightgbm.LGBMClassifier(min_child_samples=2, verbose=-1, **options)
    return make_pipeline(vectorizer, classifier).fit(TEXTS, labels)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("labels", [LABELS, BINARY], ids=["three", "two"])
@pytest.mark.parametrize("kind", COMPILED)
def test_lightgbm_is_compiled(lightgbm: Any, kind: str, labels: list[str], tmp_path: Path) -> None:
    texts = texts_for(3, 150)
    for vectorizer in (TfidfVectorizer(), CountVectorizer(dtype=np.float64)):
        model = fitted(lightgbm, vectorizer, labels, **COMPILED[kind])
        predictor, _ = compile_model(model, original(model))
        save(tmp_path / "model", predictor, {})
        with without_native():
            python = load(tmp_path / "model")[0]
        for served in (predictor, python):
            assert compare(served, original(model), texts).problem is None


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("reason", REFUSED)
def test_what_lightgbm_does_otherwise_is_refused_by_name(lightgbm: Any, reason: str) -> None:
    model = fitted(lightgbm, TfidfVectorizer(), LABELS, **REFUSED[reason])
    with pytest.raises(NotCompilable, match=reason):
        compile_model(model, original(model))
