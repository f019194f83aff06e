"""The native protocol's explanations: what each term of a text adds to the score of a label.

    {"text", "label", "top"}      to /explain: by default the predicted label, and all terms

    {"label", "score", "intercept",
     "terms": [{"term", "value", "weight", "contribution", "spans": [[start, end], ...]}, ...],
     "rest": {"terms", "contribution"},
     "unknown": [{"term", "spans"}, ...],
     "link": {"kind", "scores", ..., "probability"}}

is what an answer has as ``explanation``. The intercept, the contributions of ``terms`` and that of
``rest``, which ``top`` leaves out, sum to the score. Spans are of the text as it was sent, in code
points, from and to. Where a model has several vectorizers, ``vectorizer`` numbers the one that a
term is of. Links are described in compiled/links.py.
"""

from __future__ import annotations

import json
from math import fsum
from typing import Any, NamedTuple

from function.explanation import Explanation, Term, Unknown
from function.protocols.sentiment import is_plain_text, parse_json, validated
from function.settings import Settings

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MEMBERS = {"text", "label", "top"}


class Asked(NamedTuple):
    """An ``/explain`` body; ``label`` and ``top`` are None where it leaves them open."""

    text: str
    label: str | None
    top: int | None


def parse(body: bytes, settings: Settings) -> Asked:
    """An ``/explain`` body; raises MalformedRequest (400) or InvalidInput (422).

    What is plainly right is read without pydantic, as in sentiment.py.
    """
    payload = parse_json(body, settings)
    if type(payload) is dict and payload.keys() <= _MEMBERS:
        text, label, top = payload.get("text"), payload.get("label"), payload.get("top")
        is_of_label = label is None or type(label) is str
        is_of_top = top is None or (type(top) is int and top >= 0)
        if is_of_label and is_of_top and is_plain_text(text, settings.max_text_length):
            return Asked(text, label, top)
    from function.protocols.schemas import ExplainRequest

    request = validated(ExplainRequest, payload, settings)
    return Asked(request.text, request.label, request.top)


def render(answer: str, explanation: Explanation, top: int | None = None) -> str:
    """The answer, JSON that is rendered, with the explanation as its last member."""
    listed = explanation.terms[:top]
    rest = explanation.terms[len(listed) :]
    told = {
        "label": explanation.label,
        "score": explanation.score,
        "intercept": explanation.intercept,
        "terms": [_told(term) for term in listed],
        "rest": {"terms": len(rest), "contribution": fsum(term.contribution for term in rest)},
        "unknown": [_told(term) for term in explanation.unknown],
        "link": explanation.link,
    }
    return f'{answer[:-1]},"explanation":{_encode(told)}}}'


def _told(term: Term | Unknown) -> dict[str, Any]:
    told = term._asdict()
    if term.vectorizer is None:
        del told["vectorizer"]
    return told
