"""AUTH=api-key at both doors: who may ask what, and what everybody else is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from function.errors import InvalidSetting, Unauthorized
from function.http.routes import ROUTES
from function.security.access import Access
from function.security.apikeys import ApiKeys
from function.security.watched import LOOK_SECONDS
from tests.conftest import ROOT, modules_after
from tests.doors import start_door
from tests.processes import LiveServer, Reply

TEXT = {"text": "This product is amazing!"}
WEBHOOK_SECRET = "webhook-s3cret"


def entry(name: str, key: str, scopes: str = "") -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{name}:{digest}:{scopes}" if scopes else f"{name}:{digest}"


KEYS = ",".join(
    [
        entry("app", "key of the app"),
        entry("app", "next key of the app", "predict"),
        entry("deployer", "key-of-the-deployer", "admin"),
        entry("both", "key-of-both", "predict+admin"),
    ]
)


@pytest.fixture(scope="module", params=["functions-framework", "serve"])
def server(
    request: pytest.FixtureRequest, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("access")
    server = start_door(
        *(request.param, compiled_folder, folder),
        AUTH="api-key",
        API_KEYS=KEYS,
        AUTH_OPEN_PATHS="/metrics, /models/*",
        WEBHOOK_SECRET=WEBHOOK_SECRET,
    )
    yield server
    server.stop()


def predict(server: LiveServer, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request("/predict", TEXT, headers=named)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_API_Key": "key of the app"},
        {"X_API_Key": "next key of the app"},
        {"Authorization": "Bearer key of the app"},
        {"Authorization": "bearer key-of-both"},
    ],
)
def test_a_known_key_is_let_in_however_it_is_sent(
    server: LiveServer, headers: dict[str, str]
) -> None:
    assert predict(server, **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_API_Key": ""},
        {"Authorization": "Basic a2V5"},
        {"Authorization": "Bearer"},
        {"Authorization": "key-of-both"},
    ],
)
def test_who_says_nothing_is_asked_who_it_is(server: LiveServer, headers: dict[str, str]) -> None:
    reply = predict(server, **headers)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="sentiment"'
    assert "X-API-Key" in reply.json["detail"]


@pytest.mark.parametrize(
    "key",
    [
        "wrong",
        "key of the ap",
        "key of the appp",
        "app",
        hashlib.sha256(b"key of the app").hexdigest(),
        entry("app", "key of the app"),
        "key of the app, key of the app",
        "x" * 8000,
        "k\u00e9y",
    ],
)
def test_an_unknown_key_is_refused_and_never_told_back(server: LiveServer, key: str) -> None:
    reply = predict(server, X_API_Key=key)
    assert reply.status == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    assert key not in reply.body.decode() or key == "app"


def test_a_key_without_the_scope_is_forbidden_and_told_which(server: LiveServer) -> None:
    reply = predict(server, X_API_Key="key-of-the-deployer")
    assert reply.status == 403
    assert 'error="insufficient_scope", scope="predict"' in reply.headers["WWW-Authenticate"]
    key = {"X-API-Key": "key of the app"}
    reply = server.request("/models/refresh", {}, headers=key)
    assert (reply.status, "scope admin" in reply.json["detail"]) == (403, True)
    for name in ("key-of-the-deployer", "key-of-both"):
        assert server.request("/models/refresh", {}, headers={"X-API-Key": name}).status == 200


@pytest.mark.parametrize("path", ["/health", "/health/live", "//health//ready/"])
def test_probes_need_no_key(server: LiveServer, path: str) -> None:
    server.request("/predict", TEXT, headers={"X-API-Key": "key of the app"})
    assert server.request(path).status == 200


def test_paths_may_be_opened_but_no_pattern_opens_what_takes_admin(server: LiveServer) -> None:
    assert server.request("/metrics").status == 200
    assert server.request("/models/info").status == 200
    assert server.request("/models/refresh", {}).status == 401


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere", "/healthy", "/metrics/x", "/.."])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_what_is_not_open_says_nothing_without_a_key(
    server: LiveServer, path: str, method: str
) -> None:
    data = b"{}" if method == "POST" else None
    status = server.request(path, data=data, method=method).status
    is_open = path.startswith(("/health", "/metrics", "/models/info")) and path in ROUTES
    is_open |= path == "/models/refresh" and method != "POST"  # there is nothing to ask
    is_open |= path in ("/docs", "/redoc", "/pages/{file}") and method in ("GET", "HEAD")
    assert (status == 401) is not is_open


def test_the_log_names_the_key_by_its_id_and_nothing_else_of_it(server: LiveServer) -> None:
    predict(server, X_API_Key="key of the app")
    predict(server, X_API_Key="key-of-the-deployer")
    predict(server, X_API_Key="some-wrong-key")
    records = [record for record in server.records() if record.get("path") == "/predict"][-3:]
    told = [(record["status"], record.get("key_id")) for record in records]
    assert told == [(200, "app"), (403, "deployer"), (401, None)]
    written = server.output.read_text()
    for secret in ("key of the app", "key-of-the-deployer", "some-wrong-key", KEYS[4:68]):
        assert secret not in written


def test_a_webhook_that_is_signed_needs_no_key(server: LiveServer) -> None:
    def told(secret: str) -> Reply:
        sent_at, body = str(int(time.time())), b'{"a": 1}'
        content = b".".join([b"delivery", sent_at.encode(), body])
        mac = base64.b64encode(hmac.digest(secret.encode(), content, "sha256")).decode()
        headers = {
            "X-MLflow-Signature": f"v1,{mac}",
            "X-MLflow-Delivery-Id": "delivery",
            "X-MLflow-Timestamp": sent_at,
        }
        return server.request("/models/refresh", headers=headers, data=body)

    assert told(WEBHOOK_SECRET).status == 200
    assert told("another").status == 403


def test_a_file_of_keys_is_read_again_when_it_changes(
    compiled_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the app's\n{entry('app', 'old')}\n\n")
    server = start_door("serve", compiled_folder, tmp_path, AUTH="api-key", API_KEYS_FILE=str(file))
    assert predict(server, X_API_Key="old").status == 200
    new = tmp_path / "new"
    new.write_text(f"{entry('app', 'new')}\n")
    os.replace(new, file)
    time.sleep(LOOK_SECONDS + 0.1)
    assert [predict(server, X_API_Key=key).status for key in ("old", "new")] == [401, 200]
    file.write_text("nonsense: not a key\n")
    time.sleep(LOOK_SECONDS + 0.1)
    assert predict(server, X_API_Key="new").status == 200
    file.unlink()
    time.sleep(LOOK_SECONDS + 0.1)
    assert predict(server, X_API_Key="new").status == 200
    told = [record["message"] for record in server.records() if record["severity"] == "ERROR"]
    assert len(told) == 2 and all("API_KEYS_FILE" in words for words in told)
    assert "nonsense" not in server.output.read_text()
    server.stop()


def test_a_file_of_keys_may_begin_with_a_mark_and_no_pipe_holds_up_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("function.security.watched.LOOK_SECONDS", 0.0)
    file, told = tmp_path / "keys", list[str]()
    file.write_text(f"\ufeff{entry('app', 'old')}\r\n", encoding="utf-8")
    keys = ApiKeys("", str(file), told.append)
    file.unlink()
    os.mkfifo(file)
    assert keys.caller({"x-api-key": "old"}).fields == {"key_id": "app"}
    assert len(told) == 1 and "no regular file" in told[0]
    file.unlink()
    file.write_text(f"{entry('app', 'new')}\n" * 20_000)
    assert keys.caller({"x-api-key": "old"}).fields == {"key_id": "app"}
    assert len(told) == 2 and "characters" in told[1]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"AUTH": "api-key"}, "AUTH='api-key' is not valid: expected a key in API_KEYS"),
        (
            {"AUTH": "api-key", "API_KEYS": "app:s3cret-key"},
            "API_KEYS='***' is not valid: expected as entry 1",
        ),
        ({"AUTH": "api-key", "API_KEYS": entry("a", "b", "root")}, "scopes of admin, predict"),
        ({"AUTH": "api-key", "API_KEYS": f"{KEYS},x"}, "expected as entry 5"),
        ({"AUTH": "api-key", "API_KEYS_FILE": "/nowhere"}, "No such file"),
        ({"AUTH": "jwt"}, "JWT_JWKS='' is not valid"),
        ({"AUTH": "jwt", "JWT_JWKS": "/x", "JWT_ISSUER": "i"}, "JWT_AUDIENCE='' is not valid"),
        ({"AUTH": "maybe"}, "AUTH='maybe' is not valid: expected one of none, api-key, jwt"),
        ({"CORS_ALLOW_ORIGINS": "example.com"}, "CORS_ALLOW_ORIGINS='example.com' is not valid"),
    ],
)
@pytest.mark.parametrize("door", ["-m function.serve", "main.py"])
def test_what_cannot_be_meant_stops_the_start_with_one_line(
    compiled_folder: Path, environ: dict[str, str], told: str, door: str
) -> None:
    given = {"PATH": os.environ["PATH"], "COMPILED_MODEL": str(compiled_folder), "PORT": "1"}
    ended = subprocess.run(
        [sys.executable, *door.split()],
        cwd=ROOT,
        env={**given, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert told in ended.stderr and len(ended.stderr.splitlines()) == 1
    assert "s3cret" not in ended.stderr


def test_without_auth_one_warning_says_so_where_others_may_ask(
    compiled_folder: Path, tmp_path: Path
) -> None:
    def warnings(**environ: str) -> list[Any]:
        server = start_door("serve", compiled_folder, tmp_path, **environ)
        assert server.request("/predict", TEXT).status in (200, 401)
        found = [record for record in server.records() if "AUTH=api-key" in record["message"]]
        assert all(record["severity"] == "WARNING" for record in found)
        server.stop()
        return found

    assert len(warnings(HOST="0.0.0.0")) == 1
    assert warnings(HOST="127.0.0.1") == []
    assert len(warnings(HOST="127.0.0.1", API_KEYS=KEYS)) == 1
    assert warnings(HOST="0.0.0.0", AUTH="api-key", API_KEYS=KEYS) == []
    (told,) = warnings(HOST="0.0.0.0", API_KEYS=KEYS)
    assert told["has_no_effect"] == ["API_KEYS"]


def test_nothing_of_it_is_imported_while_it_is_off(compiled_folder: Path) -> None:
    script = (
        "from function.settings import Settings\n"
        "from function.wiring import create_application\n"
        "create_application(Settings.from_environ())\n"
    )
    loaded = modules_after(script, COMPILED_MODEL=str(compiled_folder), HOST="127.0.0.1")
    off = {"access", "apikeys", "cors", "jwks", "tokens", "watched"}
    assert not {f"function.security.{name}" for name in off} & loaded
    assert not {"jwt", "cryptography"} & loaded


def test_a_key_that_is_made_works(compiled_folder: Path) -> None:
    command = [sys.executable, "-m", "function.keys", "new", "mobile-app", "--scope", "admin"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    key, entry = re.findall(r": +(\S+)\n", made)
    assert len(key) > 40 and entry.startswith("mobile-app:") and entry.endswith(":admin")
    caller = ApiKeys(entry, "", print).caller({"x-api-key": key})
    assert (caller.scopes, caller.fields) == ({"admin"}, {"key_id": "mobile-app"})
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert key not in again


@pytest.mark.parametrize("name", ["", "a b", "a:b", "-x", "x" * 65])
def test_an_id_that_is_none_is_refused_in_words(name: str) -> None:
    command = [sys.executable, "-m", "function.keys", "new", "--", name]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2 and "letters, digits" in ended.stderr


def test_every_key_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("function.security.apikeys.compare_digest", compare)
    access = Access(ApiKeys(KEYS, "", print), "")
    access.caller("/predict", "predict", {"x-api-key": "key of the app"})
    with pytest.raises(Unauthorized):
        access.caller("/predict", "predict", {"x-api-key": "none"})
    assert len(compared) == 2 * len(KEYS.split(","))


def test_no_setting_is_shown_with_a_key_in_it() -> None:
    with pytest.raises(InvalidSetting) as caught:
        ApiKeys("app:my-plain-key", "", print)
    assert "my-plain-key" not in str(caught.value)


@pytest.mark.parametrize("paths", ["metrics", "/metrics,models/*", "/mod*ls", "*"])
def test_open_paths_that_open_nothing_are_refused(paths: str) -> None:
    with pytest.raises(InvalidSetting, match="AUTH_OPEN_PATHS=.*paths that begin with /"):
        Access(ApiKeys(KEYS, "", print), paths)
