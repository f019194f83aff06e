"""The native API through Functions Framework's real app, with a real model."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from function import __version__
from function.http.routes import ROUTES
from tests.conftest import AppFactory
from tests.registry import NAME, Registry

PREDICT_KEYS = ["text", "sentiment", "confidence", "model_version"]


def test_predict_answers_label_confidence_and_version(client: FlaskClient) -> None:
    reply = client.post("/predict", json={"text": "Absolutely wonderful, I love it"})
    assert reply.status_code == 200
    assert reply.content_type == "application/json"
    assert list(reply.json) == PREDICT_KEYS
    assert reply.json["sentiment"] == "positive"
    assert 1 / 3 < reply.json["confidence"] < 1
    assert reply.json["model_version"] == "2"


def test_scores_are_returned_on_request_and_sum_to_one(client: FlaskClient) -> None:
    reply = client.post("/predict", json={"text": "Terrible", "return_scores": True}).json
    assert set(reply["scores"]) == {"negative", "neutral", "positive"}
    assert sum(reply["scores"].values()) == pytest.approx(1)
    assert reply["scores"][reply["sentiment"]] == reply["confidence"]
    without = client.post("/predict", json={"text": "Terrible", "return_scores": False}).json
    assert list(without) == PREDICT_KEYS


def test_batch_answers_in_input_order_as_single_predictions_do(client: FlaskClient) -> None:
    texts = [
        "Wonderful, love it",
        "Terrible and broken",
        "It arrived on Tuesday",
        "Crème brûlée 🍮",
    ]
    batch = client.post("/predict_batch", json={"texts": texts}).json["predictions"]
    single = [client.post("/predict", json={"text": text}).json for text in texts]
    assert [item["text"] for item in batch] == texts
    assert [item["sentiment"] for item in batch] == [item["sentiment"] for item in single]
    for ours, theirs in zip(batch, single, strict=True):
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-12)


def test_batch_returns_scores_on_request(client: FlaskClient) -> None:
    reply = client.post("/predict_batch", json={"texts": ["a b"], "return_scores": True})
    assert set(reply.json["predictions"][0]["scores"]) == {"negative", "neutral", "positive"}


def test_models_info_tells_lineage_engine_and_timings(
    client: FlaskClient, registry: Registry
) -> None:
    info = client.get("/models/info").json
    assert info["model_name"] == NAME
    assert info["version"] == "2"
    assert info["run_id"] == registry.run_id
    assert info["model_id"] == registry.model_id
    assert info["model_uri"] == f"models:/{NAME}/Production"
    assert info["stage"] == "Production"
    assert info["aliases"] == ["champion"]
    assert info["labels"] == ["negative", "neutral", "positive"]
    assert info["signature"]["inputs"][0]["name"] == "text"
    assert info["loaded_at"].endswith("Z")
    assert all(seconds >= 0 for seconds in info["load_timings_seconds"].values())


def test_index_lists_every_route(client: FlaskClient) -> None:
    listed = {(item["method"], item["path"]) for item in client.get("/").json["endpoints"]}
    assert listed == {(method, path) for path, ops in ROUTES.items() for method in ops}


def test_health_before_any_request_is_healthy_and_loads_nothing(client: FlaskClient) -> None:
    expected = {
        "status": "healthy",
        "model_loaded": False,
        "stale": False,
        "refused": None,
        "service_name": "sentiment-inference-service",
        "version": __version__,
    }
    assert client.get("/health").json == expected
    assert client.get("/health/live").status_code == 200
    assert client.get("/health").json == expected


def test_ready_starts_the_load_without_waiting_and_turns_200(client: FlaskClient) -> None:
    first = client.get("/health/ready")
    assert first.status_code == 503
    assert int(first.headers["Retry-After"]) >= 1
    assert client.get("/health").json["status"] == "loading"
    client.post("/predict", json={"text": "wait for it"})
    assert client.get("/health/ready").status_code == 200
    assert client.get("/health").json["status"] == "healthy"
    assert client.get("/health").json["model_loaded"] is True


def test_service_name_comes_from_the_environment(create_app: AppFactory) -> None:
    client = create_app(SERVICE_NAME="my-sentiments")
    assert client.get("/health").json["service_name"] == "my-sentiments"
    assert client.get("/").json["service_name"] == "my-sentiments"


@pytest.mark.parametrize("path", [path for path, ops in ROUTES.items() if "GET" in ops])
def test_head_is_get_without_a_body(create_app: AppFactory, path: str, registry: Registry) -> None:
    client = create_app(**registry.environ)
    head, get = client.head(path), client.get(path)
    assert head.data == b""
    assert head.content_type == get.content_type


@pytest.mark.parametrize("path", ROUTES)
def test_options_names_the_allowed_methods(client: FlaskClient, path: str) -> None:
    reply = client.options(path)
    assert (reply.status_code, reply.data) == (204, b"")
    assert set(ROUTES[path]) < set(reply.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"]
)
def test_json_content_types_are_read(client: FlaskClient, content_type: str) -> None:
    reply = client.post("/predict", data=b'{"text": "ok"}', content_type=content_type)
    assert reply.status_code == 200


def test_a_body_without_content_type_is_taken_as_json(client: FlaskClient) -> None:
    assert client.post("/predict", data=b'{"text": "ok"}').status_code == 200


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "text/html, */*;q=0.1",
        "",
        "application/json; charset=utf-8",
        "application/problem+json",
        ",",
    ],
)
def test_clients_that_can_read_json_get_it(client: FlaskClient, accept: str) -> None:
    assert client.get("/health", headers={"Accept": accept}).status_code == 200


def test_responses_are_not_cached_or_sniffed(client: FlaskClient) -> None:
    headers = client.get("/health").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
