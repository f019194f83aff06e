"""What explanations look like (protocols/explanations.py), for the OpenAPI document."""

from __future__ import annotations

from function.http.json_schema import (
    COUNT,
    NULLABLE_TEXT,
    NUMBER,
    PROBABILITY,
    TEXT,
    Json,
    by_label,
    closed,
    list_of,
    object_of,
    with_more,
)

_KINDS = {
    "none": "the model gives no probability",
    "constant": "1, of the only label",
    "sigmoid": "1 / (1 + exp(-score))",
    "clipped": "(min(max(score, -1), 1) + 1) / 2",
    "softmax": "exp(score) / the sum of exp of all scores",
    "one-vs-rest normalised": "the label's share / the sum of shares, each made as `each` says",
    "calibrated": "the mean of the members' probabilities",
    "nearest": "exp(other) / the sum of exp of all `others`: NearestCentroid's own",
    "coupled": "of the second label about 1 / (1 + exp(a * its score - b)), as libsvm finds it",
}
_VECTORIZER = {**COUNT, "description": "Whose term it is, where the model has several"}


def schemas(text: Json) -> dict[str, Json]:
    """The schemas' share that is of explanations; ``text`` is what is taken as one."""
    label = {**NULLABLE_TEXT, "description": "By default the predicted one"}
    top = {"type": ["integer", "null"], "minimum": 0, "description": "By default all terms"}
    return {
        "ExplainRequest": closed({"text": text}, label=label, top=top),
        "ExplainedPrediction": {
            "allOf": [{"$ref": "#/components/schemas/Prediction"}],
            "required": ["explanation"],
        },
        "Explanation": object_of(
            label=TEXT,
            score={**NUMBER, "description": "The intercept and all contributions"},
            intercept=NUMBER,
            terms=list_of({"$ref": "#/components/schemas/ExplainedTerm"}),
            rest={**object_of(terms=COUNT, contribution=NUMBER), "description": "Beyond `top`"},
            unknown=list_of({"$ref": "#/components/schemas/UnknownTerm"}),
            link={"$ref": "#/components/schemas/Link"},
        ),
        "ExplainedTerm": with_more(
            object_of(
                term=TEXT, value=NUMBER, weight=NUMBER, contribution=NUMBER, spans=list_of(_span())
            ),
            vectorizer=_VECTORIZER,
        ),
        "UnknownTerm": with_more(
            object_of(term=TEXT, spans=list_of(_span())), vectorizer=_VECTORIZER
        ),
        "Link": _link(),
    }


def _span() -> Json:
    told = "From and to in the text as it was sent, in code points"
    return {**list_of(COUNT), "minItems": 2, "maxItems": 2, "description": told}


def _link() -> Json:
    found = object_of(
        kind={
            "enum": [*_KINDS],
            "description": "; ".join(f"{kind}: {told}" for kind, told in _KINDS.items()),
        },
        scores=by_label(NUMBER),
        probability=PROBABILITY,
    )
    return with_more(
        found,
        each={"enum": ["sigmoid", "clipped"]},
        shares=by_label(NUMBER),
        others=by_label(NUMBER),
        members=list_of(_member()),
        a=NUMBER,
        b=NUMBER,
    )


def _member() -> Json:
    """One of a calibrated model, which is the mean of them."""
    calibrator = with_more(object_of(kind={"enum": ["sigmoid", "isotonic"]}), a=NUMBER, b=NUMBER)
    return object_of(
        scores=by_label(NUMBER),
        response={"enum": ["score", "softmax"], "description": "What is calibrated"},
        calibrators=by_label(calibrator),
        calibrated=by_label(NUMBER),
        probability=PROBABILITY,
    )
