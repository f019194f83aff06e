"""Logs: one JSON object a line, the request's identity in it, never its text."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.conftest import AppFactory
from tests.registry import Registry

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def read_records(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was logged since the last call, parsed."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_request_is_one_record(create_app: AppFactory, read_records: Any) -> None:
    client = create_app(SERVICE_NAME="logged")
    client.get("/health", headers={"X-Request-ID": "abc"})
    (record,) = read_records()
    assert record.pop("time").endswith("Z")
    assert record.pop("duration_ms") >= 0
    assert record == {
        "severity": "INFO",
        "message": "GET /health 200",
        "service": "logged",
        "request_id": "abc",
        "method": "GET",
        "path": "/health",
        "status": 200,
    }


def test_client_errors_are_warnings(create_app: AppFactory, read_records: Any) -> None:
    create_app().get("/nowhere")
    assert read_records()[0]["severity"] == "WARNING"


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01", (TRACE_ID, SPAN_ID, True)),
        ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-00", (TRACE_ID, SPAN_ID, False)),
        ("X-Cloud-Trace-Context", f"{TRACE_ID}/255;o=1", (TRACE_ID, "00000000000000ff", True)),
        ("X-Cloud-Trace-Context", TRACE_ID, (TRACE_ID, None, None)),
        ("traceparent", f"00-{'0' * 32}-{SPAN_ID}-01", (None, None, None)),
        ("traceparent", f"00-{TRACE_ID}-{'0' * 16}-01", (None, None, None)),
        ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}0-01", (None, None, None)),
        ("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-01-more", (None, None, None)),
        ("traceparent", f"01-{TRACE_ID}-{SPAN_ID}-01-more", (TRACE_ID, SPAN_ID, True)),
        ("traceparent", f"ff-{TRACE_ID}-{SPAN_ID}-01", (None, None, None)),
        ("traceparent", "garbage", (None, None, None)),
        ("X-Cloud-Trace-Context", f"{TRACE_ID}/{2**64 - 1}", (TRACE_ID, "f" * 16, None)),
        ("X-Cloud-Trace-Context", f"{TRACE_ID}/{2**64};o=1", (TRACE_ID, None, True)),
        ("X-Cloud-Trace-Context", f"{TRACE_ID}/0", (TRACE_ID, None, None)),
        ("X-Cloud-Trace-Context", "0" * 32, (None, None, None)),
        ("X-Cloud-Trace-Context", "1/2/3", (None, None, None)),
    ],
)
def test_trace_headers_are_carried_into_the_record(
    create_app: AppFactory, read_records: Any, header: str, value: str, expected: Any
) -> None:
    create_app().get("/health", headers={header: value})
    (record,) = read_records()
    assert tuple(record.get(key) for key in ("trace_id", "span_id", "trace_sampled")) == expected


def test_traceparent_wins_over_the_vendor_header(create_app: AppFactory, read_records: Any) -> None:
    headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "X-Cloud-Trace-Context": "f" * 32}
    create_app().get("/health", headers=headers)
    assert read_records()[0]["trace_id"] == TRACE_ID


@pytest.mark.parametrize(
    ("access_log", "logged"),
    [
        ("all", ["/health", "/health", "/nowhere", "/health", "/health", "/health"]),
        ("errors", ["/nowhere"]),
        ("sampled:3", ["/health", "/nowhere", "/health"]),
        ("SAMPLED:1000000", ["/health", "/nowhere"]),
    ],
)
def test_the_access_log_has_what_is_asked_for_and_every_error(
    create_app: AppFactory, read_records: Any, access_log: str, logged: list[str]
) -> None:
    client = create_app(ACCESS_LOG=access_log)
    for path in ("/health", "/health", "/nowhere", "/health", "/health", "/health"):
        client.get(path)
    assert [record["path"] for record in read_records()] == logged


def test_a_load_is_logged_with_the_timing_of_each_stage(
    create_app: AppFactory, registry: Registry, read_records: Any
) -> None:
    create_app(**registry.environ).get("/models/info")
    loaded = next(record for record in read_records() if record["message"] == "model loaded")
    assert loaded["model_version"] == "2"
    stages = ["import", "resolve", "download", "deserialize"]
    assert list(loaded["timings_seconds"])[:4] == stages
    assert list(loaded["timings_seconds"])[-1] == "first_prediction"


def test_no_request_text_is_ever_logged(
    create_app: AppFactory, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    client = create_app(LOG_LEVEL="DEBUG", **registry.environ)
    secret = "a-very-private-word"
    client.post("/predict", json={"text": secret})
    client.post("/predict_batch", json={"texts": [secret, ""]})
    client.post("/predict", json={"text": "x", secret: 1})
    client.post("/predict", data=secret)
    client.get("/predict", query_string={"q": secret})
    captured = capsys.readouterr()
    assert captured.out.count('"path"') == 5
    assert secret not in captured.out + captured.err


def test_the_log_level_silences_lesser_records(create_app: AppFactory, read_records: Any) -> None:
    client = create_app(LOG_LEVEL="WARNING")
    client.get("/health")
    client.get("/nowhere")
    assert [record["status"] for record in read_records()] == [404]


@pytest.mark.parametrize(
    "headers", [{"User-Agent": "kube-probe/1.33"}, {"K-Network-Probe": "queue"}]
)
def test_probes_are_logged_for_debugging_only(
    create_app: AppFactory, read_records: Any, headers: dict[str, str]
) -> None:
    create_app().get("/health/live", headers=headers)
    assert read_records() == []
    create_app(LOG_LEVEL="DEBUG").get("/health/live", headers=headers)
    assert [record["severity"] for record in read_records()] == ["DEBUG"]


def test_a_path_cannot_break_out_of_its_line(create_app: AppFactory, read_records: Any) -> None:
    create_app().get('/%0A{"severity":"EMERGENCY"}' + "x" * 1_000)
    (record,) = read_records()
    assert record["path"].startswith('/\n{"severity"')
    assert len(record["path"]) == 256


def test_what_libraries_log_has_the_same_shape(create_app: AppFactory, read_records: Any) -> None:
    create_app()
    logging.getLogger("some.library").warning("careful with %s", "that")
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("some.library").exception("it broke")
    careful, broke = read_records()
    assert (careful["severity"], careful["message"]) == ("WARNING", "careful with that")
    assert careful["logger"] == "some.library"
    assert "ValueError: inner" in broke["stack_trace"]
