"""LightGBM's trees, as it writes them itself: Booster.dump_model.

Values stay in double precision, go to the left up to the threshold, and leaves add up in the order
of the trees (src/io/tree.cpp, src/boosting/gbdt_prediction.cpp of LightGBM 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, Read, classes_of
from function.compiler.classifiers.trees import boosted
from function.compiler.forests import FittedForest, FittedTree
from function.compiler.sklearn_names import NotCompilable

Node = Mapping[str, Any]


def _read_lightgbm(model: Any) -> FittedClassifier:
    """Read an LGBMClassifier of two classes or more, with the objective it has by itself."""
    if not model.__sklearn_is_fitted__():
        raise NotCompilable("LGBMClassifier is not fitted")
    facts = model.booster_.dump_model()
    objective, _, parameter = facts["objective"].partition(" ")
    if objective not in ("binary", "multiclass") or facts["average_output"]:
        kind = "boosting_type='rf'" if facts["average_output"] else f"objective={objective!r}"
        raise NotCompilable(
            f"LGBMClassifier with {kind}; 'binary' and 'multiclass' are compiled, of "
            "boosting_type='gbdt', 'dart' and 'goss'"
        )
    scores = facts["num_tree_per_iteration"]
    trees = [
        _read_tree(tree["tree_structure"], place % scores)
        for place, tree in enumerate(facts["tree_info"])
    ]
    forest = FittedForest(trees, facts["max_feature_idx"] + 1, [0.0] * scores, single=False)
    factor = float(parameter.removeprefix("sigmoid:")) if objective == "binary" else 1.0
    found = boosted(classes_of(model), forest, factor, zero_is_second=False)
    found.decision["by"] = "probability"  # LGBMClassifier.predict
    return found


def _read_tree(root: Node, first: int) -> FittedTree:
    import numpy as np

    nodes = [*_in_order(root)]
    place_of = {id(node): place for place, node in enumerate(nodes)}
    for node in nodes:
        _refuse_other(node)
    return FittedTree(
        features=np.array([node.get("split_feature", -1) for node in nodes]),
        thresholds=np.array([node.get("threshold", 0.0) for node in nodes]),
        left=np.array([place_of.get(id(node.get("left_child")), -1) for node in nodes]),
        right=np.array([place_of.get(id(node.get("right_child")), -1) for node in nodes]),
        leaves=np.array([[node.get("leaf_value", 0.0)] for node in nodes]),
        first=first,
    )


def _in_order(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if "split_feature" in node:
            waiting += [node["right_child"], node["left_child"]]


def _refuse_other(node: Node) -> None:
    if node.get("decision_type", "<=") != "<=":
        raise NotCompilable("LGBMClassifier of categories; of numbers it is compiled")
    if node.get("missing_type") == "Zero":
        raise NotCompilable("LGBMClassifier with zero_as_missing=True; without it is compiled")
    if "leaf_coeff" in node:
        raise NotCompilable("LGBMClassifier with linear_tree=True; without it is compiled")


READERS: Mapping[str, Read] = {"lightgbm.sklearn.LGBMClassifier": _read_lightgbm}
"""By the full name of the class: they are none of scikit-learn's."""
