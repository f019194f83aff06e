"""HashingVectorizer, and its part of the classifier's weights to the table that serves."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from function.compiled.hashed import MOST_FEATURES
from function.compiled.native_hashed import hashed_vocabulary
from function.compiled.vectorizer import Vectorizer
from function.compiler.fitted import FittedVectorizer, Hashing
from function.compiler.packing import units_for
from function.compiler.sklearn_names import NotCompilable, describe


def read_hashing(step: Any, fitted: FittedVectorizer) -> FittedVectorizer:
    """Give the vectorizer, as read so far, what a HashingVectorizer has of its own."""
    features = int(step.n_features)
    if features > MOST_FEATURES:
        raise NotCompilable(
            f"{describe(step)} with n_features={features}; up to {MOST_FEATURES} are compiled"
        )
    has_signs = bool(step.alternate_sign) and not fitted.binary  # binary takes all for 1
    fitted.hashing = Hashing(features, has_signs)
    fitted.kept = range(features)
    fitted.norm, fitted.is_weighted = step.norm, step.norm is not None
    return fitted


def pack_hashed(
    fitted: FittedVectorizer,
    weights: Sequence[list[float]],
    most_rounding: float,
    in_python: bool = False,
) -> Vectorizer:
    """As pack_vectorizer. Most columns were never met, and are all alike: they share a row."""
    import numpy as np

    assert fitted.hashing is not None
    features, alternate_sign = fitted.hashing
    values = np.ones(features) if fitted.idf is None else np.array(fitted.idf)
    table = np.column_stack([values, *map(np.array, weights)])
    common = np.array([_most_frequent(column) for column in table.T])
    own = np.flatnonzero((table != common).any(axis=1))
    table = np.vstack([table[own], common])
    units = None
    if fitted.norm != "l1":
        values, *rows = table.T.tolist()
        products = [[v * w for v, w in zip(values, row, strict=True)] for row in rows]
        units = units_for(fitted, values, rows, products, most_rounding)
    columns = array("I", own.tolist())
    vocabulary = hashed_vocabulary(in_python)(
        fitted.analyzer, columns, features, alternate_sign, fitted.own_analyzer()
    )
    return fitted.packed(vocabulary, table.tobytes(), len(table), units)


def _most_frequent(numbers: Any) -> float:
    import numpy as np

    found, counts = np.unique(numbers, return_counts=True)
    return float(found[counts.argmax()])
