"""What a model's MLflow signature says of its input: the text column, or that it takes no text.

A signature's inputs are a list of columns, each with a type and perhaps a name, of tensors, or of
an object with properties (https://mlflow.org/docs/latest/ml/model/signatures).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.errors import ModelLoadError

TEXT_TYPES = {"string", "object", "any", "map", "array"}
TEXT_TENSORS = ("str", "object", "<U", "|S")

Inputs = Sequence[Mapping[str, Any]] | None


def text_column(inputs: Inputs) -> str | None:
    """The name of the one column that must be given; None where it has none, or there are more."""
    names = [str(name) for name, _ in _required(inputs)]
    return names[0] if len(names) == 1 else None


def refuse_other_inputs(inputs: Inputs) -> None:
    """Raises ModelLoadError where the signature wants numbers, or several columns."""
    if inputs and not any(_takes_text(column) for column in inputs):
        raise ModelLoadError(
            f"The model wants {_amount(inputs)} per text, as its signature says, and this service"
            " gives it the text itself: it was logged without what turns texts into numbers."
            " Log the two together, as one model whose input is the text."
        )
    required = _required(inputs)
    if len(required) > 1:
        raise ModelLoadError(several_columns([str(name) for name, _ in required]))


def several_columns(names: Sequence[str]) -> str:
    """Why a model of several columns is not served."""
    told = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return (
        f"The model reads {len(names)} columns ({told}), and a request here has one text. Log a"
        " model whose input is one text column."
    )


def _required(inputs: Inputs) -> list[tuple[Any, Mapping[str, Any]]]:
    """The named columns, or an object's properties, that must be given."""
    columns = [(column.get("name"), column) for column in inputs or ()]
    if len(columns) == 1 and columns[0][1].get("properties"):
        columns = list(columns[0][1]["properties"].items())
    return [(name, spec) for name, spec in columns if name and spec.get("required", True)]


def _takes_text(column: Mapping[str, Any]) -> bool:
    if column.get("type") == "tensor":
        return str(column.get("tensor-spec", {}).get("dtype", "")).startswith(TEXT_TENSORS)
    return column.get("type") in TEXT_TYPES


def _amount(inputs: Sequence[Mapping[str, Any]]) -> str:
    shape = inputs[0].get("tensor-spec", {}).get("shape", ())
    count = shape[-1] if len(shape) > 1 else len(inputs)
    return "numbers" if count < 2 else f"{count} numbers"
