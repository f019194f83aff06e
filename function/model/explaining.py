"""Explanations, of a model that can give any: the reason why another cannot is the answer then."""

from __future__ import annotations

from collections.abc import Callable

from function.errors import InvalidInput, NotExplainable
from function.explanation import Explanation
from function.model.attempt import LoadedModel
from function.predictor import Answer

Explain = Callable[[str, Answer, str | None], Explanation]

_MOST_TOLD = 20


def explain(model: LoadedModel, text: str, answer: Answer, label: str | None = None) -> Explanation:
    """Why the text has its score for the label, by default the answer's own; raises NotExplainable
    (501), and InvalidInput (422) for a label that the model does not have."""
    explain_one, labels = explainer_of(model), model.predictor.labels or ()
    if label is not None and label not in labels:
        told = ", ".join(labels[:_MOST_TOLD]) + (", ..." if len(labels) > _MOST_TOLD else "")
        raise InvalidInput([{"pointer": "/label", "detail": f"the model's labels are {told}"}])
    return explain_one(text, answer, label)


def explainer_of(model: LoadedModel) -> Explain:
    """What explains the model's answers; raises NotExplainable for one that only gives them."""
    found: Explain | None = getattr(model.predictor, "explain", None)
    if found is None:
        raise NotExplainable(model.predictor.engine, model.not_compiled)
    return found
