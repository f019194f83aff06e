"""What Prometheus is told: everything that was asked and answered, at either door, exactly."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from function.compiled.predictor import CompiledPredictor
from function.compiler.compiler import translate
from function.predictor import MultilabelPrediction, Prediction
from function.telemetry.exposition import render
from function.telemetry.metrics import MOST_LABELS, Histogram, Metrics
from tests.conftest import AppFactory, modules_after
from tests.doors import start_door
from tests.fitted_models import fitted_pipeline
from tests.processes import LiveServer
from tests.registry import Registry, strings_pipeline

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
Samples = dict[str, float]


def samples(text: str) -> Samples:
    """A scrape's values by name and labels, as PromQL writes them."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{sample.labels[name]}"' for name in sorted(sample.labels))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def scraped(server: LiveServer) -> Samples:
    reply = server.request("/metrics")
    assert reply.status == 200
    return samples(reply.body.decode())


def shown(metrics: Metrics) -> Samples:
    return samples(render(metrics, None, None, "")[1].decode())


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest,
    compiled_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("metrics")
    server = start_door(request.param, compiled_folder, folder, MAX_TEXT_LENGTH="100")
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


def test_requests_are_counted_by_route_method_and_status(server: LiveServer) -> None:
    before = scraped(server)
    for _ in range(3):
        server.request("/predict", {"text": "lovely"})
    server.request("//predict/", {"text": "lovely"})
    server.request("/predict", {"text": "x" * 101})
    server.request("/predict", method="DELETE")
    after = scraped(server)
    found = {name: value - before.get(name, 0) for name, value in after.items()}
    of_predict = 'sentiment_requests_total{{method="{}",route="/predict",status="{}"}}'
    assert found[of_predict.format("POST", 200)] == 4
    assert found[of_predict.format("POST", 422)] == 1
    assert found[of_predict.format("DELETE", 405)] == 1
    assert found['sentiment_request_duration_seconds_count{route="/predict"}'] == 6


def test_unknown_paths_and_methods_share_one_label_each(server: LiveServer) -> None:
    before = scraped(server)
    for path in ("/a", "/b?x=1", "/wp-login.php", "/metrics/x"):
        assert server.request(path).status == 404
    server.request("/predict", method="BREW")
    after = scraped(server)
    unknown = 'sentiment_requests_total{method="GET",route="(unknown)",status="404"}'
    assert after[unknown] - before.get(unknown, 0) == 4
    text = "\n".join(after)
    assert "wp-login" not in text and "BREW" not in text


def test_latencies_resolve_a_tenth_of_a_millisecond_to_ten_seconds(server: LiveServer) -> None:
    bounds = [
        name.partition('le="')[2].partition('"')[0]
        for name in scraped(server)
        if name.startswith("sentiment_request_duration_seconds_bucket") and '"/predict"' in name
    ]
    assert bounds[0] == "0.0001" and bounds[-2:] == ["10.0", "+Inf"]


def test_predictions_are_counted_by_label_with_confidence_and_batch_size(
    server: LiveServer,
) -> None:
    before = scraped(server)
    texts = ["Terrible service", "I love it", "Awful, terrible, broken", "Wonderful and great"]
    reply = server.request("/predict_batch", {"texts": texts})
    answers = [(item["sentiment"], item["confidence"]) for item in reply.json["predictions"]]
    after = scraped(server)
    for label in {label for label, _ in answers}:
        name = f'sentiment_predictions_total{{label="{label}"}}'
        assert after[name] - before.get(name, 0) == [said for said, _ in answers].count(label)
    for bound in (0.5, 0.7, 0.85, 1.0):
        name = f'sentiment_confidence_bucket{{le="{bound}"}}'
        assert after[name] - before[name] == sum(number <= bound for _, number in answers)
    sizes = [f'sentiment_batch_size_bucket{{le="{bound}"}}' for bound in ("2.0", "5.0")]
    assert [after[name] - before[name] for name in sizes] == [0, 1]


def test_terms_that_the_model_does_not_know_are_counted(server: LiveServer) -> None:
    before = scraped(server)
    server.request("/predict", {"text": "A terrible xqzzt service, blorpf and xqzzt"})
    after = scraped(server)
    found = [after[f"sentiment{name}_terms_total"] for name in ("", "_unknown")]
    then = [before[f"sentiment{name}_terms_total"] for name in ("", "_unknown")]
    assert [now - old for now, old in zip(found, then, strict=True)] == [6, 3]  # "A" is no term


def test_the_model_its_load_and_the_process_are_described(server: LiveServer) -> None:
    found = scraped(server)
    labels = 'engine="compiled",name="reviews",run_id="",version="2"'
    assert found[f"sentiment_model_info{{{labels}}}"] == 1
    assert found['sentiment_model_load_stage_seconds{stage="deserialize"}'] > 0
    assert found['sentiment_model_loads_total{outcome="loaded"}'] == 1
    assert found['sentiment_model_loads_total{outcome="failed"}'] == 0
    assert 0 < found["sentiment_cold_start_seconds"] < 60
    assert found["process_resident_memory_bytes"] > 1e6
    assert found["sentiment_requests_in_flight"] == 0


def test_open_metrics_has_the_traces_of_examples(server: LiveServer) -> None:
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    server.request("/predict", {"text": "lovely"}, headers=trace)
    reply = server.request("/metrics", headers={"Accept": OPEN_METRICS})
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {found.name: found for found in open_metrics_families(reply.body.decode())}
    shown = [sample.exemplar for sample in families["sentiment_request_duration_seconds"].samples]
    examples = [exemplar for exemplar in shown if exemplar is not None]
    assert {"trace_id": TRACE, "span_id": "00f067aa0ba902b7"} in [one.labels for one in examples]


@pytest.mark.parametrize("accept", ["", "text/html", "*/*", "text/plain;version=nonsense", ";;,"])
def test_whatever_else_a_client_accepts_it_gets_text(server: LiveServer, accept: str) -> None:
    reply = server.request("/metrics", headers={"Accept": accept})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_failed_loads_and_their_attempts_are_counted(create_app: AppFactory) -> None:
    client = create_app(MODEL_URI="/nowhere/at/all", LOAD_RETRY_SECONDS="0")
    for _ in range(2):
        assert client.post("/predict", json={"text": "lovely"}).status_code == 503
    found = samples(client.get("/metrics").text)
    assert found['sentiment_model_loads_total{outcome="failed"}'] == 2
    assert not [name for name in found if name.startswith("sentiment_model_info")]


def test_looks_at_the_registry_are_counted(create_app: AppFactory, registry: Registry) -> None:
    client: FlaskClient = create_app(**registry.environ)
    assert client.post("/models/refresh", json={}).json["outcome"] == "unchanged"
    found = samples(client.get("/metrics").text)
    assert found['sentiment_model_refreshes_total{outcome="unchanged"}'] == 1
    assert found['sentiment_model_refreshes_total{outcome="failed"}'] == 0


def test_what_is_sent_away_is_counted_as_shed() -> None:
    metrics = Metrics()
    metrics.refused()
    assert shown(metrics)["sentiment_requests_shed_total"] == 1


def test_each_of_several_labels_is_counted_and_none_is_a_label_too() -> None:
    metrics = Metrics()
    metrics.predicted([MultilabelPrediction(("toxic", "spam"), None)])
    metrics.predicted([MultilabelPrediction((), None), MultilabelPrediction(("spam",), None)])
    metrics.predicted([Prediction(None, None, None)])
    assert metrics.predictions() == {"toxic": 1, "spam": 2, "(none)": 2}
    assert shown(metrics)["sentiment_confidence_count"] == 0


def test_a_model_that_answers_anything_makes_no_more_series_than_there_may_be() -> None:
    metrics = Metrics()
    metrics.predicted([Prediction(f"label {number}", None, None) for number in range(1000)])
    metrics.predicted([Prediction("label 0", None, None)])
    counted = metrics.predictions()
    assert len(counted) == MOST_LABELS + 1
    assert counted["(other)"] == 1000 - MOST_LABELS and counted["label 0"] == 2


def test_a_label_that_is_no_text_or_a_long_one_stops_no_scrape() -> None:
    metrics = Metrics()
    metrics.predicted([Prediction("a\ud800b", None, None), Prediction("x" * 9_000, None, None)])
    metrics.predicted([Prediction('"quoted"\n', None, None)])
    found = shown(metrics)
    assert found['sentiment_predictions_total{label="a?b"}'] == 1
    assert found[f'sentiment_predictions_total{{label="{"x" * 128}"}}'] == 1


def test_a_value_on_a_bound_is_within_it() -> None:
    histogram = Histogram((0.5, 1.0))
    histogram.observe_all([0.5, 0.50001, 1.0, 1.1, 0.0])
    assert histogram.buckets() == ([2, 2, 1], pytest.approx(3.10001))


def test_nothing_is_lost_where_threads_count_at_once() -> None:
    metrics, each = Metrics(), 3_000
    answers = [Prediction("positive", 0.9, None)] * 3

    def count() -> None:
        for number in range(each):
            metrics.request("/predict", "POST", 200, 0.001, {})
            metrics.predicted(answers)
            if number % 500 == 0:
                shown(metrics)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = shown(metrics)
    assert (
        found['sentiment_requests_total{method="POST",route="/predict",status="200"}'] == 4 * each
    )
    assert found['sentiment_predictions_total{label="positive"}'] == 4 * each * 3
    assert found["sentiment_confidence_count"] == 4 * each * 3
    assert found["sentiment_batch_size_count"] == 4 * each


@pytest.mark.parametrize("model", [strings_pipeline, fitted_pipeline])
def test_both_engines_count_the_same_terms(way: str, model: object) -> None:
    predictor: CompiledPredictor = translate(model())  # type: ignore[operator]
    before = predictor.terms_met
    assert before is not None
    predictor.predict(["terrible xqzzt service", "", "a blorpf", "na\u00efvxq xqzzt", "service"])
    met, unknown = predictor.terms_met or (0, 0)
    assert (met - before[0], unknown - before[1]) == (7, 4)


def test_nothing_of_prometheus_is_imported_before_somebody_scrapes(compiled_folder: Path) -> None:
    script = (
        "import json\n"
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "from function.http.messages import Request\n"
        "application = create_application(Settings.from_environ())\n"
        "for path in ('/predict', '/health', '/nothing'):\n"
        "    body = json.dumps({'text': 'lovely'}).encode()\n"
        "    application(Request('POST', path, {'host': 'x'}, body))\n"
    )
    loaded = modules_after(script, COMPILED_MODEL=str(compiled_folder))
    assert "function.telemetry.metrics" in loaded
    assert not [name for name in loaded if name.startswith("prometheus_client")]
    assert json.dumps(sorted(loaded)).count("function.telemetry.exposition") == 0
