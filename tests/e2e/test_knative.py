"""On a real cluster with Knative Serving: what the overlays promise.

    KUBECONFIG=... E2E_IMAGE_COMPILED=... E2E_IMAGE_CANARY=... python -m pytest tests/e2e -m e2e

Without DNS for the Services, also E2E_URL=http://INGRESS:PORT. All variables: options.py.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from tests.e2e import traffic, wakeup
from tests.e2e.cluster import Cluster, ClusterError, ready
from tests.e2e.manifests import Overlays
from tests.e2e.options import Options, reason_out_of_reach, reason_to_skip
from tests.e2e.promotion import Alias
from tests.e2e.results import Results
from tests.e2e.traffic import TEXT, Endpoint

STABLE, CANARY = "sentiment-v1", "sentiment-v2"
REFRESH_SECONDS = 15
# The whole life of a release, each state by applying its file and nothing else.
CYCLE = [
    ("v1 alone", "compiled", (100,)),
    ("v1 90, v2 10", "canary", (90, 10)),
    ("v2 alone", "canary", (0, 100)),
    ("rolled back", "canary", (100, 0)),
    ("v2 alone again", "canary", (0, 100)),
    ("back to the file of v1", "compiled", (100,)),
]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "there is a cluster"),
]


@pytest.fixture(scope="module")
def overlays(
    cluster: Cluster, options: Options, tmp_path_factory: pytest.TempPathFactory
) -> Overlays:
    folder = tmp_path_factory.mktemp("overlays")
    return Overlays(folder, cluster.namespace, options.scale_down_window, itertools.count())


def reach(
    cluster: Cluster, options: Options, tag: str = "", service: str = "sentiment"
) -> Endpoint:
    """The Service, or one of its tags, as it can be asked from here; skips where it cannot."""
    url = cluster.url(tag, service)
    if reason := reason_out_of_reach(url, options.url):
        pytest.skip(reason)
    return traffic.endpoint(url, options.url, options.host_header)


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, options: Options, overlays: Overlays, results: Results) -> None:
    """overlays/compiled, Ready."""
    cluster.apply(overlays.release("compiled", options.image))
    seconds = cluster.wait_ready(options.ready_timeout_seconds)
    results.add("apply to Ready, image pull included", f"{seconds:.1f} s", "", seconds=seconds)


@pytest.fixture(scope="module")
def service(deployed: None, cluster: Cluster, options: Options) -> Endpoint:
    return reach(cluster, options)


@pytest.fixture(scope="module")
def split(service: Endpoint, cluster: Cluster, options: Options, overlays: Overlays) -> Endpoint:
    """overlays/canary on top: a second revision beside the first."""
    move(cluster, options, overlays, (90, 10))
    return service


def move(cluster: Cluster, options: Options, overlays: Overlays, shares: tuple[int, ...]) -> None:
    """The release file of the second version, with these shares."""
    cluster.apply(overlays.release("canary", options.canary_image, shares))
    cluster.wait_ready(options.ready_timeout_seconds)


def wait_until_served_by(revision: str, target: Endpoint, cluster: Cluster) -> float:
    """The ingress takes a change up a little after the Service's status says so."""

    def done() -> bool:
        return set(traffic.answered_by(target, 20)) == {revision}

    return cluster.wait(f"all traffic at {revision}", done, 60)


def start_from_zero(
    name: str, target: Endpoint, cluster: Cluster, options: Options, path: str, payload: Any
) -> list[wakeup.Wakeup]:
    starts = []
    for _ in range(options.cold_starts):
        cluster.wait("no pod left", lambda: not cluster.pods(name), options.idle_timeout_seconds)
        asked = time.time()
        timeout = options.request_timeout_seconds
        reply = traffic.ask(target, path, payload, timeout_seconds=timeout)
        assert reply.status == 200, reply.body
        starts.append(wakeup.look(cluster, name, asked, reply.seconds))
    return starts


def test_the_first_request_is_answered(
    service: Endpoint, options: Options, results: Results
) -> None:
    reply = traffic.ask(service, "/predict", TEXT, timeout_seconds=options.request_timeout_seconds)
    assert reply.status == 200, reply.body
    assert reply.json["sentiment"]
    info = traffic.ask(service, "/models/info").json
    model = f"{info['model_name']} {info['version']} ({info['engine']})"
    results.add("first request", f"{1000 * reply.seconds:.0f} ms", model, seconds=reply.seconds)


def test_the_service_scales_to_zero_and_back(
    service: Endpoint, cluster: Cluster, options: Options, results: Results
) -> None:
    starts = start_from_zero("sentiment", service, cluster, options, "/predict", TEXT)
    limit = options.cold_start_limit_seconds
    assert wakeup.report(results, "compiled", starts, limit) <= limit, starts


def test_what_a_hello_world_takes_from_zero(
    cluster: Cluster, options: Options, overlays: Overlays, results: Results
) -> None:
    """The same manifest around another image: what the cluster itself costs."""
    if not options.hello_image:
        pytest.skip("E2E_HELLO_IMAGE is not set: an image that answers GET / on PORT")
    cluster.apply(overlays.another("hello", options.hello_image, probed_path="/"))
    cluster.wait_ready(options.ready_timeout_seconds, "hello")
    target = reach(cluster, options, service="hello")
    starts = start_from_zero("hello", target, cluster, options, "/", None)
    wakeup.report(results, "hello world", starts, 0)


def serve_from_registry(
    overlay: str, cluster: Cluster, options: Options, overlays: Overlays
) -> tuple[str, Endpoint]:
    """An overlay that asks the registry, Ready under a name of its own, and how to ask it."""
    if reason := options.reason_for_no_registry(overlay):
        pytest.skip(reason)
    name = f"from-{overlay}"
    env = {"MLFLOW_TRACKING_URI": options.tracking_uri, "MODEL_URI": options.model_uri}
    env |= {"MODEL_REFRESH_SECONDS": str(REFRESH_SECONDS)} if overlay == "slim" else {}
    folder = overlays.from_registry(overlay, name, options.registry_images[overlay], env)
    cluster.apply(folder)
    cluster.wait_ready(options.ready_timeout_seconds, name)
    for server_side in (False, True):
        assert cluster.apply_again(folder, server_side=server_side) == []
    return name, reach(cluster, options, service=name)


@pytest.mark.parametrize("overlay", ["slim", "registry"])
def test_what_asks_the_registry_serves_and_scales_from_zero(
    cluster: Cluster, options: Options, overlays: Overlays, results: Results, overlay: str
) -> None:
    name, target = serve_from_registry(overlay, cluster, options, overlays)
    starts = start_from_zero(name, target, cluster, options, "/predict", TEXT)
    limit = options.cold_start_limit_seconds
    assert wakeup.report(results, overlay, starts, limit) <= limit, starts


def test_a_promotion_in_mlflow_is_served_in_time_and_fails_no_request(
    cluster: Cluster, options: Options, overlays: Overlays, results: Results
) -> None:
    """To another version and back, by the alias alone."""
    _, target = serve_from_registry("slim", cluster, options, overlays)
    alias = Alias.of(options.mlflow_url, options.model_uri)
    if alias is None:
        pytest.skip("E2E_MODEL_URI names no alias: models:/NAME@ALIAS")
    if not (others := alias.others()):
        pytest.skip(f"{alias.name} has no other version that is published")
    with alias.put_back() as first:
        for before, after in ((first, others[0]), (others[0], first)):
            load, moved = promote(alias, after, target, options)
            seconds = load.last_answer[before] - moved
            what = f"promoted in MLflow, {before} to {after}"
            results.add_load(f"load while {what}", load.summary())
            limit = f"<= {REFRESH_SECONDS + 1} s"
            results.add(
                f"{what}: last answer of {before}", f"{seconds:.1f} s", limit, after=seconds
            )
            assert load.last_answer.keys() == {before, after} and not load.lost
            assert seconds <= REFRESH_SECONDS + 1


def promote(
    alias: Alias, version: str, target: Endpoint, options: Options
) -> tuple[traffic.Load, float]:
    """Move the alias under load; the load, and when the alias was set."""
    moved: list[float] = []

    def move() -> None:
        alias.move(version)
        moved.append(time.monotonic())

    seconds = 1.5 * (REFRESH_SECONDS + 3)  # two thirds of which come after the move
    return traffic.run_load(target, options.load_clients, seconds, move), moved[0]


def test_a_warm_request_is_fast(service: Endpoint, results: Results) -> None:
    traffic.ask(service, "/predict", TEXT, timeout_seconds=90)
    replies = [traffic.ask(service, "/predict", TEXT) for _ in range(100)]
    assert {reply.status for reply in replies} == {200}
    median = 1000 * traffic.percentile([reply.seconds for reply in replies], 50)
    results.add("warm request, new connection, median", f"{median:.1f} ms", "", milliseconds=median)


@pytest.mark.parametrize(("state", "overlay", "shares"), CYCLE)
def test_each_state_is_what_its_file_says_however_often_it_is_applied(
    deployed: None,
    cluster: Cluster,
    options: Options,
    overlays: Overlays,
    results: Results,
    state: str,
    overlay: str,
    shares: tuple[int, ...],
) -> None:
    image = options.image if overlay == "compiled" else options.canary_image
    folder = overlays.release(overlay, image, shares)
    cluster.apply(folder)
    seconds = cluster.wait_ready(options.ready_timeout_seconds)
    for server_side in (False, True):
        assert cluster.apply_again(folder, server_side=server_side) == []
    cluster.wait_ready(options.ready_timeout_seconds)
    expected = dict(zip((STABLE, CANARY), shares, strict=False))
    assert cluster.traffic() == expected
    results.add(f"applied: {state}", f"{seconds:.1f} s", "unchanged when applied again", **expected)
    if 100 in shares and not reason_out_of_reach(cluster.url(), options.url):
        (revision,) = (name for name, share in expected.items() if share == 100)
        target = reach(cluster, options)
        wait_until_served_by(revision, target, cluster)
        assert traffic.answered_by(target, 100) == {revision: 100}


def test_another_image_under_a_name_in_use_is_refused(
    split: Endpoint, cluster: Cluster, options: Options, overlays: Overlays
) -> None:
    before = cluster.traffic()
    other = overlays.release("canary", f"{options.canary_image.partition('@')[0]}-other", (90, 10))
    with pytest.raises(ClusterError, match="without a name change"):
        cluster.apply(other)
    assert cluster.traffic() == before


def test_the_canary_takes_its_share(
    split: Endpoint, cluster: Cluster, options: Options, results: Results
) -> None:
    def both_answer() -> bool:
        return set(traffic.answered_by(split, 50)) >= {STABLE, CANARY}

    cluster.wait("both revisions answering", both_answer, 120)
    found = traffic.answered_by(split, options.split_requests)
    share = 100 * found[CANARY] / options.split_requests
    low, high = traffic.share_bounds(10, options.split_requests)
    what = f"canary share of {options.split_requests}"
    results.add(what, f"{share:.1f} %", f"{low:.1f}-{high:.1f} %", percent=share)
    assert set(found) == {STABLE, CANARY}, f"other answers: {found}"
    assert low <= share <= high


@pytest.mark.parametrize(("tag", "revision"), [("stable", STABLE), ("canary", CANARY)])
def test_each_tag_reaches_its_revision(
    split: Endpoint, cluster: Cluster, options: Options, tag: str, revision: str
) -> None:
    assert set(traffic.answered_by(reach(cluster, options, tag), 10)) == {revision}


def test_moving_traffic_under_load_loses_no_request(
    split: Endpoint, cluster: Cluster, options: Options, overlays: Overlays, results: Results
) -> None:
    def promote_and_roll_back() -> None:
        move(cluster, options, overlays, (0, 100))
        move(cluster, options, overlays, (100, 0))

    clients, seconds = options.load_clients, options.load_seconds
    load = traffic.run_load(split, clients, seconds, promote_and_roll_back)
    results.add_load("load while traffic moved", load.summary())
    assert load.total and not load.lost


def test_a_pod_taken_away_under_load_loses_no_request(
    service: Endpoint, cluster: Cluster, options: Options, results: Results
) -> None:
    def drain() -> None:
        pods = [pod["metadata"]["name"] for pod in cluster.pods()]
        assert pods, "no pod to take away"
        cluster.kubectl("delete", "pod", *pods, "--wait=false")

    load = traffic.run_load(service, options.load_clients, options.load_seconds, drain)
    results.add_load("load while every pod drained", load.summary())
    assert load.total and not load.lost


def test_a_model_that_cannot_load_is_reported_with_its_cause(
    cluster: Cluster, options: Options, overlays: Overlays, results: Results
) -> None:
    folder = "/no/such/model"
    cluster.apply(overlays.another("broken", options.image, {"COMPILED_MODEL": folder}))

    def reported() -> bool:
        status, message = ready(cluster.get("ksvc", "broken"))
        return status == "False" and folder in message

    seconds = cluster.wait("the cause in the Service's status", reported, 330)
    limit = options.failure_limit_seconds
    results.add(
        "a broken model is reported", f"{seconds:.0f} s", f"<= {limit:g} s", seconds=seconds
    )
    assert seconds <= limit
