"""Models as people log them, served through MLflow: both input shapes, every output shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tests.conftest import AppFactory
from tests.registry import frame_pipeline, strings_pipeline, text_signature, training_data

TEXTS = ["Absolutely wonderful, I love it", "Terrible and broken", "It arrived on Tuesday"]

Serve = Callable[..., FlaskClient]


class FixedAnswers(mlflow.pyfunc.PythonModel):
    """A Python model that gives a prepared answer, one row of it per row asked about."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.answer = answer

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        assert list(model_input.columns) == ["text"]
        return self.answer(len(model_input))


@pytest.fixture
def serve(create_app: AppFactory, tmp_path: Path) -> Serve:
    """Save a model in MLflow's format and put the app in front of the folder."""

    def start(model: Any, environ: dict[str, str] | None = None, **save: Any) -> FlaskClient:
        folder = tmp_path / "model"
        if isinstance(model, mlflow.pyfunc.PythonModel):
            mlflow.pyfunc.save_model(folder, python_model=model, pip_requirements=[], **save)
        else:
            mlflow.sklearn.save_model(model, folder, pip_requirements=[], **save)
        (tmp_path / "mlruns").mkdir()
        tracking = {"MLFLOW_TRACKING_URI": str(tmp_path / "mlruns")}
        return create_app(MODEL_URI=str(folder), **tracking, **(environ or {}))

    return start


def answers(client: FlaskClient, **extra: Any) -> list[tuple[str, float | None]]:
    """What the service says of TEXTS."""
    reply = client.post("/predict_batch", json={"texts": TEXTS, **extra})
    assert reply.status_code == 200, reply.text
    return [(item["sentiment"], item["confidence"]) for item in reply.json["predictions"]]


@pytest.mark.parametrize("build", [frame_pipeline, strings_pipeline])
def test_a_pipeline_answers_as_scikit_learn_does_whatever_it_was_fitted_on(
    serve: Serve, build: Callable[[], Any]
) -> None:
    pipeline = build()
    given = pd.DataFrame({"text": TEXTS}) if build is frame_pipeline else TEXTS
    expected = zip(pipeline.predict(given), pipeline.predict_proba(given).max(axis=1), strict=True)
    for ours, (label, confidence) in zip(answers(serve(pipeline)), expected, strict=True):
        assert ours[0] == label
        assert ours[1] == pytest.approx(confidence, abs=1e-12)


def test_a_strings_pipeline_with_a_signature_is_not_asked_about_column_names(serve: Serve) -> None:
    client = serve(strings_pipeline(), signature=text_signature())
    assert [label for label, _ in answers(client)] == ["positive", "negative", "neutral"]


@pytest.mark.parametrize("build", [frame_pipeline, strings_pipeline])
def test_a_pipeline_without_probabilities_has_null_confidence(
    serve: Serve, build: Callable[[Any], Any]
) -> None:
    client = serve(build(LinearSVC()))
    assert {confidence for _, confidence in answers(client, return_scores=True)} == {None}
    assert "scores" not in client.post("/predict", json={"text": "x y", "return_scores": True}).json


def test_integer_classes_are_named_through_labels(serve: Serve) -> None:
    texts, labels = training_data()
    numbers = [["negative", "neutral", "positive"].index(label) for label in labels]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(texts["text"], numbers)
    client = serve(model, {"LABELS": "0=negative,1=neutral,2=positive"})
    assert [label for label, _ in answers(client)] == ["positive", "negative", "neutral"]
    assert client.get("/models/info").json["labels"] == ["negative", "neutral", "positive"]


def test_another_column_name_in_the_signature_is_used(serve: Serve) -> None:
    class ByReview(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input["review"].str.len().astype(str).tolist()

    signature = mlflow.models.infer_signature(pd.DataFrame({"review": ["x"]}))
    client = serve(ByReview(), signature=signature)
    assert answers(client) == [(str(len(text)), None) for text in TEXTS]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda n: ["good"] * n, ("good", None)),
        (lambda n: np.array(["good"] * n), ("good", None)),
        (lambda n: pd.Series(["good"] * n), ("good", None)),
        (lambda n: pd.DataFrame({"label": ["good"] * n, "score": [0.75] * n}), ("good", 0.75)),
        (lambda n: [{"sentiment": "good", "confidence": 0.75}] * n, ("good", 0.75)),
        (lambda n: pd.DataFrame({"prediction": ["good"] * n}), ("good", None)),
        (lambda n: np.array([[0.25, 0.75]] * n), ("good", 0.75)),
        (lambda n: [1] * n, ("good", None)),
    ],
    ids=["list", "ndarray", "series", "frame", "dicts", "column", "probabilities", "integers"],
)
def test_every_pyfunc_output_shape_is_read(
    serve: Serve, answer: Callable[[int], Any], expected: tuple[str, float | None]
) -> None:
    client = serve(FixedAnswers(answer), {"LABELS": "0=bad,1=good"}, signature=text_signature())
    assert answers(client) == [expected] * len(TEXTS)
    assert client.get("/models/info").json["engine"] == "pyfunc"


@pytest.mark.parametrize(
    "answer",
    [lambda n: "good", lambda n: ["good"] * (n + 1), lambda n: pd.DataFrame({"a": [1], "b": [2]})],
    ids=["string", "count", "frame"],
)
def test_another_output_shape_is_500_described_in_the_log_only(
    serve: Serve, answer: Callable[[int], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client = serve(FixedAnswers(answer), signature=text_signature())
    reply = client.post("/predict", json={"text": "private words"})
    assert reply.status_code == 500
    assert reply.content_type == "application/problem+json"
    assert "returned" not in reply.text
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any("the model returned" in record.get("returned", "") for record in records)


def test_a_model_that_breaks_later_is_500_for_that_request_only(serve: Serve) -> None:
    class Moody(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            texts = list(model_input["text"])
            return ["good"] * (0 if "odd" in texts else len(texts))

    client = serve(Moody(), signature=text_signature())
    assert client.post("/predict", json={"text": "odd"}).status_code == 500
    assert client.post("/predict", json={"text": "even"}).status_code == 200


def test_swapped_labels_are_swapped_once(serve: Serve) -> None:
    swapped = {"LABELS": "negative=positive,positive=negative"}
    client = serve(
        strings_pipeline(RandomForestClassifier(20, random_state=0)),
        swapped,
        serialization_format="cloudpickle",
    )
    assert client.get("/models/info").json["engine"] == "sklearn"
    forest = strings_pipeline(RandomForestClassifier(20, random_state=0))
    expected = {"negative": "positive", "positive": "negative", "neutral": "neutral"}
    shown = [
        (expected[label], max(row))
        for label, row in zip(forest.predict(TEXTS), forest.predict_proba(TEXTS), strict=True)
    ]
    assert answers(client) == [(label, pytest.approx(share)) for label, share in shown]


def test_the_label_is_what_predict_says_even_where_another_is_likelier(serve: Serve) -> None:
    texts, labels = training_data()
    binary = ["positive" if label == "positive" else "other" for label in labels]
    base = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(texts["text"], binary)
    eager = FixedThresholdClassifier(base, threshold=0.01, pos_label="positive").fit(
        texts["text"], binary
    )
    client = serve(eager, serialization_format="cloudpickle")
    label, confidence = answers(client)[1]
    assert label == "positive"
    assert confidence is not None and confidence < 0.5


def test_a_pyfunc_that_wants_a_list_of_strings_gets_one(serve: Serve) -> None:
    class Lengths(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return [str(len(text)) for text in model_input]

    client = serve(Lengths())
    assert answers(client) == [(str(len(text)), None) for text in TEXTS]


def test_an_unusable_model_is_logged_once_and_never_ready(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    client = serve(FixedAnswers(lambda n: "nonsense"), signature=text_signature())
    assert [client.post("/predict", json={"text": "x"}).status_code for _ in range(3)] == [500] * 3
    assert client.get("/health/ready").status_code == 503
    assert capsys.readouterr().out.count('"stack_trace"') == 1
