"""What manifest.json may say: every field of the type and in the range that serving relies on.

The checksums tell an accident; these checks are for a folder that was edited or damaged before they
were reckoned. What passes them, together with the tables' and rows' own (vectorizer.py, rows.py),
gives every text an answer, with probabilities from 0 to 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from function.compiled.analyzer import METHODS, SAME_TOKENS_FASTER, AnalyzerSpec
from function.compiled.numbers import is_number
from function.compiled.pairs import PairVocabulary
from function.compiled.terms import TermVocabulary

Check = Callable[[Any], bool]


def parse(raw: bytes) -> Any:
    """Return the JSON in `raw`; ValueError also for NaN, Infinity and 1e999, which JSON has not."""
    return json.loads(raw, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


_VOCABULARIES = (TermVocabulary.kind, PairVocabulary.kind, "hashed", "numbers")


def check(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the field, for one of another type or out of its range; decision.py
    checks the decision."""
    labels = manifest["labels"]
    _require(
        manifest,
        labels=_are_names,
        intercepts=lambda value: bool(_is_list(value, is_number) and value),
        decision=lambda value: isinstance(value, dict),
        binarize=lambda value: value is None or is_number(value),
        vectorizers=lambda value: bool(
            _is_list(value, lambda item: isinstance(item, dict)) and value
        ),
        lineage=_is_lineage,
    )
    if "classes" in manifest:
        _require(manifest, classes=lambda value: _are_names(value) and len(value) == len(labels))
    if "support" in manifest:
        _require(manifest, support=_is_support)
    if "forest" in manifest:
        _require(manifest, forest=_is_forest)
    for spec in manifest["vectorizers"]:
        check_vectorizer(spec)
        if manifest["format"] > 2:  # there each part's file has its size
            _require(spec, sizes=_are_sizes)


def check_vectorizer(spec: Mapping[str, Any]) -> None:
    """As `check`, of one vectorizer's part."""
    _require(
        spec,
        analyzer=lambda value: isinstance(value, dict),
        vocabulary=lambda value: value in _VOCABULARIES,
        terms=lambda value: isinstance(value, dict),
        columns=lambda value: _is_count(value) and value < 2**32,
        units=lambda value: value is None or (_is_list(value, _is_unit) and len(value) == 2),
        binary=_is_bool,
        sublinear=_is_bool,
        norm=lambda value: value in (None, "l1", "l2"),
        scale=is_number,
    )
    _check_analyzer(spec["analyzer"])
    if spec["vocabulary"] == PairVocabulary.kind and not PairVocabulary.fits(spec["analyzer"]):
        raise ValueError("vocabulary: the analyzer's terms are not words and pairs of them")
    if spec["norm"] == "l1" and spec["units"] is not None:
        raise ValueError("units: there is no quick way to divide by an l1 norm")


def _check_analyzer(spec: AnalyzerSpec) -> None:
    _require(
        spec,
        analyzer=lambda value: value in ("word", "char", "char_wb"),
        ngram_range=lambda value: _is_list(value, _is_count) and len(value) == 2,
        lowercase=_is_bool,
        strip_accents=lambda value: value in (None, "ascii", "unicode"),
        stop_words=lambda value: value is None or _is_list(value, _is_text),
        token_pattern=lambda value: value is None or _is_text(value),
    )
    if "methods" in spec:
        _require(spec, methods=lambda value: _is_list(value, METHODS.__contains__) and value)
    pattern = spec["token_pattern"]
    if pattern is None or pattern in SAME_TOKENS_FASTER:
        return
    if re.compile(pattern).groups > 1:
        raise ValueError(f"token_pattern: {pattern!r} has more than one group")


def _require(fields: Mapping[str, Any], **checks: Check) -> None:
    for name, is_right in checks.items():
        if not is_right(fields[name]):
            raise ValueError(f"{name}: {str(fields[name])[:80]!r} is not what belongs there")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_unit(value: Any) -> bool:
    return is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_bool(value: Any) -> bool:
    return type(value) is bool


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_list(value: Any, is_right: Check) -> bool:
    return isinstance(value, list) and all(map(is_right, value))


def _are_names(value: Any) -> bool:
    """Whether each is a name of its own that a response can hold: no half of a surrogate pair."""
    return (
        _is_list(value, _is_text)
        and 0 < len(value) == len({*value})
        and all(name.encode("utf-8", "ignore").decode() == name for name in value)
    )


def _is_support(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_list(value.get("counts"), _is_count)
        and _are_sizes(value.get("sizes"))
        and ("kernel" not in value or _is_kernel(value["kernel"]))
    )


def _is_kernel(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"kind", "gamma", "degree", "offset"}
        and value["kind"] in ("rbf", "poly", "sigmoid")
        and is_number(value["gamma"])
        and value["gamma"] >= 0.0
        and is_number(value["offset"])
        and _is_count(value["degree"])
        and value["degree"] < 2**16
    )


def _is_forest(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_list(value.get("starts"), is_number)
        and _is_bool(value.get("single"))
        and _is_bool(value.get("alone"))
        and _is_bool(value.get("missing", False))
        and _is_bool(value.get("single_sums", False))
        and _are_sizes(value.get("sizes"))
    )


def _is_lineage(value: Any) -> bool:
    """Whether /models/info can show it (registry/lineage.py)."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str | None) for name in _LINEAGE_TEXTS)
        and _is_list(value.get("aliases", []), _is_text)
        and isinstance(value.get("details", {}), dict)
    )


_LINEAGE_TEXTS = ("model_uri", "model_name", "version", "run_id", "model_id", "stage")
