"""What the dashboard and the rules ask, in a form that a Prometheus can be asked.

Grafana's variables get values. The windows of rules, from a minute to a day, are made one to three
seconds: the queries stay what they are, and a run of seconds has data for each.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any, NamedTuple

import yaml

from tests.manifests.rendered import KNATIVE

OVERLAY = KNATIVE / "overlays" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((OVERLAY / "dashboard.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((OVERLAY / "rules.yaml").read_text())["spec"]
SCRAPE_CONFIG: dict[str, Any] = yaml.safe_load((OVERLAY / "scrape-config.yaml").read_text())

_SECONDS = {"1m": 1, "2m": 1, "5m": 2, "10m": 2, "15m": 2, "30m": 2, "1h": 2, "1d": 3}
_WORDS = {"and", "or", "unless", "on", "by", "ignoring", "offset", "bool", "group_left"}
_SUFFIXES = re.compile(r"_(bucket|count|sum)$")


class Query(NamedTuple):
    """One of a panel's."""

    panel: str
    legend: str
    expression: str


def panels() -> list[dict[str, Any]]:
    """The dashboard's, without its rows."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """What the panels ask."""
    return [
        Query(panel["title"], target["legendFormat"], target["expr"])
        for panel in panels()
        for target in panel["targets"]
    ]


def rules() -> list[dict[str, Any]]:
    """Every rule, recording and alerting."""
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def asked(expression: str, rate_seconds: float) -> str:
    """The query as Grafana sends it, for all services."""
    for name in ("namespace", "service", "revision"):
        expression = expression.replace(f"${name}", ".*")
    window = f"{round(1000 * rate_seconds)}ms"
    return expression.replace("$__rate_interval", window).replace("$__interval", window)


def shrunk(expression: str) -> str:
    """The expression with seconds for its minutes and hours."""
    return re.sub(r"\b\d+[mhd]\b", lambda found: f"{_SECONDS[found[0]]}s", expression)


def shrunk_rules() -> dict[str, Any]:
    """The file of rules, all windows and pauses shrunk."""
    found = copy.deepcopy(RULES)
    for group in found["groups"]:
        for rule in group["rules"]:
            rule["expr"] = shrunk(rule["expr"])
            if "for" in rule:
                rule["for"] = shrunk(rule["for"])
    return found


def unfiltered(expression: str) -> str:
    """The expression, each comparison answering 0 or 1 for what it would let through or not; what
    is left out on purpose is left out still."""
    head, unless, tail = expression.partition("unless")
    return re.sub(r"(?<=\s)(<|>|==)(?=\s)", r"\1 bool", head) + unless + tail


def metrics(expression: str) -> set[str]:
    """The names of the metrics in it, histograms without their suffixes."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', "", re.sub(r'"[^"]*"', "", expression))
    bare = re.sub(r"\b(by|on|ignoring)\s*\([^)]*\)", "", bare)
    names = re.findall(r"\b[a-z_][a-zA-Z0-9_:]*\b(?!\s*\()", bare)
    return {_SUFFIXES.sub("", name) for name in names if name not in _WORDS}
