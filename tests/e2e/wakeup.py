"""Where a wake-up's time went: from the pod, its events and the process's own record.

The record ``started`` is written once a process, at its first request that is no probe. Its
fields are milliseconds from the process's start, so start and end of each part are known to the
millisecond; when the process started is reckoned from the record's own time. Kubernetes' own
timestamps are whole seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.results import Results
from tests.e2e.traffic import percentile

MARKS = ("listening_ms", "model_loaded_ms", "first_probe_ms", "first_request_ms")
CONDITIONS = ("PodScheduled", "PodReadyToStartContainers", "ContainersReady", "Ready")


@dataclass(frozen=True)
class Wakeup:
    """One start of a pod. What is not known is not in it."""

    seconds: float  # from asking to the answer
    marks: dict[str, float] = field(default_factory=dict)  # ms from process start
    asked_ms: float | None = None  # from asking to process start; by two machines' clocks
    stages: dict[str, float] = field(default_factory=dict)  # whole seconds from the pod's creation

    def parts(self) -> dict[str, float]:
        """Milliseconds of each part, in the order of the marks."""
        found: dict[str, float] = {}
        if self.asked_ms is not None:
            found["request sent to process start"] = self.asked_ms
        for name in MARKS:
            if name in self.marks:
                found[f"process start to {name[:-3].replace('_', ' ')}"] = self.marks[name]
        if self.asked_ms is not None:
            ended = 1000 * self.seconds - self.asked_ms
            found["process start to answer"] = ended
        return found


def look(cluster: Cluster, service: str, asked: float, seconds: float) -> Wakeup:
    """The wake-up that answered a request; ``asked`` is the Unix time when it was sent."""
    pods = [pod for pod in cluster.pods(service) if "deletionTimestamp" not in pod["metadata"]]
    if len(pods) != 1:
        return Wakeup(seconds)
    name = pods[0]["metadata"]["name"]
    events = cluster.get("events", "--field-selector", f"involvedObject.name={name}")["items"]
    try:
        log = cluster.kubectl("logs", name, "-c", "function")
    except ClusterError:  # gone meanwhile
        log = ""
    return wakeup(pods[0], events, log, asked, seconds)


def wakeup(
    pod: dict[str, Any], events: list[dict[str, Any]], log: str, asked: float, seconds: float
) -> Wakeup:
    """From what kubectl gets: the pod, its events, the container's log."""
    record = started(log.splitlines())
    marks = {name: float(record[name]) for name in MARKS if record.get(name) is not None}
    asked_ms = None
    if "first_request_ms" in marks:
        written = datetime.fromisoformat(record["time"]).timestamp()
        asked_ms = 1000 * (written - asked) - marks["first_request_ms"]
    return Wakeup(seconds, marks, asked_ms, _stages(pod, events))


def started(lines: Iterable[str]) -> dict[str, Any]:
    """The record that a process writes of its start; empty if there is none."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("message") == "started":
            return record
    return {}


def _stages(pod: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, float]:
    created = _time(pod["metadata"]["creationTimestamp"])
    moments: dict[str, float] = {}
    for event in events:
        if when := event.get("eventTime") or event.get("firstTimestamp"):
            moments.setdefault(f"event {event['reason']}", _time(when) - created)
    for item in pod["status"].get("conditions", []):
        if item["type"] in CONDITIONS and item["status"] == "True":
            moments[f"pod {item['type']}"] = _time(item["lastTransitionTime"]) - created
    for item in pod["status"].get("containerStatuses", []):
        if running := item["state"].get("running"):
            moments[f"container {item['name']} started"] = _time(running["startedAt"]) - created
    return dict(sorted(moments.items(), key=lambda moment: moment[1]))


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def report(results: Results, what: str, starts: list[Wakeup], limit_seconds: float) -> float:
    """Rows for the starts, medians of their parts below them; returns the median in seconds."""
    seconds = [start.seconds for start in starts]
    median = percentile(seconds, 50)
    measured = f"{median:.2f} s ({min(seconds):.2f}-{max(seconds):.2f}, n={len(seconds)})"
    results.add(
        f"scale from zero, {what}",
        measured,
        f"<= {limit_seconds:g} s" if limit_seconds else "",
        starts=[
            {"seconds": x.seconds, "parts_ms": x.parts(), "stages_seconds": x.stages}
            for x in starts
        ],
    )
    for name, values in _columns([start.parts() for start in starts]).items():
        results.add(f"  {name}", f"{percentile(values, 50):.0f} ms", "", milliseconds=values)
    for name, values in _columns([start.stages for start in starts]).items():
        results.add(
            f"  pod created to {name}", f"{percentile(values, 50):.0f} s", "", seconds=values
        )
    return median


def _columns(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row[name] for row in rows if name in row] for name in names}
