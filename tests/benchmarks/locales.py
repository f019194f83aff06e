"""The en_US.UTF-8 locale, which onnxruntime's tokenizer asks the C++ library for by that name."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.benchmarks import progress

_NAME = "en_US.UTF-8"


def english(folder: Path) -> dict[str, str]:
    """The environment in which the locale exists; it is generated into the folder if the system has
    none.

    progress.StepFailed if that fails too (Debian: `apt-get install locales`).
    """
    listed = (
        subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
        .stdout.lower()
        .split()
    )
    if "en_us.utf8" in listed or "en_us.utf-8" in listed:
        return {"LC_ALL": _NAME}
    generated = folder / "locale" / _NAME
    if not generated.exists():
        generated.parent.mkdir(parents=True, exist_ok=True)
        progress.run(
            f"generating the locale {_NAME}",
            ["localedef", "-i", "en_US", "-f", "UTF-8", str(generated)],
        )
    return {"LC_ALL": _NAME, "LOCPATH": str(generated.parent)}
