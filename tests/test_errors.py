"""Every error status of the contract, and the one shape they all have (RFC 9457)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppFactory
from tests.registry import Registry

SECRET = "my very private sentence"


def assert_problem(reply: TestResponse, status: int) -> dict[str, Any]:
    """The shape every error has; returns the problem."""
    assert reply.status_code == status
    assert reply.content_type == "application/problem+json"
    problem: dict[str, Any] = json.loads(reply.data)
    assert {"type", "title", "status", "detail", "request_id"} <= set(problem)
    assert problem["status"] == status
    assert problem["request_id"] == reply.headers["X-Request-ID"]
    assert "Traceback" not in reply.text
    assert SECRET not in reply.text
    return problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"text",
        b"{'text': 1}",
        b"\xff\xfe\x00",
        b"[" * 16_000,
        b"1" * 6_000,
        b"NaN",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=["empty", "cut", "word", "quotes", "binary", "deep", "digits", "nan", "utf-16"],
)
def test_what_is_not_json_is_400(client: FlaskClient, body: bytes) -> None:
    assert_problem(client.post("/predict", data=body, content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "/text"),
        ([], ""),
        (None, ""),
        ({"text": None}, "/text"),
        ({"text": 5}, "/text"),
        ({"text": [SECRET]}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": " \n\t\u3000"}, "/text"),
        ({"text": SECRET * 1_000}, "/text"),
        ({"text": "\ud800 " + SECRET}, "/text"),
        ({"text": SECRET, "return_scores": "yes"}, "/return_scores"),
        ({"text": SECRET, "return_score": True}, "/return_score"),
        ({"text": "x", SECRET: 1}, ""),
        ({"text": "x", "hunter2": 1}, ""),
        ({"text": "x", **{str(n): n for n in range(50)}}, ""),
    ],
)
def test_invalid_predict_input_is_422_with_a_pointer(
    client: FlaskClient, payload: Any, pointer: str
) -> None:
    reply = client.post("/predict", data=json.dumps(payload))
    problem = assert_problem(reply, 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize(
    ("payload", "pointers"),
    [
        ({"texts": []}, ["/texts"]),
        ({"texts": "x"}, ["/texts"]),
        ({"texts": ["x"] * 101}, ["/texts"]),
        ({"texts": ["fine", "", 3, "fine"]}, ["/texts/1", "/texts/2"]),
        ({"text": "x"}, ["/texts", "/text"]),
        ({"texts": [""] * 50}, [f"/texts/{index}" for index in range(20)]),
    ],
)
def test_invalid_batch_input_is_422_naming_each_fault(
    client: FlaskClient, payload: Any, pointers: list[str]
) -> None:
    problem = assert_problem(client.post("/predict_batch", json=payload), 422)
    assert [error["pointer"] for error in problem["errors"]] == pointers


def test_batch_limit_is_a_setting_and_inclusive(create_app: AppFactory, registry: Registry) -> None:
    client = create_app(MAX_BATCH_SIZE="3", **registry.environ)
    assert client.post("/predict_batch", json={"texts": ["a b"] * 3}).status_code == 200
    problem = assert_problem(client.post("/predict_batch", json={"texts": ["a b"] * 4}), 422)
    assert "MAX_BATCH_SIZE=3" in problem["detail"]


def test_text_limit_counts_characters_and_is_inclusive(
    create_app: AppFactory, registry: Registry
) -> None:
    client = create_app(MAX_TEXT_LENGTH="5", **registry.environ)
    assert client.post("/predict", json={"text": "😀" * 5}).status_code == 200
    problem = assert_problem(client.post("/predict", json={"text": "😀" * 6}), 422)
    assert "MAX_TEXT_LENGTH=5" in problem["detail"]


def test_unknown_path_is_404(client: FlaskClient) -> None:
    assert_problem(client.get("/predictions"), 404)
    assert_problem(client.post("/", json={}), 400)  # where events go
    assert_problem(client.put("/", json={}), 405)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_wrong_method_is_405_with_allow(client: FlaskClient, method: str) -> None:
    reply = client.open("/predict", method=method)
    assert reply.headers["Allow"] == "OPTIONS, POST"
    if method != "HEAD":
        assert_problem(reply, 405)


def test_a_method_that_nobody_knows_is_501(client: FlaskClient) -> None:
    assert_problem(client.open("/predict", method="BREW"), 501)


def test_a_million_bad_texts_are_refused_by_their_number_alone(client: FlaskClient) -> None:
    problem = assert_problem(client.post("/predict_batch", json={"texts": [1] * 200_000}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/texts"]
    assert "MAX_BATCH_SIZE=100" in problem["detail"]


def test_what_would_take_more_memory_than_it_has_bytes_is_422(client: FlaskClient) -> None:
    crowd = b'{"text": [' + b",".join([b'{"": 0}'] * 120_000) + b"]}"
    assert_problem(client.post("/predict", data=crowd), 422)
    brackets = json.dumps({"texts": ["{[,]}" * 2_000] * 100})  # in strings they are text
    assert client.post("/predict_batch", data=brackets).status_code == 200


def test_a_slip_in_a_field_name_is_told(client: FlaskClient) -> None:
    reply = client.post("/predict", json={"text": "x", "return_score": True})
    assert "did you mean return_scores?" in assert_problem(reply, 422)["detail"]


def test_a_client_that_cannot_read_json_is_406(client: FlaskClient) -> None:
    for accept in ("text/html", "image/*", "application/json;q=0"):
        assert_problem(client.get("/health", headers={"Accept": accept}), 406)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(client: FlaskClient, content_type: str) -> None:
    reply = client.post("/predict", data=b'{"text": "ok"}', content_type=content_type)
    assert_problem(reply, 415)


def test_no_body_is_of_any_content_type(client: FlaskClient) -> None:
    """Clients announce even that: curl -d '' does."""
    reply = client.post("/predict", data=b"", content_type="application/x-www-form-urlencoded")
    assert_problem(reply, 400)


def test_a_body_over_the_limit_is_413_even_where_no_body_is_wanted(create_app: AppFactory) -> None:
    client = create_app(MAX_BODY_BYTES="100")
    for path in ("/predict", "/health", "/nowhere"):
        problem = assert_problem(client.post(path, data=b"x" * 101), 413)
        assert "MAX_BODY_BYTES=100" in problem["detail"]
    assert_problem(client.post("/nowhere", data=b"x" * 100), 404)


def test_an_unforeseen_failure_is_500_and_logged_whole(
    create_app: AppFactory,
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = create_app(**registry.environ)
    client.get("/models/info")

    def explode(*_: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("function.protocols.sentiment.render_prediction", explode)
    problem = assert_problem(client.post("/predict", json={"text": "boom"}), 500)
    output = capsys.readouterr().out
    assert SECRET not in output
    records = [json.loads(line) for line in output.splitlines()]
    logged = next(record for record in records if "stack_trace" in record)
    assert logged["request_id"] == problem["request_id"]
    assert "ZeroDivisionError" in logged["stack_trace"]


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "8f:1/+=@."])
def test_a_sane_request_id_is_taken_over(client: FlaskClient, given: str) -> None:
    reply = client.get("/health", headers={"X-Request-ID": given})
    assert reply.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "two words", "<script>", "naïve"])
def test_another_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32


def test_a_model_that_calls_exit_is_a_500_like_any_other_failure(
    create_app: AppFactory, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(**registry.environ)
    client.get("/models/info")

    def leave(*_: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("function.protocols.sentiment.render_prediction", leave)
    assert_problem(client.post("/predict", json={"text": "bye"}), 500)
