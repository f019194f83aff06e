"""The pages that people read: the README, and what it leads to."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]

PAGES = {
    path: path.read_text()
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
README = PAGES[ROOT / "README.md"]
DOCUMENTS = "\n".join(PAGES.values())
