"""kubectl on one namespace: apply, wait, look, and say what is wrong."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICE = "sentiment"
# kubectl replaces a budget's selector whole, equal or not (patchStrategy of policy/v1), and calls
# it configured; nothing is written.
ALWAYS_CONFIGURED = "poddisruptionbudget"


class ClusterError(Exception):
    """kubectl failed, or what was waited for did not happen."""


@dataclass(frozen=True)
class Cluster:
    """One namespace of the cluster that KUBECONFIG names."""

    namespace: str

    def kubectl(self, *args: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Standard output; raises ClusterError with the command and its standard error."""
        command = ["kubectl", "--namespace", self.namespace, *args]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=timeout_seconds
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{' '.join(command)}: no end in {timeout_seconds:g} s") from None
        if done.returncode:
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *what: str) -> Any:
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def check(self, *, knative: bool) -> None:
        """Raises ClusterError where there is no Knative Serving, or the namespace is taken."""
        try:
            if knative:
                self.kubectl("get", "crd", "services.serving.knative.dev")
        except ClusterError as exc:
            raise ClusterError(f"no cluster with Knative Serving: {exc}") from None
        if self.kubectl("get", "namespace", self.namespace, "--ignore-not-found").strip():
            raise ClusterError(
                f"namespace {self.namespace} exists; it would be deleted in the end,"
                " so E2E_NAMESPACE must name a new one"
            )

    def versions(self) -> dict[str, str]:
        """Of Kubernetes, and of Knative Serving where there is one."""
        found = {
            "kubernetes": str(json.loads(self.kubectl("get", "--raw", "/version"))["gitVersion"])
        }
        label = r"{.metadata.labels.app\.kubernetes\.io/version}"
        where = ("namespace", "knative-serving", "--ignore-not-found", "-o", f"jsonpath={label}")
        if knative := self.kubectl("get", *where).strip():
            found["knative"] = knative
        return found

    def create(self) -> None:
        """The namespace, with the restricted security standard enforced on every pod."""
        self.kubectl("create", "namespace", self.namespace)
        enforce = "pod-security.kubernetes.io/enforce=restricted"
        self.kubectl("label", "namespace", self.namespace, enforce)

    def delete(self) -> None:
        command = ("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=180s")
        self.kubectl(*command, timeout_seconds=200)

    def apply(self, overlay: Path, *, server_side: bool = False) -> str:
        """What kubectl says of each object."""
        rendered = self.kubectl("kustomize", str(overlay))
        how = ["--server-side"] if server_side else []
        return self.kubectl("apply", *how, "-f", "-", stdin=rendered)

    def apply_again(self, overlay: Path, *, server_side: bool) -> list[str]:
        """Apply what is applied already, twice; returns what changed by the second time.

        Once first, because an object's first apply of the other way changes who manages it.
        """
        self.apply(overlay, server_side=server_side)
        before = self._specs(overlay)
        said = self.apply(overlay, server_side=server_side).splitlines()
        after = self._specs(overlay)
        changed = [f"{name} is another object" for name in before if before[name] != after[name]]
        if not server_side:  # which says the same whether anything changed or not
            changed += [
                line
                for line in said
                if not line.endswith(" unchanged") and not line.startswith(ALWAYS_CONFIGURED)
            ]
        return changed

    def _specs(self, overlay: Path) -> dict[str, Any]:
        rendered = self.kubectl("kustomize", str(overlay))
        stored = json.loads(self.kubectl("get", "-f", "-", "-o", "json", stdin=rendered))
        return {
            f"{item['kind']} {item['metadata']['name']}": spec(item)
            for item in stored.get("items", [stored])
        }

    def wait(self, what: str, done: Callable[[], bool], timeout_seconds: float) -> float:
        """Poll until done; returns the seconds it took, or raises ClusterError."""
        start = time.monotonic()
        while not done():
            if time.monotonic() - start > timeout_seconds:
                raise ClusterError(f"not within {timeout_seconds:g} s: {what}")
            time.sleep(0.5)
        return time.monotonic() - start

    def wait_ready(self, timeout_seconds: float, service: str = SERVICE) -> float:
        """Until the Service is Ready, with its last change taken up."""

        def done() -> bool:
            return settled(self.get("ksvc", service))

        return self.wait(f"Service {service} Ready", done, timeout_seconds)

    def url(self, tag: str = "", service: str = SERVICE) -> str:
        """The Service's URL, or that of a traffic tag."""
        status = self.get("ksvc", service)["status"]
        return tag_url(status, tag) if tag else str(status["url"])

    def traffic(self) -> dict[str, int]:
        """Each revision's share in percent, as it is in effect."""
        status = self.get("ksvc", SERVICE)["status"]
        return {item["revisionName"]: item.get("percent", 0) for item in status["traffic"]}

    def pods(self, service: str = SERVICE) -> list[dict[str, Any]]:
        """Every pod of a Knative Service, the terminating ones too."""
        found = self.get("pods", "-l", f"serving.knative.dev/service={service}")["items"]
        return list(found)

    def describe(self) -> str:
        """All that helps to find out what went wrong; never raises."""
        everything = "app.kubernetes.io/name=sentiment"
        parts = []
        for command in (
            ("get", "ksvc,configuration,revision,route,kpa", "-o", "wide"),
            ("get", "deployment,hpa,pods", "-o", "wide"),
            ("describe", "ksvc"),
            ("describe", "pods"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("logs", "-l", everything, "-c", "function", "--tail=50", "--prefix"),
            ("logs", "-l", everything, "-c", "queue-proxy", "--tail=20", "--prefix"),
        ):
            try:
                output = self.kubectl(*command)
            except ClusterError as exc:
                output = str(exc)
            parts.append(f"$ kubectl {' '.join(command)}\n{output.rstrip() or '(nothing)'}")
        return "\n\n".join(parts)


def spec(item: dict[str, Any]) -> dict[str, Any]:
    """An object without what changes by itself: status, and the version that counts its changes."""
    metadata = {k: v for k, v in item["metadata"].items() if k != "resourceVersion"}
    return {k: v for k, v in item.items() if k != "status"} | {"metadata": metadata}


def settled(service: dict[str, Any]) -> bool:
    """Ready, as of the last change: an older Ready says nothing of a newer spec."""
    return ready(service)[0] == "True"


def ready(service: dict[str, Any]) -> tuple[str, str]:
    """A Service's Ready condition, as of its last change: status and message."""
    status = service.get("status", {})
    if status.get("observedGeneration") != service["metadata"]["generation"]:
        return "Unknown", "the last change is not taken up yet"
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    found = conditions.get("Ready", {})
    return found.get("status", "Unknown"), found.get("message", "")


def tag_url(status: dict[str, Any], tag: str) -> str:
    """The URL of a tag in a Service's status; raises ClusterError naming those there are."""
    urls = {item["tag"]: item["url"] for item in status.get("traffic", []) if "url" in item}
    if tag not in urls:
        raise ClusterError(f"no traffic tag {tag!r}, only {sorted(urls)}")
    return str(urls[tag])
