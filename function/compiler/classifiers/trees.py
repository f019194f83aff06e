"""Decision trees, forests of them, and trees that boost one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, Read, classes_of, over
from function.compiler.fitted import fitted
from function.compiler.forests import FittedForest, FittedTree
from function.compiler.sklearn_names import NotCompilable, describe, public_name

TREES = frozenset(
    "sklearn.tree." + name for name in ("DecisionTreeClassifier", "ExtraTreeClassifier")
)


def read_tree(model: Any) -> FittedClassifier:
    """Read a single tree."""
    fitted(model, "tree_")
    return _averaged_or_several(model, [model])


def read_forest(model: Any) -> FittedClassifier:
    """Read a RandomForestClassifier or an ExtraTreesClassifier."""
    return _averaged_or_several(model, fitted(model, "estimators_"))


def read_bagged(model: Any) -> FittedClassifier:
    """Read a BaggingClassifier of trees, each of some features and some of the classes."""
    import numpy as np

    classes = classes_of(model)
    trees = []
    for part, features in zip(model.estimators_, model.estimators_features_, strict=True):
        known, places = [int(place) for place in part.classes_], features.tolist()

        def leaves(rows: Any, known: Sequence[int] = known) -> Any:
            shares = np.zeros((len(rows), len(classes)))
            shares[:, known] = rows
            return shares

        tree = FittedForest([_read(part.tree_, leaves)], len(places), [])
        trees += tree.renumbered(places, model.n_features_in_).trees
    return _averaged(model, classes, trees)


def read_gradient_boosting(model: Any) -> FittedClassifier:
    """Read a GradientBoostingClassifier that begins with the classes' shares, or with nothing."""
    stages = fitted(model, "estimators_")
    import numpy as np

    init, rate = model.init_, model.learning_rate
    is_dummy = public_name(init) == "sklearn.dummy.DummyClassifier"
    if init != "zero" and not (is_dummy and init.strategy != "stratified"):  # which is random
        raise NotCompilable(
            f"{describe(model)} with init={describe(init)}; init=None and 'zero' are compiled"
        )
    starts = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0].tolist()
    trees = [
        _read(part.tree_, lambda rows: rate * rows, first)
        for stage in stages.tolist()
        for first, part in enumerate(stage)
    ]
    forest = FittedForest(trees, model.n_features_in_, starts)
    factor = 2.0 if model.loss == "exponential" else 1.0
    return boosted(classes_of(model), forest, factor, zero_is_second=True)


def read_hist_gradient_boosting(model: Any) -> FittedClassifier:
    """Read a HistGradientBoostingClassifier of numbers, which it compares as they are."""
    stages = fitted(model, "_predictors")
    if getattr(model, "is_categorical_", None) is not None:  # it puts them first, used or not
        raise NotCompilable(f"{describe(model)} of categories; of numbers it is compiled")
    trees = [
        _read_predictor(part.nodes, first) for stage in stages for first, part in enumerate(stage)
    ]
    starts = model._baseline_prediction.ravel().tolist()
    forest = FittedForest(trees, model.n_features_in_, starts, single=False)
    return boosted(classes_of(model), forest, 1.0, zero_is_second=False)


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
        leaves = _by_share if is_by_share else partial(_by_class, weight)
        trees.append(_read(part.tree_, leaves))
    forest = FittedForest(trees, model.n_features_in_, [0.0] * len(classes))
    decision = {"kind": "voted", "total": float(model.estimator_weights_.sum())}
    return of_trees(classes, forest, decision)


def _by_class(weight: float, rows: Any) -> Any:
    """Leaves of SAMME's: for the likeliest class, against the others."""
    import numpy as np

    classes = rows.shape[1]
    is_chosen = np.arange(classes) == rows.argmax(axis=1, keepdims=True)
    return np.where(is_chosen, weight, -1 / (classes - 1) * weight)


def _by_share(rows: Any) -> Any:
    """Leaves of SAMME.R's, which scikit-learn had up to 1.5."""
    import numpy as np

    classes, logs = rows.shape[1], np.log(np.clip(rows, np.finfo(np.float64).eps, None))
    return (classes - 1) * (logs - logs.sum(axis=1, keepdims=True) / classes)


def _averaged_or_several(model: Any, parts: Sequence[Any]) -> FittedClassifier:
    """The mean of trees of one label, or of several labels, each of which is there or not."""
    if model.n_outputs_ == 1:
        return _averaged(model, classes_of(model), [_read(part.tree_) for part in parts])
    if any(classes.tolist() != [0, 1] for classes in model.classes_):
        raise NotCompilable(f"{describe(model)} has targets of other values than 0 and 1")
    labels = [*range(model.n_outputs_)]
    trees = [_read(part.tree_, outputs=len(labels)) for part in parts]
    forest = FittedForest(trees, model.n_features_in_, [0.0] * 2 * len(labels))
    more = {"by": "likelihood", "multilabel": True, "total": float(len(trees))}
    return of_trees(labels, forest, {"kind": "averaged_apart", **more})


def _averaged(model: Any, classes: list[Any], trees: list[FittedTree]) -> FittedClassifier:
    if len(classes) == 1:
        return _of_one_class(classes)
    forest = FittedForest(trees, model.n_features_in_, [0.0] * len(classes))
    return of_trees(classes, forest, {"kind": "averaged", "total": float(len(trees))})


def boosted(
    classes: list[Any], forest: FittedForest, factor: float, *, zero_is_second: bool
) -> FittedClassifier:
    """Return trees whose sums are scores, as ensembles.build_boosted has them."""
    decision = {"kind": "boosted", "factor": factor, "zero_is_second": zero_is_second}
    return of_trees(classes, forest, decision)


def of_trees(
    classes: list[Any], forest: FittedForest, decision: dict[str, Any]
) -> FittedClassifier:
    """Return trees of so many scores, of which the decision is made."""
    scores = len(forest.starts)
    return FittedClassifier(
        classes, [[] for _ in range(scores)], [0.0] * scores, decision, forest=forest
    )


def _of_one_class(classes: list[Any]) -> FittedClassifier:
    return FittedClassifier(classes, [], [0.0], {"kind": "constant"})


def _read(
    tree: Any, leaves: Callable[[Any], Any] | None = None, first: int = 0, outputs: int = 1
) -> FittedTree:
    """Read a sklearn.tree._tree.Tree; `leaves` makes of its rows what a text gets there."""
    rows = tree.value[:, :outputs, :].reshape(len(tree.value), -1)
    return FittedTree(
        features=tree.feature,
        thresholds=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        leaves=rows if leaves is None else leaves(rows),
        first=first,
    )


def _read_predictor(nodes: Any, first: int) -> FittedTree:
    import numpy as np

    return FittedTree(
        features=nodes["feature_idx"],
        thresholds=nodes["num_threshold"],
        left=np.where(nodes["is_leaf"], -1, nodes["left"].astype(np.int64)),
        right=nodes["right"],
        leaves=nodes["value"][:, None],
        first=first,
    )


ENSEMBLE = "sklearn.ensemble."
AVERAGED: Mapping[str, Read] = {
    **dict.fromkeys(TREES, read_tree),
    ENSEMBLE + "RandomForestClassifier": read_forest,
    ENSEMBLE + "ExtraTreesClassifier": read_forest,
}
READERS: Mapping[str, Read] = {
    **AVERAGED,
    ENSEMBLE + "GradientBoostingClassifier": read_gradient_boosting,
    ENSEMBLE + "HistGradientBoostingClassifier": read_hist_gradient_boosting,
}
