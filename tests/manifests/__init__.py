"""Strict schemas of the manifests in knative/: an unknown or misspelt field is an error.

The API server drops such a field with a warning at most, and Knative ignores a misspelt
annotation, so nothing else would notice. Each model lists the fields that exist there, not only
those in use. The Knative models list what a default installation accepts: a field behind a flag
of config-features is an error too. After knative.dev/serving pkg/apis/serving/{fieldmask,
k8s_validation}.go, knative.dev/eventing, the Kubernetes API reference and the Prometheus
operator's.
"""

from __future__ import annotations

from typing import Any

from tests.manifests.eventing import Broker, PingSource, Trigger
from tests.manifests.knative import KnativeService
from tests.manifests.kubernetes import (
    ConfigMap,
    Deployment,
    HorizontalPodAutoscaler,
    NetworkPolicy,
    PodDisruptionBudget,
    Service,
)
from tests.manifests.monitoring import PodMonitor, PrometheusRule

Manifest = (
    KnativeService
    | Deployment
    | Service
    | HorizontalPodAutoscaler
    | PodDisruptionBudget
    | NetworkPolicy
    | ConfigMap
    | PodMonitor
    | PrometheusRule
    | Broker
    | Trigger
    | PingSource
)
SCHEMAS: dict[tuple[str, str], type[Manifest]] = {
    ("serving.knative.dev/v1", "Service"): KnativeService,
    ("apps/v1", "Deployment"): Deployment,
    ("v1", "Service"): Service,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): HorizontalPodAutoscaler,
    ("policy/v1", "PodDisruptionBudget"): PodDisruptionBudget,
    ("networking.k8s.io/v1", "NetworkPolicy"): NetworkPolicy,
    ("v1", "ConfigMap"): ConfigMap,
    ("monitoring.coreos.com/v1", "PodMonitor"): PodMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRule,
    ("eventing.knative.dev/v1", "Broker"): Broker,
    ("eventing.knative.dev/v1", "Trigger"): Trigger,
    ("sources.knative.dev/v1", "PingSource"): PingSource,
}


def parse(document: dict[str, Any]) -> Manifest:
    """The document as its kind's model; raises ValidationError, or KeyError for an unknown kind."""
    return SCHEMAS[document["apiVersion"], document["kind"]].model_validate(document)
