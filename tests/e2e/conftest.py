"""Namespaces of the suite's own; on a failure the cluster's side of it; a table in the end."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.options import Options, reason_to_skip
from tests.e2e.results import Results

RESULTS = pytest.StashKey[Results]()
CLUSTERS = pytest.StashKey[list[Cluster]]()


@pytest.fixture(scope="session")
def options() -> Options:
    if reason := reason_to_skip():
        pytest.skip(reason)
    return Options.from_environ(os.environ)


@pytest.fixture(scope="session")
def cluster(options: Options, results: Results, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A new namespace on a cluster with Knative, deleted in the end whatever happens."""
    yield from new_namespace(Cluster(options.namespace), results, pytestconfig, knative=True)


@pytest.fixture(scope="session")
def plain(options: Options, results: Results, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Another one, for what does without Knative: the two would share names."""
    yield from new_namespace(
        Cluster(f"{options.namespace}-plain"), results, pytestconfig, knative=False
    )


def new_namespace(
    cluster: Cluster, results: Results, config: pytest.Config, *, knative: bool
) -> Iterator[Cluster]:
    try:
        cluster.check(knative=knative)
    except ClusterError as exc:
        pytest.fail(str(exc), pytrace=False)
    results.on |= cluster.versions()
    try:
        cluster.create()
        config.stash.setdefault(CLUSTERS, []).append(cluster)
        yield cluster
    finally:
        cluster.delete()


@pytest.fixture(scope="session")
def results(options: Options, pytestconfig: pytest.Config) -> Results:
    images = {"compiled": options.image, "canary": options.canary_image}
    images |= {"hello": options.hello_image, **options.registry_images}
    return pytestconfig.stash.setdefault(RESULTS, Results(on={"images": images}))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.get_closest_marker("e2e"):
        for cluster in item.config.stash.get(CLUSTERS, []):
            report.sections.append((f"namespace {cluster.namespace}", cluster.describe()))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    results = config.stash.get(RESULTS, None)
    if not results or not results.rows:
        return
    terminalreporter.section("on the cluster")
    terminalreporter.write_line(results.table())
    if file := Options.from_environ(os.environ).results:
        results.write(Path(file))
        terminalreporter.write_line(f"as JSON: {file}")
