"""The README is true: its examples are run, its tables and commands compared with the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from function.http.routes import ROUTES, Operation
from tests import clients
from tests.benchmarks.competitors import COMPETITORS
from tests.conftest import ROOT, AppFactory
from tests.documents import DOCUMENTS, PAGES, README

# What differs from run to run; the examples show one of these, tests only that it is there.
VOLATILE = {
    "request_id",
    "run_id",
    "model_id",
    "digest",
    "loaded_at",
    "size_bytes",
    "load_timings_seconds",
    "mlflow_version",
    "native",
}


class Example(NamedTuple):
    """One ``$ curl`` of the README and the output shown below it."""

    command: str
    output: str

    @property
    def path(self) -> str:
        return re.search(r"localhost:8080(/[^\s']*)?", self.command)[1] or "/"  # type: ignore[index]


EXAMPLES = [
    Example(command.replace("\\\n", " "), output)
    for command, output in re.findall(
        r"^\$ (curl (?:.*\\\n)*.*)\n((?:(?!\$ |```).*\n)*)", DOCUMENTS, re.MULTILINE
    )
]


FILES = {
    name: text.replace("\\n", "\n")
    for text, name in re.findall(r"^\$ printf '(.*)' > (\S+)$", DOCUMENTS, re.MULTILINE)
}


def run(client: FlaskClient, example: Example) -> Any:
    """Do what the curl command does."""
    words = shlex.split(example.command)
    options = dict(zip(words, words[1:], strict=False))
    data = options.get("-d") or FILES.get(options.get("-T", ""))
    headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
    method = options.get("-X", "POST" if data else "GET")
    return client.open(example.path, method=method, data=data, headers=headers)


def assert_alike(shown: Any, real: Any, key: str = "") -> None:
    """Same keys and values, but for what changes with every run."""
    if key in VOLATILE:
        assert type(shown) is type(real), key
    elif isinstance(shown, dict):
        assert list(shown) == list(real), key
        for name in shown:
            assert_alike(shown[name], real[name], name)
    elif isinstance(shown, list):
        assert len(shown) == len(real), key
        for one, other in zip(shown, real, strict=True):
            assert_alike(one, other, key)
    elif isinstance(shown, float):
        assert shown == pytest.approx(real, abs=0.01), key
    else:
        assert shown == real, key


@pytest.fixture
def demo_client(create_app: AppFactory, demo_folder: Path) -> FlaskClient:
    client = create_app(MLFLOW_TRACKING_URI=f"sqlite:///{demo_folder}/mlflow.db")
    client.get("/models/info")
    return client


def test_every_route_but_the_pages_has_an_example() -> None:
    ours = {path for path, operations in ROUTES.items() if not _is_of_others(operations)}
    assert {example.path for example in EXAMPLES} >= ours
    for path in set(ROUTES) - ours:
        assert f"`{path}`" in DOCUMENTS or f" {path}`" in DOCUMENTS, path


def _is_of_others(operations: dict[str, Operation]) -> bool:
    return all(operation.dialect or operation.is_open for operation in operations.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.path for example in EXAMPLES])
def test_each_example_gives_what_the_readme_shows(
    demo_client: FlaskClient, example: Example
) -> None:
    reply = run(demo_client, example)
    if "| head -c" in example.command:
        assert reply.text.startswith(example.output.strip())
        return
    if "ndjson" in reply.content_type:
        for shown, real in zip(example.output.splitlines(), reply.text.splitlines(), strict=True):
            assert_alike(json.loads(shown), json.loads(real))
        return
    if not reply.is_json:
        assert _but_for_ids(example.output) <= _but_for_ids(reply.text)
        return
    assert_alike(json.loads(example.output), reply.json)


def _but_for_ids(text: str) -> set[str]:
    return {re.sub('run_id="[^"]*"', "run_id", line) for line in text.splitlines()}


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("run", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


FEATURES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.search(  # type: ignore[union-attr]
        r"## What it does, and its peers do\n.*?\n\|---.*?\n(.*?)\n\n", README, re.DOTALL
    )[1].splitlines()
]


@pytest.mark.parametrize("row", FEATURES, ids=[row[0] for row in FEATURES])
def test_each_feature_claimed_is_held_by_a_test(row: list[str]) -> None:
    _, claimed, held_by, *peers = row
    assert len(peers) == 5
    if claimed == "no":
        assert not held_by
        return
    file, _, name = held_by.strip("`").partition("::")
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_features_are_told_of_the_peers_that_are_tested_and_measured() -> None:
    (told,) = re.findall(r"answers to these tests' requests say: (.*?)\. An empty", README)
    installed = {item for competitor in COMPETITORS for item in competitor.requirements}
    installed |= {*clients.MLSERVER, *clients.KSERVE}
    versions = {name.lower(): version for name, version in re.findall(r"(\w+) ([\d.]+)", told)}
    assert len(versions) == 5
    for name, version in versions.items():
        assert f"{name}=={version}" in installed, name


LINKS = [
    (page, target)
    for page, text in PAGES.items()
    for target in re.findall(r"\]\(([^)\s]+)\)", text)
    if "://" not in target
]


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=[f"{page.name}-{target}" for page, target in LINKS]
)
def test_each_link_leads_somewhere(page: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    found = (page.parent / file).resolve() if file else page
    assert found.exists()
    if anchor:
        titles = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
        assert anchor in [
            re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles
        ]


TROUBLES = README.partition("## Troubleshooting")[2].partition("\n\n##")[0].splitlines()[4:]


@pytest.mark.parametrize("row", [row for row in TROUBLES if row.startswith("|")])
def test_troubles_are_told_as_the_service_tells_them(row: str) -> None:
    """Each message, field and setting that the table names is in the code."""
    code = "".join(path.read_text() for path in (ROOT / "function").rglob("*.py"))
    for named in re.findall(r"`([^`]+)`", row):
        for word in re.findall(r"[A-Z][A-Z_]{4,}|^[A-Z][a-z].*|^[a-z_]+$", named):
            assert word in code or word.lower() in code, word
