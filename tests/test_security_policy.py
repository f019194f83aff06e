"""SECURITY.md names what there is: settings with values they take, and tests that hold its rows."""

from __future__ import annotations

import re

import pytest

from function.server.requests import MOST_HEAD_BYTES, MOST_HEADERS
from function.settings import Settings, specs
from tests.conftest import ROOT

POLICY = (ROOT / "SECURITY.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\|(?!---).*\|$", POLICY, re.MULTILINE)
][1:]
OF_MAKE = {"AUDIT_REQUIRED", "BASE"}
NAMED = re.findall(r"`(?:make \w+ )?([A-Z][A-Z_]+)(?:=([^`]*))?`", POLICY)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_threat_has_an_answer_and_tests_that_hold_it(row: list[str]) -> None:
    threat, answer, _, held = row
    assert threat and answer
    tests = re.findall(r"`(tests/\S+)`", held)
    assert tests and ", ".join(f"`{name}`" for name in tests) == held
    assert all((ROOT / name).is_file() for name in tests)


@pytest.mark.parametrize(("name", "value"), NAMED)
def test_every_setting_it_names_is_one_and_takes_the_value(name: str, value: str) -> None:
    if name in OF_MAKE:
        assert name in (ROOT / "Makefile").read_text() + (ROOT / "supply/audit.py").read_text()
    else:
        assert name in dict(specs())
        Settings.from_environ({name: value})


def test_the_bounds_of_a_head_are_the_servers() -> None:
    assert f"heads ({MOST_HEAD_BYTES // 1024} KiB, {MOST_HEADERS} fields)" in POLICY


def test_the_readme_leads_to_it() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()
