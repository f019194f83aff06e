"""Decision trees, forests of them, and trees that boost one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, Read, classes_of, over
from function.compiler.forests import FittedForest, FittedTree
from function.compiler.sklearn_names import NotCompilable, describe, public_name

TREES = frozenset(
    "sklearn.tree." + name for name in ("DecisionTreeClassifier", "ExtraTreeClassifier")
)


def read_tree(model: Any) -> FittedClassifier:
    """Read a single tree."""
    if not hasattr(model, "tree_"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    return _averaged(model, classes_of(model), [_read(model.tree_)])


def read_forest(model: Any) -> FittedClassifier:
    """Read a RandomForestClassifier or an ExtraTreesClassifier."""
    if not hasattr(model, "estimators_"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    classes = classes_of(model)
    return _averaged(model, classes, [_read(part.tree_) for part in model.estimators_])


def read_bagged(model: Any) -> FittedClassifier:
    """Read a BaggingClassifier of trees, each of some features and some of the classes."""
    classes = classes_of(model)
    trees = []
    for part, features in zip(model.estimators_, model.estimators_features_, strict=True):
        known, places = [int(place) for place in part.classes_], features.tolist()

        def leaf(row: Sequence[float], known: Sequence[int] = known) -> list[float]:
            shares = dict(zip(known, row, strict=True))
            return [shares.get(place, 0.0) for place in range(len(classes))]

        tree = FittedForest([_read(part.tree_, leaf)], len(places), [])
        trees += tree.renumbered(places, model.n_features_in_).trees
    return _averaged(model, classes, trees)


def read_gradient_boosting(model: Any) -> FittedClassifier:
    """Read a GradientBoostingClassifier that begins with the classes' shares, or with nothing."""
    if not hasattr(model, "estimators_"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    import numpy as np

    init, rate = model.init_, model.learning_rate
    is_dummy = public_name(init) == "sklearn.dummy.DummyClassifier"
    if init != "zero" and not (is_dummy and init.strategy != "stratified"):  # which is random
        raise NotCompilable(
            f"{describe(model)} with init={describe(init)}; init=None and 'zero' are compiled"
        )
    starts = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0].tolist()
    trees = [
        _read(part.tree_, lambda row: [rate * row[0]], first)
        for stage in model.estimators_.tolist()
        for first, part in enumerate(stage)
    ]
    forest = FittedForest(trees, model.n_features_in_, starts)
    factor = 2.0 if model.loss == "exponential" else 1.0
    return _boosted(model, forest, factor, zero_is_second=True)


def read_hist_gradient_boosting(model: Any) -> FittedClassifier:
    """Read a HistGradientBoostingClassifier of numbers, which it compares as they are."""
    if not hasattr(model, "_predictors"):
        raise NotCompilable(f"{describe(model)} is not fitted")
    if getattr(model, "is_categorical_", None) is not None:  # it puts them first, used or not
        raise NotCompilable(f"{describe(model)} of categories; of numbers it is compiled")
    trees = [
        _read_predictor(part.nodes, first)
        for stage in model._predictors
        for first, part in enumerate(stage)
    ]
    starts = model._baseline_prediction.ravel().tolist()
    forest = FittedForest(trees, model.n_features_in_, starts, single=False)
    return _boosted(model, forest, 1.0, zero_is_second=False)


def read_ada_boost(model: Any, read: Read) -> FittedClassifier:
    """Read an AdaBoostClassifier over trees, each of which is for one class with all its weight and
    against the others with a share of it."""
    classes = classes_of(model)
    trees = []
    if len(classes) == 1:
        return _of_one_class(classes)
    for part, weight in zip(model.estimators_, model.estimator_weights_.tolist(), strict=False):
        if public_name(part) not in TREES:
            raise over(model, part, "DecisionTreeClassifier")
        if classes_of(part) != classes:
            raise NotCompilable(f"{describe(model)} with a member that saw only some classes")
        is_by_share = vars(model).get("algorithm") == "SAMME.R"  # eras.py
        leaf = _by_share if is_by_share else partial(_by_class, weight)
        trees.append(_read(part.tree_, leaf))
    forest = FittedForest(trees, model.n_features_in_, [0.0] * len(classes))
    decision = {"kind": "voted", "total": float(model.estimator_weights_.sum())}
    return _of_trees(classes, forest, decision)


def _by_class(weight: float, row: Sequence[float]) -> list[float]:
    """A leaf of SAMME's: for the likeliest class, against the others."""
    chosen, against = row.index(max(row)), -1 / (len(row) - 1) * weight
    return [weight if place == chosen else against for place in range(len(row))]


def _by_share(row: Sequence[float]) -> list[float]:
    """A leaf of SAMME.R's, which scikit-learn had up to 1.5."""
    import numpy as np

    logs = np.log(np.clip(row, np.finfo(np.float64).eps, None))
    found: list[float] = ((len(row) - 1) * (logs - logs.sum() / len(row))).tolist()
    return found


def _averaged(model: Any, classes: list[Any], trees: list[FittedTree]) -> FittedClassifier:
    if len(classes) == 1:
        return _of_one_class(classes)
    forest = FittedForest(trees, model.n_features_in_, [0.0] * len(classes))
    return _of_trees(classes, forest, {"kind": "averaged", "total": float(len(trees))})


def _boosted(
    model: Any, forest: FittedForest, factor: float, *, zero_is_second: bool
) -> FittedClassifier:
    decision = {"kind": "boosted", "factor": factor, "zero_is_second": zero_is_second}
    return _of_trees(classes_of(model), forest, decision)


def _of_trees(
    classes: list[Any], forest: FittedForest, decision: dict[str, Any]
) -> FittedClassifier:
    scores = len(forest.starts)
    return FittedClassifier(
        classes, [[] for _ in range(scores)], [0.0] * scores, decision, forest=forest
    )


def _of_one_class(classes: list[Any]) -> FittedClassifier:
    return FittedClassifier(classes, [], [0.0], {"kind": "constant"})


def _read(
    tree: Any, leaf: Callable[[Sequence[float]], Sequence[float]] = list, first: int = 0
) -> FittedTree:
    """Read a sklearn.tree._tree.Tree; `leaf` makes of a leaf's row what a text gets there."""
    return FittedTree(
        features=tree.feature.tolist(),
        thresholds=tree.threshold.tolist(),
        left=tree.children_left.tolist(),
        right=tree.children_right.tolist(),
        leaves=[*map(leaf, tree.value[:, 0, :].tolist())],
        first=first,
    )


def _read_predictor(nodes: Any, first: int) -> FittedTree:
    is_leaf = nodes["is_leaf"].astype(bool)
    return FittedTree(
        features=nodes["feature_idx"].tolist(),
        thresholds=nodes["num_threshold"].tolist(),
        left=[-1 if leaf else int(left) for leaf, left in zip(is_leaf, nodes["left"], strict=True)],
        right=nodes["right"].tolist(),
        leaves=[[value] for value in nodes["value"].tolist()],
        first=first,
    )


ENSEMBLE = "sklearn.ensemble."
READERS = {
    **dict.fromkeys(TREES, read_tree),
    ENSEMBLE + "RandomForestClassifier": read_forest,
    ENSEMBLE + "ExtraTreesClassifier": read_forest,
    ENSEMBLE + "GradientBoostingClassifier": read_gradient_boosting,
    ENSEMBLE + "HistGradientBoostingClassifier": read_hist_gradient_boosting,
}
