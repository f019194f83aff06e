"""KServe's own Python client, unchanged, with both of its protocols."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import clients
from tests.doors import start_door
from tests.processes import LiveServer
from tests.test_inference_v2 import TEXTS, expected

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def server(compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = start_door("serve", compiled_folder, tmp_path_factory.mktemp("kserve"))
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


@pytest.fixture(scope="module")
def said(server: LiveServer) -> Any:
    """What the client understood."""
    python = clients.python_of(clients.KSERVE)
    return clients.said_by(python, "kserve_sdk.py", server.url, "reviews")


def test_kserves_client_infers_in_json_and_in_binary(server: LiveServer, said: Any) -> None:
    wanted = expected(server, TEXTS)
    for answered in (said["v2"]["json"], said["v2"]["binary"]):
        for name in ("label", "predict"):
            assert answered[name] == [item["sentiment"] for item in wanted]
        assert answered["confidence"] == [item["confidence"] for item in wanted]
        assert answered["probabilities"] == [list(item["scores"].values()) for item in wanted]


def test_kserves_client_learns_what_is_there_and_what_is_refused(said: Any) -> None:
    found = {name: value for name, value in said["v2"].items() if name not in ("json", "binary")}
    assert found == {
        "is live": True,
        "is ready": True,
        "is model ready": True,
        "is another ready": False,
        "refused with": 400,
    }


def test_kserves_client_speaks_its_first_protocol(server: LiveServer, said: Any) -> None:
    wanted = [item["sentiment"] for item in expected(server, TEXTS)]
    assert said["v1"] == {
        "is live": True,
        "is model ready": True,
        "predictions": {"predictions": wanted},
    }
