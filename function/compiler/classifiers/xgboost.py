"""XGBoost's trees, as it writes them itself: Booster.save_raw("json").

A text goes to the left where its value, in single precision, is below the threshold, and where the
column is missing, which it is where a sparse row has no value for it, as the node's `default_left`
says (src/predictor/predict_fn.h of XGBoost 3). So forest.py's test, of what is not above a
threshold, asks here for the number next below it. A node with `default_left` is turned around: a
value whose negative is up to the threshold's goes to the right, and any other to the left, with
what is missing. Of a full matrix nothing is missing, and no node is turned (dense.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from function.compiler.classifiers.fitted import FittedClassifier, Read, classes_of
from function.compiler.classifiers.trees import of_trees
from function.compiler.forests import FittedForest, FittedTree
from function.compiler.sklearn_names import NotCompilable

Facts = dict[str, Any]


def _read_xgboost(model: Any) -> FittedClassifier:
    """Read an XGBClassifier of one label, with the objective and the booster it has by itself."""
    if not model.__sklearn_is_fitted__():
        raise NotCompilable("XGBClassifier is not fitted")
    booster, classes = model.get_booster(), classes_of(model)
    learner = _learner_of(booster)
    _refuse_other(model, learner, len(classes))
    best = getattr(booster, "best_iteration", None)
    if best is not None:
        booster = booster[: best + 1]
        learner = _learner_of(booster)
    fitted = learner["gradient_booster"]["model"]
    if not fitted["trees"]:  # where XGBoost takes base_score for the margin itself
        raise NotCompilable("XGBClassifier with n_estimators=0; with any trees it is compiled")
    trees = [
        _read_tree(tree, first)
        for tree, first in zip(fitted["trees"], fitted["tree_info"], strict=True)
    ]
    columns = int(learner["learner_model_param"]["num_feature"])
    forest = FittedForest(trees, columns, _starts(booster, columns), missing=True, single_sums=True)
    return of_trees(classes, forest, {"kind": "boosted_single"})


def _learner_of(booster: Any) -> Facts:
    learner: Facts = json.loads(booster.save_raw("json"))["learner"]
    return learner


def _refuse_other(model: Any, learner: Facts, classes: int) -> None:
    objective, booster = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if int(learner["learner_model_param"].get("num_target", 1)) > 1:
        raise NotCompilable("XGBClassifier of several labels per text; of one it is compiled")
    if booster != "gbtree":
        raise NotCompilable(f"XGBClassifier with booster={booster!r}; booster='gbtree' is compiled")
    if objective != ("multi:softprob" if classes > 2 else "binary:logistic"):
        raise NotCompilable(
            f"XGBClassifier with objective={objective!r} of {classes} classes; 'binary:logistic' "
            "of two and 'multi:softprob' of more are compiled"
        )
    if model.missing == model.missing:
        raise NotCompilable(
            f"XGBClassifier with missing={model.missing!r}; missing=nan is compiled"
        )


def _read_tree(tree: Facts, first: int) -> FittedTree:
    import numpy as np

    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotCompilable(
            "XGBClassifier with multi_strategy='multi_output_tree'; 'one_output_per_tree' is "
            "compiled"
        )
    if any(tree["split_type"]):
        raise NotCompilable("XGBClassifier of categories; of numbers it is compiled")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    is_turned = np.array(tree["default_left"], bool) & (left >= 0)
    numbers = np.array(tree["split_conditions"], np.float32)  # and, of a leaf, what it adds
    below = np.nextafter(numbers, np.float32(-np.inf))
    return FittedTree(
        features=np.array(tree["split_indices"]),
        thresholds=np.where(is_turned, -numbers, below).astype(np.float64),
        left=np.where(is_turned, right, left),
        right=np.where(is_turned, left, right),
        leaves=numbers.astype(np.float64)[:, None],
        is_turned=is_turned,
        first=first,
    )


def _starts(booster: Any, columns: int) -> list[float]:
    """What each score begins with: base_score through the objective's link. XGBoost itself says it,
    of the same model without trees, since its logarithm is one of single precision."""
    from scipy.sparse import csr_matrix

    facts = json.loads(booster.save_raw("json"))
    facts["learner"]["learner_model_param"]["boost_from_average"] = "0"  # of what is to be fitted
    fitted = facts["learner"]["gradient_booster"]["model"]
    fitted |= {"trees": [], "tree_info": [], "iteration_indptr": [0]}
    fitted["gbtree_model_param"]["num_trees"] = "0"
    bare = type(booster)(model_file=bytearray(json.dumps(facts).encode()))
    starts = bare.inplace_predict(csr_matrix((1, columns)), predict_type="margin")
    return [*map(float, starts.ravel())]


READERS: Mapping[str, Read] = {"xgboost.sklearn.XGBClassifier": _read_xgboost}
"""By the full name of the class: they are none of scikit-learn's."""
