"""Wheels that bring the C code built, in one module for every CPython from 3.11 on.

Where it cannot be built the wheel is one of pure Python, as it says. An editable install gets the
module beside its source.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from function import build


class NativeModule(BuildHookInterface[Any]):
    """What hatchling asks, before and after it makes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        editable = version == "editable"
        self.folder = tempfile.TemporaryDirectory()
        module = build.MODULE if editable else Path(self.folder.name, build.MODULE.name)
        try:
            build.build(module)
        except build.FAILURES as exc:
            self.app.display_warning(
                f"{module.name} was not built ({exc}): the wheel is one of pure Python"
            )
            return
        if not editable:
            platform = build.PLATFORM.replace("-", "_").replace(".", "_")
            build_data["tag"] = f"cp311-abi3-{platform}"
            build_data["pure_python"] = False
            place = build.MODULE.relative_to(build.MODULE.parents[2])
            build_data["force_include"][str(module)] = str(place)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self.folder.cleanup()
