"""The scoring protocol of ``mlflow models serve``: rows of a frame in, one label for each out.

    {"dataframe_split": {"columns": ["text"], "data": [["..."]]}}      {"inputs": ["...", "..."]}
    {"dataframe_records": [{"text": "..."}]}                           {"instances": ["..."]}
    text/csv, with a header that names the column; text/csv; header=absent, of one column

Answered as ``{"predictions": ["positive", ...]}``. Follows ``invocations`` and what it calls in
https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/pyfunc/scoring_server/__init__.py
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from function.errors import InvalidInput, MalformedRequest, ServiceError, UnsupportedMediaType
from function.predictor import Answer, MultilabelPrediction
from function.protocols.rows import texts_of
from function.protocols.sentiment import parse_json
from function.settings import Settings

JSON, CSV, BARE_CSV = "application/json", "text/csv", "text/csv; header=absent"
"""RFC 4180, section 3, has the parameter."""
_END = "\0end"
"""A line that is a row of its own, unless a quote is open."""
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
}
"""As mlflow.exceptions has them by status."""
TEXT = "text"
"""The column that is meant where several come and the signature names none of them."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def check_content_type(headers: Mapping[str, str]) -> str:
    """JSON, CSV or BARE_CSV, and JSON where nothing is said; UnsupportedMediaType (415) for all
    else."""
    given, *parameters = headers.get("content-type", "").lower().split(";")
    media_type = given.strip() or JSON
    if media_type not in (JSON, CSV):
        raise UnsupportedMediaType(f"Send the body as Content-Type: {JSON} or {CSV}.")
    for parameter in filter(None, map(str.strip, parameters)):
        name, _, value = parameter.partition("=")
        value = value.strip('"')
        if media_type == CSV and name == "header" and value in ("present", "absent"):
            media_type = BARE_CSV if value == "absent" else CSV
        elif name != "charset" or value not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(f"Content-Type may say charset=utf-8, and no {name}.")
    return media_type


def parse(body: bytes, media_type: str, column: str | None, settings: Settings) -> list[str]:
    """The texts, in order; ``column`` is what the model's signature calls theirs.

    Raises MalformedRequest (400) for all that the protocol does not allow, as MLflow does.
    """
    try:
        if media_type != JSON:
            rows = _from_csv(body, column, has_header=media_type == CSV)
            return texts_of(_some(rows), settings, "")
        payload = parse_json(body, settings)
        if not isinstance(payload, dict):
            raise MalformedRequest("A JSON object is expected.")
        given = [name for name in FORMATS if name in payload]
        if len(given) != 1:
            raise MalformedRequest(f"Send one of {', '.join(FORMATS)}.")
        rows = _READ[given[0]](payload[given[0]], column)
        return texts_of(_some(rows), settings, f"/{given[0]}")
    except InvalidInput as exc:
        raise MalformedRequest(exc.detail) from exc


def render(
    answers: Sequence[Answer], classes: Mapping[str, Any], columns: Sequence[str] = ()
) -> str:
    """The predictions as JSON, of what the model's own ``predict`` returns: ``classes`` has what it
    says for a label, ``columns`` are the labels of which it says 1 or 0."""

    def said(answer: Answer) -> Any:
        if not isinstance(answer, MultilabelPrediction):
            return classes.get(answer.label or "", answer.label)
        if columns:
            return [int(label in answer.labels) for label in columns]
        return list(answer.labels)

    return _encode({"predictions": [*map(said, answers)]})


def error_members(error: ServiceError) -> dict[str, Any]:
    """What MLflow's clients look for in an error, beside what every problem has."""
    default = "BAD_REQUEST" if error.status < 500 else "INTERNAL_ERROR"
    return {"error_code": ERROR_CODES.get(error.status, default), "message": error.detail}


def _some(rows: list[Any]) -> list[Any]:
    if not rows:
        raise MalformedRequest("There is no row to score.")
    return rows


def _from_split(given: Any, column: str | None) -> list[Any]:
    """pandas' ``split`` orientation; columns may be left out where there is one."""
    if not isinstance(given, dict) or not isinstance(given.get("data"), list):
        raise MalformedRequest('dataframe_split is {"columns": [...], "data": [[...], ...]}.')
    rows, names = given["data"], given.get("columns")
    rows = [row if isinstance(row, list) else [row] for row in rows]
    if names is None:
        names = [column or TEXT] if all(len(row) == 1 for row in rows) else []
    if not isinstance(names, list) or any(len(row) != len(names) for row in rows):
        raise MalformedRequest("dataframe_split: each row has a value for each column.")
    place = _place([str(name) for name in names], column)
    return [row[place] for row in rows]


def _from_records(given: Any, column: str | None) -> list[Any]:
    """pandas' ``records`` orientation."""
    if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
        raise MalformedRequest("dataframe_records is a list of objects.")
    names = list(dict.fromkeys(name for row in given for name in row))
    if not names:
        raise MalformedRequest("dataframe_records holds no column.")
    name = names[_place(names, column)]
    return [row.get(name) for row in given]


def _from_tensor(given: Any, column: str | None) -> list[Any]:
    """TensorFlow Serving's ``inputs`` (by column, or one column alone) and ``instances``."""
    if isinstance(given, dict):
        names = list(given)
        given = given[names[_place(names, column)]] if names else []
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        raise MalformedRequest("A list of texts is expected.")
    if given and all(isinstance(row, dict) for row in given):
        return _from_records(given, column)
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in given]


_READ = {
    "dataframe_split": _from_split,
    "dataframe_records": _from_records,
    "instances": _from_tensor,
    "inputs": _from_tensor,
}


def _from_csv(body: bytes, column: str | None, has_header: bool) -> list[Any]:
    try:
        lines = StringIO(body.decode("utf-8-sig"), newline="")
        *found, end = csv.reader([*lines, _END])
        rows = [row for row in found if row]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise MalformedRequest("The body is not CSV in UTF-8 that can be read.") from exc
    if end != [_END]:
        raise MalformedRequest("The body ends within quotes.")
    if not rows:
        raise MalformedRequest("The body holds no row.")
    if any(len(row) != len(rows[0]) for row in rows):
        raise MalformedRequest("Each row has a value for each column.")
    if not has_header:
        if len(rows[0]) > 1:
            raise MalformedRequest("Without a header there is one column.")
        return [row[0] for row in rows]
    place = _place(rows[0], column)
    return [row[place] for row in rows[1:]]


def _place(names: Sequence[str], column: str | None) -> int:
    """Which of the columns holds the texts."""
    if column is None and len(names) == 1:
        return 0
    wanted = column or TEXT
    if names.count(wanted) != 1:
        raise MalformedRequest(f"There is no one column {wanted!r}.")
    return names.index(wanted)
