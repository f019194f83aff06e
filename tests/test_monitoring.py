"""overlays/monitoring in a real Prometheus: every query of dashboard and rules has an answer."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import yaml

from function.compiled.files import SUMS
from function.model.disk import DiskCache, Kept
from function.registry.lineage import Lineage
from function.registry.published import publication
from tests.benchmarks import dashboard
from tests.documents import DOCUMENTS
from tests.doors import start_door
from tests.monitoring import overlay
from tests.monitoring.prometheus import Prometheus, promtool, running, wait_for, written
from tests.monitoring.scene import (
    BATCH,
    FLOOD,
    NOWHERE,
    REFRESH,
    SINGLE,
    STRANGE,
    WRONG,
    Pod,
    clients,
    discovered,
    limits_told,
    scrape_config,
)

HERE = Path(__file__).parent / "monitoring"
SCRAPE_SECONDS = 0.4
FIRING = {f"Sentiment{name}" for name in ("Errors", "Shedding", "ModelNotLoaded", "RegistryAway")}
"""What is wrong with the pods that are watched."""
OTHERS = {"up", "kube_pod_container_resource_limits"}
"""Prometheus's own, and of kube-state-metrics."""

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus or promtool is not installed: apt-get install prometheus",
)


def named(rule: dict[str, Any]) -> str:
    """A rule's name."""
    name: str = rule.get("alert") or rule["record"]
    return name


@needs_prometheus
def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    written(tmp_path, "rules.yaml", overlay.RULES)
    promtool("check", "rules", "--lint-fatal", "rules.yaml", folder=tmp_path)


@needs_prometheus
def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    """Debian builds Prometheus without Kubernetes: what is found there stands in its place."""
    pods = discovered(tmp_path / "pods.json", [Pod.of_knative("a", 1), Pod.of_deployment("b", 2)])
    written(tmp_path, "config.yaml", {"scrape_configs": [scrape_config(pods, 15)]})
    promtool("check", "config", "--lint-fatal", "config.yaml", folder=tmp_path)


@needs_prometheus
@pytest.mark.parametrize("name", ["rules_test.yaml", "drift_test.yaml"])
def test_alerts_fire_where_they_should_and_nowhere_else(name: str, tmp_path: Path) -> None:
    rules = {"groups": [dict(group) for group in overlay.RULES["groups"]]}
    for group in rules["groups"]:
        group["rules"] = [without_description(rule) for rule in group["rules"]]
    written(tmp_path, "rules.yaml", rules)
    shutil.copy(HERE / name, tmp_path)
    promtool("test", "rules", name, folder=tmp_path)


def without_description(rule: dict[str, Any]) -> dict[str, Any]:
    kept = {name: told for name, told in rule.get("annotations", {}).items() if name == "summary"}
    return {**rule, "annotations": kept} if kept else rule


def test_each_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    files = [yaml.safe_load(file.read_text()) for file in HERE.glob("*_test.yaml")]
    cases = [case for file in files for test in file["tests"] for case in test["alert_rule_test"]]
    for fires in (True, False):
        tested = {case["alertname"] for case in cases if bool(case["exp_alerts"]) is fires}
        assert tested == {rule["alert"] for rule in overlay.alerts()}


class Watched(NamedTuple):
    """A Prometheus that has watched pods under load."""

    prometheus: Prometheus
    since: float
    until: float


@pytest.fixture(scope="module")
def watched(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("monitoring")
    with ExitStack() as stack:

        def serve(**environ: str) -> int:
            server = start_door("serve", compiled_folder, folder, **environ)
            stack.callback(server.stop)
            return int(server.url.rpartition(":")[2])

        busy = Pod.of_knative("busy", serve(MAX_CONCURRENCY="1", MAX_QUEUE="1"))
        lost = Pod.of_deployment("lost", serve(COMPILED_MODEL="", MODEL_URI="/nowhere"))
        stale = Pod.of_deployment("stale", serve(**kept(folder / "cache", compiled_folder)))
        pods = [busy, lost, stale]
        written(folder, "rules.yaml", overlay.shrunk_rules())
        config = {
            "global": {"evaluation_interval": "500ms"},
            "rule_files": [f"{folder}/rules.yaml"],
            "scrape_configs": [
                scrape_config(discovered(folder / "pods.json", pods), SCRAPE_SECONDS),
                stack.enter_context(limits_told(pods)),
            ],
        }
        prometheus = stack.enter_context(running(folder, config))
        since = time.time()
        stack.enter_context(clients(busy, SINGLE, BATCH, STRANGE, WRONG, NOWHERE, FLOOD))
        stack.enter_context(clients(lost, SINGLE._replace(pause_seconds=0.2)))
        stack.enter_context(clients(stale, REFRESH))
        awaited = [f'ALERTS{{alertname="{name}", alertstate="firing"}}' for name in FIRING]
        awaited += ["service:sentiment_confidence:mean1h offset 4s"]
        missed = [each for each in awaited if not wait_for(prometheus, each, 40)]
        assert not missed
        yield Watched(prometheus, since, time.time())


def kept(cache: Path, model: Path) -> dict[str, str]:
    """The settings of a pod whose registry is away, and which serves what it has kept of it."""
    given = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MODEL_URI": "models:/reviews@champion"}
    served = Lineage(given["MODEL_URI"], "source", "reviews", "2", run_id="run")
    found = publication("place/run", (model / SUMS).read_bytes(), "", {}, "", 3)
    shutil.copytree(model, cache / found.digest)
    DiskCache(str(cache), 10**9).served(*given.values(), Kept(served, found))
    return {**given, "COMPILED_MODEL": "", "MODEL_CACHE": str(cache)}


@needs_prometheus
@pytest.mark.parametrize(
    "query", overlay.queries(), ids=lambda query: f"{query.panel}, {query.legend}"
)
def test_every_panel_has_data(watched: Watched, query: overlay.Query) -> None:
    expression = overlay.asked(query.expression, 4 * SCRAPE_SECONDS)
    found = watched.prometheus.over_time(expression, watched.since, watched.until, SCRAPE_SECONDS)
    assert found
    for labels, _ in found:
        assert set(re.findall(r"{{(\w+)}}", query.legend)) <= labels.keys()


@needs_prometheus
@pytest.mark.parametrize("rule", overlay.rules(), ids=named)
def test_every_rule_has_something_to_compare(watched: Watched, rule: dict[str, Any]) -> None:
    expression = overlay.unfiltered(overlay.shrunk(rule["expr"]))
    assert watched.prometheus.over_time(expression, watched.since, watched.until, SCRAPE_SECONDS)


@needs_prometheus
def test_prometheus_evaluates_every_rule(watched: Watched) -> None:
    groups = watched.prometheus.get("rules")["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert health == {named(rule): "ok" for rule in overlay.rules()}


@needs_prometheus
def test_what_is_well_here_is_not_alerted(watched: Watched) -> None:
    firing = watched.prometheus.over_time(
        'ALERTS{alertstate="firing"}', watched.since, watched.until, SCRAPE_SECONDS
    )
    well = {"SentimentMemoryNearLimit", "SentimentVersionRefused", "SentimentColdStartsSlow"}
    assert not {labels["alertname"] for labels, _ in firing} & well


@needs_prometheus
@pytest.mark.parametrize(
    "variable", overlay.DASHBOARD["templating"]["list"][1:], ids=lambda it: it["name"]
)
def test_every_variable_has_values(watched: Watched, variable: dict[str, Any]) -> None:
    match, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
    expression = overlay.asked(match, 1)
    expected = {
        "namespace": ["knative", "plain"],
        "service": ["sentiment"],
        "revision": ["7f6c9", "sentiment-00001"],
    }
    found = watched.prometheus.get(f"label/{label}/values", **{"match[]": expression})
    assert found == expected[variable["name"]]


@needs_prometheus
def test_only_the_functions_own_port_is_scraped(watched: Watched) -> None:
    """A request to one of queue-proxy's ports would count, and keep the pod from going."""
    found = watched.prometheus.get("targets")
    own = [target for target in found["activeTargets"] if target["labels"]["job"] == "sentiment"]
    ports = {
        target["discoveredLabels"]["__meta_kubernetes_pod_container_port_name"] for target in own
    }
    assert ports == {"user-port", "http"}
    assert len(found["droppedTargets"]) == 4
    assert {target["labels"]["container"] for target in own} == {"function"}


@needs_prometheus
def test_the_readmes_picture_can_be_drawn(watched: Watched) -> None:
    told = dashboard.drawn(*watched, 4 * SCRAPE_SECONDS, SCRAPE_SECONDS)
    texts = ElementTree.fromstring(told).iter("{http://www.w3.org/2000/svg}text")
    titles = [text.text for text in texts if text.get("class") == "title"]
    assert titles == [dashboard.TITLE, *dashboard.SHOWN]
    shown = ElementTree.parse(dashboard.FILE).getroot()
    assert len(list(shown.iter("{http://www.w3.org/2000/svg}g"))) == len(dashboard.SHOWN)
    assert dashboard.FILE.stat().st_size < 60_000
    assert f"({dashboard.FILE.name})" in DOCUMENTS


def test_the_operator_labels_pods_as_the_scrape_configuration_does() -> None:
    """It adds namespace, container and pod itself, and the job by its label."""
    (job,) = overlay.SCRAPE_CONFIG["scrape_configs"]
    monitor = yaml.safe_load((overlay.OVERLAY / "pod-monitor.yaml").read_text())["spec"]
    endpoints = monitor["podMetricsEndpoints"]
    own = {"namespace", "container", "pod"}
    labelled = [
        rule
        for rule in job["relabel_configs"]
        if rule["action"] == "replace" and rule["target_label"] not in own
    ]
    named = {"source_labels": "sourceLabels", "target_label": "targetLabel"}
    told = [{named.get(key, key): value for key, value in rule.items()} for rule in labelled]
    (keep,) = (rule for rule in job["relabel_configs"] if rule["action"] == "keep")
    assert keep["regex"] == f"({'|'.join(item['port'] for item in endpoints)})"
    for item in endpoints:
        assert item["relabelings"] == told
        assert item["interval"] == job["scrape_interval"]
        assert item["path"] == "/metrics"
    (found,) = job["kubernetes_sd_configs"]
    (selected,) = found["selectors"]
    assert found["role"] == selected["role"] == "pod"
    ((label, value),) = monitor["selector"]["matchLabels"].items()
    assert selected["label"] == f"{label}={value}"
    assert monitor["jobLabel"] == label and job["job_name"] == value


def test_dashboard_and_rules_use_what_the_readme_lists_and_all_of_it() -> None:
    table = DOCUMENTS.partition("\n| metric |")[2].partition("\n\n")[0]
    listed = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+\*?)`", line.split("|")[1] if "|" in line else "")
    }
    assert "sentiment_requests_total" in listed
    asked = [overlay.asked(query.expression, 1) for query in overlay.queries()]
    shown = {name for expression in asked for name in overlay.metrics(expression)}
    used = shown | {name for rule in overlay.rules() for name in overlay.metrics(rule["expr"])}
    recorded = {rule["record"] for rule in overlay.rules() if "record" in rule}
    prefixes = tuple(name[:-1] for name in listed if name.endswith("*"))
    unknown = {name for name in used - listed - recorded - OTHERS if not name.startswith(prefixes)}
    assert not unknown
    assert {name for name in listed if not name.endswith("*")} <= shown


def test_each_alert_says_what_it_is_and_what_to_do() -> None:
    for rule in overlay.alerts():
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"} and rule["for"]
        assert "absent" not in rule["expr"]


def test_the_readme_lists_the_alerts_as_they_are() -> None:
    listed = re.findall(r"^\| `(Sentiment\w+)` \|.*\| (\d+) min \|$", DOCUMENTS, re.MULTILINE)
    assert listed == [(rule["alert"], rule["for"].removesuffix("m")) for rule in overlay.alerts()]


def test_the_dashboard_asks_whichever_prometheus_is_chosen() -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    places = [place for panel in overlay.panels() for place in (panel, *panel["targets"])]
    variables = [one for one in overlay.DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert all(place["datasource"] == source for place in [*places, *variables])
    ids = [panel["id"] for panel in overlay.DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_do_not_overlap() -> None:
    taken = [
        (left, top)
        for panel in overlay.DASHBOARD["panels"]
        for left in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for top in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken)) and max(left for left, _ in taken) < 24
