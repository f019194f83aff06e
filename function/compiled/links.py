"""How a label's score becomes its probability, spelled out as JSON.

A link is `{"kind", "scores": {label: score}, ..., "probability"}`:

| kind | the probability of the label | and besides |
|---|---|---|
| none | there is none | |
| nearest | exp(other) / the sum of exp of all `others` | `others` |
| constant | 1, of the only label | |
| sigmoid | 1 / (1 + exp(-score)) | |
| clipped | (min(max(score, -1), 1) + 1) / 2 | |
| softmax | exp(score) / the sum of exp of all scores | |
| one-vs-rest normalised | its share / the sum of the shares | `each`, `shares` |
| calibrated | the mean of what the members give | `members` |
| coupled | of the second label about 1 / (1 + exp(a * its score - b)) | `a`, `b` |

`nearest` is NearestCentroid's, whose scores say which label is nearest; `others` are those of
distances in which each term counts by how little it varies.

Of one-vs-rest, `each` (`sigmoid` or `clipped`) made the `shares` of the scores; where all are 0 the
probability is as the model has it, 0 or the same for all.

`coupled` is libsvm's of two labels: it looks for that number step by step and stops within 0.005
of it. The score alone decides the label.

A calibrated model's scores are the means of its members'. A member is `{"scores", "response",
"calibrators", "calibrated", "probability"}`: its own scores, taken as they are (`response` is
`score`) or as their softmax, each put through its label's calibrator, are `calibrated`; a label's
share of their sum is the member's `probability`. A `sigmoid` calibrator is 1 / (1 + exp(a *
response + b)); an `isotonic` one interpolates between steps, which are too many to be told. Of two
labels the second alone is calibrated, the first has the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from function.compiled.calibration import build_calibrator
from function.compiled.probabilities import clipped, joint_to_probabilities, logistic
from function.errors import NotExplainable

Mix = Sequence[tuple[int, float]]
"""Which of a model's scores one label's is made of, and how much of each."""
_EACH = {"logistic": ("sigmoid", logistic), "clipped": ("clipped", clipped)}


REASONS = {
    "bayes_apart": "each label has a classifier that weighs it against its absence",
    "fixed": "it answers the same whatever the text",
    "layers": "layers stand between what its terms weigh and its labels",
    "members": "its members decide by themselves, and what they decide is added up",
    "threshold": "a threshold decides, and not which label's score is higher",
}


def mixes(decision: Mapping[str, Any], classes: int, scores: int) -> list[Mix]:
    """Return what each label's score is made of: of a calibrated model, the members' mean. Raises
    NotExplainable where labels have no score of their own."""
    if decision["kind"] == "pairwise" and classes > 2:
        raise NotExplainable("compiled", "each two of its labels vote for one of them")
    if decision["kind"] in REASONS:
        raise NotExplainable("compiled", REASONS[decision["kind"]])
    first = (0, classes if decision["kind"] == "nearest" else scores)
    columns = [member["columns"] for member in decision.get("members", ())] or [first]
    own = [_rows_of_labels(start, stop, classes) for start, stop in columns]
    return [[(row, sign / len(own)) for row, sign in mix] for mix in zip(*own, strict=True)]


def mixed(mix: Mix, rows: Sequence[float]) -> float:
    """Return the label's score, or its weight, of those of the model."""
    return sum([share * rows[row] for row, share in mix])


def link(
    decision: Mapping[str, Any],
    labels: Sequence[str],
    place: int,
    scores: Sequence[float],
    rows: Sequence[float],
    probability: float | None,
) -> dict[str, Any]:
    """Return the link of the label at `place`, of which this is the probability, given the labels'
    scores and those of the model that they are made of."""
    kind, more = _spelled_out(decision, labels, place, rows)
    by_label = dict(zip(labels, scores, strict=True))
    return {"kind": kind, "scores": by_label, **more, "probability": probability}


def _rows_of_labels(start: int, stop: int, classes: int) -> Mix:
    """The one score of two labels is the second's, and minus that the first's."""
    if stop - start == 1 and classes == 2:
        return [(start, -1.0), (start, 1.0)]
    return [(start + place, 1.0) for place in range(classes)]


def _spelled_out(
    decision: Mapping[str, Any], labels: Sequence[str], place: int, rows: Sequence[float]
) -> tuple[str, dict[str, Any]]:
    kind, of_each = decision["kind"], decision.get("link")
    if kind == "calibrated":
        members = [_member(member, labels, place, rows) for member in decision["members"]]
        return "calibrated", {"members": members}
    if kind == "pairwise" and decision["platt"] is not None:
        (slope,), (offset,) = decision["platt"]
        return "coupled", {"a": slope, "b": offset}
    if kind in ("softmax", "naive_bayes"):
        return "softmax", {}
    if kind == "nearest" and len(rows) > len(labels):
        return "nearest", {"others": dict(zip(labels, rows[len(labels) :], strict=True))}
    if kind == "constant":
        return "constant", {}
    if of_each is None:
        return "none", {}
    name, share = _EACH[of_each]
    if kind == "multilabel" or len(labels) == 2:
        return name, {}
    shares = dict(zip(labels, map(share, rows), strict=True))
    return "one-vs-rest normalised", {"each": name, "shares": shares}


def _member(
    member: Mapping[str, Any], labels: Sequence[str], place: int, rows: Sequence[float]
) -> dict[str, Any]:
    start, stop = member["columns"]
    scores = [sign * rows[row] for row, sign in _rows_of_labels(start, stop, len(labels))]
    is_softmax = member["response"] == "naive_bayes"
    responses = joint_to_probabilities(scores) if is_softmax else scores
    calibrators = member["calibrators"]
    calibrated_labels = labels[-len(calibrators) :]
    shares = [
        build_calibrator(calibrator)(response)
        for calibrator, response in zip(calibrators, responses[-len(calibrators) :], strict=True)
    ]
    if len(labels) == 2:
        shares = [1.0 - shares[0], shares[0]]
    total = sum(shares)
    return {
        "scores": dict(zip(labels, scores, strict=True)),
        "response": "softmax" if is_softmax else "score",
        "calibrators": dict(zip(calibrated_labels, map(_told, calibrators), strict=True)),
        "calibrated": dict(zip(labels, shares, strict=True)),
        "probability": shares[place] / total if total else 1.0 / len(labels),
    }


def _told(calibrator: Mapping[str, Any]) -> dict[str, Any]:
    return {name: calibrator[name] for name in ("kind", "a", "b") if name in calibrator}
