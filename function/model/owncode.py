"""A model's own modules (MLflow's ``code_paths``), kept from meeting ours of the same name.

MLflow puts the model's code folder first on ``sys.path``; but what is in ``sys.modules`` already is
taken from there, and a service has a ``main``, a ``function`` and, where it is tested, ``tests``.
So while a model is loaded, modules of ours that its folder has too are set aside, and so are those
of an earlier model or version. Afterwards our packages are put back, for we import from them
whenever we like; what only the model has of a package is still found, behind ours. ``main`` stays
the model's: once it has handed out the function, nobody asks for ours.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from function.compiled.code import is_module
from function.registry import modelfile

OURS = ("function", "tests", "main")
_earlier: set[Path] = set()
"""The code folders of the models loaded so far."""


def code_folders(folder: Path) -> list[Path]:
    """Where the model in ``folder`` keeps modules of its own."""
    flavours = modelfile.facts(folder).get("flavors") or {}
    named = {flavour.get("code") for flavour in flavours.values()}
    return [folder / name for name in sorted(filter(None, named)) if (folder / name).is_dir()]


def sources(folder: Path) -> dict[str, bytes]:
    """The modules there by file, as the model's code names them: ``package/words.py``."""
    found: dict[str, bytes] = {}
    for place in code_folders(folder):
        for path in sorted(place.rglob("*.py")):
            file = path.relative_to(place).as_posix()
            if is_module(file):
                found.setdefault(file, path.read_bytes())
    return found


@contextmanager
def kept_apart(folder: Path) -> Iterator[None]:
    """Within the block, the modules in the code folders of ``folder`` are the model's own."""
    folders = [path.resolve() for path in code_folders(folder)]
    aside: dict[str, ModuleType] = {}
    for name in [name for path in folders for name in _module_names(path)]:
        module = sys.modules.get(name)
        if module is not None and _is_to_go(name, module, folders):
            aside[name] = sys.modules.pop(name)
    sys.modules.update(_packages_without_init(folders))
    try:
        yield
    finally:
        _put_back(aside, folders)
        _earlier.update(folders)


def _packages_without_init(folders: list[Path]) -> dict[str, ModuleType]:
    """Those named as ours, ready-made: Python would prefer ours, wherever it is on the path."""
    found: dict[str, ModuleType] = {}
    for path in [folder / name for name in OURS for folder in folders]:
        if path.is_dir() and not (path / "__init__.py").exists():
            package = found.setdefault(path.name, ModuleType(path.name))
            package.__path__ = [*getattr(package, "__path__", []), str(path)]
    return found


def _module_names(folder: Path) -> Iterator[str]:
    """Of every module and package below, dotted; packages without ``__init__`` are some too."""
    for path in sorted(folder.rglob("*")):
        is_package, is_module = path.is_dir(), path.suffix == ".py" and path.stem != "__init__"
        place = path.relative_to(folder)
        parts = place.parts if is_package else (*place.parts[:-1], path.stem)
        if (is_package or is_module) and all(part.isidentifier() for part in parts):
            yield ".".join(parts)


def _is_to_go(name: str, module: ModuleType, folders: list[Path]) -> bool:
    """Ours, an earlier model's, or whatever else lies about; not what is installed."""
    if name.partition(".")[0] in OURS:
        return True
    origin = _origin(module)
    if origin is None or any(origin.is_relative_to(path) for path in folders):
        return False
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platlib", "purelib")]
    return not any(origin.is_relative_to(Path(path).resolve()) for path in installed)


def _put_back(aside: dict[str, ModuleType], folders: list[Path]) -> None:
    for name, module in aside.items():
        origin = _origin(module)
        is_earlier = origin is not None and any(origin.is_relative_to(path) for path in _earlier)
        if name == "main" or name.startswith("main.") or is_earlier:
            continue
        sys.modules[name] = module
        if hasattr(module, "__path__"):
            module.__path__ = [*module.__path__, *_places(name, folders)]


def _places(name: str, folders: list[Path]) -> list[str]:
    found = [path.joinpath(*name.split(".")) for path in folders]
    return [str(path) for path in found if path.is_dir()]


def _origin(module: ModuleType) -> Path | None:
    """The file that the module is from, or the folder of a package without one."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    known = [place for place in places if place]
    return Path(known[0]).resolve() if known else None
