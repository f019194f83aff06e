"""The pieces of a model's answer, read strictly: class names, probabilities, rows of them.

Shapes are told apart by duck typing, so that this module imports neither numpy nor pandas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.errors import ModelOutputError

ROUNDING = 1e-9
"""So far a probability may be beyond 0 or 1."""
LEAST_SUM, MOST_SUM = 1 - 1e-3, 1 + 1e-3
"""Of a row of probabilities: what is left of them where they are kept to three or four digits."""


def plain(value: Any) -> Any:
    """A numpy scalar or array as Python's own, anything else as it is."""
    if hasattr(value, "toarray"):  # scipy's sparse matrices
        value = value.toarray()
    return value.tolist() if hasattr(value, "tolist") else value


def class_name(value: Any, names: Mapping[str, str]) -> str:
    """A class as the model gives it (str, int, numpy scalar ...) -> the name to show."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise ModelOutputError(f"a {type(value).__name__} where a label was expected")
    return names.get(str(value), str(value))


def probability(value: Any) -> float:
    """A number from 0 to 1; percentages, margins and NaN are refused."""
    value = value.item() if hasattr(value, "item") else value
    if not is_number(value) or not -ROUNDING <= value <= 1 + ROUNDING:
        raise ModelOutputError(
            f"a {type(value).__name__} that is no probability from 0 to 1 (percentages and margins"
            " are none: divide, or leave them out)"
        )
    return min(max(float(value), 0.0), 1.0)


def distribution(row: Sequence[Any]) -> tuple[float, ...]:
    """One text's probabilities of every class: each from 0 to 1, all together 1."""
    shares = tuple([probability(value) for value in row])
    if not sums_to_one(shares):
        raise ModelOutputError("a row of numbers that do not sum to 1 is no row of probabilities")
    return shares


def sums_to_one(row: Sequence[float]) -> bool:
    """False for NaN too."""
    return LEAST_SUM <= sum(row) <= MOST_SUM


def is_number(value: Any) -> bool:
    """An int or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def best_of(shares: Sequence[float]) -> int:
    """Where the greatest is, the first of equals as with numpy's argmax."""
    return max(range(len(shares)), key=shares.__getitem__)


def describe(output: Any) -> str:
    """The shape of a model's answer; its content, column names too, may quote the request."""
    shape = getattr(output, "shape", None)
    size = f" of shape {tuple(shape)}" if shape is not None else ""
    if not size and isinstance(output, Sequence | Mapping) and not isinstance(output, str):
        size = f" of length {len(output)}"
    return f"the model returned {type(output).__name__}{size}"


def rows_of(output: Any) -> list[Any] | None:
    """An answer as one item per text; None where it has none."""
    if hasattr(output, "columns") and hasattr(output, "to_dict"):  # DataFrame
        return list(output.to_dict("records"))
    if isinstance(output, Mapping):  # one list per column
        return _records(output)
    output = plain(output)  # ndarray, Series
    return list(output) if isinstance(output, list | tuple) else None


def _records(columns: Mapping[Any, Any]) -> list[Any] | None:
    lists = [rows_of(column) for column in columns.values()]
    known = [column for column in lists if column is not None]
    if not known or len(known) < len(lists) or len({len(column) for column in known}) != 1:
        return None
    return [dict(zip(columns, values, strict=True)) for values in zip(*known, strict=True)]
