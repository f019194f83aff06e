"""The suite's own parts, without a cluster: URLs, shares, load, table, overlays, status."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import traffic
from tests.e2e.cluster import Cluster, ClusterError, settled, tag_url
from tests.e2e.manifests import split_image, write_overlay
from tests.e2e.options import Options, reason_to_skip
from tests.e2e.traffic import Endpoint, endpoint
from tests.manifests import KnativeService, parse

OWN = "http://sentiment.ns.example.com"


class Handler(http.server.BaseHTTPRequestHandler):
    """Says which host it was asked for; every tenth prediction fails."""

    protocol_version = "HTTP/1.1"
    predictions = 0

    def do_GET(self) -> None:
        self.reply(200, {"service_name": self.headers["Host"], "path": self.path})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.predictions += 1
        self.reply(503 if Handler.predictions % 10 == 0 else 200, {})

    def reply(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def ingress() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((OWN,), Endpoint("http", "sentiment.ns.example.com", 80, "", "sentiment.ns.example.com")),
        (("https://a.b",), Endpoint("https", "a.b", 443, "", "a.b")),
        (("http://a.b:8080",), Endpoint("http", "a.b", 8080, "", "a.b:8080")),
        ((OWN, "http://1.2.3.4:31080"), Endpoint("http", "1.2.3.4", 31080, "", OWN[7:])),
        ((OWN, "https://gw/x/"), Endpoint("https", "gw", 443, "/x", OWN[7:])),
        ((OWN, "http://[::1]:80"), Endpoint("http", "::1", 80, "", OWN[7:])),
        ((OWN, "http://gw", "{host}:8443"), Endpoint("http", "gw", 80, "", f"{OWN[7:]}:8443")),
        ((OWN, "http://gw", "fixed.host"), Endpoint("http", "gw", 80, "", "fixed.host")),
    ],
)
def test_the_ingress_is_asked_for_the_services_host(
    args: tuple[str, ...], expected: Endpoint
) -> None:
    assert endpoint(*args) == expected


@pytest.mark.parametrize("args", [("",), ("sentiment.ns",), (OWN, "gw:80"), (OWN, "ftp://gw")])
def test_what_is_no_url_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="URL"):
        endpoint(*args)


def test_requests_carry_the_host_header(ingress: str) -> None:
    target = endpoint(OWN, ingress)
    assert traffic.ask(target, "/health").json == {"service_name": OWN[7:], "path": "/health"}
    assert traffic.answered_by(target, 7) == {OWN[7:]: 7}


def test_load_counts_what_was_lost(ingress: str) -> None:
    Handler.predictions = 0
    happened: list[str] = []
    target = endpoint(OWN, ingress)
    load = traffic.run_load(target, 4, 0.3, lambda: happened.append("drain"))
    assert happened == ["drain"]
    assert load.total == Handler.predictions == len(load.seconds)
    assert load.lost == {"503": load.total // 10}


def test_load_counts_refused_connections() -> None:
    load = traffic.run_load(Endpoint("http", "127.0.0.1", 1, "", "x"), 1, 0.05, lambda: None)
    assert load.lost == {"ConnectionRefusedError": load.total}


@pytest.mark.parametrize(
    ("percent", "requests", "low", "high"),
    [(10, 500, 4.6, 15.4), (50, 10_000, 48, 52), (0, 100, 0, 0), (100, 100, 100, 100)],
)
def test_share_bounds_follow_the_number_of_requests(
    percent: float, requests: int, low: float, high: float
) -> None:
    assert traffic.share_bounds(percent, requests) == pytest.approx((low, high), abs=0.05)


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 2.0), (99, 4.0), (100, 4.0), (25, 1.0), (0, 1.0)]
)
def test_percentile_is_a_measured_value(percent: float, expected: float) -> None:
    assert traffic.percentile([3.0, 1.0, 4.0, 2.0], percent) == expected


def test_table_is_aligned() -> None:
    assert traffic.table([("cold start", "0.9 s", "<= 10 s"), ("lost", "0 of 812", "0")]) == (
        "measured    result    expected\n"
        "------------------------------\n"
        "cold start  0.9 s     <= 10 s\n"
        "lost        0 of 812  0"
    )


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("a/b:v1", {"newName": "a/b", "newTag": "v1"}),
        ("localhost:5000/a", {"newName": "localhost:5000/a", "newTag": "latest"}),
        ("localhost:5000/a:v1", {"newName": "localhost:5000/a", "newTag": "v1"}),
        ("a@sha256:12", {"newName": "a", "digest": "sha256:12"}),
    ],
)
def test_image_references_are_split_as_kustomize_wants_them(
    image: str, parts: dict[str, str]
) -> None:
    assert split_image(image) == parts


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("overlay", ["compiled", "canary"])
@pytest.mark.parametrize("window", ["6s", "shipped"])
def test_the_suite_applies_the_shipped_overlay(overlay: str, window: str, tmp_path: Path) -> None:
    folder = write_overlay(tmp_path, overlay, "ns", "reg:5000/x:v9", "sentiment-v2", window)
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    service = parse(yaml.safe_load(done.stdout))
    assert isinstance(service, KnativeService)
    (container,) = service.spec.template.spec.containers
    annotations = service.spec.template.metadata.annotations
    assert service.metadata.namespace == "ns"
    assert container.image == "reg:5000/x:v9"
    assert [(item.name, item.value) for item in container.env] == [("SERVICE_NAME", "sentiment-v2")]
    assert (annotations.window, annotations.retention) == (
        ("60s", "30s") if window == "shipped" else ("6s", "0s")
    )


def condition(status: str, observed: int = 2) -> dict[str, Any]:
    conditions = [{"type": "RoutesReady", "status": "True"}, {"type": "Ready", "status": status}]
    return {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }


def test_only_a_ready_of_the_last_change_counts() -> None:
    assert settled(condition("True"))
    assert not settled(condition("Unknown"))
    assert not settled(condition("True", observed=1))
    assert not settled({"metadata": {"generation": 1}})


def test_a_missing_tag_is_named_with_those_there_are() -> None:
    status = {"traffic": [{"tag": "stable", "url": "http://s"}, {"percent": 100}]}
    assert tag_url(status, "stable") == "http://s"
    with pytest.raises(ClusterError, match=r"'canary', only \['stable'\]"):
        tag_url(status, "canary")


def test_a_wait_in_vain_says_what_for() -> None:
    with pytest.raises(ClusterError, match=r"not within 0 s: no pod left"):
        Cluster("ns").wait("no pod left", lambda: False, 0)


def test_defaults_hold_where_nothing_is_set() -> None:
    options = Options.from_environ({"E2E_IMAGE_COMPILED": "a:1", "E2E_COLD_STARTS": " "})
    assert options.canary_image == options.image == "a:1"
    assert options.cold_starts == 5
    assert options.namespace.startswith("sentiment-e2e-")
    assert options.namespace != Options.from_environ({}).namespace


@pytest.mark.parametrize(
    ("environ", "word"),
    [({}, "KUBECONFIG"), ({"KUBECONFIG": "x"}, "E2E_IMAGE_COMPILED")],
)
def test_the_reason_to_skip_names_what_is_missing(environ: dict[str, str], word: str) -> None:
    assert word in reason_to_skip(environ)
