"""``POST /invocations`` beside a real ``mlflow models serve`` on the same model."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import mlflow.sklearn
import numpy as np
import pytest
import requests
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS
from mlflow.pyfunc.scoring_server import predictions_to_json
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from function.compiled.writing import save
from function.compiler.compiler import translate
from function.protocols.mlflow_scoring import ERROR_CODES
from tests.conftest import AppFactory, clean_environ
from tests.documents import DOCUMENTS
from tests.doors import start_door
from tests.processes import LiveServer, free_port, start_process
from tests.registry import EXAMPLE, frame_pipeline, text_signature

JSON, CSV = "application/json", "text/csv"
ROWS = [["lovely"], ["awful and broken"]]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


REQUESTS: list[tuple[str, bytes]] = [
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": ROWS}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "index": [4, 5], "data": ROWS}})),
    (JSON, dumped({"dataframe_split": {"data": ROWS}})),
    (JSON, dumped({"dataframe_split": {"columns": ["other"], "data": ROWS}})),
    (
        JSON,
        dumped({"dataframe_split": {"columns": ["text", "more"], "data": [["a", 1], ["b", 2]]}}),
    ),
    (
        JSON,
        dumped(
            {
                "dataframe_split": {
                    "columns": ["more", "text"],
                    "data": [[1, "lovely"], [2, "awful"]],
                }
            }
        ),
    ),
    (JSON, dumped({"dataframe_split": {"columns": ["text", "text"], "data": [["a", "b"]]}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": []}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": [[1]]}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": [[None]]}})),
    (JSON, dumped({"dataframe_split": {"columns": ["text"], "data": ["a"]}})),
    (JSON, dumped({"dataframe_split": {"columns": "text", "data": ROWS}})),
    (JSON, dumped({"dataframe_split": [1]})),
    (JSON, dumped({"dataframe_split": "x"})),
    (JSON, dumped({"dataframe_records": [{"text": "lovely"}, {"text": "awful"}]})),
    (JSON, dumped({"dataframe_records": [{"text": "lovely", "x": 1}]})),
    (JSON, dumped({"dataframe_records": [{"x": 1}]})),
    (JSON, dumped({"dataframe_records": [{"text": "lovely"}, {}]})),
    (JSON, dumped({"dataframe_records": []})),
    (JSON, dumped({"dataframe_records": {"text": "a"}})),
    (JSON, dumped({"dataframe_records": ["a"]})),
    (JSON, dumped({"inputs": ["lovely", "awful"]})),
    (JSON, dumped({"inputs": [["lovely"], ["awful"]]})),
    (JSON, dumped({"inputs": {"text": ["lovely", "awful"]}})),
    (JSON, dumped({"inputs": {"other": ["lovely"]}})),
    (JSON, dumped({"inputs": "lovely"})),
    (JSON, dumped({"inputs": [{"text": "lovely"}]})),
    (JSON, dumped({"inputs": []})),
    (JSON, dumped({"inputs": [1, 2]})),
    (JSON, dumped({"inputs": None})),
    (JSON, dumped({"instances": ["lovely", "awful"]})),
    (JSON, dumped({"instances": [["lovely"], ["awful"]]})),
    (JSON, dumped({"instances": [{"text": "lovely"}, {"text": "awful"}]})),
    (JSON, dumped({"instances": [{"other": "lovely"}]})),
    (JSON, dumped({"instances": "lovely"})),
    (JSON, dumped({"instances": {"text": ["lovely"]}})),
    (JSON, dumped({"instances": []})),
    (JSON, dumped({"instances": ["a"], "inputs": ["b"]})),
    (JSON, dumped({"columns": ["text"], "data": ROWS})),
    (JSON, dumped({"text": "a"})),
    (JSON, dumped({})),
    (JSON, dumped([{"text": "a"}])),
    (JSON, dumped("x")),
    (JSON, dumped(1)),
    (JSON, dumped(None)),
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"\xff"),
    (JSON, b"NaN"),
    (JSON, b'{"inputs": ["\\ud800"]}'),
    (JSON, dumped({"inputs": ["lovely"], "params": {}})),
    (JSON, dumped({"inputs": ["lovely"], "params": {"x": 1}})),
    (JSON, dumped({"inputs": ["lovely"], "params": "x"})),
    (JSON, dumped({"inputs": [""]})),
    (JSON, dumped({"inputs": ["  "]})),
    (JSON, dumped({"inputs": ["é 😀"]})),
    (JSON + "; charset=utf-8", dumped({"inputs": ["lovely"]})),
    (JSON + "; charset=UTF-8", dumped({"inputs": ["lovely"]})),
    (JSON + "; charset=latin-1", dumped({"inputs": ["lovely"]})),
    (JSON + "; format=pandas-split", dumped({"inputs": ["lovely"]})),
    (CSV, b"text\nlovely\nawful\n"),
    (CSV, b"text\r\nlovely\r\n"),
    (CSV, b"other\nlovely\n"),
    (CSV, b"x,text\n1,lovely\n2,awful\n"),
    (CSV, b'text\n"a, b"\n"say ""hi"""\n'),
    (CSV, b'text\n"unterminated\n'),
    (CSV, b'text\n"good" day\n""bad""\n"a" "b"\n'),
    (CSV, "text\ngood\u2028day\u0085\x0b\n".encode()),
    (CSV, b"text\n"),
    (CSV, b""),
    (CSV, b"lovely\nawful\n"),
    (CSV, b"text\nlovely,x\n"),
    (CSV, b"\xef\xbb\xbftext\nlovely\n"),
    (CSV, b"text\n1\n2\n"),
    (CSV, b"text\n\nlovely\n"),
    (CSV, b"text\nNA\n"),
    ("text/plain", b"lovely"),
    ("application/x-parquet", b"x"),
    ("", dumped({"inputs": ["lovely"]})),
    (JSON, dumped({"inputs": ["lovely"] * 10000})),
]

DIFFERENCES = {
    '{"dataframe_split": {"data": [["lovely"], ["awful and broken"]]}}': (
        "one column without a name is the text"
    ),
    '{"inputs": [["lovely"], ["awful"]]}': "a row of one is its text",
    '{"instances": [["lovely"], ["awful"]]}': "a row of one is its text",
    '{"inputs": "lovely"}': "a text alone is one row",
    '{"instances": "lovely"}': "a text alone is one row",
    '{"inputs": [1, 2]}': "a number is no text",
    "text\nlovely,x\n": "a row of more values than columns is refused",
    "text\nNA\n": "every CSV value is a text, NA and the empty one too",
    ": without a Content-Type": "a body that is announced as nothing is JSON",
}
"""What is answered otherwise, and why; the README lists the reasons."""


class Scored(NamedTuple):
    status: int
    content_type: str
    body: bytes


def ask(server: LiveServer, content_type: str, body: bytes) -> Scored:
    request = urllib.request.Request(f"{server.url}/invocations", data=body)
    request.add_unredirected_header("Content-Type", content_type)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return Scored(reply.status, reply.headers["Content-Type"], reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Scored(error.code, error.headers["Content-Type"], error.read())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of itself
        mlflow.sklearn.save_model(
            frame_pipeline(),
            folder,
            signature=text_signature(),
            input_example=EXAMPLE,
            pip_requirements=[],
        )
    return folder


@pytest.fixture(scope="module")
def theirs(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """MLflow's own server."""
    port, folder = free_port(), tmp_path_factory.mktemp("mlflow-serve")
    environ = {
        **clean_environ(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--env-manager=local"),
        *(f"--model-uri={model}", "--host=127.0.0.1", f"--port={port}"),
    ]
    server = start_process(command, folder, environ, port, folder, imports_mlflow=True)
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def ours(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("ours")
    environ = {"COMPILED_MODEL": "", "MODEL_URI": str(model)}
    server = start_door(request.param, Path(), folder, imports_mlflow=True, **environ)
    assert server.request("/predict", {"text": "load the model"}).status == 200
    yield server
    server.stop()


def test_what_mlflow_answers_is_answered_alike_but_for_what_the_readme_lists(
    theirs: LiveServer, ours: LiveServer
) -> None:
    differing = []
    for content_type, body in REQUESTS:
        wanted, found = ask(theirs, content_type, body), ask(ours, content_type, body)
        is_same = wanted.status == found.status
        if wanted.status == 200:
            is_same = is_same and wanted[1:] == found[1:]
        if found.status != 200:
            assert found.content_type == "application/problem+json"
            problem = json.loads(found.body)
            assert problem["message"] == problem["detail"] and problem["error_code"]
        if not is_same:
            differing.append(body.decode() if content_type else ": without a Content-Type")
    assert differing == [name for name in map(_named, REQUESTS) if name in DIFFERENCES]
    assert len(REQUESTS) >= 60


def _named(request: tuple[str, bytes]) -> str:
    content_type, body = request
    return body.decode("utf-8", "replace") if content_type else ": without a Content-Type"


class Naming(mlflow.pyfunc.PythonModel):
    """Whose answers name other classes, in another order, than it has."""

    classes_ = np.array(["pos", "neg"])

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [{"label": "Good", "scores": {"Bad": 0.1, "Good": 0.9}} for _ in model_input["text"]]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_python_models_labels_are_those_that_it_answers(
    create_app: AppFactory, tmp_path: Path
) -> None:
    mlflow.pyfunc.save_model(tmp_path / "model", python_model=Naming(), pip_requirements=[])
    client = create_app(MODEL_URI=str(tmp_path / "model"))
    assert client.post("/invocations", json={"inputs": ["a"]}).json == {"predictions": ["Good"]}


def test_errors_have_mlflows_codes_for_their_statuses() -> None:
    for status, code in ERROR_CODES.items():
        assert ERROR_CODE_TO_HTTP_STATUS[code] == status


def test_the_readme_lists_each_difference() -> None:
    for reason in DIFFERENCES.values():
        assert reason in DOCUMENTS


TEXTS = ["good day", "good news", "bad day", "bad news", "no news"]
ROWS_OF_MARKS = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 0]])
TARGETS: dict[str, tuple[Any, Any]] = {
    "strings": (LogisticRegression(), np.array(["a", "a", "b", "b", "c"])),
    "whole numbers": (LogisticRegression(), np.array([3, 3, -1, -1, 20])),
    "floats": (LogisticRegression(), np.array([1.0, 1.0, 0.0, 0.0, 2.0])),
    "booleans": (MultinomialNB(), np.array([True, True, False, False, True])),
    "marks": (OneVsRestClassifier(LogisticRegression()), ROWS_OF_MARKS),
    "marks of a forest": (RandomForestClassifier(5, random_state=0), ROWS_OF_MARKS),
    "neighbours": (KNeighborsClassifier(1), np.array([3, 3, -1, -1, 20])),
}


@pytest.mark.parametrize("name", TARGETS)
def test_predictions_are_of_the_models_own_types(
    name: str, create_app: AppFactory, tmp_path: Path
) -> None:
    classifier, targets = TARGETS[name]
    pipeline = make_pipeline(CountVectorizer(), classifier).fit(TEXTS, targets)
    how: dict[str, Any] = {"pip_requirements": [], "serialization_format": "cloudpickle"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's, of what has no signature
        mlflow.sklearn.save_model(pipeline, tmp_path / "model", **how)
    wanted = StringIO()
    predictions_to_json(mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(TEXTS), wanted)
    given: dict[str, str] = {"MODEL_URI": str(tmp_path / "model")}
    if name != "neighbours":
        save(tmp_path / "compiled", translate(pipeline), {})
        given |= {"COMPILED_MODEL": str(tmp_path / "compiled")}
    first = int(targets[0]) if name == "floats" else targets.flat[0]
    names = "" if targets.ndim > 1 else f"{first}=named"
    for environ in (given, {"MODEL_URI": str(tmp_path / "model")}):
        client = create_app(**environ, LABELS=names)
        reply = client.post("/invocations", json={"inputs": TEXTS})
        assert reply.text == wanted.getvalue()


def test_ping_and_version_are_mlflows(theirs: LiveServer, ours: LiveServer) -> None:
    for path in ("/ping", "/version"):
        wanted, found = theirs.request(path), ours.request(path)
        assert (wanted.status, wanted.body) == (found.status, found.body)
        assert found.headers["Content-Type"] == wanted.headers["content-type"]


def test_a_csv_without_a_header_may_say_so(ours: LiveServer) -> None:
    found = ask(ours, "text/csv; header=absent", b"lovely\nawful\n")
    assert found.status == 200 and len(json.loads(found.body)["predictions"]) == 2
    assert ask(ours, "text/csv; header=maybe", b"lovely\n").status == 415
    assert ask(ours, "text/csv; header=absent", b"a,b\n").status == 400


@pytest.mark.parametrize(
    "data", [EXAMPLE, EXAMPLE["text"].tolist(), EXAMPLE["text"].to_numpy(dtype=object)]
)
def test_mlflows_own_client_works_unchanged(
    theirs: LiveServer, ours: LiveServer, data: Any
) -> None:
    answered = []
    for server in (theirs, ours):
        client = ScoringServerClient("127.0.0.1", int(server.url.rpartition(":")[2]))
        client.wait_server_ready(timeout=5)
        assert client.get_version() == mlflow.__version__
        answered.append(client.invoke(data, params={"unheard_of": 1}))
        assert len(answered[-1].get_predictions()) == len(EXAMPLE)
        with pytest.raises(Exception, match="error code 400"):
            client.invoke({})
    assert answered[0] == answered[1]


def test_mlflows_client_of_deployments_asks_the_model_by_its_name(
    compiled_folder: Path, tmp_path: Path
) -> None:
    """Of what it can do, that which a model server has: the rest is the AI Gateway's own."""
    server = start_door("serve", compiled_folder, tmp_path)  # it keeps its connection: not gunicorn
    client = get_deploy_client(server.url)
    inputs = {"dataframe_split": EXAMPLE.to_dict(orient="split")}
    answered = client.predict(endpoint="reviews", inputs=inputs)
    assert answered == server.request("/invocations", inputs).json
    with pytest.raises(requests.HTTPError, match="404"):
        client.predict(endpoint="others", inputs=inputs)
    server.stop()


def test_ping_says_503_until_there_is_a_model(tmp_path: Path) -> None:
    server = start_door("serve", Path(), tmp_path, COMPILED_MODEL="", MODEL_URI="/nowhere")
    reply = server.request("/ping")
    assert reply.status == 503 and "Retry-After" in reply.headers
    server.stop()


def test_rows_are_limited(model: Path, tmp_path: Path) -> None:
    environ = {"COMPILED_MODEL": "", "MODEL_URI": str(model), "MAX_ROWS": "3"}
    server = start_door("serve", Path(), tmp_path, imports_mlflow=True, **environ)
    reply = server.request("/invocations", {"inputs": ["a"] * 4})
    assert reply.status == 400 and "MAX_ROWS=3" in reply.json["message"]
    server.stop()
