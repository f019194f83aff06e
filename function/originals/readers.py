"""What in a fitted scikit-learn model reads the texts, found by walking down its parts.

Nothing here imports scikit-learn: classes are told by their names and attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from function.compiler.sklearn_names import public_name
from function.originals.shapes import (
    FRAME_FIRST,
    MATRIX_FIRST,
    STRINGS,
    STRINGS_FIRST,
    Shape,
    as_frame,
)

INNER = ("best_estimator_", "calibrated_classifiers_", "estimators_", "estimator_", "regressor_")
"""Where scikit-learn's meta-estimators keep what they fitted."""
_MOST_INNER = 8
_DEEPEST = 12


def readers(model: Any, depth: int = 0) -> list[Any]:
    """The parts that the input of ``model`` reaches first; several behind a FeatureUnion or a
    vote. Steps that only hand it on are passed over."""
    name = public_name(model)
    if name == "sklearn.compose.ColumnTransformer" or is_vectorizer(model) or depth > _DEEPEST:
        return [model]
    if hasattr(model, "steps"):
        first = next((part for _, part in model.steps if not _hands_on(part)), None)
        return [] if first is None else readers(first, depth + 1)
    parts = [part for part in _parts(model) if not isinstance(part, str) and part is not None]
    found = [reader for part in parts for reader in readers(part, depth + 1)]
    return found or [model]


def _hands_on(part: Any) -> bool:
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return True
    is_function = public_name(part) == "sklearn.preprocessing.FunctionTransformer"
    return is_function and part.func is None


def _parts(model: Any) -> list[Any]:
    if hasattr(model, "transformer_list"):  # FeatureUnion
        return [part for _, part in model.transformer_list]
    if public_name(model) == "sklearn.frozen.FrozenEstimator":
        return [model.estimator]
    for name in INNER:
        parts = getattr(model, name, None)
        if parts is not None:
            several = isinstance(parts, list | tuple) or hasattr(parts, "ravel")
            listed = parts.ravel().tolist() if hasattr(parts, "ravel") else parts
            inner = list(islice(listed, _MOST_INNER)) if several else [parts]
            return [getattr(part, "estimator", part) if "calib" in name else part for part in inner]
    return []


def is_vectorizer(part: Any) -> bool:
    """CountVectorizer, TfidfVectorizer, HashingVectorizer, or a subclass of one."""
    return hasattr(part, "build_analyzer") and hasattr(part, "transform")


def is_table_reader(part: Any) -> bool:
    """Whether it reads named or numbered columns."""
    return public_name(part) == "sklearn.compose.ColumnTransformer"


def names_of(model: Any) -> list[str] | None:
    """The columns of the DataFrame that the model was fitted on, those that it reads of them
    where it says so; None where it was fitted on something else."""
    found = readers(model)
    for part in [model, *found]:
        fitted_on = getattr(part, "feature_names_in_", None)
        if fitted_on is not None:
            known = [str(name) for name in fitted_on]
            tables = [reader for reader in found if is_table_reader(reader)]
            read = {place for table in tables for place in _places(table, len(known))}
            return [name for place, name in enumerate(known) if place in read or not tables]
    return None


def _places(table: Any, columns: int) -> set[int]:
    """The numbers of the columns that a fitted ColumnTransformer reads."""
    inputs = getattr(table, "_transformer_to_input_indices", None)
    if inputs is None:
        return set(range(columns))
    used = [
        name
        for name, transformer, _ in table.transformers_
        if not (isinstance(transformer, str) and transformer == "drop")
    ]
    return {int(place) for name in used for place in inputs.get(name, ())}


def shapes_for(model: Any, is_signed: bool) -> tuple[Shape, ...]:
    """The shapes to try, likeliest first; ``is_signed``: a signature names the column."""
    found = readers(model)
    if found and all(is_vectorizer(reader) for reader in found):
        return STRINGS
    if names_of(model) is not None:
        only_tables = all(is_table_reader(reader) for reader in found)
        return (as_frame,) if found and only_tables else FRAME_FIRST
    if any(getattr(part, "n_features_in_", None) == 1 for part in [model, *found]):
        return MATRIX_FIRST
    return FRAME_FIRST if is_signed else STRINGS_FIRST


def vocabulary_of(model: Any, depth: int = 0) -> Mapping[str, int]:
    """Of the first vectorizer anywhere in the model; empty where there is none."""
    terms = getattr(model, "vocabulary_", None)
    if isinstance(terms, dict):
        return terms
    for part in _all_parts(model) if depth < _DEEPEST else ():
        if found := vocabulary_of(part, depth + 1):
            return found
    return {}


def _all_parts(model: Any) -> Iterator[Any]:
    yield from (part for _, part in getattr(model, "steps", ()) or ())
    yield from (part for _, part, _ in getattr(model, "transformers_", ()) or ())
    yield from _parts(model)


def own_texts(model: Any, count: int = 8, terms_each: int = 2) -> list[str]:
    """Texts made of the model's own terms: in whatever language it was fitted, they differ."""
    terms = vocabulary_of(model)
    wanted = count * terms_each
    chosen = list(islice(terms, 0, None, max(1, len(terms) // wanted)))[:wanted]
    return [" ".join(chosen[at : at + terms_each]) for at in range(0, len(chosen), terms_each)]
