"""One namespace for the suite; on a failure the cluster's side of it; a table in the end."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.e2e.cluster import Cluster, ClusterError
from tests.e2e.options import Options, reason_to_skip
from tests.e2e.traffic import table

Measurements = list[tuple[str, str, str]]
MEASUREMENTS = pytest.StashKey[Measurements]()
CLUSTER = pytest.StashKey[Cluster]()


@pytest.fixture(scope="session")
def options() -> Options:
    if reason := reason_to_skip():
        pytest.skip(reason)
    return Options.from_environ(os.environ)


@pytest.fixture(scope="session")
def cluster(options: Options, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A new namespace, deleted in the end whatever happens."""
    cluster = Cluster(options.namespace)
    try:
        cluster.check()
    except ClusterError as exc:
        pytest.fail(str(exc), pytrace=False)
    try:
        cluster.create()
        pytestconfig.stash[CLUSTER] = cluster
        yield cluster
    finally:
        cluster.delete()


@pytest.fixture(scope="session")
def measurements(pytestconfig: pytest.Config) -> Measurements:
    """Rows for the table: what, measured, expected."""
    return pytestconfig.stash.setdefault(MEASUREMENTS, [])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = item.config.stash.get(CLUSTER, None)
    if report.failed and cluster and item.get_closest_marker("e2e"):
        report.sections.append((f"namespace {cluster.namespace}", cluster.describe()))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if rows := config.stash.get(MEASUREMENTS, None):
        terminalreporter.section("on the cluster")
        terminalreporter.write_line(table(rows))
