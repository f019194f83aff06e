"""The native protocol's two readers, by hand and by schema, give the same verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from function.errors import InvalidInput
from function.protocols import sentiment
from function.protocols.schemas import BatchRequest, PredictRequest
from function.settings import Settings

SETTINGS = Settings(max_text_length=8, max_batch_size=3)
LIMITS = {"max_text_length": 8, "max_batch_size": 3}

special = st.sampled_from(["", " ", "\x00", "a" * 9, "\ud800"])
texts = st.text(st.characters(codec=None), max_size=10) | special
values = texts | st.none() | st.booleans() | st.integers() | st.lists(texts, max_size=4)
extras = st.dictionaries(st.sampled_from(["return_scores", "explain", "other"]), values, max_size=2)


@settings(deadline=None)
@given(values, extras)
def test_predict_requests_are_judged_as_the_schema_judges(text: Any, extra: dict[str, Any]) -> None:
    payload = {"text": text, **extra}
    try:
        expected = PredictRequest.model_validate(payload, context=LIMITS)
    except ValidationError:
        with pytest.raises(InvalidInput):
            sentiment.parse_predict(json.dumps(payload).encode(), SETTINGS)
    else:
        read = sentiment.parse_predict(json.dumps(payload).encode(), SETTINGS)
        assert read == (expected.text, expected.return_scores, expected.explain)


@settings(deadline=None)
@given(st.lists(texts, max_size=4) | values, extras)
def test_batch_requests_are_judged_as_the_schema_judges(batch: Any, extra: dict[str, Any]) -> None:
    payload = {"texts": batch, **extra}
    try:
        expected = BatchRequest.model_validate(payload, context=LIMITS)
    except ValidationError:
        with pytest.raises(InvalidInput):
            sentiment.parse_batch(json.dumps(payload).encode(), SETTINGS)
    else:
        read = sentiment.parse_batch(json.dumps(payload).encode(), SETTINGS)
        assert read == (expected.texts, expected.return_scores)
