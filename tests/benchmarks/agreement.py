"""Whether a server's answers are scikit-learn's own: labels, and probabilities where given."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from tests.benchmarks.model import Model
from tests.benchmarks.servers import HOST
from tests.benchmarks.shapes import Answer, Shape

BATCH_SIZE = 100


@dataclass(frozen=True)
class Agreement:
    """Differences from scikit-learn over all texts, asked one by one and in batches."""

    texts: int
    labels_differing: int
    batch_labels_differing: int
    largest_difference: float | None  # None: the server gives labels only


class Refused(Exception):
    """The server answered a text of the benchmark with an error, or a batch with another number of
    answers.
    """


def check(model: Model, shape: Shape, port: int) -> Agreement:
    """Asks about every text of the model, singly and in batches, and compares."""
    texts, expected = model.texts(), model.expected()
    labels = [model.labels[row.index(max(row))] for row in expected]
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        singles = [
            _ask(connection, shape.path, shape.scored_body(text), shape, 1)[0] for text in texts
        ]
        batches: list[Answer] = []
        for start in range(0, len(texts), BATCH_SIZE):
            part = texts[start : start + BATCH_SIZE]
            batches += _ask(connection, shape.batch_path, shape.batch_body(part), shape, len(part))
    finally:
        connection.close()
    return Agreement(
        texts=len(texts),
        labels_differing=_differing(singles, labels),
        batch_labels_differing=_differing(batches, labels),
        largest_difference=_largest_difference(singles, expected, model.labels),
    )


def _ask(
    connection: http.client.HTTPConnection, path: str, body: bytes, shape: Shape, count: int
) -> list[Answer]:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    reply = response.read()
    if response.status != http.client.OK:
        raise Refused(f"{path} answered {response.status}: {reply[:300].decode(errors='replace')}")
    answers = shape.answers(reply)
    if len(answers) != count:
        raise Refused(
            f"{path} gave {len(answers)} answers to {count} texts: {json.loads(reply)!r:.300}"
        )
    return answers


def _differing(answers: list[Answer], labels: list[str]) -> int:
    return sum(answer.label != label for answer, label in zip(answers, labels, strict=True))


def _largest_difference(
    answers: list[Answer], expected: list[list[float]], labels: list[str]
) -> float | None:
    differences: list[float] = []
    for answer, row in zip(answers, expected, strict=True):
        if answer.scores is None:
            return None
        differences += [
            abs(answer.scores[label] - value) for label, value in zip(labels, row, strict=True)
        ]
    return max(differences)
