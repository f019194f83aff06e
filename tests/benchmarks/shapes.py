"""How each server wants to be asked, and where in its reply the answers are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a server said of one text; scores only where it gives them, by label."""

    label: str
    scores: dict[str, float] | None = None


@dataclass(frozen=True)
class Shape:
    """One way of asking: the paths, the JSON for one text and for many, and the way back."""

    path: str
    batch_path: str
    one: Callable[[str], Any]
    many: Callable[[list[str]], Any]
    read: Callable[[Any], list[Answer]]
    # Asks for all probabilities as well, where they are not part of the usual reply.
    with_scores: Callable[[str], Any] | None = None
    info_path: str | None = None  # where the server describes the model it loaded

    def body(self, text: str) -> bytes:
        return _encode(self.one(text))

    def batch_body(self, texts: list[str]) -> bytes:
        return _encode(self.many(texts))

    def scored_body(self, text: str) -> bytes:
        return _encode((self.with_scores or self.one)(text))

    def answers(self, reply: bytes) -> list[Answer]:
        """The answers in a reply, in the order of the texts asked about."""
        return self.read(json.loads(reply))


def _encode(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _read_labelled(reply: Any) -> list[Answer]:
    return [Answer(item["label"], item.get("scores")) for item in reply.get("predictions", [reply])]


def _read_own(reply: Any) -> list[Answer]:
    return [
        Answer(item["sentiment"], item.get("scores")) for item in reply.get("predictions", [reply])
    ]


def _split(texts: list[str]) -> Any:
    return {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}}


def _tensor(texts: list[str]) -> Any:
    column = {"name": "text", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}
    return {
        "parameters": {"content_type": "pd"},
        "inputs": [{**column, "parameters": {"content_type": "str"}}],
    }


def _one_text(text: str) -> Any:
    return {"text": text}


def _many_texts(texts: list[str]) -> Any:
    return {"texts": texts}


# This project: README, "HTTP contract".
OWN = Shape(
    "/predict",
    "/predict_batch",
    _one_text,
    _many_texts,
    _read_own,
    with_scores=lambda text: {"text": text, "return_scores": True},
    info_path="/models/info",
)
# The small servers under peers/.
LABELLED = Shape("/predict", "/predict_batch", _one_text, _many_texts, _read_labelled)
LABELLED_ONE_PATH = Shape("/predict", "/predict", _one_text, _many_texts, _read_labelled)
# https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/
INVOCATIONS = Shape(
    "/invocations",
    "/invocations",
    lambda text: _split([text]),
    _split,
    lambda reply: [Answer(label) for label in reply["predictions"]],
)
# The Open Inference Protocol as MLServer's MLflow runtime takes a DataFrame.
OPEN_INFERENCE = Shape(
    "/v2/models/model/infer",
    "/v2/models/model/infer",
    lambda text: _tensor([text]),
    _tensor,
    lambda reply: [Answer(label) for label in reply["outputs"][0]["data"]],
)
# The floor answers every text alike; its answers are not compared.
ANYTHING = Shape("/", "/", _one_text, _many_texts, lambda reply: [])
