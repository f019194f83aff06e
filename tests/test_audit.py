"""``make audit``: found is 1, clean is 0, and what could not be asked is never called clean."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from supply import audit
from supply.locks import LOCKS, pins

LOCKED = sorted({(pin.name, pin.version) for lock in LOCKS for pin in pins(lock)})
# Does as pip-audit does, without its service; {said} and what follows is what differs.
STAND_IN = """
import json, sys
options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
lines = open(options["--requirement"]).read().split()
packages = [dict(zip(("name", "version"), line.split("==")), vulns=[]) for line in lines]
{change}
json.dump({{"dependencies": packages, "fixes": []}}, open(options["--output"], "w"))
"""
CHANGES = {
    "clean": "",
    "found": 'packages[0]["vulns"] = [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": []}]',
    "unknown": 'packages[0] = {"name": "x", "skip_reason": "Dependency not found"}',
    "away": 'sys.exit("Traceback\\nrequests.exceptions.ConnectionError: no such host")',
    "blocked": 'sys.exit("ERROR: Tip: your network may be blocking this service.")',
    "broken": 'sys.exit("pip-audit: error: unrecognized arguments")',
}


def run(
    monkeypatch: pytest.MonkeyPatch, folder: Path, change: str, required: str = ""
) -> str | int | None:
    """The status with which the audit ends."""
    script = folder / "stand_in.py"
    script.write_text(STAND_IN.format(change=CHANGES[change]))
    monkeypatch.setattr(audit, "PIP_AUDIT", [sys.executable, str(script)])
    monkeypatch.setattr(sys, "argv", ["audit"])
    monkeypatch.setenv("AUDIT_REQUIRED", required)
    with pytest.raises(SystemExit) as ended:
        audit.main()
    return ended.value.code


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ("clean", 0, f"audit passed: nothing known of {len(LOCKED)} versions\n"),
        ("unknown", 0, "audit skipped: the service of vulnerabilities does not know"),
        ("away", 0, "audit skipped: the service of vulnerabilities cannot be reached: requests."),
        ("blocked", 0, "audit skipped: the service of vulnerabilities cannot be reached: ERROR"),
        ("found", 1, "PYSEC-1 CVE-1, fixed in no version"),
        ("broken", 2, ""),
    ],
)
def test_each_end_has_its_status_and_its_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: str,
    status: int,
    said: str,
) -> None:
    assert run(monkeypatch, tmp_path, change) == status
    output = capsys.readouterr()
    assert said in output.out
    assert "skipped" not in output.out or len(output.out.splitlines()) == 1
    assert ("unrecognized" in output.err) == (change == "broken")


@pytest.mark.parametrize(
    ("change", "status"), [("clean", 0), ("found", 1), ("unknown", 2), ("away", 2)]
)
def test_where_it_is_required_a_skip_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, status: int
) -> None:
    assert run(monkeypatch, tmp_path, change, required="1") == status


def test_every_version_is_asked_about_whichever_python_it_is_for(tmp_path: Path) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(change=""))
    report = audit.audited([sys.executable, str(script)])
    asked = [(package["name"], package["version"]) for package in report]
    assert sorted(asked) == LOCKED
    assert json.dumps(report).count('"numpy"') > 1
    assert "ziglang" in dict(asked)  # which makes what the wheels hold
