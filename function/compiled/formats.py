"""Which format a compiled folder is written in: the oldest that can say what is in it.

So a version of this service that is older than the writer's reads whatever it could have read from
one of its own age. Read are all of files.FORMATS:

| format | is |
|---|---|
| 2 | each part of a vectorizer in a file of its own, as `terms.0` |
| 3 | a file for each vectorizer, which a registry is asked for once |
| 4 | as 3, with kinds of parts that format 3 has not: what OF_FORMAT_3 does not list |
| 5 | as 4, with functions of the model's own (code.py) |
| 6 | as 5, with numbers that such functions make (own_numbers.py), or NLTK's (known.py) |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiled.analyzer import AnalyzerSpec
from function.compiled.pairs import PairVocabulary
from function.compiled.terms import TermVocabulary

OF_FORMAT_3: Mapping[str, frozenset[str]] = {
    "decision": frozenset(
        (
            *("labels", "softmax", "naive_bayes", "one_vs_rest"),
            *("calibrated", "multilabel", "constant"),
        )
    ),
    "vocabulary": frozenset((TermVocabulary.kind, PairVocabulary.kind)),
    "manifest": frozenset(
        (
            *("kind", "format", "byte_order", "lineage", "classes", "labels"),
            *("intercepts", "decision", "binarize", "vectorizers"),
        )
    ),
    "vectorizer": frozenset(
        (
            *("analyzer", "vocabulary", "terms", "columns", "units"),
            *("binary", "sublinear", "norm", "scale", "sizes"),
        )
    ),
    "analyzer": AnalyzerSpec.__required_keys__,
}
"""The kinds of decisions and vocabularies that it has, and the members of its objects."""


def format_of(manifest: Mapping[str, Any]) -> int:
    """Return the oldest format that can say what `manifest` does."""
    vectorizers = manifest["vectorizers"]
    functions = [function for spec in vectorizers for function in spec.get("functions", ())]
    has_numbers = any(spec["vocabulary"] == "numbers" for spec in vectorizers)
    if has_numbers or any("nltk" in function for function in functions):
        return 6
    if any("functions" in spec for spec in vectorizers):
        return 5
    is_known = (
        manifest.keys() <= OF_FORMAT_3["manifest"]
        and manifest["decision"]["kind"] in OF_FORMAT_3["decision"]
        and all(
            spec["vocabulary"] in OF_FORMAT_3["vocabulary"]
            and spec.keys() <= OF_FORMAT_3["vectorizer"]
            and spec["analyzer"].keys() <= OF_FORMAT_3["analyzer"]
            for spec in vectorizers
        )
    )
    return 3 if is_known else 4
