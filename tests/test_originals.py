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
from sklearn.neighbors import KNeighborsClassifier
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
    info = client.get("/models/info").json
    assert (info["labels"], info["multilabel"]) == (["negative", "neutral", "positive"], False)


def test_another_column_name_in_the_signature_is_used(serve: Serve) -> None:
    class ByReview(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input["review"].str.len().astype(str).tolist()

    signature = mlflow.models.infer_signature(pd.DataFrame({"review": ["x"]}))
    client = serve(ByReview(), signature=signature)
    assert answers(client) == [(str(len(text)), None) for text in TEXTS]


def top(*pairs: Any) -> list[dict[str, Any]]:
    """Labels and scores by turns, as transformers answers about one text."""
    labels_and_scores = zip(pairs[::2], pairs[1::2], strict=True)
    return [{"label": label, "score": score} for label, score in labels_and_scores]


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
        (lambda n: pd.DataFrame({"poor": [0.25] * n, "fine": [0.75] * n}), ("fine", 0.75)),
        (lambda n: [{"poor": 0.25, "fine": 0.75}] * n, ("fine", 0.75)),
        (lambda n: [top("fine", 0.75, "poor", 0.25)] * n, ("fine", 0.75)),
        (lambda n: [top("fine", 0.75)] * n, ("fine", 0.75)),
    ],
    ids=[
        *("list", "ndarray", "series", "frame", "dicts", "column", "probabilities", "integers"),
        *("columns-of-classes", "dicts-of-classes", "all-labels", "best-label"),
    ],
)
def test_every_pyfunc_output_shape_is_read(
    serve: Serve, answer: Callable[[int], Any], expected: tuple[str, float | None]
) -> None:
    names = {"LABELS": "0=bad,1=good"} if expected[0] == "good" else {}
    client = serve(FixedAnswers(answer), names, signature=text_signature())
    assert answers(client) == [expected] * len(TEXTS)
    assert client.get("/models/info").json["engine"] == "pyfunc"


def test_labels_that_name_none_of_the_classes_in_an_answer_are_refused(serve: Serve) -> None:
    answer = FixedAnswers(lambda n: [{"poor": 0.25, "fine": 0.75}] * n)
    client = serve(answer, {"LABELS": "0=bad,1=good"}, signature=text_signature())
    reply = client.post("/predict", json={"text": "x"})
    assert reply.status_code == 503
    assert "the model's classes are poor, fine" in reply.json["detail"]


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


def test_classes_that_the_answer_names_are_its_labels(serve: Serve) -> None:
    shares = {"poor": [0.25], "soso": [0.5], "fine": [0.25]}
    by_class = FixedAnswers(
        lambda n: pd.DataFrame({key: value * n for key, value in shares.items()})
    )
    client = serve(by_class, signature=text_signature())
    assert client.get("/models/info").json["labels"] == ["poor", "soso", "fine"]
    reply = client.post("/predict", json={"text": "x", "return_scores": True}).json
    assert reply["scores"] == {"poor": 0.25, "soso": 0.5, "fine": 0.25}


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        (lambda n: np.array([[0, 1, 1]] * n), ["rude", "spam"]),
        (lambda n: [[False, True, True]] * n, ["rude", "spam"]),
        (lambda n: [{"labels": ["1", "2"]}] * n, ["rude", "spam"]),
        (lambda n: [{"labels": []}] * n, []),
    ],
    ids=["marks", "bools", "records", "none"],
)
def test_a_pyfunc_may_give_a_text_several_labels(
    serve: Serve, answer: Callable[[int], Any], labels: list[str]
) -> None:
    client = serve(
        FixedAnswers(answer), {"LABELS": "0=ad,1=rude,2=spam"}, signature=text_signature()
    )
    reply = client.post("/predict", json={"text": "x"}).json
    assert (reply["sentiment"], reply["confidence"], reply["labels"]) == (None, None, labels)
    info = client.get("/models/info").json
    assert (info["multilabel"], info["labels"]) == (True, ["ad", "rude", "spam"])


def test_a_multilabel_pipeline_lists_the_labels_that_apply(serve: Serve) -> None:
    texts, labels = training_data()
    marks = np.array([[label != "negative", label == "positive"] for label in labels]).astype(int)
    forest = RandomForestClassifier(20, random_state=0)
    model = make_pipeline(TfidfVectorizer(), forest).fit(texts["text"].tolist(), marks)
    client = serve(model, {"LABELS": "0=fair,1=good"}, serialization_format="cloudpickle")
    reply = client.post("/predict", json={"text": TEXTS[0], "return_scores": True}).json
    assert (reply["sentiment"], reply["confidence"]) == (None, None)
    marked = zip(("fair", "good"), model.predict(TEXTS[:1])[0], strict=True)
    assert reply["labels"] == [name for name, mark in marked if mark]
    shares = [part[0, 1] for part in model.predict_proba(TEXTS[:1])]
    assert reply["scores"] == pytest.approx(dict(zip(("fair", "good"), shares, strict=True)))
    assert client.get("/models/info").json["multilabel"] is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda n: pd.DataFrame({"label": ["good"] * n, "score": [75] * n}), "percentages"),
        (lambda n: pd.DataFrame({"bad": [25.0] * n, "good": [75.0] * n}), "percentages"),
        (lambda n: np.array([[-1.5, 2.5]] * n), "margins"),
        (lambda n: np.array([[0.5, 0.75]] * n), "do not sum to 1"),
        (lambda n: [{"bad": 0.5, "good": 0.75}] * n, "do not sum to 1"),
        (lambda n: [top("good", 0.75, "bad", 0.5)] * n, "several labels"),
    ],
    ids=["percent", "percents", "margins", "array", "dicts", "sigmoids"],
)
def test_what_is_no_probability_is_refused_in_words(
    serve: Serve, answer: Callable[[int], Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = serve(FixedAnswers(answer), {"LABELS": "0=bad,1=good"}, signature=text_signature())
    assert client.post("/predict", json={"text": "x"}).status_code == 500
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(said in (record.get("returned") or "") for record in records)


def test_a_pyfunc_of_numbers_is_told_what_is_missing(serve: Serve) -> None:
    numbers = mlflow.models.infer_signature(np.zeros((2, 50)))
    client = serve(FixedAnswers(lambda n: ["good"] * n), signature=numbers)
    reply = client.post("/predict", json={"text": "x"})
    assert reply.status_code == 503
    assert "wants 50 numbers per text" in reply.json["detail"]


def test_a_pyfunc_of_two_columns_is_told_that_a_request_has_one_text(serve: Serve) -> None:
    both = mlflow.models.infer_signature(pd.DataFrame({"title": ["x"], "body": ["y"]}))
    client = serve(FixedAnswers(lambda n: ["good"] * n), signature=both)
    assert "title, body" in client.post("/predict", json={"text": "x"}).json["detail"]


class Wordless(LogisticRegression):
    """Whose probabilities of a text without a known word are no numbers."""

    def predict_proba(self, X: Any) -> Any:
        rows = super().predict_proba(X)
        rows[np.asarray(X.sum(axis=1)).ravel() == 0] = np.nan
        return rows


def test_probabilities_that_are_no_numbers_are_null_for_that_text_only(serve: Serve) -> None:
    client = serve(strings_pipeline(Wordless(C=10)), serialization_format="cloudpickle")
    texts = ["qqqq zzzz", TEXTS[0]]
    reply = client.post("/predict_batch", json={"texts": texts, "return_scores": True})
    wordless, other = reply.json["predictions"]
    assert wordless["sentiment"] in ("negative", "neutral", "positive")
    assert (wordless["confidence"], "scores" in wordless) == (None, False)
    assert other["sentiment"] == "positive"
    assert sum(other["scores"].values()) == pytest.approx(1)


def test_swapped_labels_are_swapped_once(serve: Serve) -> None:
    swapped = {"LABELS": "negative=positive,positive=negative"}
    client = serve(
        strings_pipeline(KNeighborsClassifier()),
        swapped,
        serialization_format="cloudpickle",
    )
    assert client.get("/models/info").json["engine"] == "sklearn"
    model = strings_pipeline(KNeighborsClassifier())
    expected = {"negative": "positive", "positive": "negative", "neutral": "neutral"}
    shown = [
        (expected[label], max(row))
        for label, row in zip(model.predict(TEXTS), model.predict_proba(TEXTS), strict=True)
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


@pytest.mark.parametrize("classifier", [LinearSVC(), KNeighborsClassifier()], ids=type)
def test_labels_that_name_no_class_are_refused_by_every_engine(
    serve: Serve, classifier: Any
) -> None:
    client = serve(
        strings_pipeline(classifier),
        {"LABELS": "0=bad,1=good"},
        serialization_format="cloudpickle",
    )
    reply = client.post("/predict", json={"text": "good"})
    assert reply.status_code == 503
    assert "the model's classes are negative, neutral, positive" in reply.json["detail"]
