"""Steps that write out the zeros of a sparse matrix, for classifiers that want a full one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, magnifies_rounding
from function.compiler.parts import parts_of
from function.compiler.sklearn_names import (
    FUNCTION_TRANSFORMER,
    NotCompilable,
    describe,
    public_name,
)

NORMALIZER = "sklearn.preprocessing.Normalizer"


def without_dense(steps: Sequence[Any], classifier: FittedClassifier) -> list[Any]:
    """Leave out what makes a full matrix of a sparse one, as FunctionTransformer(lambda X:
    X.toarray()) and classes of one's own do."""
    dense = [step for step in steps[1:] if _makes_dense(step)]
    is_magnified = magnifies_rounding(classifier.decision, len(classifier.classes))
    if dense and (classifier.support is not None or is_magnified):
        raise NotCompilable(
            f"{describe(dense[0])} before a classifier whose sums are rounded otherwise then; "
            "without it the two are compiled"
        )
    has_steps = classifier.forest is not None or bool(classifier.binarize)
    full = [step in dense or not _is_sparse(step) for step in steps]
    if classifier.forest is not None and any(full):
        classifier.forest = classifier.forest.of_full_matrix()
    behind = steps[full.index(True) :] if True in full else []
    if has_steps and NORMALIZER in map(public_name, behind):
        raise NotCompilable(
            "Normalizer of a full matrix, which is rounded otherwise than a sparse one, before a "
            "classifier that has steps, as trees; ahead of what makes it full the two are compiled"
        )
    return [step for step in steps if step not in dense]


def _is_sparse(step: Any) -> bool:
    """Whether no ColumnTransformer in it makes a full matrix."""
    return all(getattr(part, "sparse_output_", True) for part in parts_of(step))


def _makes_dense(step: Any) -> bool:
    """Whether it gives any numbers as they are, each in its place."""
    is_own = public_name(step) is None
    if public_name(step) != FUNCTION_TRANSFORMER and not is_own:
        return False
    import numpy as np
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-9, 9, (40, 5))
    numbers[rng.random(numbers.shape) < 0.5] = 0.0
    tables = (numbers, numbers[:1])
    try:
        found = [step.transform(csr_matrix(table)) for table in tables]
    except Exception:  # its own: it wants other input
        return False
    pairs = zip(found, tables, strict=True)
    return all(isinstance(it, np.ndarray) and np.array_equal(it, table) for it, table in pairs)
