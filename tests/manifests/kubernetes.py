"""Deployment, Service, autoscaler, disruption budget, network policy and ConfigMap."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tests.manifests.base import (
    Bytes,
    Count,
    CountOrShare,
    Cpu,
    Labels,
    Name,
    ObjectMeta,
    Percentage,
    Port,
    PortName,
    PortNumber,
    Seconds,
    Strict,
)
from tests.manifests.pods import PodSpec, Selector


class PodTemplateMeta(Strict):
    labels: Labels
    annotations: dict[str, str] = {}


class PodTemplate(Strict):
    metadata: PodTemplateMeta
    spec: PodSpec


class RollingUpdate(Strict):
    max_surge: CountOrShare
    max_unavailable: CountOrShare


class Strategy(Strict):
    type: Literal["RollingUpdate", "Recreate"]
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Strict):
    replicas: Count | None = None
    selector: Selector
    template: PodTemplate
    strategy: Strategy
    min_ready_seconds: Count = 0
    revision_history_limit: Count | None = None
    progress_deadline_seconds: Seconds | None = None


class Deployment(Strict):
    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    metadata: ObjectMeta
    spec: DeploymentSpec


class ServicePort(Strict):
    name: PortName
    port: PortNumber
    target_port: Port
    protocol: Literal["TCP", "UDP"] = "TCP"
    app_protocol: str | None = None


class ServiceSpec(Strict):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    session_affinity: Literal["None", "ClientIP"] = "None"
    internal_traffic_policy: Literal["Cluster", "Local"] = "Cluster"
    selector: Labels
    ports: Annotated[list[ServicePort], Field(min_length=1)]


class Service(Strict):
    api_version: Literal["v1"]
    kind: Literal["Service"]
    metadata: ObjectMeta
    spec: ServiceSpec


class ScaleTarget(Strict):
    api_version: str
    kind: Literal["Deployment"]
    name: Name


class MetricTarget(Strict):
    type: Literal["AverageValue", "Utilization", "Value"]
    average_value: Cpu | Bytes | None = None
    average_utilization: Percentage | None = None


class ResourceMetric(Strict):
    name: Literal["cpu", "memory"]
    target: MetricTarget


class Metric(Strict):
    type: Literal["Resource"]
    resource: ResourceMetric


class ScalingPolicy(Strict):
    type: Literal["Pods", "Percent"]
    value: Seconds
    period_seconds: Seconds


class ScalingRules(Strict):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: list[ScalingPolicy] = []


class ScalingBehavior(Strict):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class AutoscalerSpec(Strict):
    scale_target_ref: ScaleTarget
    min_replicas: Seconds
    max_replicas: Seconds
    metrics: Annotated[list[Metric], Field(min_length=1)]
    behavior: ScalingBehavior | None = None


class HorizontalPodAutoscaler(Strict):
    api_version: Literal["autoscaling/v2"]
    kind: Literal["HorizontalPodAutoscaler"]
    metadata: ObjectMeta
    spec: AutoscalerSpec


class DisruptionBudgetSpec(Strict):
    selector: Selector
    max_unavailable: CountOrShare | None = None
    min_available: CountOrShare | None = None
    unhealthy_pod_eviction_policy: Literal["IfHealthyBudget", "AlwaysAllow"] | None = None


class PodDisruptionBudget(Strict):
    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    metadata: ObjectMeta
    spec: DisruptionBudgetSpec


class IpBlock(Strict):
    cidr: str
    except_: Annotated[list[str], Field(alias="except")] = []


class Peer(Strict):
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: IpBlock | None = None


class PolicyPort(Strict):
    port: Port
    protocol: Literal["TCP", "UDP"] = "TCP"
    end_port: PortNumber | None = None


class IngressRule(Strict):
    from_: Annotated[list[Peer], Field(alias="from")] = []
    ports: list[PolicyPort] = []


class EgressRule(Strict):
    to: list[Peer] = []
    ports: list[PolicyPort] = []


class NetworkPolicySpec(Strict):
    pod_selector: Selector
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[IngressRule] = []
    egress: list[EgressRule] = []


class NetworkPolicy(Strict):
    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    metadata: ObjectMeta
    spec: NetworkPolicySpec


class ConfigMap(Strict):
    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: ObjectMeta
    data: dict[str, str]
    immutable: bool = False
