"""Applying the overlays again and again: nothing is refused, nothing changes, traffic stays."""

from __future__ import annotations

import copy
import functools
import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.manifests.applied import Applied, NameTaken, Refused
from tests.manifests.defaults import OPERATED, SHIPPED, Object, knative_service, stored
from tests.manifests.rendered import ON_KNATIVE, OVERLAYS, copy_overlay, render, render_folder

BASE = "spec.template.spec.containers.0"
V1, V2 = "sentiment-v1", "sentiment-v2"
STATES = {
    "v1 alone": ("compiled", (100,), {V1: 100}),
    "a tenth to v2": ("canary", (90, 10), {V1: 90, V2: 10}),
    "v2 alone": ("canary", (0, 100), {V1: 0, V2: 100}),
    "rolled back": ("canary", (100, 0), {V1: 100, V2: 0}),
}

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def service(overlay: str) -> Object:
    (found,) = (x for x in render(overlay) if x["apiVersion"].startswith("serving.knative.dev/"))
    return copy.deepcopy(found)


def without(document: Object, path: str) -> Object:
    """A copy that lacks the field."""
    found = copy.deepcopy(document)
    steps: list[Any] = [int(step) if step.isdigit() else step for step in path.split(".")]
    functools.reduce(lambda node, step: node[step], steps[:-1], found).pop(steps[-1])
    return found


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Object]:
    """What the release file renders to in each state."""
    found = {}
    for name, (overlay, shares, _) in STATES.items():
        folder = tmp_path_factory.mktemp("state") / "knative"
        (found[name],) = render_folder(copy_overlay(folder, overlay, shares=shares))
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_default_is_written_out(overlay: str) -> None:
    for document in render(overlay):
        assert stored(document) == document


@pytest.mark.parametrize("config", [SHIPPED, OPERATED], ids=["shipped", "operated"])
@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_a_second_apply_changes_nothing(overlay: str, config: Object) -> None:
    cluster = Applied(config)
    for _ in range(3):
        cluster.apply(service(overlay))
    assert cluster.writes == 1
    assert cluster.stored == service(overlay)


@pytest.mark.parametrize(
    ("path", "config"),
    [
        (f"{BASE}.readinessProbe.successThreshold", SHIPPED),
        (f"{BASE}.readinessProbe", SHIPPED),
        (f"{BASE}.name", SHIPPED),
        ("spec.template.spec.timeoutSeconds", SHIPPED),
        ("spec.template.spec.containerConcurrency", SHIPPED),
        ("spec.template.spec.enableServiceLinks", SHIPPED),
        ("spec.template.spec.idleTimeoutSeconds", OPERATED),
        ("spec.template.spec.responseStartTimeoutSeconds", OPERATED),
        (f"{BASE}.resources.limits.memory", OPERATED),
        (f"{BASE}.securityContext.seccompProfile", OPERATED),
    ],
)
def test_a_missing_default_is_a_refused_second_apply(path: str, config: Object) -> None:
    bare = without(service("compiled"), path)
    assert knative_service(bare, None, config) != bare
    cluster = Applied(config)
    cluster.apply(bare)
    with pytest.raises(Refused, match="without a name change"):
        cluster.apply(bare)


@pytest.mark.parametrize(
    ("overlay", "kind", "path"),
    [
        ("compiled", "Service", f"{BASE}.ports.0.protocol"),
        ("compiled", "Service", "spec.traffic.0.latestRevision"),
        ("registry", "Service", "spec.traffic"),
        ("slim", "Service", "spec.traffic"),
        ("kubernetes", "Deployment", f"{BASE}.imagePullPolicy"),
        ("kubernetes", "Deployment", f"{BASE}.readinessProbe.successThreshold"),
        ("kubernetes", "Deployment", f"{BASE}.livenessProbe.httpGet.scheme"),
        ("kubernetes", "Deployment", "spec.template.spec.dnsPolicy"),
        ("kubernetes", "Deployment", "spec.strategy.rollingUpdate.maxSurge"),
        ("kubernetes", "Service", "spec.ports.0.protocol"),
        ("kubernetes", "Service", "spec.internalTrafficPolicy"),
        ("kubernetes", "HorizontalPodAutoscaler", "spec.behavior.scaleUp"),
        ("kubernetes", "HorizontalPodAutoscaler", "spec.behavior.scaleDown.policies"),
        ("kubernetes", "NetworkPolicy", "spec.ingress.0.ports.0.protocol"),
    ],
)
def test_a_missing_default_is_noticed(overlay: str, kind: str, path: str) -> None:
    (document,) = (item for item in render(overlay) if item["kind"] == kind)
    bare = without(document, path)
    assert stored(bare) != bare


def test_an_empty_list_that_is_not_stored_is_noticed() -> None:
    (policy,) = (item for item in render("kubernetes") if item["kind"] == "NetworkPolicy")
    assert stored(policy | {"spec": policy["spec"] | {"egress": []}}) == policy


def test_a_release_names_who_gets_traffic(states: dict[str, Object]) -> None:
    for document in states.values():
        traffic = document["spec"]["traffic"]
        assert all(target["latestRevision"] is False for target in traffic)
        assert [target["tag"] for target in traffic] == ["stable", "canary"][: len(traffic)]


def test_the_shipped_files_are_the_first_two_states(states: dict[str, Object]) -> None:
    assert states["v1 alone"] == service("compiled")
    assert states["a tenth to v2"] == service("canary")


@pytest.mark.parametrize("walk", list(itertools.product(STATES, repeat=3)), ids=" > ".join)
def test_in_any_order_traffic_is_what_the_file_says(
    walk: tuple[str, ...], states: dict[str, Object]
) -> None:
    cluster = Applied()
    cluster.apply(states["v1 alone"])
    for name in walk:
        for _ in range(2):
            cluster.apply(states[name])
            assert cluster.traffic == STATES[name][2]
            assert cluster.stored == states[name]
    assert cluster.revisions.keys() <= {V1, V2}


def with_image(document: Object, image: str) -> Object:
    changed = copy.deepcopy(document)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return changed


@pytest.mark.parametrize("state", STATES)
def test_another_image_under_the_present_name_is_refused(
    state: str, states: dict[str, Object]
) -> None:
    cluster = Applied()
    cluster.apply(states["v1 alone"])
    cluster.apply(states[state])
    with pytest.raises(Refused):
        cluster.apply(with_image(states[state], "sentiment-function:other"))
    assert cluster.traffic == STATES[state][2]


def test_another_image_under_an_older_name_moves_no_traffic(states: dict[str, Object]) -> None:
    cluster = Applied()
    for state in ("v1 alone", "a tenth to v2", "v2 alone"):
        cluster.apply(states[state])
    with pytest.raises(NameTaken, match=V1):
        cluster.apply(with_image(states["v1 alone"], "sentiment-function:other"))
    assert cluster.traffic == {V1: 0, V2: 100}
    cluster.apply(states["v2 alone"])  # the file set right again
    assert cluster.traffic == {V1: 0, V2: 100}


@pytest.mark.parametrize("overlay", ["registry", "slim"])
def test_another_image_without_a_name_is_a_new_revision(overlay: str) -> None:
    cluster = Applied()
    cluster.apply(service(overlay))
    cluster.apply(with_image(service(overlay), "sentiment-function:other"))
    assert len(cluster.revisions) == 2
    assert list(cluster.traffic.values()) == [100]
    assert list(cluster.traffic) == list(cluster.revisions)[1:]


def test_an_edited_copy_leaves_the_shipped_files_alone(tmp_path: Path) -> None:
    before = render("canary")
    copy_overlay(tmp_path / "knative", "canary", shares=(0, 100))
    assert render_folder(tmp_path / "knative" / "overlays" / "compiled") == render("compiled")
    assert render("canary") == before
