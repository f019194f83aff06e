"""What was measured: a table for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measurement in words, and the numbers behind the words."""

    what: str
    measured: str
    expected: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Results:
    """Rows in the order in which they were measured, and what they were measured on."""

    rows: list[Row] = field(default_factory=list)
    on: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, measured: str, expected: str = "", **values: Any) -> None:
        self.rows.append(Row(what, measured, expected, values))

    def add_load(self, what: str, summary: dict[str, Any]) -> None:
        """A load's summary, of which nothing may be lost."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(summary["lost"].items()))
        p99 = f"p99 {summary['p99_ms']:.0f} ms"
        self.add(what, f"{kinds or 0} of {summary['total']}, {p99}", "0 lost", **summary)

    def table(self) -> str:
        """The rows in aligned columns."""
        lines = [("measured", "result", "expected")]
        lines += [(row.what, row.measured, row.expected) for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        text = ["  ".join(cell.ljust(w) for cell, w in zip(x, widths, strict=True)) for x in lines]
        return "\n".join(line.rstrip() for line in [text[0], "-" * len(text[0]), *text[1:]])

    def write(self, file: Path) -> None:
        document = {"on": self.on, "rows": [asdict(row) for row in self.rows]}
        file.write_text(json.dumps(document, indent=2) + "\n")
