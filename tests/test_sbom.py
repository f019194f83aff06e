"""``make sbom``: valid CycloneDX that says what is there, the same for the same image."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion

import function
from supply.locks import canonical, pins
from supply.sbom import INSIDE, describe, licences, render

DIGEST = "1" * 64
MOST_SYSTEM_PACKAGES = 150  # an image has fewer; a laptop's thousands are compared pair by pair
NAMED = ("flask", "jinja2", "werkzeug")
LABELS = {
    "org.opencontainers.image.created": "2026-11-28T18:35:30Z",
    "org.opencontainers.image.revision": "2" * 40,
    "org.opencontainers.image.base.name": "python:3.13-slim-trixie",
    "org.opencontainers.image.base.digest": f"sha256:{DIGEST}",
    "org.mlflow.model.name": "reviews",
    "org.mlflow.model.version": "3",
    "org.mlflow.model.digest": f"sha256:{DIGEST}",
    "io.buildah.version": "1.28.2",
}


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """What the tests' own Python says of itself, as an image's does."""
    if sys.platform != "linux":
        pytest.skip("images are Linux")
    command = [sys.executable, "-I", "-"]
    ended = subprocess.run(command, input=INSIDE.read_bytes(), capture_output=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found | {"system_packages": found["system_packages"][:MOST_SYSTEM_PACKAGES]}


@pytest.fixture(scope="module")
def whole(facts: dict[str, Any]) -> str:
    """The bill of all that."""
    return render(describe(facts, LABELS))


@pytest.fixture(scope="module")
def few(facts: dict[str, Any]) -> dict[str, Any]:
    """The same of a few packages: holding a bill against the schema takes seconds."""
    packages = [package for package in facts["packages"] if canonical(package["name"]) in NAMED]
    return facts | {"packages": packages, "system_packages": facts["system_packages"][:5]}


def bill(facts: dict[str, Any], labels: dict[str, str] = LABELS) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(describe(facts, labels)))
    return found


def test_it_is_valid_to_the_letter(whole: str) -> None:
    from cyclonedx.validation.json import JsonStrictValidator  # takes seconds, of every worker

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(whole) is None


def test_it_is_the_same_for_the_same_image(
    facts: dict[str, Any], whole: str, few: dict[str, Any]
) -> None:
    assert render(describe(facts, LABELS)) == whole
    other = {**LABELS, "org.opencontainers.image.revision": "3" * 40}
    assert bill(few)["serialNumber"] != bill(few, other)["serialNumber"]


def test_it_says_of_which_version_and_commit_it_is(few: dict[str, Any]) -> None:
    metadata = bill(few)["metadata"]
    assert metadata["component"]["version"] == function.__version__
    assert metadata["timestamp"] == "2026-11-28T18:35:30+00:00"
    said = {entry["name"]: entry["value"] for entry in metadata["component"]["properties"]}
    assert said["org.opencontainers.image.revision"] == "2" * 40
    assert "io.buildah.version" not in said


def test_packages_have_purl_licence_and_the_hashes_of_the_locked_files(whole: str) -> None:
    (flask,) = [part for part in json.loads(whole)["components"] if part["name"] == "flask"]
    assert flask["purl"] == f"pkg:pypi/flask@{version('flask')}"
    assert flask["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    (locked,) = [pin.digests for pin in pins() if pin.name == "flask"]
    (files,) = flask["externalReferences"]
    assert {entry["content"] for entry in files["hashes"]} == locked


def test_interpreter_base_and_model_are_parts_too(few: dict[str, Any]) -> None:
    parts = {part["bom-ref"]: part for part in bill(few)["components"]}
    assert parts["python"]["version"] == few["python"]
    assert parts["system"]["type"] == "operating-system"
    assert parts["base"]["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    assert (parts["model"]["name"], parts["model"]["version"]) == ("reviews", "3")
    plain = bill(few, {"org.opencontainers.image.created": "2026-11-28T18:35:30Z"})
    assert not {"base", "model"} & {part["bom-ref"] for part in plain["components"]}


@pytest.mark.parametrize(
    ("stated", "classified", "shown"),
    [
        ("MIT", ["MIT License"], ["MIT"]),
        ("Apache-2.0 OR BSD-2-Clause", [], ["Apache-2.0 OR BSD-2-Clause"]),
        ("Dual License", ["BSD License", "MIT License"], ["BSD License", "MIT License"]),
        ("", ["MIT License"], ["MIT License"]),
        ("3-Clause BSD License", [], ["3-Clause BSD License"]),
        ("", [], []),
    ],
)
def test_a_licence_is_spdxs_where_the_package_says_so_else_its_own_words(
    stated: str, classified: list[str], shown: list[str]
) -> None:
    found = licences({"license": stated, "classified": classified})
    names = [
        getattr(each, "id", None) or getattr(each, "name", None) or getattr(each, "value", None)
        for each in found
    ]
    assert names == shown
