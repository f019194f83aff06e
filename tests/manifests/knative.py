"""The Knative Service, as a default installation accepts it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tests.manifests.base import (
    Count,
    Digits,
    Duration,
    Labels,
    Name,
    ObjectMeta,
    Percentage,
    Seconds,
    Strict,
)
from tests.manifests.pods import KnativePodSpec


def _annotation(group: str, name: str) -> Any:
    return Field(default=None, alias=f"{group}.knative.dev/{name}")


class RevisionAnnotations(Strict):
    """Annotations are strings; which there are: Knative's autoscaling documentation."""

    scaler: Literal["kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev"] | None = (
        _annotation("autoscaling", "class")
    )
    metric: Literal["concurrency", "rps", "cpu", "memory"] | None = _annotation(
        "autoscaling", "metric"
    )
    min_scale: Digits | None = _annotation("autoscaling", "min-scale")
    max_scale: Digits | None = _annotation("autoscaling", "max-scale")
    initial_scale: Digits | None = _annotation("autoscaling", "initial-scale")
    activation_scale: Digits | None = _annotation("autoscaling", "activation-scale")
    target: Digits | None = _annotation("autoscaling", "target")
    target_utilization: Digits | None = _annotation("autoscaling", "target-utilization-percentage")
    burst_capacity: str | None = _annotation("autoscaling", "target-burst-capacity")
    window: Duration | None = _annotation("autoscaling", "window")
    retention: Duration | None = _annotation("autoscaling", "scale-to-zero-pod-retention-period")
    scale_down_delay: Duration | None = _annotation("autoscaling", "scale-down-delay")
    panic_window: str | None = _annotation("autoscaling", "panic-window-percentage")
    panic_threshold: str | None = _annotation("autoscaling", "panic-threshold-percentage")
    progress_deadline: Duration | None = _annotation("serving", "progress-deadline")
    full_duplex: Literal["Enabled", "Disabled"] | None = _annotation("features", "http-full-duplex")


class RevisionMeta(Strict):
    name: Name | None = None
    labels: Labels = {}
    annotations: RevisionAnnotations


class RevisionSpec(KnativePodSpec):
    container_concurrency: Annotated[int, Field(ge=0, le=1000)]
    timeout_seconds: Annotated[int, Field(ge=1, le=600)]
    response_start_timeout_seconds: Seconds | None = None
    idle_timeout_seconds: Count | None = None

    @model_validator(mode="after")
    def _timeouts_nest(self) -> Self:
        for inner in (self.response_start_timeout_seconds, self.idle_timeout_seconds):
            if inner is not None and inner > self.timeout_seconds:
                raise ValueError("no timeout may be longer than timeoutSeconds")
        return self


class RevisionTemplate(Strict):
    metadata: RevisionMeta
    spec: RevisionSpec


class TrafficTarget(Strict):
    revision_name: Name | None = None
    latest_revision: bool | None = None
    percent: Percentage
    tag: Name | None = None

    @model_validator(mode="after")
    def _named_or_latest(self) -> Self:
        if (self.revision_name is None) == (not self.latest_revision):
            raise ValueError("exactly one of revisionName, latestRevision: true is needed")
        return self


class KnativeServiceSpec(Strict):
    template: RevisionTemplate
    # Left out, it would be all traffic to the latest revision.
    traffic: Annotated[list[TrafficTarget], Field(min_length=1)]

    @model_validator(mode="after")
    def _sums_up(self) -> Self:
        if sum(target.percent for target in self.traffic) != 100:
            raise ValueError("the percentages must add up to 100")
        return self

    @model_validator(mode="after")
    def _traffic_names_the_template(self) -> Self:
        names = {target.revision_name for target in self.traffic} - {None}
        if names and self.template.metadata.name not in names:
            raise ValueError("named traffic that leaves out the revision of the template")
        return self


class KnativeService(Strict):
    api_version: Literal["serving.knative.dev/v1"]
    kind: Literal["Service"]
    metadata: ObjectMeta
    spec: KnativeServiceSpec

    @model_validator(mode="after")
    def _revisions_carry_the_service_name(self) -> Self:
        targets = [target.revision_name for target in self.spec.traffic]
        for name in [self.spec.template.metadata.name, *targets]:
            if name is not None and not name.startswith(f"{self.metadata.name}-"):
                raise ValueError(f"revision {name} must be named {self.metadata.name}-...")
        return self
