"""What a pyfunc model returns -> one answer per text, or ModelOutputError.

Accepted, in MLflow's and scikit-learn's own shapes (list, ndarray, Series, DataFrame, dicts):

- labels, one per text (no probabilities: confidence is None);
- records with a label column (label, sentiment, prediction) and, if present, a probability of
  that label (score, confidence, probability);
- one row of class probabilities per text, where the classes are known;
- records whose keys are the classes, with a probability of each, alone or beside the label;
- one list of ``{label, score}`` per text, as transformers gives them, of all labels or the best;
- of several labels per text: rows of the whole numbers 0 and 1, or records with ``labels``.

Probabilities of one label are from 0 to 1 and sum to 1, and floats: ``[0, 1]`` marks labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.errors import ModelOutputError
from function.originals.values import (
    best_of,
    class_name,
    describe,
    distribution,
    is_number,
    plain,
    probability,
    rows_of,
    sums_to_one,
)
from function.predictor import Prediction

LABEL_KEYS = ("label", "sentiment", "prediction")
SURE_KEYS = ("score", "confidence", "probability")


def read_output(
    output: Any,
    count: int,
    classes: Sequence[Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Prediction]:
    """Read a model's answer for ``count`` texts, of one label each.

    ``classes`` are the model's own classes in column order, ``names`` the LABELS mapping. Without
    classes, those that the answer itself names are taken.
    """
    rows = expect_rows(output, count)
    classes = own_classes(rows) if classes is None else classes
    try:
        return [_prediction(row, classes, names or {}) for row in rows]
    except ModelOutputError as exc:
        raise ModelOutputError(f"{describe(output)} for {count} texts: {exc.returned}") from None


def expect_rows(output: Any, count: int) -> list[Any]:
    """One item per text; raises ModelOutputError where there are more or fewer, or none."""
    rows = rows_of(output)
    if rows is None or len(rows) != count:
        raise ModelOutputError(f"{describe(output)} for {count} texts")
    return [plain(row) for row in rows]


def own_classes(rows: Sequence[Any]) -> list[str] | None:
    """The classes that the answer names: its keys, or the labels of its lists where they are
    the same in all; None where probabilities that sum to 1 do not show that these are all."""
    found = [_shares_by_name(row) for row in rows]
    first = found[0] if found else None
    if not first or any(shares is None or set(shares) != set(first) for shares in found):
        return None
    is_ordered = isinstance(rows[0], Mapping) and not any(key in LABEL_KEYS for key in rows[0])
    return list(first) if is_ordered else sorted(first)


def _shares_by_name(row: Any) -> dict[str, float] | None:
    """Two classes or more, each with its probability; None for anything else."""
    pairs = _pairs(row)
    if pairs is not None:
        return _as_shares({str(label): score for label, score in pairs})
    if not isinstance(row, Mapping):
        return None
    label = _key(row, LABEL_KEYS)
    rest = {key: value for key, value in row.items() if key not in (label, _key(row, SURE_KEYS))}
    inner = [value for value in rest.values() if isinstance(value, Mapping)]
    for candidate in [rest, *(inner if label is not None else ())]:
        shares = _as_shares({str(key): plain(value) for key, value in candidate.items()})
        if shares is not None and (label is None or str(plain(row[label])) in shares):
            return shares
    return None


def _as_shares(named: dict[str, Any]) -> dict[str, float] | None:
    values = list(named.values())
    if len(named) < 2 or not all(map(is_number, values)) or min(values) < 0:
        return None
    return named if sums_to_one(values) else None


def _pairs(row: Any) -> list[tuple[Any, Any]] | None:
    """A list of ``{label, score}``, or a record with a list of each, as (label, score) pairs."""
    if isinstance(row, list) and row and all(isinstance(item, Mapping) for item in row):
        keys = [(_key(item, LABEL_KEYS), _key(item, SURE_KEYS)) for item in row]
        if any(None in pair for pair in keys):
            return None
        return [
            (plain(item[label]), plain(item[score]))
            for item, (label, score) in zip(row, keys, strict=True)
        ]
    if isinstance(row, Mapping):
        label, score = _key(row, LABEL_KEYS), _key(row, SURE_KEYS)
        if label is not None and score is not None:
            labels, scores = plain(row[label]), plain(row[score])
            both = isinstance(labels, list | tuple) and isinstance(scores, list | tuple)
            if both and labels and len(labels) == len(scores):
                return list(zip(labels, scores, strict=True))
    return None


def _key(row: Mapping[Any, Any], wanted: Sequence[str]) -> Any:
    """The row's own spelling of the first key of ``wanted`` that it has."""
    spelled = {str(key).lower(): key for key in row}
    return next((spelled[key] for key in wanted if key in spelled), None)


def _prediction(row: Any, classes: Sequence[Any] | None, names: Mapping[str, str]) -> Prediction:
    pairs = _pairs(row)
    if pairs is not None:
        return _from_pairs(pairs, classes, names)
    if isinstance(row, Mapping):
        return _from_record(row, classes, names)
    if isinstance(row, list | tuple) and len(row) == 1 and not isinstance(row[0], float):
        row = row[0]  # labels as a column
    if isinstance(row, list | tuple):
        return _from_probabilities(row, classes, names)
    return Prediction(class_name(row, names), None, None)


def _from_pairs(
    pairs: Sequence[tuple[Any, Any]], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    shares = {str(label): probability(score) for label, score in pairs}
    values = list(shares.values())
    if sum(values) > 1 and not sums_to_one(values):
        raise ModelOutputError(
            "scores that sum to more than 1: those of several labels per text? Then say which"
            ' apply, as {"labels": [...]}'
        )
    return _with_shares(pairs[best_of(values)][0], shares, classes, names)


def _from_record(
    row: Mapping[Any, Any], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    label = _key(row, LABEL_KEYS)
    if label is None:
        return _from_columns(row, classes, names)
    shares = _shares_by_name(row)
    if shares is not None:  # beside the label, a probability of each class
        return _with_shares(plain(row[label]), shares, classes, names)
    confidence = _key(row, SURE_KEYS)
    given = None if confidence is None else plain(row[confidence])
    is_known = given is not None and given == given  # NaN is not, and how pandas says None
    return Prediction(class_name(row[label], names), probability(given) if is_known else None, None)


def _with_shares(
    label: Any, shares: dict[str, float], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    scores = None
    if classes is not None and set(shares) == {str(item) for item in classes}:
        scores = distribution([shares[str(item)] for item in classes])
    return Prediction(class_name(label, names), probability(shares[str(label)]), scores)


def _from_columns(
    row: Mapping[Any, Any], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    by_class = {str(key): value for key, value in row.items()}
    if classes is not None and set(by_class) == {str(item) for item in classes}:
        return _from_probabilities([by_class[str(item)] for item in classes], classes, names)
    if len(row) == 1:  # predictions.to_frame(), under whatever name
        return Prediction(class_name(next(iter(row.values())), names), None, None)
    if all(is_number(plain(value)) for value in row.values()):
        distribution([*by_class.values()])
        raise ModelOutputError("probabilities of other classes than the model's")
    raise ModelOutputError(f"no label column ({', '.join(LABEL_KEYS)}) among {len(row)}")


def _from_probabilities(
    row: Sequence[Any], classes: Sequence[Any] | None, names: Mapping[str, str]
) -> Prediction:
    if all(isinstance(plain(value), int) for value in row):  # bools are
        raise ModelOutputError("a row of whole numbers, which are no probabilities")
    if classes is None:
        raise ModelOutputError("probabilities without class names; set LABELS to 0=...,1=...")
    if len(row) != len(classes):
        raise ModelOutputError(f"{len(row)} probabilities for {len(classes)} classes")
    if any(value != value for value in row):  # NaN: this text's problem, and nobody else's
        return Prediction(None, None, None)
    scores = distribution(row)
    best = best_of(scores)
    return Prediction(class_name(classes[best], names), scores[best], scores)
