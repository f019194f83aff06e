"""``python -m supply.audit [pip-audit's options]``: known vulnerabilities of what is locked.

pip-audit alone says "none found" of packages that its service does not know, and ends with a stack
trace where the service is away. Here both are "skipped", an error only where AUDIT_REQUIRED is set.
Statuses: 0 nothing found or skipped, 1 something found, 2 not to be had and required, or broken.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from supply.locks import LOCKS, pins

PIP_AUDIT = [sys.executable, "-m", "pip_audit"]
OFFLINE = re.compile(r"^requests\.exceptions|^pip_audit\._service|blocking this service", re.M)


class Unreachable(Exception):
    """The service that knows the vulnerabilities did not answer."""


def main() -> None:
    """Audit every version that is locked, whichever Python it is for."""
    try:
        raise SystemExit(summarise(audited([*PIP_AUDIT, *sys.argv[1:]])))
    except Unreachable as exc:
        required = bool(os.environ.get("AUDIT_REQUIRED"))
        print(f"audit {'failed' if required else 'skipped'}: {exc}")
        raise SystemExit(2 if required else 0) from None


def audited(command: Sequence[str]) -> list[dict[str, Any]]:
    """What pip-audit says of each version; raises Unreachable."""
    with tempfile.TemporaryDirectory() as folder:
        files = requirement_files(Path(folder))
        return [package for path in files for package in ask(command, path)]


def requirement_files(folder: Path) -> list[Path]:
    """The locks without markers, in as many files as a package has versions: one has each once."""
    lines: dict[str, dict[str, str]] = {}
    for pin in chain.from_iterable(map(pins, LOCKS)):
        lines.setdefault(pin.name, {})[pin.version] = f"{pin.name}=={pin.version}\n"
    paths = []
    versions = zip_longest(*(own.values() for own in lines.values()), fillvalue="")
    for nth, one_of_each in enumerate(versions):
        path = folder / f"requirements.{nth}.txt"
        path.write_text("".join(one_of_each))
        paths.append(path)
    return paths


def ask(command: Sequence[str], requirements: Path) -> list[dict[str, Any]]:
    """pip-audit's report on one file of requirements; raises Unreachable."""
    report = requirements.with_suffix(".json")
    options = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    options += [f"--output={report}", f"--requirement={requirements}"]
    ended = subprocess.run([*command, *options], capture_output=True, text=True)
    if report.exists():
        found: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return found
    if OFFLINE.search(ended.stderr):
        reason = textwrap.shorten(ended.stderr.splitlines()[-1], 160)
        raise Unreachable(f"the service of vulnerabilities cannot be reached: {reason}")
    print(ended.stderr, file=sys.stderr)
    raise SystemExit(2)


def summarise(report: Sequence[dict[str, Any]]) -> int:
    """Print what was found, one a line, and return the status; raises Unreachable."""
    known = [package for package in report if "vulns" in package]
    found = [(package, vulnerability) for package in known for vulnerability in package["vulns"]]
    for package, vulnerability in found:
        names = " ".join([vulnerability["id"], *vulnerability.get("aliases", ())])
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
        print(f"{package['name']} {package['version']}: {names}, fixed in {fixed}")
    if found:
        return 1
    if len(known) < len(report):
        raise Unreachable(
            f"the service of vulnerabilities does not know {len(report) - len(known)} of"
            f" {len(report)} versions, or the network is in its way"
        )
    print(f"audit passed: nothing known of {len(known)} versions")
    return 0


if __name__ == "__main__":
    main()
