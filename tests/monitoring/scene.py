"""Pods as Prometheus finds them on a cluster, and clients that ask them in every way there is."""

from __future__ import annotations

import http.client
import json
import random
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from function.demo.sentences import read_sentences
from tests.monitoring.overlay import SCRAPE_CONFIG
from tests.processes import QuietHandler, on_loopback

MEMORY_LIMIT = 512 * 2**20
_PREFIX = "__meta_kubernetes_"


@dataclass(frozen=True)
class Pod:
    """One that serves at a port of loopback, and how the cluster labels it."""

    name: str
    namespace: str
    port: int
    labels: dict[str, str]
    ports: dict[str, str]
    """Container by the name of its port; the first is the one that serves."""

    @classmethod
    def of_knative(cls, name: str, port: int, revision: str = "sentiment-00001") -> Pod:
        """As Knative makes it, with queue-proxy beside the function
        (knative.dev/serving pkg/reconciler/revision/resources/{deploy,queue}.go)."""
        labels = {
            "app_kubernetes_io_name": "sentiment",
            "serving_knative_dev_service": "sentiment",
            "serving_knative_dev_revision": revision,
            "pod_template_hash": "5bc9d8",
        }
        own = ("queue-port", "http-queueadm", "http-autometric", "http-usermetric")
        ports = {"user-port": "function"} | dict.fromkeys(own, "queue-proxy")
        return cls(name, "knative", port, labels, ports)

    @classmethod
    def of_deployment(cls, name: str, port: int) -> Pod:
        """As overlays/kubernetes has it."""
        labels = {"app_kubernetes_io_name": "sentiment", "pod_template_hash": "7f6c9"}
        return cls(name, "plain", port, labels, {"http": "function"})

    def found(self) -> Iterator[dict[str, Any]]:
        """What service discovery says of each of its ports; where nothing serves, nothing is."""
        about = {f"pod_label_{name}": value for name, value in self.labels.items()}
        about |= {"namespace": self.namespace, "pod_name": self.name, "pod_phase": "Running"}
        for number, (port_name, container) in enumerate(self.ports.items()):
            port = about | {"pod_container_port_name": port_name, "pod_container_name": container}
            yield {
                "targets": [f"127.0.0.1:{1 if number else self.port}"],
                "labels": {_PREFIX + name: value for name, value in port.items()},
            }


def scrape_config(file: Path, seconds: float) -> dict[str, Any]:
    """The overlay's own, but that it reads in ``file`` what pods there are."""
    (job,) = SCRAPE_CONFIG["scrape_configs"]
    kept = {name: value for name, value in job.items() if name != "kubernetes_sd_configs"}
    every = {"scrape_interval": f"{round(1000 * seconds)}ms"}
    return {**kept, **every, "file_sd_configs": [{"files": [str(file)]}]}


def discovered(file: Path, pods: list[Pod]) -> Path:
    """Let Prometheus find these pods, and no others."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([target for pod in pods for target in pod.found()]))
    return partial.rename(file)


@contextmanager
def limits_told(pods: list[Pod]) -> Iterator[dict[str, Any]]:
    """Somebody who says what kube-state-metrics does of the pods' memory; how to scrape him."""
    lines = [
        f'kube_pod_container_resource_limits{{namespace="{pod.namespace}",pod="{pod.name}",'
        f'container="function",resource="memory",unit="byte"}} {MEMORY_LIMIT}\n'
        for pod in pods
    ]

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write("".join(lines).encode())

    with on_loopback(Handler) as url:
        target = {"targets": [url.removeprefix("http://")]}
        name = {"job_name": "kube-state-metrics", "honor_labels": True, "scrape_interval": "1s"}
        yield {**name, "static_configs": [target]}


class Asked(NamedTuple):
    """A kind of request: what is sent in turn, by how many clients, with which pause between."""

    path: str
    payloads: list[Any]
    clients: int = 1
    pause_seconds: float = 0.05


_RANDOM = random.Random(20260)
_SENTENCES = read_sentences()[1::6]
TEXTS = [sentence.text for sentence in _SENTENCES]
_LONG = [
    " ".join(_RANDOM.choices([item.text for item in _SENTENCES if item.label == label], k=60))
    for label in ("negative", "neutral", "positive") * 33
]
UNKNOWN = [
    " ".join("".join(_RANDOM.choices(string.ascii_lowercase, k=7)) for _ in range(8))
    for _ in range(50)
]
SINGLE = Asked("/predict", [{"text": text} for text in TEXTS], 2, 0.02)
BATCH = Asked("/predict_batch", [{"texts": TEXTS[at : at + 20]} for at in range(0, 200, 20)])
STRANGE = Asked("/predict", [{"text": text} for text in UNKNOWN])
WRONG = Asked("/predict", [{"text": " "}, {"txt": "?"}, []], pause_seconds=0.2)
NOWHERE = Asked("/wp-login.php", [{}], pause_seconds=0.5)
FLOOD = Asked("/predict_batch", [{"texts": _LONG}], 12, 0.02)
REFRESH = Asked("/models/refresh", [{}], pause_seconds=0.3)


@contextmanager
def clients(pod: Pod, *kinds: Asked) -> Iterator[None]:
    """Clients that send requests of these kinds all the while."""
    over = threading.Event()
    with ExitStack() as stack:
        for kind in kinds:
            bodies = [json.dumps(payload).encode() for payload in kind.payloads]
            for _ in range(kind.clients):
                thread = threading.Thread(target=_ask, args=(pod.port, kind, bodies, over.is_set))
                thread.start()
                stack.callback(thread.join)
        stack.callback(over.set)
        yield


def _ask(port: int, kind: Asked, bodies: list[bytes], is_over: Callable[[], bool]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for body in cycle(bodies):
        if is_over():
            break
        connection.request("POST", kind.path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        time.sleep(kind.pause_seconds)
    connection.close()
