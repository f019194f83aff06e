"""The Open Inference Protocol v2 and KServe v1, asked by a client that others wrote and by hand."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doors import start_door
from tests.processes import LiveServer, Reply

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what the client imports
    import tritonclient.http as triton

TEXTS = ["This product is amazing!", "Terrible service", "caf\u00e9 \U0001f600", ""]
INFER = "/v2/models/reviews/infer"


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("v2")
    server = start_door(request.param, compiled_folder, folder, MAX_ROWS="50")
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


@pytest.fixture
def client(server: LiveServer) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


def expected(server: LiveServer, texts: list[str]) -> list[dict[str, Any]]:
    """What ``/predict_batch`` says of them; a blank one it does not take."""
    asked = [text or "." for text in texts]
    reply = server.request("/predict_batch", {"texts": asked, "return_scores": True})
    found: list[dict[str, Any]] = reply.json["predictions"]
    return found


def tensor(texts: list[str], shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    shape = [len(texts)] if shape is None else shape
    return {"name": "text", "shape": shape, "datatype": "BYTES", "data": texts, **more}


def test_tritons_client_finds_the_server_and_the_model(
    client: triton.InferenceServerClient,
) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("reviews") and client.is_model_ready("reviews", "2")
    assert not client.is_model_ready("others")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    found = client.get_model_metadata("reviews")
    assert (found["name"], found["versions"]) == ("reviews", ["2"])
    assert found["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    (listed,) = client.get_model_repository_index()
    assert (listed["name"], listed["version"], listed["state"]) == ("reviews", "2", "READY")


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("shape", [[4], [4, 1], [2, 2]])
def test_tritons_client_infers_in_binary_as_it_does_by_default_and_in_json(
    server: LiveServer, client: triton.InferenceServerClient, is_binary: bool, shape: list[int]
) -> None:
    given = triton.InferInput("text", shape, "BYTES")
    array = np.array([text.encode() for text in TEXTS], dtype=np.object_).reshape(shape)
    given.set_data_from_numpy(array, binary_data=is_binary)
    names = ("label", "predict", "confidence", "probabilities", "predict_proba")
    outputs = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in names]
    answered = client.infer("reviews", [given], outputs=outputs, request_id="7")
    wanted = expected(server, TEXTS)
    for name in ("label", "predict"):
        said = [one.decode() if isinstance(one, bytes) else one for one in answered.as_numpy(name)]
        assert said[:3] == [item["sentiment"] for item in wanted[:3]]
    for name in ("probabilities", "predict_proba"):
        scores = [list(item["scores"].values()) for item in wanted]
        assert np.array_equal(answered.as_numpy(name)[:3], np.array(scores)[:3])
    assert answered.as_numpy("confidence")[0] == wanted[0]["confidence"]
    assert answered.get_response()["id"] == "7"


def test_tritons_client_gets_classes_and_reads_errors(
    client: triton.InferenceServerClient,
) -> None:
    given = triton.InferInput("text", [1], "BYTES")
    given.set_data_from_numpy(np.array([b"lovely"], dtype=np.object_))
    wanted = triton.InferRequestedOutput("probabilities", class_count=2)
    (row,) = client.infer("reviews", [given], outputs=[wanted]).as_numpy("probabilities")
    scores = [one.decode().split(":") for one in row]
    assert len(scores) == 2 and float(scores[0][0]) >= float(scores[1][0])
    assert scores[0][2] in ("negative", "neutral", "positive")
    for name in ("others", "reviews"):
        with pytest.raises(triton.InferenceServerException, match="no such"):
            output = triton.InferRequestedOutput("embedding")
            client.infer(name, [given], outputs=[output] if name == "reviews" else None)


def test_what_is_asked_for_by_default_is_label_and_confidence(server: LiveServer) -> None:
    reply = server.request(INFER, {"id": "a", "inputs": [tensor(TEXTS[:2])]})
    wanted = expected(server, TEXTS[:2])
    assert reply.json == {
        "model_name": "reviews",
        "model_version": "2",
        "outputs": [
            {
                "name": "label",
                "datatype": "BYTES",
                "shape": [2],
                "data": [item["sentiment"] for item in wanted],
            },
            {
                "name": "confidence",
                "datatype": "FP64",
                "shape": [2],
                "data": [item["confidence"] for item in wanted],
            },
        ],
        "id": "a",
    }
    assert reply.headers["Content-Type"] == "application/json"
    of_version = server.request("/v2/models/reviews/versions/2/infer", {"inputs": [tensor(["a"])]})
    assert of_version.status == 200


def test_mlservers_content_types_and_other_tensors_are_read_over(server: LiveServer) -> None:
    numbers = {"name": "n", "shape": [1], "datatype": "FP32", "data": [0.5]}
    texts = tensor([["lovely"], ["awful"]], [2, 1], parameters={"content_type": "str"})  # type: ignore[list-item]
    payload = {"parameters": {"content_type": "pd"}, "inputs": [numbers, texts]}
    assert len(server.request(INFER, payload).json["outputs"][0]["data"]) == 2


def test_base64_is_decoded_where_the_tensor_says_so(server: LiveServer) -> None:
    coded = tensor(["YXdmdWw="], parameters={"content_type": "base64"})
    answered = [server.request(INFER, {"inputs": [it]}).json for it in (coded, tensor(["awful"]))]
    assert answered[0] == answered[1]


BAD: dict[str, Any] = {
    "no object": [],
    "no inputs": {},
    "inputs no list": {"inputs": {}},
    "no tensor": {"inputs": []},
    "tensor no object": {"inputs": ["x"]},
    "numbers": {"inputs": [tensor([1], datatype="INT64")]},  # type: ignore[list-item]
    "not text": {"inputs": [tensor([1])]},  # type: ignore[list-item]
    "data no list": {"inputs": [tensor("lovely", [1])]},  # type: ignore[arg-type]
    "no data": {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]},
    "shape too large": {"inputs": [tensor(["a"], [2])]},
    "shape no list": {"inputs": [tensor(["a"], 1)]},  # type: ignore[arg-type]
    "shape negative": {"inputs": [tensor(["a"], [-1])]},
    "shape of booleans": {"inputs": [tensor(["a"], [True])]},
    "too many rows": {"inputs": [tensor(["a"] * 51)]},
    "no such output": {"inputs": [tensor(["a"])], "outputs": [{"name": "x"}]},
    "outputs no list": {"inputs": [tensor(["a"])], "outputs": {}},
    "parameters no object": {"inputs": [tensor(["a"], parameters=[])]},
    "binary that is not there": {"inputs": [tensor(["a"], parameters={"binary_data_size": 9})]},
    "no name": {"inputs": [tensor(["a"], name=None)]},
    "a number for an id": {"inputs": [tensor(["a"])], "id": 7},
    "an output without a name": {"inputs": [tensor(["a"])], "outputs": [{}]},
    "no base64": {"inputs": [tensor(["*"], parameters={"content_type": "base64"})]},
    "base64 of no text": {"inputs": [tensor(["/w=="], parameters={"content_type": "base64"})]},
    "lone surrogate": {"inputs": [tensor(["\ud800"])]},
    "classification no number": {
        "inputs": [tensor(["a"])],
        "outputs": [{"name": "label", "parameters": {"classification": "2"}}],
    },
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_told_as_the_protocol_has_it(server: LiveServer, what: str) -> None:
    reply = server.request(INFER, BAD[what])
    assert reply.status in (400, 422)
    assert reply.json["error"] == reply.json["detail"]


def binary(head: dict[str, Any], content: bytes, size: int | None = None) -> tuple[bytes, Any]:
    text = json.dumps(head).encode()
    length = len(text) if size is None else size
    return text + content, {
        "Inference-Header-Content-Length": str(length),
        "Content-Type": "application/octet-stream",
    }


@pytest.mark.parametrize(
    ("content", "declared", "size"),
    [
        (b"\x05\0\0\0love", 8, None),
        (b"\x05\0\0", 3, None),
        (b"\x02\0\0\0\xff\xff", 6, None),
        (b"\xff\xff\xff\xff", 4, None),
        (b"\x01\0\0\0a", 6, None),
        (b"\x01\0\0\0a", -1, None),
        (b"\x01\0\0\0a", 5, 99_999),
        (b"\x01\0\0\0a", True, None),
    ],
)
def test_binary_data_that_does_not_fit_is_refused(
    server: LiveServer, content: bytes, declared: Any, size: int | None
) -> None:
    given = {"name": "t", "shape": [1], "datatype": "BYTES"}
    head = {"inputs": [{**given, "parameters": {"binary_data_size": declared}}]}
    body, headers = binary(head, content, size)
    reply = server.request(INFER, data=body, headers=headers)
    assert reply.status == 400 and "error" in reply.json


def test_all_outputs_may_be_binary(server: LiveServer) -> None:
    element = struct.pack("<I", 6) + b"lovely"
    given = {"name": "t", "shape": [1], "datatype": "BYTES"}
    head = {
        "parameters": {"binary_data_output": True},
        "inputs": [{**given, "parameters": {"binary_data_size": len(element)}}],
    }
    body, headers = binary(head, element)
    reply = server.request(INFER, data=body, headers=headers)
    length = int(reply.headers["Inference-Header-Content-Length"])
    (output,) = json.loads(reply.body[:length])["outputs"]
    rest = reply.body[length:]
    assert output["parameters"]["binary_data_size"] == len(rest)
    assert rest[4:].decode() in ("negative", "neutral", "positive")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/others",
        "/v2/models/others/ready",
        "/v2/models/reviews/versions/1",
        "/v2/models/reviews/versions/1/ready",
        "/v2/models/{model}",
        "/v2/models/",
        "/v2/models/reviews/versions/2/x",
        "/v1/models/others",
        "/v1/models/reviews/x",
    ],
)
def test_what_is_not_there_is_404(server: LiveServer, path: str) -> None:
    assert server.request(path).status == 404


def kserve(server: LiveServer, payload: Any, name: str = "reviews") -> Reply:
    return server.request(f"/v1/models/{name}:predict", payload)


def test_kserves_first_protocol(server: LiveServer) -> None:
    assert server.request("/v1/models").json == {"models": ["reviews"]}
    assert server.request("/v1/models/reviews:explain", {"instances": ["lovely"]}).status == 404
    assert server.request("/v1/models/reviews").json == {"name": "reviews", "ready": True}
    wanted = [item["sentiment"] for item in expected(server, TEXTS[:2])]
    for instances in (TEXTS[:2], [[text] for text in TEXTS[:2]], [{"x": t} for t in TEXTS[:2]]):
        assert kserve(server, {"instances": instances}).json == {"predictions": wanted}
    assert kserve(server, {"instances": []}).json == {"predictions": []}
    assert kserve(server, {"instances": ["a"]}, "others").status == 404
    for bad in ({}, [], {"instances": "a"}, {"instances": [1]}, {"instances": [{"a": 1, "b": 2}]}):
        reply = kserve(server, bad)
        assert reply.status in (400, 422) and "error" in reply.json


def test_the_metrics_know_the_route_and_not_the_name(server: LiveServer) -> None:
    server.request("/v2/models/invented-name")
    text = server.request("/metrics").body.decode()
    assert 'route="/v2/models/{model}/infer"' in text and "invented-name" not in text
