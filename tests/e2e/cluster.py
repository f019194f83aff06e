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
PODS = ("pods", "-l", f"serving.knative.dev/service={SERVICE}")


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

    def check(self) -> None:
        """Raises ClusterError where there is no Knative Serving, or the namespace is taken."""
        try:
            self.kubectl("get", "crd", "services.serving.knative.dev")
        except ClusterError as exc:
            raise ClusterError(f"no cluster with Knative Serving: {exc}") from None
        if self.kubectl("get", "namespace", self.namespace, "--ignore-not-found").strip():
            raise ClusterError(
                f"namespace {self.namespace} exists; it would be deleted in the end,"
                " so E2E_NAMESPACE must name a new one"
            )

    def create(self) -> None:
        """The namespace, with the restricted security standard enforced on every pod."""
        self.kubectl("create", "namespace", self.namespace)
        enforce = "pod-security.kubernetes.io/enforce=restricted"
        self.kubectl("label", "namespace", self.namespace, enforce)

    def delete(self) -> None:
        command = ("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=180s")
        self.kubectl(*command, timeout_seconds=200)

    def apply(self, overlay: Path) -> None:
        rendered = self.kubectl("kustomize", str(overlay))
        self.kubectl("apply", "-f", "-", stdin=rendered)

    def patch(self, file: Path) -> None:
        self.kubectl("patch", "ksvc", SERVICE, "--type", "merge", "--patch-file", str(file))

    def wait(self, what: str, done: Callable[[], bool], timeout_seconds: float) -> float:
        """Poll until done; returns the seconds it took, or raises ClusterError."""
        start = time.monotonic()
        while not done():
            if time.monotonic() - start > timeout_seconds:
                raise ClusterError(f"not within {timeout_seconds:g} s: {what}")
            time.sleep(0.5)
        return time.monotonic() - start

    def wait_ready(self, revision: str, timeout_seconds: float) -> float:
        """Until the Service is Ready with this as its latest revision."""

        def done() -> bool:
            found = self.get("ksvc", SERVICE)
            return settled(found) and found["status"].get("latestReadyRevisionName") == revision

        return self.wait(f"revision {revision} Ready", done, timeout_seconds)

    def wait_settled(self, timeout_seconds: float) -> float:
        """Until the Service has taken up its last change."""
        return self.wait(
            "the Service Ready again", lambda: settled(self.get("ksvc", SERVICE)), timeout_seconds
        )

    def url(self, tag: str = "") -> str:
        """The Service's URL, or that of a traffic tag."""
        status = self.get("ksvc", SERVICE)["status"]
        return tag_url(status, tag) if tag else str(status["url"])

    def pods(self) -> list[str]:
        """Every pod of the Service, the terminating ones too."""
        return [item["metadata"]["name"] for item in self.get(*PODS)["items"]]

    def describe(self) -> str:
        """All that helps to find out what went wrong; never raises."""
        parts = []
        for command in (
            ("get", "ksvc,configuration,revision,route,kpa,pods", "-o", "wide"),
            ("describe", "ksvc", SERVICE),
            ("describe", *PODS),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("logs", *PODS[1:], "-c", "function", "--tail=50", "--prefix"),
            ("logs", *PODS[1:], "-c", "queue-proxy", "--tail=20", "--prefix"),
        ):
            try:
                output = self.kubectl(*command)
            except ClusterError as exc:
                output = str(exc)
            parts.append(f"$ kubectl {' '.join(command)}\n{output.rstrip() or '(nothing)'}")
        return "\n\n".join(parts)


def settled(service: dict[str, Any]) -> bool:
    """Ready, as of the last change: an older Ready says nothing of a newer spec."""
    status = service.get("status", {})
    if status.get("observedGeneration") != service["metadata"]["generation"]:
        return False
    conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
    return conditions.get("Ready") == "True"


def tag_url(status: dict[str, Any], tag: str) -> str:
    """The URL of a tag in a Service's status; raises ClusterError naming those there are."""
    urls = {item["tag"]: item["url"] for item in status.get("traffic", []) if "url" in item}
    if tag not in urls:
        raise ClusterError(f"no traffic tag {tag!r}, only {sorted(urls)}")
    return str(urls[tag])
