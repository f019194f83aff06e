"""Load from inside the cluster: what a Service without an ingress can be asked by.

``kubectl port-forward`` stays with one pod and dies with it, so traffic.py itself is run, by the
Python of the image under test, in a pod beside the Service.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.cluster import Cluster

POD = "load"
SOURCE = Path(__file__).with_name("traffic.py")


def command(url: str, clients: int, seconds: float) -> list[str]:
    """Asks for predictions that long, then prints what became of them as JSON."""
    load = f"run_load(endpoint({url!r}), {clients}, {seconds}, lambda: None)"
    main = f"load = {load}\nprint(json.dumps(load.summary()))\n"
    return ["python", "-c", f"{SOURCE.read_text()}\n\n{main}"]


def pod(image: str, command: list[str]) -> dict[str, Any]:
    """One that the restricted security standard admits."""
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "load", "image": image, "command": command}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [container | {"securityContext": restricted}],
        },
    }


def run_load(
    cluster: Cluster,
    image: str,
    clients: int,
    seconds: float,
    meanwhile: Callable[[], None],
    url: str = "http://sentiment",
) -> dict[str, Any]:
    """As traffic.run_load, with the clients in the cluster; returns the load's summary."""
    manifest = json.dumps(pod(image, command(url, clients, seconds)))

    def phase() -> str:
        return str(cluster.get("pod", POD)["status"].get("phase"))

    cluster.kubectl("create", "-f", "-", stdin=manifest)
    try:
        cluster.wait("load begun", lambda: phase() not in ("", "None", "Pending"), 120)
        time.sleep(seconds / 3)
        meanwhile()
        cluster.wait("load ended", lambda: phase() in ("Succeeded", "Failed"), seconds + 180)
        summary: dict[str, Any] = json.loads(cluster.kubectl("logs", POD).splitlines()[-1])
        return summary
    finally:
        cluster.kubectl("delete", "pod", POD, "--wait=true", timeout_seconds=90)
