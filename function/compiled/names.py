"""LABELS: the names to show for the classes of a model, given once and alike by every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.errors import ModelLoadError


def rename(classes: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to show for each class, itself where ``names`` has no entry for it.

    Raises ModelLoadError where names are given and none of them is a class's, and where two
    classes would be shown alike: then an answer would not say which of them it means.
    """
    if names and names.keys().isdisjoint(classes):
        raise ModelLoadError(
            f"LABELS names {_listed(names)}, and the model's classes are {_listed(classes)}."
            f" Write class=name pairs with these, as {classes[0]}=name, or leave LABELS empty."
        )
    shown = tuple(names.get(item, item) for item in classes)
    if len(set(shown)) < len(shown):
        raise ModelLoadError(
            f"LABELS gives two of the model's classes one name: it would show {_listed(classes)}"
            f" as {_listed(shown)}."
        )
    return shown


OF_TYPE: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": {"True": True, "False": False}.__getitem__,
}
"""What classes may be but strings, and how they are read."""


def typed(classes: Sequence[str], kind: str | None) -> tuple[Any, ...]:
    """Return the classes as the model itself has them. Raises ValueError and KeyError for a kind,
    or a class, that is none."""
    if kind is None:
        return tuple(classes)
    found = tuple(map(OF_TYPE[kind], classes))
    if [str(int(value) if kind == "float" else value) for value in found] != [*classes]:
        raise ValueError(f"classes that are no {kind} as it is written")
    return found


def _listed(items: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(items)
