"""What the suite is told by the environment, and why it is skipped where that is not enough."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Options:
    """Read once. Every variable but the first two has a default."""

    image: str  # E2E_IMAGE_COMPILED: as the cluster's nodes pull it
    canary_image: str  # E2E_IMAGE_CANARY: the same image where there is no other version
    hello_image: str  # E2E_HELLO_IMAGE: answers GET / on PORT; what the cluster itself costs
    registry_image: str  # E2E_IMAGE_REGISTRY: with E2E_MLFLOW_TRACKING_URI, its overlay is tried
    slim_image: str  # E2E_IMAGE_SLIM: likewise, and promotions by alias; E2E_MODEL_URI is published
    tracking_uri: str  # E2E_MLFLOW_TRACKING_URI: as pods reach it
    mlflow_url: str  # E2E_MLFLOW_URL: as it is reached from here, where that is by another URL
    model_uri: str  # E2E_MODEL_URI: the overlay's own where unset; an alias is moved and put back
    namespace: str  # E2E_NAMESPACE: must not exist yet, nor with -plain; deleted in the end
    url: str  # E2E_URL: the ingress, where the Service's own host name does not resolve
    host_header: str  # E2E_HOST_HEADER: sent to E2E_URL; {host} is the Service's own host name
    results: str  # E2E_RESULTS: a file for the table's rows as JSON
    scale_down_window: str  # E2E_SCALE_DOWN_WINDOW: shorter than shipped; "shipped" keeps it
    ready_timeout_seconds: float  # E2E_READY_TIMEOUT_SECONDS: an image pull included
    idle_timeout_seconds: float  # E2E_IDLE_TIMEOUT_SECONDS: until the last pod is gone
    request_timeout_seconds: float  # E2E_REQUEST_TIMEOUT_SECONDS: a cold start included
    cold_starts: int  # E2E_COLD_STARTS: how often scale-from-zero is measured
    cold_start_limit_seconds: float  # E2E_COLD_START_LIMIT_SECONDS: what the median may be
    failure_limit_seconds: float  # E2E_FAILURE_LIMIT_SECONDS: until a broken model is reported
    split_requests: int  # E2E_SPLIT_REQUESTS: sent to measure a traffic split
    load_clients: int  # E2E_LOAD_CLIENTS: at work while a pod is taken away
    load_seconds: float  # E2E_LOAD_SECONDS: how long

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Options:
        def read(name: str, default: str) -> str:
            return environ.get(f"E2E_{name}", "").strip() or default

        image = read("IMAGE_COMPILED", "")
        tracking_uri = read("MLFLOW_TRACKING_URI", "")
        return cls(
            image=image,
            canary_image=read("IMAGE_CANARY", image),
            hello_image=read("HELLO_IMAGE", ""),
            registry_image=read("IMAGE_REGISTRY", ""),
            slim_image=read("IMAGE_SLIM", ""),
            tracking_uri=tracking_uri,
            mlflow_url=read("MLFLOW_URL", tracking_uri),
            model_uri=read("MODEL_URI", ""),
            namespace=read("NAMESPACE", f"sentiment-e2e-{secrets.token_hex(3)}"),
            url=read("URL", "").rstrip("/"),
            host_header=read("HOST_HEADER", "{host}"),
            results=read("RESULTS", ""),
            scale_down_window=read("SCALE_DOWN_WINDOW", "10s"),
            ready_timeout_seconds=float(read("READY_TIMEOUT_SECONDS", "300")),
            idle_timeout_seconds=float(read("IDLE_TIMEOUT_SECONDS", "300")),
            request_timeout_seconds=float(read("REQUEST_TIMEOUT_SECONDS", "90")),
            cold_starts=int(read("COLD_STARTS", "5")),
            cold_start_limit_seconds=float(read("COLD_START_LIMIT_SECONDS", "10")),
            failure_limit_seconds=float(read("FAILURE_LIMIT_SECONDS", "60")),
            split_requests=int(read("SPLIT_REQUESTS", "500")),
            load_clients=int(read("LOAD_CLIENTS", "16")),
            load_seconds=float(read("LOAD_SECONDS", "30")),
        )

    @property
    def registry_images(self) -> dict[str, str]:
        """By overlay, those that ask the registry."""
        return {"registry": self.registry_image, "slim": self.slim_image}

    def reason_for_no_registry(self, overlay: str) -> str:
        """Why an overlay that asks the registry is not tried; empty if it is."""
        for name, value in (
            (f"E2E_IMAGE_{overlay.upper()}", self.registry_images[overlay]),
            ("E2E_MLFLOW_TRACKING_URI", self.tracking_uri),
        ):
            if not value:
                return f"{name} is not set: overlays/{overlay} needs an image and an MLflow server"
        return ""


def reason_to_skip(environ: Mapping[str, str] | None = None) -> str:
    """Why there is no cluster to test on; empty if there is one."""
    environ = os.environ if environ is None else environ
    if not environ.get("KUBECONFIG"):
        return "KUBECONFIG does not name a cluster with Knative Serving"
    if not environ.get("E2E_IMAGE_COMPILED"):
        return "E2E_IMAGE_COMPILED does not name an image that the cluster can pull"
    if not shutil.which("kubectl"):
        return "kubectl is not installed"
    return ""


def reason_out_of_reach(service_url: str, ingress_url: str) -> str:
    """Why a Service's URL cannot be asked from here; empty if it can be tried.

    A Knative without a domain gives every Service a cluster-local URL, and its external ingress
    answers 404 for that host.
    """
    host = urlsplit(service_url).hostname or ""
    if ingress_url or not host.endswith((".svc", ".cluster.local")):
        return ""
    return (
        f"{service_url} is cluster-local, because config-domain in knative-serving sets no domain:"
        " set one, or forward the cluster-local gateway and set E2E_URL (README, Knative)"
    )
