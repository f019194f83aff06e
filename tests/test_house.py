"""The rooms and the one direction between them: none imports one above it, or in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAVES = {"errors", "settings", "telemetry", "security", "predictor"}
MAY_IMPORT = {
    "errors": set(),
    "predictor": set(),
    "security": {"errors"},
    "variables": {"errors"},
    "settings": {"variables", "errors", "security"},
    "telemetry": {"settings", "security", "errors"},
    "compiled": {"predictor", "errors"},
    "compiler": {"compiled", "predictor", "errors"},
    "registry": {"compiled"} | LEAVES,
    "originals": {"compiler", "compiled"} | LEAVES,
    "model": {"originals", "registry", "compiler", "compiled"} | LEAVES,
    "protocols": LEAVES,
    "http": {"protocols", "model"} | LEAVES,
    "wiring": {"http", "model"} | LEAVES,
    "handler": {"http", "wiring"} | LEAVES,
    "server": {"http"} | LEAVES,
    "bundle": {"serve"},
    "demo": {"registry"} | LEAVES,
    "predicting": {"protocols", "model"} | LEAVES,
}
"""What is not here is a command line, and may import all."""
FRAMEWORKS = {"flask", "werkzeug", "functions_framework", "gunicorn", "httptools"}


def modules() -> list[Path]:
    return sorted((ROOT / "function").rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT / "function").parts[0].removesuffix(".py")


def imports(path: Path, when_run_only: bool = False) -> Iterator[str]:
    """Every module that the file imports, lazily or not."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    hints = [n for n in nodes if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    skipped = {part for hint in hints for part in ast.walk(hint)} if when_run_only else set()
    for node in nodes:
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_room_imports_one_above_it(path: Path) -> None:
    own = room(path)
    if own not in MAY_IMPORT:
        return
    known = {room(module) for module in modules()}
    found = {name.split(".")[1] for name in imports(path) if name.startswith("function.")}
    assert (found & known) - {own} <= MAY_IMPORT[own]


def test_every_folder_is_a_room_with_its_place() -> None:
    folders = {
        path.name for path in (ROOT / "function").iterdir() if (path / "__init__.py").exists()
    }
    assert folders <= MAY_IMPORT.keys()


def test_there_are_no_circles() -> None:
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules()
    }
    graph = {
        name: {other for other in imports(path, when_run_only=True) if other in names} - {name}
        for name, path in names.items()
    }
    for name in graph:  # a package's docstring is no link
        graph[name].discard("function")
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_framework_is_known_at_one_door_only(path: Path) -> None:
    found = {name.partition(".")[0] for name in imports(path)} & FRAMEWORKS
    doors = {"handler": {"flask", "werkzeug"}, "server": {"httptools"}}
    assert found <= doors.get(room(path), set())


def test_mlflow_is_imported_in_one_place_beside_the_demo() -> None:
    users = {
        str(path.relative_to(ROOT / "function"))
        for path in modules()
        if any(name.partition(".")[0] == "mlflow" for name in imports(path))
    }
    assert users == {"registry/mlflow.py", "demo/train.py"}
