"""The texts of a request of many, in whatever protocol: as many and as long as they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.errors import InvalidInput
from function.settings import Settings


def texts_of(rows: Sequence[Any], settings: Settings, pointer: str) -> list[str]:
    """The rows, where each is a text; InvalidInput (422) points at those that are none.

    ``pointer`` is that of the first row, its number left out. Unlike ``/predict``, a blank text is
    one: clients send columns as they have them, and a model has an answer to it.
    """
    if len(rows) > settings.max_rows:
        told = f"{len(rows)} rows, more than MAX_ROWS={settings.max_rows}"
        raise InvalidInput([{"pointer": pointer, "detail": told}])
    faults = []
    for place, text in enumerate(rows):
        fault = _fault(text, settings.max_text_length)
        if fault is not None:
            faults.append({"pointer": f"{pointer}/{place}", "detail": fault})
            if len(faults) >= _MOST_FAULTS:
                break
    if faults:
        raise InvalidInput(faults)
    return list(rows)


_MOST_FAULTS = 20


def _fault(text: Any, longest: int) -> str | None:
    if not isinstance(text, str):
        return "a text is expected"
    if len(text) > longest:
        return f"the text has {len(text)} characters, more than MAX_TEXT_LENGTH={longest}"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "the text is not valid Unicode"
    return None
