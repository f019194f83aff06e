"""Models of older scikit-learn versions, given the meaning that they were fitted with.

A pickle or skops file holds attributes, and the installed version reads them its own way. Where one
has been renamed or is read no longer, an old model answers otherwise than when it was evaluated,
without a word: a TF-IDF of 1.4 without its idf, a one-vs-rest LogisticRegression of 1.7 by softmax.
What is known of this is mended on the model itself, so that the compiler, the comparison with the
original and the original all mean the same. Tried with models of 1.2 to 1.7 under 1.9.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from inspect import signature, unwrap
from types import MethodType
from typing import Any, Literal

from function.compiler.parts import parts_of
from function.compiler.sklearn_names import describe, public_name

LINEAR = "sklearn.linear_model."


def restore(model: Any) -> list[str]:
    """Mend each part of ``model`` that was fitted by a version which read it otherwise.

    Returns what was mended, a phrase for each kind; doing it again changes nothing more.
    """
    told = dict.fromkeys(phrase for part in parts_of(model) for phrase in _mended(part))
    return [*told]


def _mended(part: Any) -> Iterator[str]:
    mend = _MENDS.get(public_name(part) or "")
    try:
        _add_missing_parameters(part)
        phrase = mend(part) if mend is not None else None
    except Exception:  # of a version not foreseen here: it stays as it is
        return
    if phrase is not None:
        yield f"{describe(part)}: {phrase}"


def _add_missing_parameters(part: Any) -> None:
    """A constructor's new parameter has a default that means what there was before it."""
    if not hasattr(part, "get_params"):
        return
    own, constructor = vars(part), unwrap(type(part).__init__)
    for name, default in (getattr(constructor, "__kwdefaults__", None) or {}).items():
        if name not in own and not hasattr(type(part), name):
            setattr(part, name, default)


def _rename_base_estimator(part: Any) -> str | None:
    """Of 1.1 and before, ClassifierChain of 1.6 and before."""
    if "estimator" not in vars(part) and "base_estimator" in vars(part):
        part.estimator = part.base_estimator
    return None


def _idf(part: Any) -> str | None:
    """1.4 and before kept idf_ as the diagonal of a matrix, and nothing else."""
    if hasattr(part, "idf_") or "_idf_diag" not in vars(part):
        return None
    part.idf_ = part._idf_diag.diagonal()
    return "idf as of scikit-learn 1.4"


def _ridge_classes(part: Any) -> str | None:
    """1.7 and before asked the binarizer each time."""
    if not hasattr(part, "classes_") and hasattr(part, "_label_binarizer"):
        part.classes_ = part._label_binarizer.classes_
    return None


LogisticRule = Literal["softmax", "one_vs_rest", "logistic", "softmax_of_two"]


def logistic_rule(model: Any) -> LogisticRule:
    """How a LogisticRegression makes probabilities of scores, by the version that fitted it.

    Until 1.7 `multi_class` said; what 1.8 and later fit has no such attribute.
    """
    rule = vars(model).get("multi_class", "auto")
    if len(model.classes_) <= 2:
        return "softmax_of_two" if rule == "multinomial" else "logistic"
    if rule == "ovr" or (rule != "multinomial" and model.solver == "liblinear"):
        return "one_vs_rest"
    return "softmax"


def _logistic(part: Any) -> str | None:
    if vars(part).get("l1_ratio", 0.0) is None:  # SelectFromModel compares it
        part.l1_ratio = 1.0 if getattr(part, "penalty", None) == "l1" else 0.0
    if not hasattr(part, "classes_") or "multi_class" in signature(type(part)).parameters:
        return None  # not fitted, or of a version that still asks
    override = {"one_vs_rest": _normalised, "softmax_of_two": _softmax_of_two}
    rule = logistic_rule(part)
    if rule not in override:
        return None
    part.predict_proba = MethodType(override[rule], part)
    return f"multi_class={vars(part).get('multi_class', 'ovr')!r} as of scikit-learn 1.7"


def _normalised(model: Any, X: Any) -> Any:
    """LogisticRegression.predict_proba of 1.7, one versus the rest."""
    return model._predict_proba_lr(X)


def _softmax_of_two(model: Any, X: Any) -> Any:
    """The same, multinomial of two classes: a softmax over the score and its negative."""
    import numpy as np
    from sklearn.utils.extmath import softmax

    scores = model.decision_function(X)
    return softmax(np.c_[-scores, scores], copy=False)


def _sgd_loss(part: Any) -> str | None:
    """1.0 and before called it log."""
    if part.loss == "log":
        part.loss = "log_loss"
    return None


def _tree_shares(part: Any) -> str | None:
    """1.3 and before counted samples in the leaves, where shares are wanted now."""
    import numpy as np

    if not hasattr(part, "tree_"):
        return None
    values = part.tree_.value
    totals = values.sum(axis=2, keepdims=True)
    if np.allclose(totals[totals > 0], 1.0):
        return None
    np.divide(values, totals, out=values, where=totals > 0)
    return "leaves' counts as of scikit-learn 1.3"


def _samme(part: Any) -> str | None:
    """1.5 and before knew SAMME.R, and boosted by it unless told otherwise."""
    is_known = hasattr(sys.modules[type(part).__module__], "_samme_proba")
    if vars(part).get("algorithm") != "SAMME.R" or is_known:
        return _rename_base_estimator(part)
    part.decision_function = MethodType(_samme_r, part)
    return "algorithm='SAMME.R' as of scikit-learn 1.5"


def _samme_r(model: Any, X: Any) -> Any:
    """AdaBoostClassifier.decision_function of 1.5, by SAMME.R."""
    import numpy as np

    X, classes, total = model._check_X(X), model.n_classes_, 0.0
    for member in model.estimators_:
        shares = member.predict_proba(X)
        logs = np.log(np.clip(shares, np.finfo(shares.dtype).eps, None))
        total = total + (classes - 1) * (logs - logs.sum(axis=1, keepdims=True) / classes)
    total = total / model.estimator_weights_.sum()
    return total[:, 1] - total[:, 0] if classes == 2 else total


_MENDS: dict[str, Callable[[Any], str | None]] = {
    "sklearn.ensemble.AdaBoostClassifier": _samme,
    "sklearn.ensemble.BaggingClassifier": _rename_base_estimator,
    "sklearn.feature_extraction.text.TfidfTransformer": _idf,
    LINEAR + "LogisticRegression": _logistic,
    LINEAR + "LogisticRegressionCV": _logistic,
    LINEAR + "RidgeClassifier": _ridge_classes,
    LINEAR + "RidgeClassifierCV": _ridge_classes,
    LINEAR + "SGDClassifier": _sgd_loss,
    "sklearn.multioutput.ClassifierChain": _rename_base_estimator,
    "sklearn.calibration.CalibratedClassifierCV": _rename_base_estimator,
    "sklearn.calibration._CalibratedClassifier": _rename_base_estimator,
    "sklearn.tree.DecisionTreeClassifier": _tree_shares,
    "sklearn.tree.ExtraTreeClassifier": _tree_shares,
}
