"""The parts that a fitted scikit-learn model is made of, however deep they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_ITEMS = 10_000
"""Longer containers hold a model's terms and numbers, no parts of it."""
_LEAVES = (str, bytes, int, float, type(None))


def parts_of(model: Any) -> Iterator[Any]:
    """Yield each scikit-learn object in ``model``, itself included, once, inner ones after outer.

    Follows fitted attributes and parameters alike: steps of pipelines, members of ensembles, what
    a search found best. A class of the user's own counts where it derives from scikit-learn's.
    """
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _LEAVES):
            continue
        seen.add(id(item))
        if _is_part(item):
            yield item
        waiting += _inside(item)


def _inside(item: Any) -> list[Any]:
    if _is_part(item):
        return [*vars(item).values()]
    if isinstance(item, dict) and len(item) <= MOST_ITEMS:
        return [*item.values()]
    if isinstance(item, list | tuple) and len(item) <= MOST_ITEMS:
        return [*item]
    if getattr(getattr(item, "dtype", None), "hasobject", False) and item.size <= MOST_ITEMS:
        return [*item.flat]  # an array of estimators
    return []


def _is_part(item: Any) -> bool:
    kinds = type(item).__mro__
    return hasattr(item, "__dict__") and any(k.__module__.startswith("sklearn.") for k in kinds)
