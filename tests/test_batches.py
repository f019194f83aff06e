"""Without the C code the original has the batches at which it is quicker, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
from sklearn.ensemble import RandomForestClassifier

from function.compiled import native
from function.model import batches
from function.predictor import Answer, Prediction
from tests.conftest import AppFactory, without_native
from tests.registry import Registry, frame_pipeline, text_signature

ANSWER = Prediction("good", 1.0, (1.0,))


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logged model whose trees are slow in Python, batch or not."""
    folder = tmp_path_factory.mktemp("forest") / "model"
    model = frame_pipeline(RandomForestClassifier(100, random_state=0))
    mlflow.sklearn.save_model(
        model,
        folder,
        pip_requirements=[],
        signature=text_signature(),
        serialization_format="cloudpickle",
    )
    return folder


class Clocked:
    """A predictor that takes a time for each call and one for each text, on a clock of its own."""

    engine, quick_bytes, labels, multilabel = "sklearn", 0, ("good",), False
    native, vectorizers = False, ()

    def __init__(self, clock: list[float], call: float, text: float) -> None:
        self._clock, self._call, self._text = clock, call, text

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        self._clock[0] += self._call + self._text * len(texts)
        return [ANSWER] * len(texts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    yield now


@pytest.mark.parametrize(
    ("ours", "call", "text", "least"),
    [
        (4e-4, 3.7e-3, 1e-4, 13),  # 12 take 4.8 ms or 4.9, 13 take 5.2 or 5.0
        (4e-4, 1e-6, 1e-6, 2),
        (2e-4, 9.95e-3, 1e-4, 100),
        (2e-4, 1.2e-2, 1e-4, None),  # from 120 on
        (1e-5, 4e-4, 2e-5, None),
        (1e-5, 4e-4, 1e-5, None),
        (2e-2, 4e-3, 1e-2, 2),
        (2e-2, 4e-3, 1.9e-2, 4),  # of which no 100 are asked for
    ],
)
def test_the_original_has_batches_from_where_it_is_quicker(
    clock: list[float], ours: float, call: float, text: float, least: int | None
) -> None:
    compiled: Any = Clocked(clock, 0.0, ours)
    assert batches.least_for(compiled, Clocked(clock, call, text)) == least


def test_trees_without_the_c_code_leave_batches_to_scikit_learn(
    create_app: AppFactory, registry: Registry, forest: Path
) -> None:
    texts = [f"Not {word} at all, but {word}" for word in ("good", "bad", "late", "kind")] * 25
    setting = {"MODEL_URI": str(forest), "MLFLOW_TRACKING_URI": registry.tracking_uri}
    with without_native():
        client = create_app(**setting)
        info = client.get("/models/info").json
    assert (info["engine"], info["native"]) == ("compiled", False)
    assert 2 <= info["original_from_texts"] <= 100
    asked = {"texts": texts, "return_scores": True}
    batch = client.post("/predict_batch", json=asked).json["predictions"]
    for text, answer in zip(texts[:4], batch, strict=False):
        alone = client.post("/predict", json={"text": text, "return_scores": True}).json
        assert alone.pop("scores") == pytest.approx(answer.pop("scores"), abs=1e-9)
        assert alone.pop("confidence") == pytest.approx(answer.pop("confidence"), abs=1e-9)
        assert alone == answer


def test_a_model_that_fails_on_texts_that_nobody_wrote_is_served_all_the_same() -> None:
    def picky(texts: Sequence[str]) -> list[Answer]:
        raise LookupError(f"no sentence in {texts[0]}")

    compiled: Any = Clocked([0.0], 0.0, 0.0)
    compiled.predict = picky
    batches.share(compiled, Clocked([0.0], 0.0, 0.0))


@pytest.mark.skipif(native._native is None, reason="the C code is not built")
def test_with_the_c_code_the_original_has_none(
    create_app: AppFactory, registry: Registry, forest: Path
) -> None:
    client = create_app(MODEL_URI=str(forest), MLFLOW_TRACKING_URI=registry.tracking_uri)
    info = client.get("/models/info").json
    assert (info["native"], info["original_from_texts"]) == (True, None)
