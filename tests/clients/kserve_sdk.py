"""KServe's own client: python kserve_sdk.py URL MODEL. Prints what it understood."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL, MODEL = sys.argv[1:]
TEXTS = ["This product is amazing!", "Terrible service", "caf\u00e9 \U0001f600", ""]
NAMES = ("label", "predict", "confidence", "probabilities")


def request(is_binary: bool) -> InferRequest:
    given = InferInput(name="text", shape=[len(TEXTS)], datatype="BYTES")
    given.set_data_from_numpy(np.array(TEXTS, dtype=np.object_), binary_data=is_binary)
    outputs = [RequestedOutput(name, {"binary_data": is_binary}) for name in NAMES]
    return InferRequest(MODEL, [given], request_id="7", request_outputs=outputs)


def plain(values: Any) -> list[Any]:
    return [one.decode() if isinstance(one, bytes) else one for one in values.tolist()]


async def second_protocol() -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        found: dict[str, Any] = {
            "is live": await client.is_server_live(URL),
            "is ready": await client.is_server_ready(URL),
            "is model ready": await client.is_model_ready(URL, MODEL),
            "is another ready": await client.is_model_ready(URL, "others"),
        }
        for name, is_binary in {"json": False, "binary": True}.items():
            answered = await client.infer(URL, request(is_binary), MODEL)
            assert (answered.id, answered.model_name) == ("7", MODEL)
            found[name] = {output.name: plain(output.as_numpy()) for output in answered.outputs}
        try:
            await client.infer(URL, {"inputs": []}, MODEL)
        except httpx.HTTPStatusError as error:
            found["refused with"] = error.response.status_code
        return found


async def first_protocol() -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        return {
            "is live": await client.is_server_live(URL),
            "is model ready": await client.is_model_ready(URL, MODEL),
            "predictions": await client.infer(URL, {"instances": TEXTS}, MODEL),
        }


async def main() -> None:
    print(json.dumps({"v1": await first_protocol(), "v2": await second_protocol()}))


if __name__ == "__main__":
    asyncio.run(main())
