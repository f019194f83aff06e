"""pydantic models of the native API's requests, with limits and examples.

Limits that are settings (text length, batch size) come in as validation context, so that one
set of models serves every configuration.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError


def _limit(info: ValidationInfo, name: str) -> int:
    limits: Any = info.context
    return int(limits[name])


def _text_within_limits(text: str, info: ValidationInfo) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "the text is blank")
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can spell lone surrogates; no text has them
        raise PydanticCustomError("unicode", "the text is not valid Unicode") from None
    limit = _limit(info, "max_text_length")
    if len(text) > limit:
        raise PydanticCustomError(
            "too_long",
            "the text has {length} characters, more than MAX_TEXT_LENGTH={limit}",
            {"length": len(text), "limit": limit},
        )
    return text


def _batch_within_limits(texts: Any, info: ValidationInfo) -> Any:
    """Before any text is looked at: a million of them would take seconds to refuse one by one."""
    limit = _limit(info, "max_batch_size")
    if isinstance(texts, list) and len(texts) > limit:
        raise PydanticCustomError(
            "too_long",
            "the batch has {length} texts, more than MAX_BATCH_SIZE={limit}",
            {"length": len(texts), "limit": limit},
        )
    return texts


Text = Annotated[str, AfterValidator(_text_within_limits)]
Batch = Annotated[list[Text], Field(min_length=1), BeforeValidator(_batch_within_limits)]


class _Schema(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class PredictRequest(_Schema):
    """One text to classify.

    Answered with ``sentiment`` and ``confidence``; by a multilabel model with ``labels``, those
    that apply, and the two are null.
    """

    text: Text = Field(examples=["This product is amazing!"])
    return_scores: bool = Field(False, description="Also return the probability of each label.")
    explain: bool = Field(False, description="Also return what each term adds to the score.")


class ExplainRequest(_Schema):
    """One text to classify, and for one label what each term adds to its score."""

    text: Text = Field(examples=["This product is amazing!"])
    label: str | None = Field(None, description="Of the model's; by default the predicted one.")
    top: int | None = Field(None, ge=0, description="How many terms to list; by default all.")


class BatchRequest(_Schema):
    """Texts to classify, answered in this order."""

    texts: Batch = Field(examples=[["This product is amazing!", "Terrible service", "Just okay"]])
    return_scores: bool = Field(False, description="Also return the probability of each label.")
