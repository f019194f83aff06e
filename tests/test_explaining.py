"""`/explain`, and `"explain": true` of `/predict`, through the real app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.neighbors import KNeighborsClassifier

from function.errors import InvalidInput
from function.http.messages import Request
from function.protocols import explanations
from function.protocols.schemas import ExplainRequest
from function.settings import Settings
from function.wiring import create_application
from tests.conftest import AppFactory, modules_after
from tests.registry import strings_pipeline

TEXT = "Terrible, TERRIBLE service and a 👍 qqqq"


@pytest.fixture
def client(create_app: AppFactory, compiled_folder: Path) -> FlaskClient:
    return create_app(COMPILED_MODEL=str(compiled_folder))


def explain(client: FlaskClient, **payload: Any) -> Any:
    reply = client.post("/explain", json=payload)
    assert reply.status_code == 200, reply.text
    return reply.json


def test_an_explanation_has_every_term_with_its_places(client: FlaskClient) -> None:
    reply = explain(client, text=TEXT)
    members = ["text", "sentiment", "confidence", "model_version", "explanation"]
    assert list(reply) == members
    found = reply["explanation"]
    assert list(found) == ["label", "score", "intercept", "terms", "rest", "unknown", "link"]
    assert found["label"] == reply["sentiment"] == "negative"
    assert found["link"]["probability"] == reply["confidence"]
    assert list(found["terms"][0]) == ["term", "value", "weight", "contribution", "spans"]
    places = {it["term"]: it["spans"] for it in found["terms"]}
    assert places["terrible"] == [[0, 8], [10, 18]]
    assert found["unknown"] == [{"term": "qqqq", "spans": [[35, 39]]}]
    total = found["intercept"] + sum(it["contribution"] for it in found["terms"])
    assert total == pytest.approx(found["score"], abs=1e-9)
    assert found["rest"] == {"terms": 0, "contribution": 0.0}


@pytest.mark.parametrize("top", [0, 1, 2, 100, 10**30])
def test_top_limits_the_terms_and_the_rest_is_told(client: FlaskClient, top: int) -> None:
    whole = explain(client, text=TEXT)["explanation"]
    found = explain(client, text=TEXT, top=top)["explanation"]
    assert found["terms"] == whole["terms"][:top]
    assert found["rest"]["terms"] == len(whole["terms"][top:])
    shown = sum(it["contribution"] for it in found["terms"])
    total = found["intercept"] + shown + found["rest"]["contribution"]
    assert total == pytest.approx(found["score"], abs=1e-9)
    assert found["unknown"] == whole["unknown"]


def test_another_label_is_explained_on_request(client: FlaskClient) -> None:
    reply = explain(client, text=TEXT, label="positive")
    assert (reply["sentiment"], reply["explanation"]["label"]) == ("negative", "positive")
    scores = client.post("/predict", json={"text": TEXT, "return_scores": True}).json["scores"]
    assert reply["explanation"]["link"]["probability"] == scores["positive"]
    assert list(reply["explanation"]["link"]["scores"]) == list(scores)


def test_predict_explains_on_request(client: FlaskClient) -> None:
    plain = client.post("/predict", json={"text": TEXT, "return_scores": True}).json
    reply = client.post("/predict", json={"text": TEXT, "return_scores": True, "explain": True})
    assert reply.json == {**plain, "explanation": explain(client, text=TEXT)["explanation"]}
    without = client.post("/predict", json={"text": TEXT, "explain": False}).json
    assert "explanation" not in without


def test_a_line_is_explained_as_predict_does(client: FlaskClient) -> None:
    lines = [{"text": TEXT, "explain": True}, {"text": TEXT}]
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    reply = client.post("/predict_batch", data=body, headers=headers)
    found = [json.loads(line) for line in reply.text.splitlines()]
    assert found == [client.post("/predict", json=line).json for line in lines]


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"text": TEXT, "label": "splendid"}, "/label"),
        ({"text": TEXT, "label": ""}, "/label"),
        ({"text": TEXT, "label": 1}, "/label"),
        ({"text": TEXT, "top": -1}, "/top"),
        ({"text": TEXT, "top": True}, "/top"),
        ({"text": TEXT, "top": 1.0}, "/top"),
        ({"text": " "}, "/text"),
        ({"text": "a" * 10_001}, "/text"),
        ({}, "/text"),
        ({"text": TEXT, "tops": 1}, "/tops"),
    ],
    ids=str,
)
def test_what_cannot_be_explained_is_422_with_its_place(
    client: FlaskClient, payload: Any, pointer: str
) -> None:
    reply = client.post("/explain", json=payload)
    assert reply.status_code == 422
    assert [fault["pointer"] for fault in reply.json["errors"]] == [pointer]
    assert "splendid" not in reply.text


def test_an_unknown_label_is_told_which_there_are(client: FlaskClient) -> None:
    reply = client.post("/explain", json={"text": TEXT, "label": "good"}).json
    assert reply["errors"][0]["detail"] == "the model's labels are negative, neutral, positive"


def test_a_model_that_is_not_compiled_is_501_with_the_reason(
    create_app: AppFactory, tmp_path: Path
) -> None:
    model = strings_pipeline(KNeighborsClassifier())
    options = {"serialization_format": "cloudpickle", "pip_requirements": []}
    mlflow.sklearn.save_model(model, tmp_path / "model", **options)
    client = create_app(MODEL_URI=str(tmp_path / "model"))
    asked = {"text": TEXT, "explain": True}
    for reply in (
        client.post("/explain", json={"text": TEXT}),
        client.post("/explain", json={"text": TEXT, "label": "splendid"}),
        client.post("/predict", json=asked),
    ):
        assert reply.status_code == 501
        assert reply.content_type == "application/problem+json"
        assert reply.json["type"] == "urn:problem-type:not-explainable"
        assert "sklearn" in reply.json["detail"] and "KNeighbors" in reply.json["detail"]
    headers = {"Content-Type": "application/x-ndjson"}
    line = client.post("/predict_batch", data=json.dumps(asked), headers=headers)
    assert json.loads(line.text)["error"]["status"] == 501
    assert client.post("/predict", json={"text": TEXT}).status_code == 200


@pytest.mark.parametrize(
    ("path", "payload", "is_quick"),
    [
        ("/predict", {"text": "good " * 60}, True),
        ("/predict", {"text": "good", "explain": True}, True),
        ("/predict", {"text": "good " * 600, "explain": True}, False),
        ("/explain", {"text": "good"}, True),
        ("/explain", {"text": "good " * 600}, False),
    ],
)
def test_a_server_makes_a_long_texts_explanation_aside(
    compiled_folder: Path, path: str, payload: Any, is_quick: bool
) -> None:
    place = {"HOST": "127.0.0.1", "COMPILED_MODEL": str(compiled_folder)}
    application = create_application(Settings.from_environ(place))
    headers = {"host": "x", "content-type": "application/json"}
    asked = Request("POST", path, headers, json.dumps(payload).encode())
    assert application(asked).status == 200
    assert application.is_quick(asked) is is_quick


SETTINGS = Settings(max_text_length=8)
texts = st.text(st.characters(codec=None), max_size=10) | st.sampled_from(["", " ", "\ud800"])
values = texts | st.none() | st.booleans() | st.integers() | st.floats(-2, 2)
MEMBERS = st.sampled_from(["text", "label", "top", "other"])


@settings(deadline=None)  # the first one imports pydantic's part
@given(st.dictionaries(MEMBERS, values) | values)
def test_requests_are_judged_as_the_schema_judges(payload: Any) -> None:
    body = json.dumps(payload).encode()
    try:
        expected = ExplainRequest.model_validate(payload, context={"max_text_length": 8})
    except ValidationError:
        with pytest.raises(InvalidInput):
            explanations.parse(body, SETTINGS)
    else:
        assert explanations.parse(body, SETTINGS) == (expected.text, expected.label, expected.top)


ASK = """
from function.http.messages import Request
from function.settings import Settings
from function.wiring import create_application
application = create_application(Settings.from_environ({"HOST": "127.0.0.1", **PLACE}))
headers = {"host": "x", "content-type": "application/json"}
assert application(Request("POST", PATH, headers, b'{"text": "good"}')).status == 200
"""


def test_nothing_of_it_is_imported_before_somebody_asks(compiled_folder: Path) -> None:
    named = {
        *("function.explanation", "function.model.explaining", "function.protocols.explanations"),
        *("function.compiled.explain", "function.compiled.links", "function.compiled.spans"),
    }
    place = f"PLACE = {{'COMPILED_MODEL': {str(compiled_folder)!r}}}\n"
    assert not named & modules_after(f"{place}PATH = '/predict'\n{ASK}")
    after = modules_after(f"{place}PATH = '/explain'\n{ASK}")
    assert named <= after and "pydantic" not in after
