"""On a real cluster, Knative or not: what overlays/kubernetes promises."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from tests.e2e import loader
from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.manifests import Overlays
from tests.e2e.options import Options, reason_to_skip
from tests.e2e.results import Results

DEPLOYMENT = "deployment/sentiment"
CONNECTION_AGE_SECONDS = 5  # shorter than shipped, so that a load outlives it
PODS = ("pods", "-l", "app.kubernetes.io/name=sentiment")
FIRST_SCALE = ("scale", DEPLOYMENT, "--current-replicas=1", "--replicas=2")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "there is a cluster"),
]


@pytest.fixture(scope="module")
def overlay(plain: Cluster, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlays")
    overlays = Overlays(folder, plain.namespace, "shipped", itertools.count())
    return overlays.kubernetes(options.image, CONNECTION_AGE_SECONDS)


@pytest.fixture(scope="module")
def deployed(plain: Cluster, options: Options, overlay: Path, results: Results) -> None:
    start = time.monotonic()
    plain.apply(overlay)
    plain.kubectl(*FIRST_SCALE)
    roll_out(plain, options)
    seconds = time.monotonic() - start
    results.add("plain: apply to two pods ready", f"{seconds:.1f} s", "", seconds=seconds)


def roll_out(cluster: Cluster, options: Options) -> None:
    timeout = options.ready_timeout_seconds
    command = ("rollout", "status", DEPLOYMENT, f"--timeout={timeout:.0f}s")
    cluster.kubectl(*command, timeout_seconds=timeout + 10)


def replicas(cluster: Cluster) -> int:
    return int(cluster.get(DEPLOYMENT)["spec"]["replicas"])


@pytest.mark.parametrize("server_side", [False, True])
def test_a_second_apply_changes_nothing(
    deployed: None, plain: Cluster, overlay: Path, server_side: bool
) -> None:
    assert plain.apply_again(overlay, server_side=server_side) == []


@pytest.mark.parametrize("server_side", [False, True])
def test_no_apply_undoes_what_the_autoscaler_did(
    deployed: None, plain: Cluster, overlay: Path, server_side: bool
) -> None:
    plain.kubectl("scale", DEPLOYMENT, "--replicas=3")
    plain.apply(overlay, server_side=server_side)
    assert replicas(plain) == 3
    with pytest.raises(ClusterError, match="Expected replicas to be 1, was 3"):
        plain.kubectl(*FIRST_SCALE)
    plain.kubectl("scale", DEPLOYMENT, "--replicas=2")


def test_a_rollout_under_load_loses_no_request(
    deployed: None, plain: Cluster, options: Options, results: Results
) -> None:
    def replace_every_pod() -> None:
        plain.kubectl("rollout", "restart", DEPLOYMENT)
        roll_out(plain, options)

    clients, seconds = options.load_clients, max(options.load_seconds, 60)
    summary = loader.run_load(plain, options.image, clients, seconds, replace_every_pod)
    results.add_load("plain: load during a rollout", summary)
    assert summary["total"] and not summary["lost"]


def test_a_pod_taken_away_under_load_loses_no_request(
    deployed: None, plain: Cluster, options: Options, results: Results
) -> None:
    def delete_one() -> None:
        pods = plain.get(*PODS)["items"]
        plain.kubectl("delete", "pod", pods[0]["metadata"]["name"], "--wait=false")

    clients, seconds = options.load_clients, options.load_seconds
    summary = loader.run_load(plain, options.image, clients, seconds, delete_one)
    results.add_load("plain: load while a pod is deleted", summary)
    assert summary["total"] and not summary["lost"]


def test_a_pod_that_comes_later_gets_its_share_of_kept_connections(
    deployed: None, plain: Cluster, options: Options, results: Results
) -> None:
    def names() -> set[str]:
        return {pod["metadata"]["name"] for pod in plain.get(*PODS)["items"]}

    before = names()
    answered = {}

    def add_one() -> None:
        plain.kubectl("scale", DEPLOYMENT, "--replicas=3")
        roll_out(plain, options)
        time.sleep(4 * CONNECTION_AGE_SECONDS)
        for name in names() - before:
            log = plain.kubectl("logs", name, "-c", "function", "--tail=1000")
            answered[name] = log.count("POST /predict 200")

    clients, seconds = options.load_clients, max(options.load_seconds, 60)
    summary = loader.run_load(plain, options.image, clients, seconds, add_one)
    plain.kubectl("scale", DEPLOYMENT, "--replicas=2")
    results.add_load("plain: load while a pod is added", summary | {"answered_by_it": answered})
    assert answered and all(answered.values())
    assert not summary["lost"]
