"""Whatever a model returns -> one Prediction per text, or ModelOutputError.

Accepted, in MLflow's and scikit-learn's own shapes (list, ndarray, Series, DataFrame, dicts):

- labels, one per text (no probabilities: confidence is None);
- records with a label column (label, sentiment, prediction) and, if present, a probability of
  that label (score, confidence, probability);
- one row of class probabilities per text, where the classes are known;
- records that hold one probability per known class.

Shapes are told apart by duck typing, so that this module imports neither numpy nor pandas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.errors import ModelOutputError
from function.predictor import Prediction

LABEL_KEYS = ("label", "sentiment", "prediction")
CONFIDENCE_KEYS = ("score", "confidence", "probability")
_ROUNDING = 1e-9


def class_name(value: Any, names: Mapping[str, str]) -> str:
    """A class as the model gives it (str, int, numpy scalar ...) -> the name to show."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise ModelOutputError(f"a {type(value).__name__} where a label was expected")
    return names.get(str(value), str(value))


def read_output(
    output: Any,
    count: int,
    classes: Sequence[Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Prediction]:
    """Read a model's answer for ``count`` texts.

    ``classes`` are the model's own classes in column order, ``names`` the LABELS mapping.
    """
    names = names or {}
    rows = _rows(output)
    if rows is None or len(rows) != count:
        raise ModelOutputError(f"{describe(output)} for {count} texts")
    try:
        return [_prediction(row, classes, names) for row in rows]
    except ModelOutputError as exc:
        raise ModelOutputError(f"{describe(output)} for {count} texts: {exc.returned}") from None


def with_probabilities(
    labels: Any, probabilities: Any, count: int, classes: Sequence[Any], names: Mapping[str, str]
) -> list[Prediction]:
    """Join ``predict`` and ``predict_proba``: the label is the former's, scores the latter's.

    They may disagree (TunedThresholdClassifierCV, SVC), and then ``predict`` is what the model
    was asked to decide.
    """
    rows, raw = _rows(probabilities), _rows(labels)
    if rows is None or raw is None or not len(rows) == len(raw) == count:
        both = f"predict: {describe(labels)}; predict_proba: {describe(probabilities)}"
        raise ModelOutputError(f"{both}, for {count} texts")
    position = {item: index for index, item in enumerate(classes)}
    joined = []
    for label, row in zip(raw, rows, strict=True):
        if not isinstance(row, list) or len(row) != len(classes) or label not in position:
            raise ModelOutputError("predict and predict_proba do not fit the model's classes")
        scores = tuple(_probability(value) for value in row)
        joined.append(Prediction(class_name(label, names), scores[position[label]], scores))
    return joined


def describe(output: Any) -> str:
    """The shape of a model's answer; its content, column names too, may quote the request."""
    shape = getattr(output, "shape", None)
    size = f" of shape {tuple(shape)}" if shape is not None else ""
    if not size and isinstance(output, Sequence | Mapping) and not isinstance(output, str):
        size = f" of length {len(output)}"
    return f"the model returned {type(output).__name__}{size}"


def _rows(output: Any) -> list[Any] | None:
    if hasattr(output, "columns") and hasattr(output, "to_dict"):  # DataFrame
        return list(output.to_dict("records"))
    if isinstance(output, Mapping):  # one list per column
        columns = {key: _rows(value) for key, value in output.items()}
        if not columns or any(column is None for column in columns.values()):
            return None
        lists = [column for column in columns.values() if column is not None]
        if len({len(column) for column in lists}) != 1:
            return None
        return [dict(zip(columns, values, strict=True)) for values in zip(*lists, strict=True)]
    if hasattr(output, "tolist"):  # ndarray, Series
        output = output.tolist()
    return list(output) if isinstance(output, list | tuple) else None


def _prediction(row: Any, classes: Sequence[Any] | None, names: Mapping[str, str]) -> Prediction:
    if isinstance(row, Mapping):
        return _from_record(row, classes, names)
    if hasattr(row, "tolist"):
        row = row.tolist()
    if isinstance(row, list | tuple) and len(row) == 1 and not isinstance(row[0], float):
        row = row[0]  # labels as a column
    if isinstance(row, list | tuple):
        return _from_probabilities(row, classes, names)
    return Prediction(class_name(row, names), None, None)


def _from_record(
    row: Mapping[Any, Any], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    by_key = {str(key).lower(): value for key, value in row.items()}
    label = next((by_key[key] for key in LABEL_KEYS if key in by_key), None)
    if label is None:
        if classes is not None and {str(key) for key in row} == {str(item) for item in classes}:
            by_class = {str(key): value for key, value in row.items()}
            return _from_probabilities([by_class[str(item)] for item in classes], classes, names)
        if len(row) == 1:  # predictions.to_frame(), under whatever name
            return Prediction(class_name(next(iter(row.values())), names), None, None)
        raise ModelOutputError(f"no label column ({', '.join(LABEL_KEYS)}) among {len(row)}")
    confidence = next((by_key[key] for key in CONFIDENCE_KEYS if key in by_key), None)
    known = None if confidence is None else _probability(confidence)
    return Prediction(class_name(label, names), known, None)


def _from_probabilities(
    row: Sequence[Any], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    if classes is None:
        raise ModelOutputError("probabilities without class names; set LABELS to 0=...,1=...")
    if len(row) != len(classes):
        raise ModelOutputError(f"{len(row)} probabilities for {len(classes)} classes")
    scores = tuple(_probability(value) for value in row)
    best = max(range(len(scores)), key=scores.__getitem__)  # the first of equals, as numpy's argmax
    return Prediction(class_name(classes[best], names), scores[best], scores)


def _probability(value: Any) -> float:
    value = value.item() if hasattr(value, "item") else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -_ROUNDING <= value <= 1 + _ROUNDING:
        raise ModelOutputError(f"a {type(value).__name__} that is no probability from 0 to 1")
    return min(max(float(value), 0.0), 1.0)
