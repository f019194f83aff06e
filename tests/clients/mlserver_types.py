"""Requests and responses by MLServer's own types and codecs: python mlserver_types.py URL MODEL.

Prints what was understood of each answer.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import pandas as pd
from mlserver.codecs import Base64Codec, NumpyCodec, PandasCodec, StringCodec
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
    Parameters,
    RepositoryIndexResponse,
    RequestOutput,
)

URL, MODEL = sys.argv[1:]
TEXTS = ["This product is amazing!", "Terrible service", "caf\u00e9 \U0001f600", ""]
FRAME = pd.DataFrame({"text": pd.Series(TEXTS, dtype=object)})
"""The codec knows no strings of pandas 3."""


def asked(path: str, body: str | None = None) -> bytes:
    data = None if body is None else body.encode()
    request = urllib.request.Request(f"{URL}/v2{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        content: bytes = reply.read()
        return content


def inferred(request: InferenceRequest) -> InferenceResponse:
    content = asked(f"/models/{MODEL}/infer", request.model_dump_json(exclude_none=True))
    return InferenceResponse.model_validate_json(content)


def labels(request: InferenceRequest) -> list[str]:
    return list(StringCodec.decode_output(inferred(request).outputs[0]))


def tensors(*names: str) -> dict[str, Any]:
    """Each output that was asked for, decoded."""
    request = PandasCodec.encode_request(FRAME, use_bytes=False)
    request.outputs = [RequestOutput(name=name) for name in names]
    request.id = "seven"
    response = inferred(request)
    assert response.id == "seven"
    return {
        output.name: StringCodec.decode_output(output)
        if output.datatype == "BYTES"
        else NumpyCodec.decode_output(output).tolist()
        for output in response.outputs
    }


def main() -> None:
    MetadataServerResponse.model_validate_json(asked(""))
    found = MetadataModelResponse.model_validate_json(asked(f"/models/{MODEL}"))
    listed = RepositoryIndexResponse.model_validate_json(asked("/repository/index", "{}"))
    one = StringCodec.encode_input("text", TEXTS, use_bytes=False)
    coded = Base64Codec.encode_input("text", [text.encode() for text in TEXTS], use_bytes=False)
    coded.parameters = Parameters(content_type="base64")
    print(
        json.dumps(
            {
                "model": found.name,
                "inputs": [(tensor.name, tensor.datatype) for tensor in found.inputs or []],
                "is listed": (MODEL, "READY") in [(it.name, it.state) for it in listed.root],
                "strings": labels(InferenceRequest(inputs=[one])),
                "base64": labels(InferenceRequest(inputs=[coded])),
                "frame": labels(PandasCodec.encode_request(FRAME, use_bytes=False)),
                "outputs": tensors("predict", "predict_proba"),
            }
        )
    )


if __name__ == "__main__":
    main()
