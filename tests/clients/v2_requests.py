"""Good and bad requests of the Open Inference Protocol v2, and why some are answered otherwise here
than by MLServer."""

from __future__ import annotations

from typing import Any

from tests.test_inference_v2 import tensor

TEXTS = ["lovely", "awful and broken"]
REFUSED = "what does not follow the protocol is 400 where MLServer's types say 422"
FAILED = "what MLServer fails on with 500 is refused with 400 or 422"
ANY_NAME = "where the signature's name is not among the tensors, the first of strings is meant"
MISFIT = "a shape that does not fit its data is refused"
NO_TEXT = "a number or a lone string in place of a list of strings is refused"
FRAME, STRINGS = {"content_type": "pd"}, {"content_type": "str"}
BASE64 = {"content_type": "base64"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in tensor(TEXTS).items() if key != name}


def infer(*tensors: Any, **more: Any) -> dict[str, Any]:
    return {"inputs": list(tensors), **more}


NUMBERS = {"name": "n", "shape": [2], "datatype": "INT64", "data": [1, 2]}

REQUESTS: dict[str, tuple[Any, str]] = {
    "one text": (infer(tensor(TEXTS[:1])), ""),
    "several": (infer(tensor(TEXTS)), ""),
    "a column": (infer(tensor(TEXTS, [2, 1])), ""),
    "a row": (infer(tensor(TEXTS, [1, 2])), ""),
    "strings": (infer(tensor(TEXTS, parameters=STRINGS)), ""),
    "a frame": (
        infer(tensor(TEXTS, [2, 1], parameters={"content_type": "str"}), parameters=FRAME),
        "",
    ),
    "a content type unheard of": (infer(tensor(TEXTS, parameters={"content_type": "x"})), ""),
    "base64": (infer(tensor(["bG92ZWx5", "YXdmdWw="], parameters=BASE64)), ""),
    "an id": (infer(tensor(TEXTS), id="7"), ""),
    "no outputs": (infer(tensor(TEXTS), outputs=[]), ""),
    "a tensor more": (infer(tensor(TEXTS), NUMBERS), ""),
    "a tensor before": (infer(NUMBERS, tensor(TEXTS)), ""),
    "strings before": (infer(tensor(["awful", "lovely"], name="title"), tensor(TEXTS)), ""),
    "blank texts": (infer(tensor(["", "  "])), ""),
    "Unicode": (infer(tensor(["caf\u00e9 \U0001f600"])), ""),
    "members unheard of": (infer(tensor(TEXTS, y=2), x=1), ""),
    "ten thousand": (infer(tensor(["lovely"] * 10_000)), ""),
    "nested": (
        infer(tensor([["lovely"], ["awful"]], [2, 1])),  # type: ignore[list-item]
        "nested data is read in row-major order, as the protocol has it",
    ),
    "strings for the request": (
        infer(tensor(TEXTS), parameters=STRINGS),
        "a request of another content type than a frame is read",
    ),
    "another name": (infer(tensor(TEXTS, name="review")), ANY_NAME),
    "no texts": (infer(tensor([])), "no texts get no answers"),
    "no base64": (infer(tensor(["*"], parameters=BASE64)), "what is no base64 is refused"),
    "another output": (
        infer(tensor(TEXTS), outputs=[{"name": "x"}]),
        "an output that there is not is refused",
    ),
    "a number in it": (infer(tensor([1])), NO_TEXT),  # type: ignore[list-item]
    "a lone string": (infer(tensor("lovely", [1])), NO_TEXT),  # type: ignore[arg-type]
    "a shape too large": (infer(tensor(TEXTS, [3])), MISFIT),
    "a shape too small": (infer(tensor(TEXTS, [1])), MISFIT),
    "a shape below zero": (infer(tensor(TEXTS, [-1])), MISFIT),
    "a shape of nothing": (infer(tensor(TEXTS, [])), MISFIT),
    "null in it": (infer(tensor([None])), FAILED),  # type: ignore[list-item]
    "null for data": (infer(tensor(TEXTS, data=None)), FAILED),
    "numbers alone": (infer(NUMBERS), FAILED),
    "no tensor": (infer(), FAILED),
    "nothing": ({}, REFUSED),
    "inputs no list": ({"inputs": {}}, REFUSED),
    "a list": ([], REFUSED),
    "null": (None, REFUSED),
    "no JSON": (b"{", REFUSED),
    "a tensor no object": (infer("x"), REFUSED),
    "no shape": (infer(without("shape")), REFUSED),
    "no name": (infer(without("name")), REFUSED),
    "no datatype": (infer(without("datatype")), REFUSED),
    "no data": (infer(without("data")), REFUSED),
    "a number for a name": (infer(tensor(TEXTS, name=3)), REFUSED),
    "a number for an id": (infer(tensor(TEXTS), id=7), REFUSED),
    "a number for a shape": (infer(tensor(TEXTS, 2)), REFUSED),  # type: ignore[arg-type]
    "a datatype unheard of": (infer(tensor(TEXTS, datatype="STRING")), REFUSED),
    "outputs no list": (infer(tensor(TEXTS), outputs={}), REFUSED),
    "an output without a name": (infer(tensor(TEXTS), outputs=[{}]), REFUSED),
    "parameters no object": (infer(tensor(TEXTS, parameters=[])), REFUSED),
}
"""Each with the reason why it is answered otherwise, where it is; the README lists the reasons."""
