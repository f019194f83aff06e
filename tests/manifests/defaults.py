"""What the API server and Knative's webhook add to a manifest, as code.

A manifest that lacks a default differs from what is stored. On plain Kubernetes each apply then
may say "configured" where nothing changed. On Knative it is worse: a template with a name of its
own is defaulted when the name is new only (ConfigurationSpec.SetDefaults), so the second apply
compares the bare template with the defaulted one, and is refused.

Each function returns a defaulted copy; a key in the manifest is never overwritten. After

- knative.dev/serving v0.51: pkg/apis/serving/v1/{service,configuration,revision,route}_defaults.go,
  pkg/apis/config/defaults.go, and the CRD in config/core/300-resources
- k8s.io/kubernetes v1.34: pkg/apis/{apps,autoscaling,core,networking}/{v1,v2}/defaults.go;
  policy/v1 and ConfigMap have none that matters here
- prometheus-operator v0.91: the CRD of PodMonitor; that of PrometheusRule has none
- knative.dev/eventing v0.51: pkg/apis/eventing/v1/trigger_defaults.go; a Broker gets its class from
  the cluster

Left out is what no manifest can know: addresses (clusterIP, ipFamilies), uid, status.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

# config-defaults as Knative ships it: what is not set there adds nothing.
SHIPPED: Object = {
    "timeoutSeconds": 300,
    "containerConcurrency": 0,
    "enableServiceLinks": False,
    "containerName": "user-container",
}
# An operator may set these too; ephemeral-storage, the last of them, is left to the operator.
OPERATED = SHIPPED | {
    "idleTimeoutSeconds": 45,
    "responseStartTimeoutSeconds": 60,
    "requests": {"cpu": "400m", "memory": "100M"},
    "limits": {"cpu": "1000m", "memory": "200M"},
    "securePodDefaults": True,  # of config-features
}


def knative_service(new: Object, old: Object | None = None, config: Object = SHIPPED) -> Object:
    """A Service as the webhook leaves it; ``old`` is what is stored, None at creation."""
    service = copy.deepcopy(new)
    spec = service["spec"]
    for item in spec["template"]["spec"]["containers"]:
        for port in item.get("ports", []):
            port.setdefault("protocol", "TCP")  # by the CRD's schema, always
    name = spec["template"].get("metadata", {}).get("name")
    before = old and old["spec"]["template"].get("metadata", {}).get("name")
    if not (name and name == before):
        _revision(spec["template"]["spec"], config)
    if not spec.get("traffic"):
        spec["traffic"] = [{"latestRevision": True, "percent": 100}]
    for target in spec["traffic"]:
        target.setdefault("latestRevision", not target.get("revisionName"))
        target.setdefault("percent", 0)
    return service


def _revision(spec: Object, config: Object) -> None:
    for key in ("timeoutSeconds", "containerConcurrency", "enableServiceLinks"):
        spec.setdefault(key, config[key])
    for key in ("idleTimeoutSeconds", "responseStartTimeoutSeconds"):
        if config.get(key, spec["timeoutSeconds"]) < spec["timeoutSeconds"]:
            spec.setdefault(key, config[key])
    writable = {v["name"] for v in spec.get("volumes", []) if "emptyDir" in v}
    for item in spec["containers"]:
        item.setdefault("name", config["containerName"])
        _resources(item, config)
        _readiness(item.setdefault("readinessProbe", {}))
        if config.get("securePodDefaults"):
            _security(item.setdefault("securityContext", {}))
        for mount in item.get("volumeMounts", []):
            if mount["name"] not in writable:
                mount["readOnly"] = True


def _resources(container: Object, config: Object) -> None:
    for kind in ("requests", "limits"):
        for name, amount in config.get(kind, {}).items():
            container.setdefault("resources", {}).setdefault(kind, {}).setdefault(name, amount)


def _readiness(probe: Object) -> None:
    if not probe.keys() & {"httpGet", "tcpSocket", "exec", "grpc"}:
        probe["tcpSocket"] = {}
    probe.setdefault("successThreshold", 1)
    if probe.get("periodSeconds"):
        probe.setdefault("failureThreshold", 3)
        probe.setdefault("timeoutSeconds", 1)


def _security(context: Object) -> None:
    context.setdefault("allowPrivilegeEscalation", False)
    context.setdefault("capabilities", {"drop": ["ALL"]})
    context.setdefault("runAsNonRoot", True)
    context.setdefault("seccompProfile", {}).setdefault("type", "RuntimeDefault")


def deployment(new: Object) -> Object:
    """All but ``replicas``: left out on purpose, the autoscaler owns it."""
    stored = copy.deepcopy(new)
    spec = stored["spec"]
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _pod(spec["template"]["spec"])
    return stored


def _pod(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for item in spec["containers"]:
        item.setdefault("imagePullPolicy", "IfNotPresent")  # Always, were the tag latest
        item.setdefault("terminationMessagePath", "/dev/termination-log")
        item.setdefault("terminationMessagePolicy", "File")
        item.setdefault("resources", {})
        for port in item.get("ports", []):
            port.setdefault("protocol", "TCP")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in item:
                _probe(item[probe])
        for variable in item.get("env", []):
            if "fieldRef" in variable.get("valueFrom", {}):
                variable["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")


def _probe(probe: Object) -> None:
    numbers = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
    for key, value in (numbers | {"failureThreshold": 3}).items():
        probe.setdefault(key, value)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def service(new: Object) -> Object:
    stored = copy.deepcopy(new)
    spec = stored["spec"]
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec["ports"]:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    return stored


def autoscaler(new: Object) -> Object:
    stored = copy.deepcopy(new)
    spec = stored["spec"]
    spec.setdefault("minReplicas", 1)
    if "behavior" not in spec:
        return stored
    pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    up = spec["behavior"].setdefault("scaleUp", {})
    up.setdefault("stabilizationWindowSeconds", 0)
    down = spec["behavior"].setdefault("scaleDown", {})
    for rules, policies in ((up, [pods, percent]), (down, [percent])):
        rules.setdefault("selectPolicy", "Max")
        rules.setdefault("policies", policies)
    return stored


def network_policy(new: Object) -> Object:
    """Empty lists of rules are dropped when stored (``omitempty``)."""
    stored = copy.deepcopy(new)
    spec = stored["spec"]
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for direction in ("ingress", "egress"):
        if not spec.get(direction):
            spec.pop(direction, None)
        for rule in spec.get(direction, []):
            for port in rule.get("ports", []):
                port.setdefault("protocol", "TCP")
    return stored


def pod_monitor(new: Object) -> Object:
    stored = copy.deepcopy(new)
    for endpoint in stored["spec"]["podMetricsEndpoints"]:
        for rule in endpoint.get("relabelings", []):
            rule.setdefault("action", "replace")
    return stored


def trigger(new: Object) -> Object:
    """All but the namespace of what it refers to, which no manifest can know."""
    stored = copy.deepcopy(new)
    labels = stored["metadata"].setdefault("labels", {})
    labels.setdefault("eventing.knative.dev/broker", stored["spec"]["broker"])
    return stored


DEFAULTS: dict[tuple[str, str], Callable[[Object], Object]] = {
    ("serving.knative.dev/v1", "Service"): knative_service,
    ("apps/v1", "Deployment"): deployment,
    ("v1", "Service"): service,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): autoscaler,
    ("policy/v1", "PodDisruptionBudget"): copy.deepcopy,
    ("networking.k8s.io/v1", "NetworkPolicy"): network_policy,
    ("v1", "ConfigMap"): copy.deepcopy,
    ("monitoring.coreos.com/v1", "PodMonitor"): pod_monitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): copy.deepcopy,
    ("eventing.knative.dev/v1", "Broker"): copy.deepcopy,
    ("eventing.knative.dev/v1", "Trigger"): trigger,
    ("sources.knative.dev/v1", "PingSource"): copy.deepcopy,
}


def stored(document: Object) -> Object:
    """The document as it is stored when it is applied for the first time."""
    return DEFAULTS[document["apiVersion"], document["kind"]](document)
