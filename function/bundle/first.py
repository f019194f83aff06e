"""What a bundle runs first: whatever is in it is found there, then the server starts.

It imports what is in the interpreter itself: anything else would still come from disk.
"""

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

MODULES: dict[str, tuple[str, bool, bytes]] = {}
"""By name: the file it was read from, whether that is a package's, and its bytecode."""
PATHS: list[str] = []
"""Where everything else is found: extension modules, and what few starts need."""


class BundleFinder:
    """A meta path finder and loader (importlib.abc) of what is in the bundle."""

    @classmethod
    def find_spec(cls, name: str, path: "Any" = None, target: "Any" = None) -> "ModuleSpec | None":
        if name not in MODULES:
            return None
        file, is_package, _ = MODULES[name]
        spec = type(sys.__spec__)(name, cls, origin=file, is_package=is_package)  # type: ignore
        spec.has_location = True
        if is_package:  # its extension modules are on disk
            spec.submodule_search_locations = [file.rpartition("/")[0]]
        return spec

    @staticmethod
    def create_module(spec: "ModuleSpec") -> None:
        """A module of the usual kind."""

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        exec(marshal.loads(MODULES.pop(module.__name__)[2]), module.__dict__)


def main() -> None:
    """Serve, with the bundle's modules."""
    sys.meta_path.insert(0, BundleFinder)
    sys.path += PATHS
    from function.serve import main

    main()


if __name__ == "__main__":
    main()
