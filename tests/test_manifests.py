"""The manifests in knative/, as kubectl renders them: strict schemas, and true to the code."""

from __future__ import annotations

import copy
import functools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from function.http.routes import ROUTES
from function.registry import uris
from function.settings import Settings, specs
from tests.documents import DOCUMENTS
from tests.manifests import Manifest, parse
from tests.manifests.knative import KnativeService, RevisionSpec
from tests.manifests.kubernetes import (
    ConfigMap,
    Deployment,
    HorizontalPodAutoscaler,
    NetworkPolicy,
    PodDisruptionBudget,
    Service,
)
from tests.manifests.monitoring import PodMonitor
from tests.manifests.pods import KnativeContainer, PodSpec
from tests.manifests.rendered import (
    KNATIVE,
    ON_KNATIVE,
    OVERLAYS,
    copy_overlay,
    render,
    render_folder,
)

CREDENTIALS = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}
FROM_REGISTRY = ["eventing", "monitoring", "registry", "slim"]
MEMORY = {name: "512Mi" if name == "registry" else "128Mi" for name in OVERLAYS}
OF_EVENTS = ("sentiment-events", "sentiment-predictions")
UID = 65532

M = TypeVar("M", bound=Manifest)

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def manifests(overlay: str) -> list[Manifest]:
    return [parse(document) for document in render(overlay)]


def only(overlay: str, kind: type[M]) -> M:
    """The overlay's one object of this kind."""
    (found,) = (item for item in manifests(overlay) if isinstance(item, kind))
    return found


def pod_spec(overlay: str) -> RevisionSpec | PodSpec:
    if overlay in ON_KNATIVE:
        return only(overlay, KnativeService).spec.template.spec
    return only(overlay, Deployment).spec.template.spec


def container(overlay: str) -> KnativeContainer:
    (single,) = pod_spec(overlay).containers
    return single


def environment(overlay: str) -> dict[str, str | None]:
    """Every variable the container gets; None where a Secret holds the value."""
    maps = {item.metadata.name: item for item in manifests(overlay) if isinstance(item, ConfigMap)}
    values: dict[str, str | None] = {}
    for source in container(overlay).env_from:
        assert source.config_map_ref and not source.secret_ref and not source.prefix
        values |= maps[source.config_map_ref.name].data
    return values | {item.name: item.value for item in container(overlay).env}


def settings(overlay: str) -> Settings:
    """The settings the container runs with."""
    return Settings.from_environ({k: v for k, v in environment(overlay).items() if v is not None})


def misspellings(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every key of the API's own (not of a map that the author names)."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        if isinstance(key, str):
            yield (*path, key)
        free = (
            (key == "labels" and "expr" not in document)
            or key in ("matchLabels", "data", "attributes")
            or (key == "selector" and document.get("type") == "ClusterIP")
        )
        if isinstance(value, dict | list) and not free:
            yield from misspellings(value, (*path, key))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_renders_to_valid_manifests(overlay: str) -> None:
    assert manifests(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_misspelt_field_is_refused(overlay: str) -> None:
    for document in render(overlay):
        for *path, key in misspellings(document):
            wrong = copy.deepcopy(document)
            parent = functools.reduce(lambda node, step: node[step], path, wrong)
            parent[f"{key}x"] = parent.pop(key)
            with pytest.raises((ValidationError, KeyError)):
                parse(wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.template.spec.containerConcurrency", "64"),
        ("spec.template.spec.timeoutSeconds", 601),
        ("spec.template.spec.responseStartTimeoutSeconds", 600),
        ("spec.template.spec.automountServiceAccountToken", True),
        ("spec.template.spec.securityContext", {"runAsNonRoot": True}),
        ("spec.template.spec.terminationGracePeriodSeconds", 60),
        ("spec.template.spec.containers.0.lifecycle", {"preStop": {"sleep": {"seconds": 5}}}),
        ("spec.template.spec.containers.0.readinessProbe.timeoutSeconds", 1),
        ("spec.template.spec.containers.0.readinessProbe.tcpSocket", {"port": 8080}),
        ("spec.template.spec.containers.0.image", "sentiment-function"),
        ("spec.template.spec.containers.0.ports.0.containerPort", "8080"),
        ("spec.template.metadata.name", "other-v1"),
        ("spec.template.metadata.annotations", {"autoscaling.knative.dev/min-scale": 0}),
        ("spec.template.metadata.annotations", {"autoscaling.knative.dev/minscale": "0"}),
        ("spec.traffic", [{"revisionName": "sentiment-v1", "percent": 90}]),
        ("spec.traffic", [{"percent": 100}]),
        ("spec.traffic", [{"revisionName": "sentiment-v0", "percent": 100}]),
        ("spec.traffic", []),
    ],
)
def test_what_knative_would_refuse_or_ignore_is_refused(path: str, value: Any) -> None:
    (document,) = copy.deepcopy(render("compiled"))
    steps: list[Any] = [int(step) if step.isdigit() else step for step in path.split(".")]
    functools.reduce(lambda node, step: node[step], steps[:-1], document)[steps[-1]] = value
    with pytest.raises(ValidationError):
        parse(document)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_variables_are_settings_or_mlflow_credentials(overlay: str) -> None:
    known = {name for name, _ in specs()}
    assert environment(overlay).keys() <= known | CREDENTIALS
    settings(overlay)  # and the values are good ones


@pytest.mark.parametrize("overlay", FROM_REGISTRY)
def test_credentials_come_from_an_optional_secret_only(overlay: str) -> None:
    found = {item.name: item for item in container(overlay).env}
    assert found.keys() == CREDENTIALS
    for name, item in found.items():
        assert item.value_from and item.value_from.secret_key_ref
        assert item.value_from.secret_key_ref.key == name
        assert item.value_from.secret_key_ref.optional


@pytest.mark.parametrize("overlay", FROM_REGISTRY)
def test_an_overlay_without_a_model_says_where_it_is(overlay: str) -> None:
    assert {"MLFLOW_TRACKING_URI", "MODEL_URI"} <= environment(overlay).keys()
    assert not settings(overlay).compiled_model


def test_the_registry_overlay_loads_no_model_that_runs_code() -> None:
    assert settings("registry").model_formats == "skops"


def test_slim_serves_what_an_alias_names() -> None:
    assert uris.model_name(settings("slim").model_uri).alias == "champion"
    assert settings("slim").model_refresh_seconds == 15


def test_slim_gets_what_the_compiled_image_gets() -> None:
    slim, compiled = (only(name, KnativeService).spec.template for name in ("slim", "compiled"))
    assert container("slim").resources == container("compiled").resources
    assert slim.metadata.annotations == compiled.metadata.annotations


@pytest.mark.parametrize("overlay", FROM_REGISTRY)
def test_a_changed_registry_uri_makes_a_new_revision(overlay: str) -> None:
    (source,) = container(overlay).env_from
    maps = {item.metadata.name for item in manifests(overlay) if isinstance(item, ConfigMap)}
    (name,) = (item for item in maps if re.fullmatch(r"sentiment-registry-[a-z0-9]{10}", item))
    assert source.config_map_ref and source.config_map_ref.name == name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_ask_paths_and_ports_that_exist(overlay: str) -> None:
    (port,) = container(overlay).ports
    probes = [
        ("/health/ready", container(overlay).readiness_probe),
        ("/health/live", container(overlay).liveness_probe),
    ]
    if startup := container(overlay).startup_probe:
        probes.append(("/health/live", startup))
    for path, probe in probes:
        assert probe.http_get and probe.http_get.path == path
        assert "GET" in ROUTES[path]
        assert probe.http_get.port in (port.container_port, port.name)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_container_port_is_the_one_listened_on(overlay: str) -> None:
    assert container(overlay).ports[0].container_port == settings(overlay).port


@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_queue_proxy_probes_readiness_aggressively(overlay: str) -> None:
    assert not container(overlay).readiness_probe.period_seconds


@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_queue_proxy_lets_in_what_the_server_takes(overlay: str) -> None:
    template = only(overlay, KnativeService).spec.template
    assert template.spec.container_concurrency == settings(overlay).max_concurrency
    assert int(template.metadata.annotations.target or 0) <= template.spec.container_concurrency


@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_a_request_may_wait_for_the_model_to_load(overlay: str) -> None:
    spec = only(overlay, KnativeService).spec.template.spec
    assert spec.timeout_seconds >= settings(overlay).load_timeout_seconds + 15
    assert spec.response_start_timeout_seconds == spec.timeout_seconds


@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_knative_kills_no_pod_that_still_drains(overlay: str) -> None:
    """Knative uses timeoutSeconds as the grace period."""
    spec = only(overlay, KnativeService).spec.template.spec
    assert spec.timeout_seconds > settings(overlay).drain_seconds


def test_kubernetes_kills_no_pod_that_still_drains() -> None:
    pod = only("kubernetes", Deployment).spec.template.spec
    lifecycle = pod.containers[0].lifecycle
    assert lifecycle and lifecycle.pre_stop and lifecycle.pre_stop.sleep
    pause = lifecycle.pre_stop.sleep.seconds
    assert pod.termination_grace_period_seconds > pause + settings("kubernetes").drain_seconds


@pytest.mark.parametrize("overlay", ON_KNATIVE)
def test_the_service_scales_to_zero(overlay: str) -> None:
    annotations = only(overlay, KnativeService).spec.template.metadata.annotations
    assert annotations.min_scale == "0"
    assert int(annotations.max_scale or 0) > 0  # 0 would be without limit
    assert annotations.initial_scale == "1"
    assert annotations.metric == "concurrency"
    assert annotations.window and annotations.retention


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_meet_the_restricted_security_standard(overlay: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    pod = pod_spec(overlay)
    outer = pod.security_context if isinstance(pod, PodSpec) else None
    for item in pod.containers:
        inner = item.security_context
        seccomp = inner.seccomp_profile or (outer and outer.seccomp_profile)
        assert inner.allow_privilege_escalation is False
        assert inner.capabilities.drop == ["ALL"] and not inner.capabilities.add
        assert inner.privileged is not True
        assert inner.run_as_non_root or (outer and outer.run_as_non_root)
        assert (inner.run_as_user or (outer and outer.run_as_user)) == UID
        assert (inner.run_as_group or (outer and outer.run_as_group)) == UID
        assert seccomp and seccomp.type == "RuntimeDefault"
    if isinstance(pod, PodSpec):
        assert not (pod.host_network or pod.host_pid or pod.host_ipc)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_get_nothing_they_do_not_need(overlay: str) -> None:
    pod = pod_spec(overlay)
    assert pod.automount_service_account_token is False
    assert pod.enable_service_links is False
    assert container(overlay).security_context.read_only_root_filesystem is True


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_registry_image_gets_a_writable_tmp(overlay: str) -> None:
    volumes = {item.name: item for item in pod_spec(overlay).volumes}
    mounts = {item.mount_path: volumes[item.name] for item in container(overlay).volume_mounts}
    if overlay != "registry":
        assert not volumes and not mounts
        return
    assert mounts.keys() == {"/tmp"}
    scratch = mounts["/tmp"].empty_dir
    assert scratch and scratch.size_limit and scratch.medium != "Memory"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_memory_is_reserved_in_full(overlay: str) -> None:
    resources = container(overlay).resources
    assert resources.limits.memory == resources.requests.memory == MEMORY[overlay]
    assert resources.limits.cpu == "1"
    assert resources.requests.cpu


def test_each_overlay_runs_its_own_image() -> None:
    images = {overlay: container(overlay).image for overlay in OVERLAYS}
    assert images == {
        "compiled": "sentiment-function:v1",
        "canary": "sentiment-function:v2",
        "eventing": "sentiment-function:slim",
        "kubernetes": "sentiment-function:compiled",
        "monitoring": "sentiment-function:slim",
        "registry": "sentiment-function:registry",
        "slim": "sentiment-function:slim",
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_name_throughout(overlay: str) -> None:
    for item in manifests(overlay):
        if isinstance(item, ConfigMap):
            continue  # named for its content
        assert item.metadata.name == "sentiment" or item.metadata.name in OF_EVENTS
        assert item.metadata.labels["app.kubernetes.io/name"] in ("sentiment", "sentiment-events")


def test_selectors_find_the_pods() -> None:
    deployment = only("kubernetes", Deployment)
    labels = deployment.spec.template.metadata.labels.items()
    pod = deployment.spec.template.spec
    for selector in (
        deployment.spec.selector.match_labels,
        only("kubernetes", Service).spec.selector,
        only("kubernetes", PodDisruptionBudget).spec.selector.match_labels,
        only("kubernetes", NetworkPolicy).spec.pod_selector.match_labels,
        *(item.label_selector.match_labels for item in pod.topology_spread_constraints),
    ):
        assert selector and selector.items() <= labels


def test_the_autoscaler_alone_sets_the_number_of_pods() -> None:
    deployment = only("kubernetes", Deployment)
    autoscaler = only("kubernetes", HorizontalPodAutoscaler).spec
    assert deployment.spec.replicas is None
    assert autoscaler.scale_target_ref.name == deployment.metadata.name
    assert autoscaler.scale_target_ref.api_version == deployment.api_version
    assert 1 < autoscaler.min_replicas < autoscaler.max_replicas
    first = f"--current-replicas=1 --replicas={autoscaler.min_replicas}"
    assert first in (KNATIVE / "overlays" / "kubernetes" / "deployment.yaml").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_process_that_cannot_start_is_heard(overlay: str) -> None:
    assert container(overlay).termination_message_policy == "FallbackToLogsOnError"


def test_service_and_network_policy_lead_to_the_container_port() -> None:
    (port,) = container("kubernetes").ports
    (exposed,) = only("kubernetes", Service).spec.ports
    (rule,) = only("kubernetes", NetworkPolicy).spec.ingress
    assert exposed.target_port == port.name
    assert [item.port for item in rule.ports] == [port.name]


@pytest.mark.parametrize("overlay", sorted(set(OVERLAYS) - {"monitoring"}))
def test_each_overlay_can_be_monitored(overlay: str, tmp_path: Path) -> None:
    resources = [f"../{overlay}", "pod-monitor.yaml", "rules.yaml"]
    documents = render_folder(copy_overlay(tmp_path / "k", "monitoring", resources=resources))
    assert all(parse(document) for document in documents)
    alone = {
        item["kind"]
        for item in documents
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "monitoring"
    }
    assert alone == {"ConfigMap", "PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_finds_the_pods(overlay: str) -> None:
    """Knative names the container's port user-port
    (knative.dev/serving pkg/reconciler/revision/resources/deploy.go)."""
    kind = KnativeService if overlay in ON_KNATIVE else Deployment
    template = only(overlay, kind).spec.template
    monitor = only("monitoring", PodMonitor).spec
    assert monitor.selector.match_labels.items() <= template.metadata.labels.items()
    (port,) = container(overlay).ports
    scraped = [endpoint.port for endpoint in monitor.pod_metrics_endpoints]
    assert ("user-port" if overlay in ON_KNATIVE else port.name) in scraped
    assert "GET" in ROUTES[monitor.pod_metrics_endpoints[0].path]


def test_prometheus_may_ask_the_pods() -> None:
    """From any namespace, at the port that it asks."""
    (rule,) = only("kubernetes", NetworkPolicy).spec.ingress
    (peer,) = rule.from_
    assert peer.namespace_selector and not peer.namespace_selector.match_labels
    monitor = only("monitoring", PodMonitor).spec
    assert rule.ports[0].port in [endpoint.port for endpoint in monitor.pod_metrics_endpoints]


def test_a_pod_that_is_needed_for_a_moment_stays_for_two_scrapes() -> None:
    annotations = only("monitoring", KnativeService).spec.template.metadata.annotations
    delay = int((annotations.scale_down_delay or "0s").removesuffix("s"))
    for endpoint in only("monitoring", PodMonitor).spec.pod_metrics_endpoints:
        assert delay > 2 * int(endpoint.interval.removesuffix("s"))


def test_the_dashboard_is_small_enough_to_be_applied() -> None:
    """kubectl apply keeps the manifest in an annotation, of 256 KiB at most."""
    (dashboard,) = (
        item.data["sentiment.json"]
        for item in manifests("monitoring")
        if isinstance(item, ConfigMap) and "grafana_dashboard" in item.metadata.labels
    )
    assert len(dashboard) < 250_000


def test_the_compiled_model_needs_no_way_out() -> None:
    policy = only("kubernetes", NetworkPolicy).spec
    assert "Egress" in policy.policy_types and not policy.egress


def test_whoever_follows_the_readme_waits_until_knative_gives_up() -> None:
    waits = re.findall(r"kubectl wait .*--timeout=(\d+)s", DOCUMENTS)
    deadline = only("compiled", KnativeService).spec.template.metadata.annotations.progress_deadline
    assert waits and deadline and deadline.endswith("s")
    assert all(int(seconds) > int(deadline[:-1]) for seconds in waits)
