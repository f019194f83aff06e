"""By class of classifier, how ``predict`` follows from ``predict_proba``, where it does.

A rule takes one text's probabilities and gives the place of its class, or None where two are so
close that rounding decides, and ``predict`` has to say. SVC, for one, has no rule: the votes that
its ``predict`` counts and its probabilities may disagree. Every rule is checked when a model is
loaded, against ``predict`` on the probes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from function.compiled.probabilities import winner
from function.compiler.sklearn_names import public_name

Rule = Callable[[Sequence[float]], int | None]
TakeApart = Callable[[Any], tuple[list[Any], Any]]

NEARLY = 1e-9
"""Where ``predict`` compares something else of the same order, such as logarithms."""

GREATEST = {
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.ensemble.BaggingClassifier",
    "sklearn.ensemble.ExtraTreesClassifier",
    "sklearn.ensemble.RandomForestClassifier",
    "sklearn.ensemble.VotingClassifier",
    "sklearn.tree.DecisionTreeClassifier",
    "sklearn.tree.ExtraTreeClassifier",
}
"""Whose ``predict`` takes the first of the greatest of its own ``predict_proba``."""

LOGISTIC = {
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.LogisticRegressionCV",
}
CLEARLY_GREATEST = {
    *LOGISTIC,
    "sklearn.ensemble.AdaBoostClassifier",
    "sklearn.ensemble.GradientBoostingClassifier",
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.linear_model.SGDClassifier",
    "sklearn.naive_bayes.BernoulliNB",
    "sklearn.naive_bayes.ComplementNB",
    "sklearn.naive_bayes.GaussianNB",
    "sklearn.naive_bayes.MultinomialNB",
    "sklearn.neighbors.KNeighborsClassifier",
    "sklearn.neural_network.MLPClassifier",
    "lightgbm.LGBMClassifier",
    "xgboost.XGBClassifier",
}


def greatest(row: Sequence[float]) -> int:
    """The first of equals, as with numpy's argmax."""
    return row.index(max(row))


def clearly_greatest(row: Sequence[float]) -> int | None:
    """None where another is within NEARLY of it."""
    return winner(row, NEARLY) if len(row) > 1 else 0


def rule_of(model: Any, take_apart: TakeApart) -> Rule | None:
    """The rule of ``model``'s ``predict``; None where it must be asked."""
    name = (
        public_name(model) or f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}"
    )
    if name in GREATEST:
        return greatest
    if name == "sklearn.neighbors.KNeighborsClassifier" and model.weights == "uniform":
        return greatest  # it counts; the first of equal counts is the smallest class
    if name in CLEARLY_GREATEST:
        return clearly_greatest
    read = _READERS.get(name)
    return None if read is None else read(model, take_apart)


def _stacking(model: Any, take_apart: TakeApart) -> Rule | None:
    return rule_of(take_apart(model.final_estimator_)[1], take_apart)


def _one_vs_rest(model: Any, take_apart: TakeApart) -> Rule | None:
    """It compares decision functions where there are any, else the probabilities themselves."""
    parts = [take_apart(part)[1] for part in model.estimators_]
    if any(hasattr(part, "decision_function") for part in parts):
        return clearly_greatest if all(public_name(part) in LOGISTIC for part in parts) else None
    return clearly_greatest


def _multi_output(model: Any, take_apart: TakeApart) -> Rule | None:
    rules = {rule_of(take_apart(part)[1], take_apart) for part in model.estimators_}
    return rules.pop() if len(rules) == 1 else None


def _threshold(model: Any, take_apart: TakeApart) -> Rule | None:
    """One class's probability against a threshold, where it is probabilities that it compares."""
    if model.response_method not in ("auto", "predict_proba"):
        return None
    threshold = getattr(model, "best_threshold_", getattr(model, "threshold", 0.5))
    limit = 0.5 if threshold == "auto" else float(threshold)
    classes = list(model.classes_)
    wanted = getattr(model, "pos_label", None)
    if hasattr(model, "_curve_scorer"):
        wanted = model._curve_scorer._get_pos_label()
    place = classes.index(wanted) if wanted in classes else len(classes) - 1
    return lambda row: place if row[place] >= limit else 1 - place


_READERS: dict[str, Callable[[Any, TakeApart], Rule | None]] = {
    "sklearn.ensemble.StackingClassifier": _stacking,
    "sklearn.model_selection.FixedThresholdClassifier": _threshold,
    "sklearn.model_selection.TunedThresholdClassifierCV": _threshold,
    "sklearn.multiclass.OneVsRestClassifier": _one_vs_rest,
    "sklearn.multioutput.MultiOutputClassifier": _multi_output,
}
