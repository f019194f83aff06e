"""OpenTelemetry: spans as a real receiver decodes them from what real processes send."""

from __future__ import annotations

import gzip
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.conftest import modules_after
from tests.doors import start_door
from tests.processes import LiveServer, QuietHandler, on_loopback

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TEXT = {"text": "This product is amazing!"}
SERVER, ERROR = 2, 2
"""SPAN_KIND_SERVER and STATUS_CODE_ERROR (opentelemetry/proto/trace/v1/trace.proto)."""


def values(attributes: Any) -> dict[str, Any]:
    """Attributes by key, as Python's own values."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


class Collector:
    """Everything that was sent to it: spans by name, and who sent them."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.pause_seconds = 0.0
        self.url = ""

    def take(self, body: bytes) -> None:
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(values(sent.resource.attributes))
            self.spans += [span for scope in sent.scope_spans for span in scope.spans]

    def named(self, name: str, count: int = 1) -> list[Any]:
        """The spans of that name, once there are so many."""
        deadline = time.monotonic() + 10
        while True:
            found = [span for span in self.spans if span.name == name]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            time.sleep(found.pause_seconds)
            found.take(
                gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    with on_loopback(Handler) as found.url:
        yield found


Start = Callable[..., LiveServer]


@pytest.fixture
def start(compiled_folder: Path, tmp_path: Path, collector: Collector) -> Iterator[Start]:
    started: list[LiveServer] = []

    def start_one(name: str, **given: Any) -> LiveServer:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        started.append(start_door(name, compiled_folder, tmp_path, **{**environ, **given}))
        return started[-1]

    yield start_one
    for server in started:
        if server.process.poll() is None:
            server.stop()


def ask(server: LiveServer, path: str = "/predict", payload: Any = TEXT) -> Any:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    return server.request(path, payload, headers=headers)


@pytest.mark.parametrize("name", ["functions-framework", "serve"])
def test_a_callers_trace_goes_on_through_request_and_prediction(
    start: Start, collector: Collector, name: str
) -> None:
    server = start(name, K_SERVICE="reviews", K_REVISION="reviews-00007")
    assert ask(server).status == 200
    assert ask(server, "/predict_batch", {"texts": ["a b", "c d"]}).status == 200
    (request,) = collector.named("POST /predict")
    assert request.trace_id.hex() == TRACE and request.parent_span_id.hex() == PARENT
    assert request.kind == SERVER
    said = values(request.attributes)
    assert said["http.route"] == "/predict" and said["http.response.status_code"] == 200
    predictions = collector.named("predict", 2)
    parts = {span.parent_span_id: values(span.attributes) for span in predictions}
    assert parts[request.span_id]["model.version"] == "2"
    assert sorted(part["batch.size"] for part in parts.values()) == [1, 2]
    assert {span.trace_id.hex() for span in predictions} == {TRACE}
    sender = collector.resources[0]
    assert sender["service.name"] == sender["faas.name"] == "reviews"
    assert sender["faas.version"] == "reviews-00007"
    record = [item for item in server.records() if item.get("path") == "/predict"][-1]
    assert (record["trace_id"], record["span_id"]) == (TRACE, request.span_id.hex())
    assert record["trace_sampled"] is True


@pytest.mark.parametrize("name", ["functions-framework", "serve"])
def test_the_load_is_a_trace_of_its_stages(start: Start, collector: Collector, name: str) -> None:
    server = start(name)
    assert ask(server).status == 200
    (load,) = collector.named("model load")
    stages = [span for span in collector.spans if span.parent_span_id == load.span_id]
    assert {span.name for span in stages} >= {"import", "deserialize", "first_prediction"}
    for span in stages:
        assert load.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= load.end_time_unix_nano
    if name == "functions-framework":  # there the first request waits for it
        (request,) = collector.named("POST /predict")
        assert [link.span_id for link in request.links] == [load.span_id]


def test_a_failed_load_and_a_failed_request_are_errors(start: Start, collector: Collector) -> None:
    failing = {"COMPILED_MODEL": "", "MODEL_URI": "/nowhere", "LOAD_RETRY_SECONDS": "60"}
    server = start("serve", imports_mlflow=True, **failing)
    assert ask(server).status == 503
    assert collector.named("model load")[0].status.code == ERROR
    (request,) = collector.named("POST /predict")
    assert request.status.code == ERROR
    assert values(request.attributes)["error.type"] == "503"
    assert server.request("/no/such/path").status == 404
    (unknown,) = collector.named("GET (unknown)")
    assert unknown.status.code != ERROR and len(unknown.parent_span_id) == 0


def test_probes_have_no_span(start: Start, collector: Collector) -> None:
    server = start("serve")
    server.request("/health/ready", headers={"User-Agent": "kube-probe/1.34"})
    assert ask(server, "/health", None).status == 200
    assert collector.named("GET /health")
    assert not [span for span in collector.spans if span.name == "GET /health/ready"]


@pytest.mark.parametrize("name", ["functions-framework", "serve"])
def test_what_is_not_sent_yet_is_sent_at_sigterm(
    start: Start, collector: Collector, name: str
) -> None:
    server = start(name, OTEL_BSP_SCHEDULE_DELAY="60000")
    assert ask(server).status == 200
    assert not collector.spans
    assert server.stop() == 0
    assert collector.named("POST /predict")


def test_a_collector_that_hangs_holds_no_request_and_no_exit_beyond_the_drain(
    start: Start, collector: Collector
) -> None:
    collector.pause_seconds = 60.0
    server = start("serve", DRAIN_SECONDS="2")
    for _ in range(20):
        started = time.monotonic()
        assert ask(server).status == 200
        assert time.monotonic() - started < 1
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - started < 4


def test_nobody_there_to_send_to_costs_no_request_and_the_log_stays_json(start: Start) -> None:
    server = start("serve", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", DRAIN_SECONDS="1")
    assert ask(server).status == 200
    time.sleep(0.5)
    assert ask(server).status == 200
    assert all(record["severity"] for record in server.records())
    assert server.output.with_suffix(".err").read_text() == ""


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_PROPAGATORS": "b3"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "10"},
        {"OTEL_BSP_SCHEDULE_DELAY": "-5"},
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "abc"},
        {"OTEL_TRACES_SAMPLER": "nonsense"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "x-team:SUPERSECRET99,api-key SUPERSECRET98"},
    ],
)
def test_what_the_sdk_does_not_understand_stops_no_start_and_tells_no_secret(
    start: Start, environ: dict[str, str]
) -> None:
    server = start("serve", **environ)
    assert ask(server).status == 200
    written = server.output.read_text() + server.output.with_suffix(".err").read_text()
    assert "SUPERSECRET" not in written and "Traceback" not in written


def test_a_clients_baggage_fills_no_log(start: Start) -> None:
    server = start("serve", ACCESS_LOG="errors")
    many = ",".join(f"a{number}" for number in range(1500))
    for headers in ({"baggage": many}, {"traceparent": "x", "tracestate": "y" * 7000}):
        assert server.request("/health", headers=headers).status == 200
    assert [record["severity"] for record in server.records()] == ["INFO"] * 3


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_SERVICE_NAME": "reviews"},
    ],
)
def test_it_is_not_imported_where_nobody_asks_for_it(
    compiled_folder: Path, environ: dict[str, str]
) -> None:
    script = (
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "create_application(Settings.from_environ())\n"
    )
    loaded = modules_after(script, COMPILED_MODEL=str(compiled_folder), **environ)
    assert not [name for name in loaded if name.startswith("opentelemetry")]


def test_where_the_package_is_missing_one_warning_says_so(
    compiled_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text(
        "raise ImportError(name='opentelemetry')"
    )
    root = Path(__file__).parents[1]
    server = start_door(
        *("serve", compiled_folder, tmp_path),
        OTEL_TRACES_EXPORTER="otlp",
        PYTHONPATH=f"{tmp_path}:{root}",
    )
    assert ask(server).status == 200
    (told,) = [item for item in server.records() if item["severity"] == "WARNING"]
    assert "extra otel" in told["message"]
    server.stop()
