"""A promotion in MLflow is a deployment: what serves follows, and loses nothing by it."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

import function
from tests.conftest import start_framework
from tests.fronts import front, passed_on
from tests.processes import LiveServer, Reply
from tests.promotions import (
    ALIAS,
    SECRET,
    follow,
    log_version,
    promote,
    served,
    wait_until,
)
from tests.registry import TAG, Registry, strings_pipeline, training_data
from tests.traffic import Traffic

pytestmark = pytest.mark.usefixtures("no_settings_of_mlflow")

FOLLOWED_WITHIN = 0.5 + 1
NAME = "followed"


@pytest.fixture(scope="module")
def versions(server_registry: Registry) -> Registry:
    """MLflow's server, with four published versions of one model."""
    for _ in range(4):
        log_version(server_registry.tracking_uri, NAME)
    return server_registry


@pytest.fixture
def registry(versions: Registry) -> str:
    """The server's address, version 1 promoted."""
    promote(versions.tracking_uri, NAME, "1")
    return versions.tracking_uri


Follow = Callable[..., LiveServer]


@pytest.fixture
def start(registry: str, tmp_path: Path) -> Iterator[Follow]:
    """Start the service and follow; stopped after the test."""
    started: list[LiveServer] = []

    def follow_(tracking_uri: str = registry, name: str = NAME, **given: Any) -> LiveServer:
        started.append(follow(tracking_uri, name, tmp_path / str(len(started)), **given))
        return started[-1]

    yield follow_
    for server in started:
        server.process.kill()
        server.process.wait()


@contextmanager
def under_load(server: LiveServer) -> Iterator[Traffic]:
    """Clients that ask all the while; each of their requests is answered with 200."""
    traffic = Traffic(int(server.url.rpartition(":")[2]), clients=4, pause_seconds=0.004).start()
    yield traffic
    traffic.stop()
    assert traffic.statuses.keys() == {200} and not traffic.lost and not traffic.refused


def refused(server: LiveServer) -> dict[str, str] | None:
    """What health says of a version that was refused."""
    told: dict[str, str] | None = server.request("/health").json["refused"]
    return told


def test_a_promotion_is_served_within_the_interval_and_a_second_and_so_is_going_back(
    registry: str, start: Follow
) -> None:
    server = start()
    with under_load(server):
        for version in ("2", "1"):
            promote(registry, NAME, version)
            assert wait_until(lambda version=version: served(server) == version, FOLLOWED_WITHIN)  # type: ignore[misc]
    assert server.request("/models/info").json["version"] == "1"
    (first, second) = [r for r in server.records() if r["message"] == "model replaced"]
    assert (first["model_version_before"], first["model_version"]) == ("1", "2")
    assert second["model_version"] == "1"


def test_a_batch_is_answered_by_one_version(registry: str, start: Follow) -> None:
    server = start()
    started, versions = time.monotonic(), set()
    turn = 0
    while (passed := time.monotonic() - started) < 4 or (len(versions) < 2 and passed < 20):
        turn += 1
        if turn % 10 == 0:
            promote(registry, NAME, "1" if turn % 20 else "2")
        answer = server.request("/predict_batch", {"texts": ["lovely", "awful"] * 50}).json
        of_one = {prediction["model_version"] for prediction in answer["predictions"]}
        assert len(of_one) == 1
        versions |= of_one
    assert versions == {"1", "2"}


@pytest.mark.filterwarnings("ignore:.*stages:FutureWarning")
def test_a_stage_is_followed_too(registry: str, start: Follow) -> None:
    client = MlflowClient(registry)
    client.transition_model_version_stage(NAME, "1", "Production")
    server = start(MODEL_URI=f"models:/{NAME}/Production")
    client.transition_model_version_stage(NAME, "3", "Production")
    assert wait_until(lambda: served(server) == "3", FOLLOWED_WITHIN)


@pytest.mark.slow
def test_twenty_promotions_in_twenty_seconds_lose_no_request(registry: str, start: Follow) -> None:
    server = start()
    with under_load(server) as traffic:
        for turn in range(20):
            promote(registry, NAME, str(turn % 4 + 1))
            time.sleep(1)
        assert wait_until(lambda: served(server) == "4", FOLLOWED_WITHIN)
    assert traffic.answered > 5_000


def test_two_replicas_follow_the_same_promotion(registry: str, start: Follow) -> None:
    servers = [start(), start()]
    promote(registry, NAME, "2")
    for server in servers:
        assert wait_until(lambda server=server: served(server) == "2", FOLLOWED_WITHIN)  # type: ignore[misc]


def test_functions_framework_follows_too(registry: str, tmp_path: Path) -> None:
    server = start_framework(
        tmp_path,
        MLFLOW_TRACKING_URI=registry,
        MODEL_URI=f"models:/{NAME}@{ALIAS}",
        MODEL_REFRESH_SECONDS="0.5",
    )
    assert served(server) == "1"
    promote(registry, NAME, "2")
    assert wait_until(lambda: served(server) == "2", FOLLOWED_WITHIN)
    server.stop()


def test_a_model_that_is_not_compiled_is_followed_at_its_cost(registry: str, start: Follow) -> None:
    texts, labels = training_data()
    nearest = make_pipeline(TfidfVectorizer(), NearestCentroid("manhattan"))
    nearest.fit(texts["text"].tolist(), labels)
    for _ in range(2):
        log_version(registry, "nearest", nearest, publish=False)
    promote(registry, "nearest", "1")
    server = start(name="nearest")
    with under_load(server):
        promote(registry, "nearest", "2")
        assert wait_until(lambda: served(server) == "2", 30)
    assert server.request("/models/info").json["engine"] == "sklearn"


def damage(folder: Path, registry: str, name: str, version: str) -> Path:
    """Cut the published folder short, and the original too: nothing of the version loads."""
    found = MlflowClient(registry).get_model_version(name, version)
    tag = json.loads(found.tags[TAG])
    root = folder / "artifacts" / tag["location"].partition(":/")[2].strip("/")
    for file in (root / tag["path"] / "vectorizer.0", root / "model.skops"):
        file.rename(file.with_suffix(".kept"))
        file.write_bytes(file.with_suffix(".kept").read_bytes()[:1000])
    return root


def repair(root: Path) -> None:
    for kept in root.rglob("*.kept"):
        kept.replace(next(kept.parent.glob(f"{kept.stem}.[!k]*")))


def test_a_version_that_does_not_load_is_refused_and_the_one_before_serves_on(
    versions: Registry, registry: str, start: Follow
) -> None:
    version = log_version(registry, NAME)
    root = damage(versions.folder, registry, NAME, version)
    server = start(imports_mlflow=True)
    with under_load(server):
        promote(registry, NAME, version)
        assert wait_until(lambda: refused(server) is not None, 20)
    told = refused(server)
    assert told is not None and told["version"] == version and told["reason"]
    assert server.request("/models/info").json["refused"] == told
    assert served(server) == "1"
    assert server.request("/health").json["status"] == "healthy"
    assert server.request("/health/ready").status == 200
    (record,) = [r for r in server.records() if r["message"].startswith("a version was refused")]
    assert record["severity"] == "ERROR" and record["model_version"] == version
    repair(root)
    assert server.request("/models/refresh", {}).json["outcome"] == "replaced"
    assert served(server) == version and refused(server) is None


def test_a_promotion_to_a_pickle_is_refused_where_models_are_to_be_data(
    registry: str, start: Follow
) -> None:
    version = log_version(registry, NAME, publish=False, serialization_format="cloudpickle")
    server = start(imports_mlflow=True, MODEL_FORMATS="skops")
    promote(registry, NAME, version)
    assert wait_until(lambda: refused(server) is not None, 20)
    told = refused(server)
    assert told is not None and told["version"] == version
    assert told["reason"].startswith("MODEL_FORMATS=skops forbids")
    assert served(server) == "1"
    function.publish(f"models:/{NAME}/{version}")  # which is data
    server.request("/models/refresh", {})  # unless it has seen it by itself
    assert wait_until(lambda: served(server) == version, 20)


def test_a_refusal_ends_with_the_promotion_that_caused_it(
    versions: Registry, registry: str, start: Follow
) -> None:
    version = log_version(registry, NAME)
    damage(versions.folder, registry, NAME, version)
    server = start(imports_mlflow=True)
    promote(registry, NAME, version)
    assert wait_until(lambda: refused(server) is not None, 20)
    promote(registry, NAME, "1")
    assert server.request("/models/refresh", {}).json["outcome"] == "unchanged"
    assert refused(server) is None


@pytest.mark.parametrize("may_change", [False, True])
def test_other_labels_take_over_only_where_they_may(
    registry: str, start: Follow, may_change: bool
) -> None:
    texts, labels = training_data()
    two = ["good" if label == "positive" else "other" for label in labels]
    model = strings_pipeline().fit(texts["text"].tolist(), two)
    version = log_version(registry, NAME, model)
    server = start(MODEL_LABELS_MAY_CHANGE=str(may_change))
    promote(registry, NAME, version)
    if may_change:
        assert wait_until(lambda: served(server) == version, FOLLOWED_WITHIN)
        return
    assert wait_until(lambda: refused(server) is not None, FOLLOWED_WITHIN)
    reason = (refused(server) or {})["reason"]
    assert "good, other" in reason and "MODEL_LABELS_MAY_CHANGE=true" in reason
    assert served(server) == "1"
    time.sleep(2)
    loads = [r for r in server.records() if r["message"] == "model loaded"]
    assert len(loads) == 2  # it is not loaded again and again


def test_a_registry_that_is_away_is_asked_again_until_it_is_back(
    registry: str, start: Follow
) -> None:
    with front(registry) as listening:
        server = start(listening.url)
    port = int(listening.url.rpartition(":")[2])
    with under_load(server):
        time.sleep(2)
        assert server.request("/models/refresh", {}).status == 503
        promote(registry, NAME, "2")
        with front(registry, port=port):
            assert wait_until(lambda: served(server) == "2", 15)
    told = [r for r in server.records() if "registry does not say" in r["message"]]
    assert len(told) == 1


def test_an_alias_that_is_gone_is_said_and_what_serves_goes_on(
    registry: str, start: Follow
) -> None:
    server = start()
    assert served(server) == "1"
    client = MlflowClient(registry)
    client.delete_registered_model_alias(NAME, ALIAS)
    assert wait_until(lambda: refused(server) is not None, 20)
    told = refused(server) or {}
    assert told["version"] is None and f"models:/{NAME}@{ALIAS}" in told["reason"]
    assert "Set its alias or stage again" in told["reason"]
    assert server.request("/predict", {"text": "good"}).status == 200
    assert server.request("/models/refresh", {}).status == 503
    assert len([r for r in server.records() if "has nothing that is meant" in r["message"]]) == 1
    promote(registry, NAME, "2")
    assert server.request("/models/refresh", {}).json["outcome"] == "replaced"
    assert refused(server) is None


def test_so_is_a_stage_that_is_empty(versions: Registry, start: Follow) -> None:
    name, client = "staged", MlflowClient(versions.tracking_uri)
    log_version(versions.tracking_uri, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stages are deprecated
        client.transition_model_version_stage(name, "1", "Production")
        server = start(name=name, MODEL_URI=f"models:/{name}/Production")
        client.transition_model_version_stage(name, "1", "Archived")
    assert wait_until(lambda: refused(server) is not None, 20)
    assert "is in stage 'Production'" in (refused(server) or {})["reason"]


NOT_OF_THE_ALIAS = [
    (404, b"<html>no such route</html>"),
    (404, b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}'),
    (400, b'{"error_code": "BAD_REQUEST", "message": "QueuePool limit reached"}'),
    (400, b"The plain HTTP request was sent to HTTPS port"),
    (401, b'{"error_code": "UNAUTHENTICATED"}'),
    (403, b'{"error_code": "PERMISSION_DENIED"}'),
]


def test_what_somebody_else_answers_says_nothing_of_the_alias(registry: str, start: Follow) -> None:
    trouble: list[tuple[int, bytes]] = []

    def answer(path: str) -> Reply | None:
        return Reply(trouble[-1][0], {}, trouble[-1][1]) if trouble else None

    with front(registry, answer) as listening:
        server = start(listening.url)
        for status, body in NOT_OF_THE_ALIAS:
            trouble.append((status, body))
            reply = server.request("/models/refresh", {})
            assert reply.status == 503 and f"answered {status}" in reply.json["detail"]
            assert refused(server) is None
        assert [r for r in server.records() if "does not say which version" in r["message"]]


@pytest.mark.parametrize("how", ["fails", "is slow", "drips", "is cut short"])
def test_a_registry_in_trouble_costs_no_request_and_is_followed_when_it_is_well(
    registry: str, start: Follow, how: str
) -> None:
    trouble: list[str] = []

    def answer(path: str) -> Reply | None:
        if not trouble or "artifacts" not in path and how == "is cut short":
            return None
        if how == "fails":
            return Reply(500, {}, b'{"error_code": "INTERNAL_ERROR", "message": "oh"}')
        if how == "is cut short":
            return Reply(200, {"Content-Length": "1000000"}, b"x" * 1000)
        if how == "is slow":
            time.sleep(1)
        return None

    with front(registry, answer) as listening:
        server = start(listening.url)
        with under_load(server):
            trouble.append(how)
            listening.pause_seconds = 0.5 if how == "drips" else 0
            promote(registry, NAME, "2")
            time.sleep(3)
            trouble.clear()
            listening.pause_seconds = 0
            assert wait_until(lambda: served(server) == "2", 45)
        assert refused(server) is None


def test_asked_at_once_it_follows_at_once(registry: str, start: Follow) -> None:
    server = start(MODEL_REFRESH_SECONDS="0")
    promote(registry, NAME, "2")
    assert served(server) == "1"
    answer = server.request("/models/refresh", {})
    assert answer.json == {"outcome": "replaced", "model_version": "2", "refused": None}
    assert server.request("/models/refresh", {}).json["outcome"] == "unchanged"
    assert served(server) == "2"


def test_many_that_ask_at_once_share_a_look_and_leave_room_for_predictions(
    registry: str, start: Follow
) -> None:
    is_slow = threading.Event()

    def answer(path: str) -> Reply | None:
        if is_slow.is_set():
            time.sleep(2)
        return None

    with front(registry, answer) as listening, ThreadPoolExecutor(8) as pool:
        server = start(listening.url, MODEL_REFRESH_SECONDS="0")
        is_slow.set()
        asking = [pool.submit(server.request, "/models/refresh", {}) for _ in range(8)]
        time.sleep(0.5)
        started = time.monotonic()
        long = {"texts": ["a text of some length " * 100] * 50}
        assert server.request("/predict_batch", long).status == 200
        assert time.monotonic() - started < 1.5
        outcomes = [future.result().json["outcome"] for future in asking]
    assert outcomes.count("under way") == 7 and outcomes.count("unchanged") == 1


def test_a_version_that_is_published_anew_is_taken_up(registry: str, start: Follow) -> None:
    version = log_version(registry, NAME, publish=False)
    promote(registry, NAME, version)
    server = start(imports_mlflow=True)
    assert server.request("/models/info").json["digest"] is None
    function.publish(f"models:/{NAME}/{version}")
    assert wait_until(lambda: server.request("/models/info").json["digest"], FOLLOWED_WITHIN)


def test_a_version_that_the_registry_knows_no_ids_of_is_not_loaded_again_and_again(
    migrated_database: Path, start: Follow, tmp_path: Path
) -> None:
    shutil.copy(migrated_database, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.sklearn.save_model(strings_pipeline(), tmp_path / "m", pip_requirements=[])
    client = MlflowClient(uri)
    client.create_registered_model("bare")
    client.create_model_version("bare", str(tmp_path / "m"))
    promote(uri, "bare", "1")
    server = start(uri, "bare", imports_mlflow=True)
    assert server.request("/models/refresh", {}).json["outcome"] == "unchanged"


def test_an_outage_brings_no_mlflow_into_a_process_that_serves_without(
    registry: str, start: Follow
) -> None:
    broken: list[str] = []

    def answer(path: str) -> Reply | None:
        return Reply(500, {}, b"{}") if broken else None

    with front(registry, answer) as listening:
        server = start(listening.url)
        before = resident_megabytes(server)
        broken.append("yes")
        assert server.request("/models/refresh", {}).status == 503
        assert resident_megabytes(server) - before < 5


def test_what_is_one_version_for_good_says_so(registry: str, start: Follow) -> None:
    server = start(MODEL_URI=f"models:/{NAME}/1")
    assert server.request("/models/refresh", {}).json["outcome"] == "fixed"
    assert [r for r in server.records() if "MODEL_REFRESH_SECONDS has no effect" in r["message"]]


def signed(
    body: bytes, secret: str = SECRET, age_seconds: float = 0, timestamp: str = ""
) -> dict[str, str]:
    """As MLflow signs a webhook."""
    timestamp = timestamp or str(int(time.time() - age_seconds))
    mac = hmac.new(secret.encode(), f"id.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": "id",
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def test_with_a_secret_only_what_is_signed_with_it_lately_is_followed(
    registry: str, start: Follow
) -> None:
    server = start(MODEL_REFRESH_SECONDS="0", WEBHOOK_SECRET=SECRET)
    promote(registry, NAME, "2")
    body = b'{"entity": "model_version_alias"}'
    wrong = [
        {},
        signed(body, "another"),
        signed(body + b" "),
        signed(body, age_seconds=3600),
        signed(body, age_seconds=-3600),
        {**signed(body), "X-MLflow-Timestamp": "now"},
        signed(body, timestamp="9" * 5000),
        signed(body, timestamp="\xb2"),
        {**signed(body), "X-MLflow-Delivery-Id": "another"},
    ]
    for headers in wrong:
        answer = server.request("/models/refresh", data=body, headers=headers, method="POST")
        assert answer.status == 403, headers
        assert SECRET not in answer.body.decode()
    assert served(server) == "1"
    answer = server.request("/models/refresh", data=body, headers=signed(body), method="POST")
    assert answer.json["outcome"] == "replaced"


def test_mlflows_own_webhook_is_a_deployment(registry: str, start: Follow) -> None:
    server = start(MODEL_REFRESH_SECONDS="0", WEBHOOK_SECRET=SECRET)
    client = MlflowClient(registry)
    event = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
    hook = client.create_webhook("refresh", f"{server.url}/models/refresh", [event], secret=SECRET)
    with under_load(server):
        promote(registry, NAME, "3")
        assert wait_until(lambda: served(server) == "3", 10)
    client.delete_webhook(hook.webhook_id)


@pytest.mark.slow
def test_two_hundred_swaps_leave_the_memory_as_it_was(registry: str, start: Follow) -> None:
    promoted = "1"

    @functools.cache  # MLflow takes long to say the same again
    def said(path: str, promoted: str) -> Reply:
        return passed_on(registry + path)

    def swap(turns: range) -> None:
        nonlocal promoted
        for turn in turns:
            promoted = "1" if turn % 2 else "2"
            if turn < 2:
                promote(registry, NAME, promoted)
            assert server.request("/models/refresh", {}).json["outcome"] == "replaced"

    with front(registry, lambda path: said(path, promoted)) as listening:
        server = start(listening.url, MODEL_REFRESH_SECONDS="0")
        swap(range(20))
        before = resident_megabytes(server)
        swap(range(20, 200))
        assert resident_megabytes(server) - before < 1.0


def resident_megabytes(server: LiveServer) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
