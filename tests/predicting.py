"""`python -m function.predict` in a test's own process, against a model on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from function import predict
from function.telemetry import output

Run = Callable[..., tuple[int, str, str]]
"""Arguments to exit status, stdout and stderr."""


def runner(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path) -> Run:
    """What runs the command with this compiled model, unless its arguments name another."""
    monkeypatch.setenv("COMPILED_MODEL", str(model))

    def run(*arguments: object) -> tuple[int, str, str]:
        output.flush()  # what an earlier test's threads have logged
        capfd.readouterr()
        try:
            status = predict.main([*map(str, arguments)])
        except SystemExit as exc:
            status = int(exc.code or 0)
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def parsed(lines: str) -> list[Any]:
    return [json.loads(line) for line in lines.splitlines()]
