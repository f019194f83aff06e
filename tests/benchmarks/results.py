"""The raw numbers of a run, written to disk after each one, so that an interrupted run goes on
where it stopped.
"""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
SETTLED_REQUESTS = 50_000  # after which the long run's memory should grow no more
_NAME = "results.json"


@dataclass
class Record:
    """Everything measured of one competitor, or of this project with one vocabulary size."""

    fingerprint: (
        str  # of what was measured: settings, packages, code; another fingerprint starts afresh
    )
    agreement: dict[str, Any] | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)  # requests so far, MB
    long_memory: list[tuple[int, float]] = field(default_factory=list)  # where it was asked for
    versions: list[str] = field(default_factory=list)
    skipped: str | None = None
    failure: str | None = None


@dataclass
class Results:
    """One output folder's results."""

    folder: Path
    settings: dict[str, Any]
    machine: dict[str, Any]
    model: dict[str, Any]
    started: str
    records: dict[str, Record] = field(default_factory=dict)
    sizes: dict[str, Record] = field(default_factory=dict)
    ended: str | None = None

    def record(self, name: str, fingerprint: str, size: bool = False) -> Record:
        """This name's record: the stored one if it measured the same thing, its failure forgotten;
        else a new one.
        """
        records = self.sizes if size else self.records
        if name not in records or records[name].fingerprint != fingerprint:
            records[name] = Record(fingerprint)
        records[name].failure = records[name].skipped = None
        return records[name]

    def save(self) -> None:
        """Writes everything, whole or not at all."""
        content = {"format": FORMAT, **asdict(self)}
        del content["folder"]
        temporary = self.folder / f"{_NAME}.part"
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.folder / _NAME)


def open_folder(
    folder: Path, settings: dict[str, Any], machine: dict[str, Any], model: dict[str, Any]
) -> Results:
    """The folder's results if they come from the same settings and model, else new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Results(folder, settings, machine, model, started=now())
    path = folder / _NAME
    if not path.exists():
        return fresh
    stored = json.loads(path.read_text(encoding="utf-8"))
    if (
        stored.pop("format") != FORMAT
        or _comparable(stored["settings"]) != _comparable(settings)
        or stored["model"] != model
    ):
        os.replace(path, path.with_suffix(".previous.json"))
        return fresh
    for records in (stored["records"], stored["sizes"]):
        for name, record in records.items():
            records[name] = Record(**record)
    return Results(folder, **{**stored, "settings": settings, "ended": None})


def _comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """More rounds and the long run may be added to a finished run; anything else makes its numbers
    another run's.
    """
    added = ("rounds", "long_memory_requests")
    return {name: value for name, value in settings.items() if name not in added}


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
