"""Decisions made of others: VotingClassifier, BaggingClassifier, and a threshold on one.

A member has its own slice of the scores, and a decision of its own about them. Probabilities of
several that add up to a tie exactly are scikit-learn's to no more than its machine's: which is
greater then depends on how numpy's exp rounds there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.compiled.ensembles import BUILDERS
from function.compiled.numbers import is_number, is_slice
from function.compiled.probabilities import PLAIN, Build, Decide, winner
from function.predictor import Prediction

Give = Callable[[Sequence[float], float], Sequence[float] | None]
"""Scores and a margin to what a member gives each of the model's classes; None within it."""
INSIDE = (*PLAIN, *BUILDERS)
"""What a member's decision may be, also behind layers: none is made of others again."""


def build_members(
    spec: Mapping[str, Any], names: Sequence[str], scores: int, build: Build
) -> Decide:
    """Return the decision `{"members", "total", "has_probabilities"}` of so many scores.

    A member is `{"columns": [start, stop], "decision", "classes", "votes", "weight"}`: which
    classes it knows, and whether it votes for one of them or gives its probabilities. What they
    give, times their weights, is divided by `total`. Raises ValueError and KeyError as
    build_decision.
    """
    built = [_build_member(member, len(names), scores, build) for member in spec["members"]]
    total, has_probabilities = spec["total"], spec["has_probabilities"]
    if not built or not is_number(total) or not total > 0.0 or type(has_probabilities) is not bool:
        raise ValueError(f"{len(built)} members, of a total of {total!r}")
    weights = sum([member["weight"] for member in spec["members"]])
    if has_probabilities and not abs(weights - total) <= 1e-9 * total:
        raise ValueError(f"members whose weights are not {total!r} together")

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        sums = [0.0] * len(names)
        for give in built:
            given = give(scores, margin)
            if given is None:
                return None
            sums = [own + more for own, more in zip(sums, given, strict=True)]
        shares = tuple([own / total for own in sums])
        best = winner(shares, margin)
        if best is None:
            return None
        if not has_probabilities:
            return Prediction(names[best], None, None)
        shares = tuple([min(share, 1.0) for share in shares])  # beyond it by rounding
        return Prediction(names[best], shares[best], shares)

    return decide


def _build_member(member: Mapping[str, Any], classes: int, scores: int, build: Build) -> Give:
    (start, stop), places, weight = member["columns"], member["classes"], member["weight"]
    if not all(type(place) is int and 0 <= place < classes for place in places):
        raise ValueError(f"a member of classes {places!r} of {classes}")
    if not is_slice(start, stop, scores) or len({*places}) != len(places):
        raise ValueError(f"a member of scores {start}:{stop} and classes {places}")
    if last_kind(member["decision"]) not in INSIDE or not is_number(weight) or not weight >= 0.0:
        raise ValueError(f"a member that decides {member['decision']['kind']!r}, times {weight!r}")
    names = [*map(str, range(len(places)))]
    decide, votes = build(member["decision"], names, stop - start), member["votes"]
    if type(votes) is not bool or not votes and last_kind(member["decision"]) == "labels":
        raise ValueError("a member without votes or probabilities")

    def give(scores: Sequence[float], margin: float) -> Sequence[float] | None:
        answer = decide(scores[start:stop], margin)
        if answer is None:
            return None
        given = [0.0] * classes
        if votes:
            given[places[int(answer.label or 0)]] = weight
        for place, share in zip(places, () if votes else answer.scores or (), strict=False):
            given[place] = share * weight
        return given

    return give


def last_kind(decision: Mapping[str, Any]) -> str:
    """What decides in the end, behind layers where there are any."""
    kind: str = (decision["decision"] if decision["kind"] == "layers" else decision)["kind"]
    return kind


def build_threshold(
    spec: Mapping[str, Any], names: Sequence[str], scores: int, build: Build
) -> Decide:
    """Return the decision `{"base", "response", "threshold", "positive"}` of two classes: the one
    at `positive` from the threshold on, of its "probability" or of its "score". Raises ValueError
    and KeyError as build_decision."""
    base, threshold, positive = spec["base"], spec["threshold"], spec["positive"]
    of_score = {"probability": False, "score": True}[spec["response"]]
    last = last_kind(base)
    if last not in (*INSIDE, "members") or len(names) != 2:
        raise ValueError(f"a threshold on a decision {base['kind']!r} of {len(names)} classes")
    if type(positive) is not int or positive not in (0, 1) or not is_number(threshold):
        raise ValueError(f"a threshold of {threshold!r} for class {positive!r}")
    is_score = base["kind"] != "layers" and scores == 1
    if of_score and not is_score or not of_score and last == "labels":
        raise ValueError(f"a threshold on a {spec['response']} that there is not")
    decide_base = build(base, names, scores)

    def decide(scores: Sequence[float], margin: float) -> Prediction | None:
        answer = decide_base(scores, margin)
        if answer is None:
            return None
        shares = answer.scores
        if of_score:
            value = scores[0] if positive == 1 else -scores[0]
        else:
            value = (shares or (0.0, 0.0))[positive]
        if abs(value - threshold) <= margin:
            return None
        place = positive if value >= threshold else 1 - positive
        return Prediction(names[place], None if shares is None else shares[place], shares)

    return decide
