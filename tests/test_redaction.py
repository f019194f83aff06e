"""Secrets leave the process in no form: not in logs, answers, or a command line's output."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest

from function.security.redaction import Redaction
from tests.conftest import ROOT, AppFactory, clean_environ
from tests.fronts import front
from tests.processes import Reply, free_port
from tests.registry import NAME, Registry
from tests.warm import run_python

HARD = "p@ss/w%rd'\"+:#?"
ENCODED = quote(HARD, safe="")

# What is in the environment, and every spelling of the secret in it.
FORMS: list[tuple[dict[str, str], list[str]]] = [
    ({"MLFLOW_TRACKING_URI": "http://user:hunter2@{host}"}, ["hunter2"]),
    ({"MLFLOW_TRACKING_URI": "http://user:pa/ss/word@{host}"}, ["pa/ss/word", "ss/word"]),
    ({"MLFLOW_TRACKING_URI": "http://user:p@ss@word@{host}"}, ["p@ss@word", "ss@word"]),
    ({"MLFLOW_TRACKING_URI": "http://user:12/34@5678@{host}"}, ["12/34@5678", "34@5678"]),
    ({"MLFLOW_TRACKING_URI": f"http://user:{ENCODED}@{{host}}"}, [HARD, ENCODED]),
    ({"MLFLOW_TRACKING_URI": "http://glpat-0a1b2c3d@{host}"}, ["glpat-0a1b2c3d"]),
    ({"MLFLOW_TRACKING_URI": "user:hunter2@{host}"}, ["hunter2"]),
    ({"MLFLOW_TRACKING_URI": "http://{host}/?token=hunter2&x=1"}, ["hunter2"]),
    ({"MLFLOW_TRACKING_URI": "http://{host}/#access_token=hunter2"}, ["hunter2"]),
    ({"MLFLOW_TRACKING_URI": "postgresql://user:hunter2@{host}/mlflow"}, ["hunter2"]),
    (
        {
            "MODEL_URI": "https://{host}/model?X-Amz-Credential=AKIAEXAMPLE%2F2026"
            "&X-Amz-Signature=5f2b9c&X-Amz-Security-Token=IQoJb3"
        },
        ["AKIAEXAMPLE/2026", "5f2b9c", "IQoJb3"],
    ),
    (
        {"MODEL_URI": "https://{host}/c/model?sv=2022-11-02&sp=r&sig=aB%2FcD%3D"},
        ["aB%2FcD%3D", "aB/cD="],
    ),
    ({"MODEL_URI": "s3://AKIAEXAMPLE:wJalr/XUtnFEMI@bucket/model"}, ["wJalr", "XUtnFEMI"]),
    ({"MLFLOW_TRACKING_TOKEN": "dapi0123456789"}, ["dapi0123456789"]),
    (
        {"MLFLOW_TRACKING_USERNAME": "michaela", "MLFLOW_TRACKING_PASSWORD": "hunter2"},
        ["michaela", "hunter2", "michaela:hunter2"],
    ),
    ({"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"}, ["wJalrXUtnFEMI/K7MDENG"]),
    ({"AWS_SESSION_TOKEN": "IQoJb3JpZ2lu"}, ["IQoJb3JpZ2lu"]),
    (
        {
            "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=reviews;"
            "AccountKey=Eby8vdM02xNOcqF==;EndpointSuffix=core.windows.net"
        },
        ["Eby8vdM02xNOcqF"],
    ),
    ({"AZURE_STORAGE_SAS_TOKEN": "sv=2022-11-02&sig=aB%2FcDeF"}, ["aB%2FcDeF", "aB/cDeF"]),
    ({"DATABRICKS_TOKEN": "dapi-9876"}, ["dapi-9876"]),
    ({"HTTPS_PROXY": "http://proxy:hunter2@10.0.0.1:3128"}, ["hunter2"]),
    ({"API_KEYS": "alice=k3y-one-1,bob=k3y-two-2"}, ["k3y-one-1", "k3y-two-2"]),
    (
        {"GOOGLE_CREDENTIALS": json.dumps({"type": "x", "private_key": "-----\nMIIEvQIBADAN\n-"})},
        ["MIIEvQIBADAN"],
    ),
    ({"DB_PASS": "hunter2"}, ["hunter2"]),
]


def spellings(secret: str) -> list[str]:
    plain = b64encode(secret.encode()).decode().rstrip("=")
    return [secret, quote(secret, safe=""), quote(secret), plain, repr(secret)[1:-1]]


@pytest.mark.parametrize(("environ", "secrets"), FORMS, ids=[str(n) for n in range(len(FORMS))])
def test_a_secret_is_hidden_in_every_spelling(environ: dict[str, str], secrets: list[str]) -> None:
    given = {name: value.replace("{host}", "mlflow.example.com") for name, value in environ.items()}
    redact = Redaction({"PATH": "/usr/bin", "PWD": "/home", **given})
    for secret in secrets:
        for text in spellings(secret):
            for said in (f"before {text} after", f"({text})", f"http://x/{text}?a", f"{given}"):
                assert text not in redact(said), (text, redact(said))
    for value in given.values():
        assert not any(secret in redact(f"cannot reach {value}") for secret in secrets)


@pytest.mark.parametrize(
    "said",
    [
        "GET mlflow/model-versions/get: 404",
        'File "/usr/lib/python3/site-packages/mlflow/client.py", line 1234, in get',
        "models:/team@reviews@champion",
        "http://mlflow:5000/#/models/team@reviews",
        "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
        "Basic authentication is not enough; the bearer is unknown",
        "admin of reviews, pw 1234 in 12345 ms, attempt 5000: true",
        "sqlite:///mlflow.db",
    ],
)
def test_ordinary_words_and_short_values_leave_the_logs_readable(said: str) -> None:
    redact = Redaction(
        {
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "MODEL_URI": "models:/reviews@champion",
            "MLFLOW_TRACKING_USERNAME": "reviews",
            "MLFLOW_TRACKING_PASSWORD": "mlflow",
            "DB_PASSWORD": "pw",
            "PIN_SECRET": "1234",
            "X_TOKEN": "true",
            "PWD": "/usr/lib",
            "TOKENIZERS_PARALLELISM": "false",
            "SSH_AUTH_SOCK": "/tmp/python3",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/usr/lib/python3",
        }
    )
    assert redact(said) == said
    shown = redact("http://me:mlflow@mlflow:5000 password=pw&sig=1234 {'token': 'pw'}")
    assert shown == "http://***@mlflow:5000 password=***&sig=*** {'token': '***'}"


def test_what_becomes_json_is_redacted_at_every_depth() -> None:
    redact = Redaction({"TOKEN": 'a"b\\c-secret'})
    value = {
        "a": ['x a"b\\c-secret', {"b": ('a"b\\c-secret', 3, None, 1.5, True)}],
        "path": Path("x"),
    }
    assert redact.of(value) == {"a": ["x ***", {"b": ["***", 3, None, 1.5, True]}], "path": "x"}


@pytest.mark.parametrize(("environ", "secrets"), FORMS[:15], ids=[str(n) for n in range(15)])
def test_a_failed_load_tells_no_secret_to_clients_or_logs(
    create_app: AppFactory,
    capsys: pytest.CaptureFixture[str],
    environ: dict[str, str],
    secrets: list[str],
) -> None:
    host = f"127.0.0.1:{free_port()}"
    given = {name: value.replace("{host}", host) for name, value in environ.items()}
    client = create_app(
        **{"MLFLOW_TRACKING_URI": f"http://{host}", "MODEL_URI": "models:/reviews/1", **given}
    )
    reply = client.post("/predict", json={"text": "x"})
    assert reply.status_code == 503
    ready = client.get("/health/ready")
    captured = capsys.readouterr()
    assert '"stack_trace"' in captured.out
    for said in (reply.text, ready.text, captured.out, captured.err):
        assert not any(text in said for secret in secrets for text in spellings(secret))


@pytest.mark.parametrize("status", [400, 403, 404, 500])
@pytest.mark.parametrize("through_mlflow", [False, True])
def test_what_a_registry_says_is_for_the_log_only(
    create_app: AppFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    through_mlflow: bool,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "dapi0123456789")
    if through_mlflow:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = {"error_code": "INTERNAL_ERROR", "message": "db.internal said: dapi0123456789"}
    with front("http://127.0.0.1:1", lambda _: Reply(status, {}, json.dumps(said).encode())) as it:
        client = create_app(MLFLOW_TRACKING_URI=it.url, MODEL_URI=f"models:/{NAME}/1")
        reply = client.post("/predict", json={"text": "x"})
    assert reply.status_code == 503
    assert "db.internal" not in reply.text and "127.0.0.1" not in reply.text
    output = capsys.readouterr().out
    if status != 500:  # of which mlflow keeps the number only
        assert "db.internal said: ***" in output
    assert "dapi0123456789" not in output


def test_models_info_and_libraries_show_no_secret(
    create_app: AppFactory,
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2-and-more")
    mlflow.set_tracking_uri(registry.tracking_uri)
    folder = mlflow.artifacts.download_artifacts(f"models:/{registry.model_id}")
    uri = f"file://{folder}?sig=aBcDeF123"
    client = create_app(MODEL_URI=uri, MLFLOW_TRACKING_URI=registry.tracking_uri)
    info = client.get("/models/info")
    assert info.json["model_uri"] == f"file://{folder}?sig=***"
    logging.getLogger("some.library").warning("login with %s", {"x": "hunter2-and-more"})
    try:
        raise ValueError("hunter2-and-more")
    except ValueError:
        logging.getLogger("some.library").exception("it broke")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("hunter2-and-more", stacklevel=1)
    captured = capsys.readouterr()
    assert captured.out.count("***") >= 4
    assert "hunter2" not in captured.out + captured.err
    assert "aBcDeF123" not in captured.out + info.text


@pytest.mark.parametrize(
    "command",
    [
        ["function.compile", "models:/reviews/1", "--output", "{out}"],
        ["function.compile", "https://u:hunter2@127.0.0.1:1/m?sig=hunter2", "--output", "{out}"],
        ["function.demo"],
        ["function.serve"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_line_prints_no_secret(tmp_path: Path, command: list[str]) -> None:
    environ = {
        **clean_environ(),
        "MLFLOW_TRACKING_URI": "nosuch://user:hunter2@127.0.0.1:1",
        "PYTHONPATH": str(ROOT),
    }
    if command == ["function.serve"]:
        environ["PORT"] = "hunter2"
        environ["SOME_PASSWORD"] = "hunter2"
    given = [part.format(out=tmp_path / "out") for part in command]
    ended = run_python(["-m", *given], tmp_path, environ)
    assert ended.returncode == 1
    assert "***" in ended.stderr + ended.stdout
    assert "hunter2" not in ended.stderr + ended.stdout


def test_a_usual_environment_costs_a_cold_start_next_to_nothing() -> None:
    started = time.perf_counter()
    redact = Redaction(dict(os.environ))
    redact("model load started")
    assert time.perf_counter() - started < 0.05
