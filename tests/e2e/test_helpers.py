"""The suite's own parts, without a cluster: URLs, load, table, overlays, status, wake-ups.

Where a part talks to a cluster, a script stands in for kubectl and plays what one said.
"""

from __future__ import annotations

import http.server
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tests.e2e import loader, traffic, wakeup
from tests.e2e.cluster import Cluster, ClusterError, ready, settled, tag_url
from tests.e2e.manifests import Overlays, split_image
from tests.e2e.options import Options, reason_out_of_reach, reason_to_skip
from tests.e2e.promotion import Alias
from tests.e2e.results import Results
from tests.e2e.traffic import Endpoint, endpoint
from tests.manifests import KnativeService, parse
from tests.manifests.applied import Applied
from tests.manifests.pods import KnativeContainer
from tests.manifests.rendered import render_folder
from tests.registry import TAG, Registry, another_version

OWN = "http://sentiment.ns.example.com"


class Handler(http.server.BaseHTTPRequestHandler):
    """Says which host it was asked for; every tenth prediction fails."""

    protocol_version = "HTTP/1.1"
    predictions = 0
    model_version = "1"

    def do_GET(self) -> None:
        self.reply(200, {"service_name": self.headers["Host"], "path": self.path})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.predictions += 1
        status = 503 if Handler.predictions % 10 == 0 else 200
        self.reply(status, {"model_version": Handler.model_version})

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


def test_load_knows_when_each_version_answered_last(ingress: str) -> None:
    moved: list[float] = []

    def promote() -> None:
        Handler.model_version = "2"
        moved.append(time.monotonic())

    load = traffic.run_load(endpoint(ingress), 2, 0.3, promote)
    Handler.model_version = "1"
    assert load.last_answer.keys() == {"1", "2"}
    assert load.last_answer["1"] < moved[0] + 0.1 < load.last_answer["2"]


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
    results = Results()
    results.add("cold start", "0.9 s", "<= 10 s")
    results.add_load("drained", {"total": 812, "lost": {"502": 3}, "p50_ms": 1.0, "p99_ms": 9.6})
    assert results.table() == (
        "measured    result                   expected\n"
        "---------------------------------------------\n"
        "cold start  0.9 s                    <= 10 s\n"
        "drained     3 502 of 812, p99 10 ms  0 lost"
    )


def test_results_are_numbers_too(tmp_path: Path) -> None:
    results = Results(on={"kubernetes": "v1.34.4"})
    results.add("cold start", "0.9 s", "<= 10 s", seconds=0.91)
    results.write(tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == {
        "on": {"kubernetes": "v1.34.4"},
        "rows": [
            {
                "what": "cold start",
                "measured": "0.9 s",
                "expected": "<= 10 s",
                "values": {"seconds": 0.91},
            }
        ],
    }


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


needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def overlays(folder: Path, window: str = "6s") -> Overlays:
    return Overlays(folder, "ns", window, itertools.count())


def rendered(folder: Path) -> tuple[KnativeService, KnativeContainer]:
    (found,) = (
        parse(item)
        for item in render_folder(folder)
        if item["apiVersion"].startswith("serving.knative.dev/")
    )
    assert isinstance(found, KnativeService)
    (container,) = found.spec.template.spec.containers
    return found, container


@needs_kubectl
@pytest.mark.parametrize(
    ("overlay", "shares", "name"),
    [("compiled", (100,), "sentiment-v1"), ("canary", (0, 100), "sentiment-v2")],
)
@pytest.mark.parametrize("window", ["6s", "shipped"])
def test_the_suite_applies_the_shipped_overlay(
    overlay: str, shares: tuple[int, ...], name: str, window: str, tmp_path: Path
) -> None:
    folder = overlays(tmp_path, window).release(overlay, "reg:5000/x:v9", shares)
    service, container = rendered(folder)
    annotations = service.spec.template.metadata.annotations
    assert service.metadata.namespace == "ns"
    assert service.spec.template.metadata.name == name
    assert [target.percent for target in service.spec.traffic] == list(shares)
    assert container.image == "reg:5000/x:v9"
    assert [(item.name, item.value) for item in container.env] == [("SERVICE_NAME", name)]
    assert (annotations.window, annotations.retention) == (
        ("60s", "30s") if window == "shipped" else ("6s", "0s")
    )


@needs_kubectl
def test_every_overlay_of_the_suite_can_be_applied_again(tmp_path: Path) -> None:
    made = overlays(tmp_path)
    for folder in (
        made.release("compiled", "x:v1"),
        made.release("canary", "x:v2", (90, 10)),
        made.another("hello", "hello:1", probed_path="/"),
        made.another("broken", "x:v1", {"COMPILED_MODEL": "/none"}),
        made.from_registry("registry", "from-registry", "x:registry", {"MODEL_URI": "models:/m/1"}),
        made.from_registry("slim", "from-slim", "x:slim", {"MODEL_REFRESH_SECONDS": "15"}),
    ):
        *_, document = render_folder(folder)
        cluster = Applied()
        cluster.apply(document)
        cluster.apply(document)
        assert cluster.writes == 1


@needs_kubectl
def test_another_service_has_a_name_and_a_revision_of_its_own(tmp_path: Path) -> None:
    service, container = rendered(overlays(tmp_path).another("hello", "h:1", probed_path="/"))
    assert service.metadata.name == "hello"
    assert service.spec.template.metadata.name == "hello-v1"
    assert [target.revision_name for target in service.spec.traffic] == ["hello-v1"]
    for probe in (container.readiness_probe, container.liveness_probe):
        assert probe.http_get and probe.http_get.path == "/"


@needs_kubectl
@pytest.mark.parametrize("overlay", ["registry", "slim"])
def test_an_overlay_is_told_where_the_registry_is(overlay: str, tmp_path: Path) -> None:
    env = {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "MODEL_URI": ""}
    folder = overlays(tmp_path).from_registry(overlay, f"from-{overlay}", "x:r", env)
    service, container = rendered(folder)
    values = {item.name: item.value for item in container.env}
    assert service.metadata.name == f"from-{overlay}" and container.image == "x:r"
    assert values["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert "MODEL_URI" not in values  # as the overlay's ConfigMap says


@needs_kubectl
def test_the_plain_overlay_runs_the_image(tmp_path: Path) -> None:
    found = {item["kind"]: item for item in render_folder(overlays(tmp_path).kubernetes("x:v1", 5))}
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "x:v1"
    values = {item["name"]: item["value"] for item in container["env"]}
    assert values == {"PORT": "8080", "MAX_CONNECTION_AGE_SECONDS": "5"}
    assert {item["metadata"]["namespace"] for item in found.values()} == {"ns"}


def condition(status: str, observed: int = 2) -> dict[str, Any]:
    conditions = [
        {"type": "RoutesReady", "status": "True"},
        {"type": "Ready", "status": status, "message": "it failed"},
    ]
    return {
        "metadata": {"generation": 2},
        "status": {"observedGeneration": observed, "conditions": conditions},
    }


def test_only_a_ready_of_the_last_change_counts() -> None:
    assert settled(condition("True"))
    assert not settled(condition("Unknown"))
    assert not settled(condition("True", observed=1))
    assert not settled({"metadata": {"generation": 1}})
    assert ready(condition("False")) == ("False", "it failed")


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


@pytest.mark.parametrize(
    ("url", "ingress", "reachable"),
    [
        ("http://sentiment.ns.svc.cluster.local", "", False),
        ("http://sentiment.ns.svc.cluster.local", "http://127.0.0.1:8080", True),
        ("http://sentiment.ns.svc", "", False),
        ("http://sentiment.ns.127.0.0.1.sslip.io", "", True),
        ("http://sentiment.ns.svc.example.com", "", True),
    ],
)
def test_a_cluster_local_url_is_out_of_reach(url: str, ingress: str, reachable: bool) -> None:
    reason = reason_out_of_reach(url, ingress)
    assert not reason if reachable else all(word in reason for word in (url, "E2E_URL", "domain"))


@pytest.mark.parametrize("overlay", ["registry", "slim"])
def test_an_overlay_that_asks_the_registry_needs_an_image_and_a_registry(overlay: str) -> None:
    image = f"E2E_IMAGE_{overlay.upper()}"
    environ: dict[str, str] = {}
    for name, value in ((image, "x"), ("E2E_MLFLOW_TRACKING_URI", "http://m")):
        assert name in Options.from_environ(environ).reason_for_no_registry(overlay)
        environ[name] = value
    options = Options.from_environ(environ)
    assert options.reason_for_no_registry(overlay) == ""
    assert options.registry_images[overlay] == "x"
    assert options.mlflow_url == "http://m"


@pytest.mark.parametrize(
    ("model_uri", "named"),
    [
        ("models:/reviews@champion", ("reviews", "champion")),
        ("models:/team@reviews@next", ("team@reviews", "next")),
        ("models:/reviews/Production", None),
        ("models:/reviews/3", None),
        ("runs:/1/model", None),
        ("", None),
    ],
)
def test_only_an_alias_can_be_moved(model_uri: str, named: tuple[str, str] | None) -> None:
    found = Alias.of("http://m", model_uri)
    assert (found and (found.name, found.alias)) == named


def test_an_alias_is_moved_among_what_is_published_and_put_back(
    server_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    client = MlflowClient(server_registry.tracking_uri)
    mlflow.set_tracking_uri(server_registry.tracking_uri)
    source = another_version("promoted").source
    for version in "1234":
        if version != "1":
            model_id = source.removeprefix("models:/")
            client.create_model_version("promoted", source, model_id=model_id)
        if version != "2":
            client.set_model_version_tag("promoted", version, TAG, "{}")
    client.set_registered_model_alias("promoted", "champion", "1")
    alias = Alias.of(server_registry.tracking_uri, "models:/promoted@champion")
    assert alias and alias.others() == ["4", "3"]
    with alias.put_back() as before:
        alias.move("4")
        assert (before, alias.version(), alias.others()) == ("1", "4", ["3", "1"])
    assert client.get_model_version_by_alias("promoted", "champion").version == "1"


POD = {
    "metadata": {"name": "p", "creationTimestamp": "2026-01-02T03:04:05Z"},
    "status": {
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
            },
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:07Z"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"},
        ],
        "containerStatuses": [
            {"name": "function", "state": {"running": {"startedAt": "2026-01-02T03:04:06Z"}}},
            {"name": "queue-proxy", "state": {"waiting": {}}},
        ],
    },
}
EVENTS = [
    {"reason": "Scheduled", "eventTime": "2026-01-02T03:04:05.250000Z", "firstTimestamp": None},
    {"reason": "Pulled", "eventTime": None, "firstTimestamp": "2026-01-02T03:04:06Z"},
    {"reason": "Unknown", "eventTime": None, "firstTimestamp": None},
]
STARTED = {
    "time": "2026-01-02T03:04:06.900Z",
    "message": "started",
    "listening_ms": 130.5,
    "model_loaded_ms": 125.0,
    "first_probe_ms": 180.0,
    "first_request_ms": 210.0,
}
ASKED = 1767323044.9  # 2026-01-02T03:04:04.9Z


def test_a_wake_up_is_told_in_parts() -> None:
    log = f"no record\n[1]\n{json.dumps(STARTED)}\n{json.dumps(STARTED | {'listening_ms': 9})}\n"
    found = wakeup.wakeup(POD, EVENTS, log, ASKED, 2.05)
    assert found.parts() == pytest.approx(
        {
            "request sent to process start": 1790.0,
            "process start to listening": 130.5,
            "process start to model loaded": 125.0,
            "process start to first probe": 180.0,
            "process start to first request": 210.0,
            "process start to answer": 260.0,
        }
    )
    assert found.stages == {
        "pod PodScheduled": 0,
        "event Scheduled": 0.25,
        "event Pulled": 1,
        "container function started": 1,
        "pod Ready": 2,
    }


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"message": "other"},
        STARTED | {"first_request_ms": None, "listening_ms": None, "first_probe_ms": None},
    ],
)
def test_what_the_process_did_not_say_is_left_out(record: dict[str, Any]) -> None:
    found = wakeup.wakeup(POD, [], json.dumps(record), ASKED, 2.05)
    known = ["process start to model loaded"] if record.get("message") == "started" else []
    assert list(found.parts()) == known
    assert found.stages["pod Ready"] == 2


def test_wake_ups_are_reported_as_medians() -> None:
    results = Results()
    starts = [
        wakeup.Wakeup(seconds, {"listening_ms": 100 * seconds}, None, {"pod Ready": 1.0})
        for seconds in (1.0, 3.0, 2.0)
    ]
    starts.append(wakeup.Wakeup(4.0))  # of which nothing more is known
    assert wakeup.report(results, "compiled", starts, 10) == 2.0
    assert [(row.what, row.measured, row.expected) for row in results.rows] == [
        ("scale from zero, compiled", "2.00 s (1.00-4.00, n=4)", "<= 10 s"),
        ("  process start to listening", "200 ms", ""),
        ("  pod created to pod Ready", "1 s", ""),
    ]
    assert len(results.rows[0].values["starts"]) == 4
    json.dumps(results.rows[0].values)


KUBECTL = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
arguments = " ".join(sys.argv[3:])  # after --namespace ns
with (here / "asked").open("a") as asked:
    print(arguments, file=asked)
for beginning, said in json.loads((here / "script").read_text()).items():
    if arguments.startswith(beginning):
        print(said)
        break
else:
    sys.exit(f"not in the script: {{arguments}}")
"""


class Script:
    """A kubectl on PATH that answers by the beginning of what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "kubectl").write_text(KUBECTL.format(python=sys.executable))
        (folder / "kubectl").chmod(0o755)

    def says(self, answers: dict[str, Any]) -> None:
        lines = {key: x if isinstance(x, str) else json.dumps(x) for key, x in answers.items()}
        (self.folder / "script").write_text(json.dumps(lines))

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Script(tmp_path)


STORED = {"kind": "Service", "metadata": {"name": "sentiment", "resourceVersion": "7"}, "spec": {}}


@pytest.mark.parametrize(
    ("said", "server_side", "changed"),
    [
        ("service.serving.knative.dev/sentiment unchanged", False, 0),
        ("service.serving.knative.dev/sentiment configured", False, 1),
        ("poddisruptionbudget.policy/sentiment configured", False, 0),
        ("service.serving.knative.dev/sentiment serverside-applied", True, 0),
    ],
)
def test_a_second_apply_is_told_by_what_kubectl_says(
    kubectl: Script, said: str, server_side: bool, changed: int
) -> None:
    kubectl.says({"kustomize": "rendered", "apply": said, "get": STORED})
    found = Cluster("ns").apply_again(Path("overlay"), server_side=server_side)
    assert len(found) == changed
    applied = [line for line in kubectl.asked if line.startswith("apply")]
    assert len(applied) == 2
    assert all(("--server-side" in line) == server_side for line in applied)


def test_a_wake_up_is_looked_up_on_the_cluster(kubectl: Script) -> None:
    gone = POD | {"metadata": POD["metadata"] | {"deletionTimestamp": "2026-01-02T03:04:05Z"}}
    kubectl.says(
        {
            "get pods": {"items": [gone, POD]},
            "get events": {"items": EVENTS},
            "logs": json.dumps(STARTED),
        }
    )
    found = wakeup.look(Cluster("ns"), "sentiment", ASKED, 2.05)
    assert found == wakeup.wakeup(POD, EVENTS, json.dumps(STARTED), ASKED, 2.05)
    assert "serving.knative.dev/service=sentiment" in kubectl.asked[0]


def test_of_several_pods_none_is_taken_for_the_one(kubectl: Script) -> None:
    kubectl.says({"get pods": {"items": [POD, POD]}})
    assert wakeup.look(Cluster("ns"), "sentiment", ASKED, 2.05) == wakeup.Wakeup(2.05)


def test_load_from_inside_the_cluster_is_read_from_its_log(kubectl: Script) -> None:
    summary = {"total": 10, "lost": {}, "p50_ms": 1.0, "p99_ms": 2.0}
    kubectl.says(
        {
            "create": "",
            "get pod": {"status": {"phase": "Succeeded"}},
            "logs": f"starting\n{json.dumps(summary)}",
            "delete": "",
        }
    )
    happened: list[str] = []
    found = loader.run_load(Cluster("ns"), "x:v1", 2, 0.1, lambda: happened.append("rollout"))
    assert (found, happened) == (summary, ["rollout"])
    assert kubectl.asked[-1].startswith("delete pod load")


def test_load_runs_as_one_command_without_the_project(ingress: str, tmp_path: Path) -> None:
    """As in the pod: nothing but Python's standard library."""
    Handler.predictions = 0
    _, *rest = loader.command(ingress, 2, 0.2)
    done = subprocess.run(
        [sys.executable, "-I", *rest], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["total"] == Handler.predictions > 0
    assert summary["lost"] == {"503": summary["total"] // 10}


def test_versions_name_knative_where_there_is_one(kubectl: Script) -> None:
    kubectl.says({"get --raw": {"gitVersion": "v1.34.4"}, "get namespace": "1.23.0"})
    assert Cluster("ns").versions() == {"kubernetes": "v1.34.4", "knative": "1.23.0"}
