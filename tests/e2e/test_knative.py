"""On a real cluster with Knative Serving: what the overlays promise.

    KUBECONFIG=... E2E_IMAGE_COMPILED=... E2E_IMAGE_CANARY=... python -m pytest tests/e2e -m e2e

Without DNS for the Services, also E2E_URL=http://INGRESS:PORT. All variables: options.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import traffic
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import Measurements
from tests.e2e.manifests import KNATIVE, write_overlay
from tests.e2e.options import Options, reason_to_skip
from tests.e2e.traffic import TEXT, Endpoint

STABLE, CANARY = "sentiment-v1", "sentiment-v2"
CANARY_PATCHES = KNATIVE / "overlays" / "canary"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "there is a cluster"),
]


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("overlays")


@pytest.fixture(scope="module")
def service(
    cluster: Cluster, options: Options, overlays: Path, measurements: Measurements
) -> Endpoint:
    """overlays/compiled, Ready."""
    overlay = write_overlay(
        overlays, "compiled", cluster.namespace, options.image, STABLE, options.scale_down_window
    )
    cluster.apply(overlay)
    seconds = cluster.wait_ready(STABLE, options.ready_timeout_seconds)
    measurements.append(("apply to Ready, image pull included", f"{seconds:.1f} s", ""))
    return traffic.endpoint(cluster.url(), options.url, options.host_header)


@pytest.fixture(scope="module")
def split(
    service: Endpoint, cluster: Cluster, options: Options, overlays: Path
) -> Iterator[Endpoint]:
    """overlays/canary on top: a second revision beside the first."""
    window, image = options.scale_down_window, options.canary_image
    overlay = write_overlay(overlays, "canary", cluster.namespace, image, CANARY, window)
    cluster.apply(overlay)
    cluster.wait_ready(CANARY, options.ready_timeout_seconds)
    yield service


def wait_until_served_by(revision: str, target: Endpoint, cluster: Cluster) -> float:
    """The ingress takes a change up a little after the Service's status says so."""

    def done() -> bool:
        return set(traffic.answered_by(target, 20)) == {revision}

    return cluster.wait(f"all traffic at {revision}", done, 60)


def test_the_first_request_is_answered(
    service: Endpoint, options: Options, measurements: Measurements
) -> None:
    reply = traffic.ask(service, "/predict", TEXT, timeout_seconds=options.request_timeout_seconds)
    assert reply.status == 200, reply.body
    assert reply.json["sentiment"]
    info = traffic.ask(service, "/models/info").json
    model = f"{info['model_name']} {info['version']} ({info['engine']})"
    measurements.append(("first request", f"{1000 * reply.seconds:.0f} ms", model))


def test_the_service_scales_to_zero_and_back(
    service: Endpoint, cluster: Cluster, options: Options, measurements: Measurements
) -> None:
    starts = []
    for _ in range(options.cold_starts):
        cluster.wait("no pod left", lambda: not cluster.pods(), options.idle_timeout_seconds)
        timeout = options.request_timeout_seconds
        reply = traffic.ask(service, "/predict", TEXT, timeout_seconds=timeout)
        assert reply.status == 200, reply.body
        starts.append(reply.seconds)
    median, limit = traffic.percentile(starts, 50), options.cold_start_limit_seconds
    measured = f"{median:.2f} s ({min(starts):.2f}-{max(starts):.2f}, n={len(starts)})"
    measurements.append(("scale from zero, median", measured, f"<= {limit:g} s"))
    assert median <= limit, starts


def test_a_warm_request_is_fast(service: Endpoint, measurements: Measurements) -> None:
    traffic.ask(service, "/predict", TEXT, timeout_seconds=90)
    replies = [traffic.ask(service, "/predict", TEXT) for _ in range(100)]
    assert {reply.status for reply in replies} == {200}
    median = 1000 * traffic.percentile([reply.seconds for reply in replies], 50)
    measurements.append(("warm request, new connection, median", f"{median:.1f} ms", ""))


def test_the_canary_takes_its_share(
    split: Endpoint, cluster: Cluster, options: Options, measurements: Measurements
) -> None:
    def both_answer() -> bool:
        return set(traffic.answered_by(split, 50)) >= {STABLE, CANARY}

    cluster.wait("both revisions answering", both_answer, 120)
    found = traffic.answered_by(split, options.split_requests)
    share = 100 * found[CANARY] / options.split_requests
    low, high = traffic.share_bounds(10, options.split_requests)
    measurements.append(
        (f"canary share of {options.split_requests}", f"{share:.1f} %", f"{low:.1f}-{high:.1f} %")
    )
    assert set(found) == {STABLE, CANARY}, f"other answers: {found}"
    assert low <= share <= high


@pytest.mark.parametrize(("tag", "revision"), [("stable", STABLE), ("canary", CANARY)])
def test_each_tag_reaches_its_revision(
    split: Endpoint, cluster: Cluster, options: Options, tag: str, revision: str
) -> None:
    target = traffic.endpoint(cluster.url(tag), options.url, options.host_header)
    assert set(traffic.answered_by(target, 10)) == {revision}


@pytest.mark.parametrize(
    ("patch", "revision"), [("promote.yaml", CANARY), ("rollback.yaml", STABLE)]
)
def test_promoting_and_rolling_back_move_all_traffic(
    split: Endpoint,
    cluster: Cluster,
    options: Options,
    measurements: Measurements,
    patch: str,
    revision: str,
) -> None:
    start = time.monotonic()
    cluster.patch(CANARY_PATCHES / patch)
    cluster.wait_settled(options.ready_timeout_seconds)
    wait_until_served_by(revision, split, cluster)
    measurements.append((f"{patch} to all traffic moved", f"{time.monotonic() - start:.1f} s", ""))
    found = traffic.answered_by(split, 100)
    assert found == {revision: 100}


def test_moving_traffic_under_load_loses_no_request(
    split: Endpoint, cluster: Cluster, options: Options, measurements: Measurements
) -> None:
    def move() -> None:
        cluster.patch(CANARY_PATCHES / "promote.yaml")
        cluster.wait_settled(options.ready_timeout_seconds)
        cluster.patch(CANARY_PATCHES / "rollback.yaml")

    load = traffic.run_load(split, options.load_clients, options.load_seconds, move)
    measurements.append(_lost("lost while traffic moved", load))
    assert load.total and not load.lost


def test_a_pod_taken_away_under_load_loses_no_request(
    service: Endpoint, cluster: Cluster, options: Options, measurements: Measurements
) -> None:
    def drain() -> None:
        pods = cluster.pods()
        assert pods, "no pod to take away"
        cluster.kubectl("delete", "pod", *pods, "--wait=false")

    load = traffic.run_load(service, options.load_clients, options.load_seconds, drain)
    measurements.append(_lost("lost while every pod drained", load))
    rate = f"{load.total / options.load_seconds:.0f}/s"
    slowest = f"p99 {1000 * traffic.percentile(load.seconds, 99):.0f} ms"
    measurements.append((f"load of {options.load_clients} clients", rate, slowest))
    assert load.total and not load.lost


def _lost(what: str, load: traffic.Load) -> tuple[str, str, str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(load.lost.items()))
    return what, f"{kinds or 0} of {load.total}", "0"
