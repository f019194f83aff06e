"""NearestCentroid: the nearest mean of a class is the one with the highest sum of weights.

A text x is nearest to the centroid c with the least |x|² - 2 x·c + |c|², and |x|² is the same for
all: that is the one with the highest x·c - |c|²/2. Follows `predict` and `_decision_function` in
sklearn/neighbors/_nearest_centroid.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import (
    FittedClassifier,
    Read,
    classes_of,
    require_double,
)
from function.compiler.sklearn_names import NotCompilable, describe


def _read_nearest(model: Any) -> FittedClassifier:
    classes, centroids = classes_of(model), model.centroids_
    if model.metric != "euclidean":
        raise NotCompilable(
            f"{describe(model)} with metric={model.metric!r}; metric='euclidean' is compiled"
        )
    require_double(model, centroids)
    nearest = centroids.tolist(), (_squares(centroids) / -2.0).tolist()
    if not hasattr(model, "class_prior_"):  # before scikit-learn 1.6
        return FittedClassifier(classes, *nearest, {"kind": "nearest"})
    likeliest = _discriminant(model)
    if not _are_even(model.class_prior_):
        return FittedClassifier(classes, *likeliest, {"kind": "naive_bayes"})
    weights, intercepts = (some + more for some, more in zip(nearest, likeliest, strict=True))
    return FittedClassifier(classes, weights, intercepts, {"kind": "nearest"})


def _squares(centroids: Any) -> Any:
    """Each one's length, squared, as what finds the nearest adds it up: others would tie
    otherwise."""
    import numpy as np

    try:
        from sklearn.metrics._pairwise_distances_reduction._base import _sqeuclidean_row_norms64
    except ImportError:
        return (centroids * centroids).sum(axis=1)
    return np.asarray(_sqeuclidean_row_norms64(np.ascontiguousarray(centroids), 1))


def _discriminant(model: Any) -> tuple[list[list[float]], list[float]]:
    """-|(x - c) / s|² + 2 log(prior), without the |x / s|² that all have."""
    import numpy as np

    spread = np.where(model.within_class_std_dev_ == 0.0, 1.0, model.within_class_std_dev_)
    scaled = model.centroids_ / spread
    with np.errstate(divide="ignore"):  # infinite: refused later
        priors = 2.0 * np.log(model.class_prior_)
    return (2.0 * scaled / spread).tolist(), (priors - (scaled * scaled).sum(axis=1)).tolist()


def _are_even(priors: Any) -> bool:
    """As `predict` has it, which goes by these only where they differ."""
    import numpy as np

    return bool(np.isclose(priors, 1 / len(priors)).all())


READERS: Mapping[str, Read] = {"sklearn.neighbors.NearestCentroid": _read_nearest}
