"""PodMonitor and PrometheusRule of the Prometheus operator.

After prometheus-operator v0.91 (example/prometheus-operator-crd); of a PodMonitor's endpoint those
fields that are about where and how, not about credentials.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.manifests.base import Name, ObjectMeta, PortName, Strict
from tests.manifests.pods import Selector

PrometheusDuration = Annotated[str, Field(pattern=r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", min_length=2)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class Relabeling(Strict):
    action: Literal["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep"]
    source_labels: list[LabelName] = []
    separator: str | None = None
    regex: str | None = None
    replacement: str | None = None
    target_label: LabelName | None = None

    @model_validator(mode="after")
    def _replace_has_a_target(self) -> Self:
        if (self.action == "replace") != (self.target_label is not None):
            raise ValueError("targetLabel is what replace, and nothing else, needs")
        return self


class PodMetricsEndpoint(Strict):
    port: PortName
    path: Annotated[str, Field(pattern="^/")]
    interval: PrometheusDuration
    scrape_timeout: PrometheusDuration | None = None
    scheme: Literal["http", "https"] = "http"
    honor_labels: bool = False
    filter_running: bool = True
    relabelings: list[Relabeling] = []
    metric_relabelings: list[Relabeling] = []


class NamespaceSelector(Strict):
    any: bool = False
    match_names: list[Name] = []


class PodMonitorSpec(Strict):
    job_label: str
    selector: Selector
    namespace_selector: NamespaceSelector | None = None
    pod_target_labels: list[str] = []
    pod_metrics_endpoints: Annotated[list[PodMetricsEndpoint], Field(min_length=1)]


class PodMonitor(Strict):
    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: ObjectMeta
    spec: PodMonitorSpec


class RuleLabels(Strict):
    severity: Literal["critical", "warning", "info"]


class RuleAnnotations(Strict):
    summary: str
    description: str
    runbook_url: Annotated[str | None, Field(alias="runbook_url")] = None


class Rule(Strict):
    record: Annotated[str | None, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")] = None
    alert: LabelName | None = None
    expr: str
    for_: Annotated[PrometheusDuration | None, Field(alias="for")] = None
    keep_firing_for: Annotated[PrometheusDuration | None, Field(alias="keep_firing_for")] = None
    labels: RuleLabels | None = None
    annotations: RuleAnnotations | None = None

    @model_validator(mode="after")
    def _records_or_alerts(self) -> Self:
        if (self.record is None) == (self.alert is None):
            raise ValueError("exactly one of record, alert is needed")
        told = (self.for_, self.labels, self.annotations)
        if any(told) if self.record else not all(told):
            raise ValueError("an alert, and nothing else, has for, labels and annotations")
        return self


class RuleGroup(Strict):
    name: Name
    interval: PrometheusDuration | None = None
    rules: Annotated[list[Rule], Field(min_length=1)]


class PrometheusRuleSpec(Strict):
    groups: Annotated[list[RuleGroup], Field(min_length=1)]


class PrometheusRule(Strict):
    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PrometheusRule"]
    metadata: ObjectMeta
    spec: PrometheusRuleSpec
