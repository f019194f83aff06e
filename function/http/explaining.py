"""Explanations, of a model that can give any: the reason why another cannot is the answer then."""

from __future__ import annotations

from function.errors import InvalidInput, NotExplainable
from function.explanation import Explanation
from function.model.attempt import LoadedModel
from function.predictor import Answer
from function.protocols import explanations

_MOST_TOLD = 20


def with_explanation(
    rendered: str,
    model: LoadedModel,
    text: str,
    answer: Answer,
    label: str | None = None,
    top: int | None = None,
) -> str:
    """The rendered answer with its explanation; raises NotExplainable (501), and InvalidInput (422)
    for a label that the model does not have."""
    return explanations.render(rendered, _explanation(model, text, answer, label), top)


def _explanation(model: LoadedModel, text: str, answer: Answer, label: str | None) -> Explanation:
    explain, labels = getattr(model.predictor, "explain", None), model.predictor.labels or ()
    if explain is None:
        raise NotExplainable(model.predictor.engine, model.not_compiled)
    if label is not None and label not in labels:
        told = ", ".join(labels[:_MOST_TOLD]) + (", ..." if len(labels) > _MOST_TOLD else "")
        raise InvalidInput([{"pointer": "/label", "detail": f"the model's labels are {told}"}])
    found: Explanation = explain(text, answer, label)
    return found
