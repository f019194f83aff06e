"""AUTH=jwt: tokens that an issuer has signed, and every known way to forge one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from function.errors import InvalidSetting, ServiceError, Unauthorized
from function.security import jwks
from function.security.access import Access
from function.security.tokens import MOST_TOKEN_BYTES, Tokens, configured
from tests.doors import ROOT, start_door
from tests.processes import LiveServer, QuietHandler, on_loopback

PAUSE_SECONDS = 1.0
"""Between two fetches of the doors; by themselves they wait for longer."""
ISSUER, AUDIENCE = "https://issuer.example.com/", "sentiment"
TEXT = {"text": "This product is amazing!"}
PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
OTHER = rsa.generate_private_key(65537, 2048)


def public(algorithm: str, key: Any, **more: str) -> dict[str, Any]:
    """The key as an entry of a key set, named by its algorithm."""
    writer = jwt.get_algorithm_by_name(algorithm)
    entry: dict[str, Any] = writer.to_jwk(key.public_key(), as_dict=True)
    return {"kid": algorithm, "use": "sig", **entry, **more}


KEY_SET = {"keys": [public(name, key) for name, key in PRIVATE.items()]}


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "client-7", "scope": "openid predict"}
    found = {**said, "iat": now, "nbf": now - 5, "exp": now + 3600, **changes}
    return {name: value for name, value in found.items() if value is not None}


def token(algorithm: str = "RS256", key: Any = None, header: Any = None, **changes: Any) -> str:
    headers = {"kid": algorithm, **(header or {})}
    return jwt.encode(claims(**changes), key or PRIVATE[algorithm], algorithm, headers=headers)


def unsigned(header: dict[str, Any], payload: Any, signature: bytes = b"") -> str:
    """Put together by hand, since a library refuses to."""
    parts = [json.dumps(part).encode() for part in (header, payload)] + [signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KEY_SET))
    return path


@pytest.fixture
def tokens(key_file: Path) -> Tokens:
    return configured(str(key_file), ISSUER, AUDIENCE, 0.0, print)


def asked_with(given: str) -> dict[str, str]:
    return {"authorization": f"Bearer {given}"}


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_token_of_each_algorithm_is_taken(tokens: Tokens, algorithm: str) -> None:
    caller = tokens.caller(asked_with(token(algorithm)))
    assert (caller.scopes, caller.fields) == ({"predict"}, {"subject": "client-7"})


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        ({"scope": "predict admin"}, {"predict", "admin"}),
        ({"scope": None, "scp": ["admin", 3, "other"]}, {"admin"}),
        ({"scope": None, "scp": "predict"}, {"predict"}),
        ({"scope": "predictable administrator"}, set()),
        ({"scope": "predict\u00a0admin"}, set()),
        ({"scope": "predict", "exp": 10**400}, {"predict"}),
        ({"scope": None}, set()),
        ({"scope": {"predict": 1}}, set()),
    ],
)
def test_scopes_are_read_as_issuers_write_them(
    tokens: Tokens, said: dict[str, Any], scopes: set[str]
) -> None:
    assert tokens.caller(asked_with(token(**said))).scopes == scopes


def forged() -> Iterator[tuple[str, str]]:
    """Tokens that must not be taken, by what is wrong with them."""
    now, rsa_key = int(time.time()), PRIVATE["RS256"]
    pem = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "expired", token(exp=now - 1)
    yield "expires never", token(exp=None)
    yield "expires at infinity", unsigned({"alg": "none"}, {**claims(), "exp": 1e999})
    yield "not valid yet", token(nbf=now + 3000)
    yield "another audience", token(aud="another")
    yield "no audience", token(aud=None)
    yield "another issuer", token(iss="https://issuer.example.com")
    yield "no issuer", token(iss=None)
    yield "another key under a known id", token("RS256", key=OTHER)
    yield "an unknown id", token(header={"kid": "RS257"})
    yield "no id", token(header={"kid": ""})
    yield "another algorithm of the same key", token("RS512", key=rsa_key, header={"kid": "RS256"})
    yield "one algorithm under another's id", token("ES256", header={"kid": "RS256"})
    for name in ("none", "None", "NONE", ""):
        yield f"algorithm {name!r}", unsigned({"alg": name, "kid": "RS256"}, claims())
    for secret in (pem, pem.strip(), json.dumps(KEY_SET["keys"][0]).encode()):
        head = {"alg": "HS256", "kid": "RS256", "typ": "JWT"}
        content = unsigned(head, claims()).rpartition(".")[0]
        mac = hmac.digest(secret, content.encode(), hashlib.sha256)
        signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
        yield f"HMAC with a public key of {len(secret)} bytes", f"{content}.{signature}"
    own = public("RS256", OTHER)
    yield "a key of its own in the header", token("RS256", key=OTHER, header={"jwk": own})
    yield (
        "an address of keys in the header",
        token("RS256", key=OTHER, header={"jku": "http://127.0.0.1:9/keys"}),
    )
    head, body, signature = token().split(".")
    yield "another signature's end", f"{head}.{body}.{signature[:-8]}AAAAAAAA"
    yield "no signature", f"{head}.{body}."
    changed = json.dumps(claims(scope="admin")).encode()
    yield "another body", f"{head}.{base64.urlsafe_b64encode(changed).decode()}.{signature}"
    yield "unknown critical header", token(header={"crit": ["exp2"], "exp2": 1})
    yield "two parts", f"{head}.{body}"
    yield "five parts", f"{head}.{body}.{signature}.a.b"
    yield "no token", "hello"
    yield "dots", ".."
    yield "not ASCII", f"{head}.{body}.{signature}\u00e9"
    yield "a body that is no object", unsigned({"alg": "RS256", "kid": "RS256"}, [1, 2], b"x")
    yield "an id that is no text", unsigned({"alg": "RS256", "kid": {"a": 1}}, claims(), b"x")
    yield "oversized", token(sub="x" * MOST_TOKEN_BYTES)
    yield "deep", unsigned({"alg": "RS256", "kid": "RS256", "x": 1}, claims(), b"x" * 7000)


FORGED = dict(forged())


@pytest.mark.parametrize("what", FORGED)
def test_a_token_that_is_not_right_is_refused(tokens: Tokens, what: str) -> None:
    for _ in range(2):  # nor the second time
        with pytest.raises(Unauthorized) as caught:
            tokens.caller(asked_with(FORGED[what]))
        assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
        assert FORGED[what] not in str(caught.value)
    assert tokens.must_wait(asked_with(FORGED[what])) is False


def test_why_a_token_is_refused_is_said_where_it_helps(tokens: Tokens) -> None:
    for what, told in {
        "expired": "expired",
        "another audience": "audience",
        "another issuer": "issuer",
        "an unknown id": "not known",
        "oversized": str(MOST_TOKEN_BYTES),
    }.items():
        with pytest.raises(Unauthorized, match=told):
            tokens.caller(asked_with(FORGED[what]))


def test_a_token_that_is_known_ends_when_it_expires_all_the_same(tokens: Tokens) -> None:
    soon = token(exp=int(time.time()) + 1)
    assert tokens.caller(asked_with(soon)).scopes == {"predict"}
    time.sleep(1.2)
    with pytest.raises(Unauthorized, match="expired"):
        tokens.caller(asked_with(soon))


def test_clocks_may_differ_by_the_leeway(key_file: Path) -> None:
    tolerant = configured(str(key_file), ISSUER, AUDIENCE, 30.0, print)
    assert tolerant.caller(asked_with(token(exp=int(time.time()) - 5))).scopes == {"predict"}
    with pytest.raises(Unauthorized):
        tolerant.caller(asked_with(token(exp=int(time.time()) - 40)))


def test_keys_that_are_for_something_else_verify_nothing(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    wide = ec.generate_private_key(ec.SECP384R1())
    secret = {"kty": "oct", "kid": "HS256", "k": base64.urlsafe_b64encode(b"s" * 32).decode()}
    unfit = [
        public("RS256", OTHER, kid="enc", use="enc"),
        public("RS256", OTHER, kid="other", alg="PS256"),
        public("RS256", weak, kid="weak"),
        public("ES384", wide, kid="wide"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        secret,
    ]
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps({"keys": [*unfit, public("RS256", PRIVATE["RS256"])]}))
    found = configured(str(path), ISSUER, AUDIENCE, 0.0, print)
    assert found.caller(asked_with(token())).scopes == {"predict"}
    for key, algorithm, name in (
        *((OTHER, "RS256", "enc"), (OTHER, "PS256", "other"), (wide, "ES384", "wide")),
        ("s" * 32, "HS256", "HS256"),
    ):
        with pytest.raises(Unauthorized):
            found.caller(asked_with(token(algorithm, key=key, header={"kid": name})))


class Issuer:
    """A server of keys on loopback, which can change, fail and drip."""

    def __init__(self) -> None:
        self.content = json.dumps(KEY_SET).encode()
        self.status = 200
        self.pause_seconds = 0.0
        self.hangs_seconds = 0.0
        self.asked = 0
        self.url = ""


@contextmanager
def serving(issuer: Issuer) -> Iterator[Issuer]:
    ended = threading.Event()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            ended.wait(issuer.hangs_seconds)
            self.send_response(issuer.status)
            self.end_headers()
            for byte in issuer.content if issuer.pause_seconds else [issuer.content]:
                time.sleep(issuer.pause_seconds)
                try:
                    self.wfile.write(bytes([byte]) if isinstance(byte, int) else byte)
                except OSError:
                    return

    with on_loopback(Handler) as url:
        issuer.url = f"{url}/keys"
        yield issuer
        ended.set()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving(Issuer()) as found:
        yield found


Start = Callable[..., LiveServer]


@pytest.fixture
def start(compiled_folder: Path, tmp_path: Path, issuer: Issuer) -> Iterator[Start]:
    """Start a door that asks the issuer for its keys."""
    settings = {"AUTH": "jwt", "JWT_JWKS": issuer.url}
    expected = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE}
    patched = f"from function.security import jwks\njwks.PAUSE_SECONDS = {PAUSE_SECONDS}\n"
    (tmp_path / "sitecustomize.py").write_text(patched)
    settings["PYTHONPATH"] = f"{tmp_path}:{ROOT}"
    started: list[LiveServer] = []

    def start_one(name: str, **more: str) -> LiveServer:
        given = {**settings, **expected, **more}
        started.append(start_door(name, compiled_folder, tmp_path, **given))
        return started[-1]

    yield start_one
    for server in started:
        server.stop()


def status_of(server: LiveServer, given: str) -> int:
    return server.request("/predict", TEXT, headers={"Authorization": f"Bearer {given}"}).status


@pytest.mark.parametrize("name", ["functions-framework", "serve"])
def test_keys_come_from_the_issuer_and_a_new_one_is_found_at_once(
    start: Start, issuer: Issuer, name: str
) -> None:
    server = start(name)
    good = token()
    assert [status_of(server, good), status_of(server, token("ES256"))] == [200, 200]
    assert status_of(server, token(scope="admin")) == 403
    assert status_of(server, FORGED["another key under a known id"]) == 401
    assert server.request("/health/ready").status == 200
    time.sleep(PAUSE_SECONDS)
    issuer.content = json.dumps({"keys": [public("RS256", OTHER, kid="new")]}).encode()
    assert status_of(server, token("RS256", key=OTHER, header={"kid": "new"})) == 200
    assert status_of(server, good) == 401  # its key is gone
    before, started = issuer.asked, time.monotonic()
    invented = [status_of(server, token(header={"kid": f"k{n}"})) for n in range(20)]
    pauses = int((time.monotonic() - started) / PAUSE_SECONDS)
    assert invented == [401] * 20 and issuer.asked - before <= 1 + pauses
    record = [item for item in server.records() if item.get("subject")][-1]
    assert record["subject"] == "client-7"


@pytest.mark.parametrize("name", ["functions-framework", "serve"])
def test_strangers_with_keys_of_their_own_stop_no_probe_and_no_scrape(
    start: Start, issuer: Issuer, name: str
) -> None:
    server = start(name, AUTH_OPEN_PATHS="/metrics", MAX_CONCURRENCY="8")
    good = token()
    assert status_of(server, good) == 200
    time.sleep(PAUSE_SECONDS)
    issuer.hangs_seconds = 20.0
    invented = [token(header={"kid": f"k{number}"}) for number in range(40)]
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(status_of, server, one) for one in invented]
        time.sleep(0.5)
        for _ in range(5):
            started = time.monotonic()
            assert server.request("/health/live").status == 200
            assert server.request("/metrics").status == 200
            assert status_of(server, good) == 200
            assert time.monotonic() - started < 2
        assert {one.result() for one in asked} <= {401, 503}


def test_a_fetch_that_never_ends_is_given_up_and_another_finds_the_key(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.3)
    issuer.hangs_seconds = 2.0
    found = configured(issuer.url, ISSUER, AUDIENCE, 0.0, print)
    started = time.monotonic()
    found.wait({})
    assert time.monotonic() - started < 1
    issuer.hangs_seconds = 0.0
    time.sleep(0.2)
    assert found.must_wait(asked_with(token()))
    found.wait({})
    assert found.caller(asked_with(token())).scopes == {"predict"}


def test_an_issuer_that_drips_holds_up_nobody_else(start: Start, issuer: Issuer) -> None:
    issuer.pause_seconds = 0.5
    server = start("serve")
    replies: list[int] = []
    waiting = threading.Thread(target=lambda: replies.append(status_of(server, token())))
    waiting.start()
    time.sleep(0.3)
    started = time.monotonic()
    assert server.request("/health/live").status == 200
    assert server.request("/predict", TEXT).status == 401
    assert time.monotonic() - started < 1
    waiting.join()
    assert replies == [503]
    issuer.pause_seconds = 0.0
    time.sleep(PAUSE_SECONDS)
    assert status_of(server, token()) == 200
    told = [item["message"] for item in server.records() if "JWT_JWKS" in item["message"]]
    assert told == [
        "JWT_JWKS is an http:// URL: whoever is on the way can hand in keys",
        "the keys that verify tokens cannot be fetched from JWT_JWKS: no answer in time",
    ]


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b"{}"),
        (200, b"not json"),
        (200, b'{"keys": []}'),
        (200, b"[]"),
        (200, b'{"keys": "x"}'),
        (200, b" " * (jwks.MOST_BYTES + 1)),
    ],
)
def test_while_the_issuer_is_away_or_answers_nonsense_the_keys_that_were_there_hold(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, status: int, content: bytes
) -> None:
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.05)
    told: list[str] = []
    found = configured(issuer.url, ISSUER, AUDIENCE, 0.0, told.append)
    found.wait({})
    assert found.caller(asked_with(token())).scopes == {"predict"}
    issuer.status, issuer.content = status, content
    for _ in range(2):
        time.sleep(0.1)
        unknown = asked_with(token(header={"kid": "unknown"}))
        assert found.must_wait(unknown)
        found.wait(unknown)
    assert found.caller(asked_with(token("EdDSA"))).scopes == {"predict"}
    assert len(told) == 1 and issuer.asked == 3
    monkeypatch.setattr(jwks, "MOST_STALE_SECONDS", 0.0)
    with pytest.raises(ServiceError) as caught:
        found.caller(asked_with(token()))
    assert caught.value.status == 503 and "Retry-After" in caught.value.headers


def test_a_file_of_keys_may_change(
    key_file: Path, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = token()
    assert tokens.caller(asked_with(good)).scopes == {"predict"}
    key_file.write_text(json.dumps({"keys": [public("RS256", OTHER)]}))
    monkeypatch.setattr("function.security.watched.LOOK_SECONDS", 0.0)
    with pytest.raises(Unauthorized):
        tokens.caller(asked_with(good))
    assert tokens.caller(asked_with(token(key=OTHER))).scopes == {"predict"}


@pytest.mark.parametrize("text", ["[" * 200_000, "", "{}", '{"keys": [[]]}', '{"keys": 1}'])
def test_a_file_that_is_no_key_set_is_a_bad_setting(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match="JWT_JWKS"):
        configured(str(path), ISSUER, AUDIENCE, 0.0, print)


def test_what_is_open_takes_any_token_or_none(tokens: Tokens) -> None:
    access = Access(tokens, "/metrics")
    ask: Callable[..., Any] = access.caller
    for headers in ({}, asked_with(FORGED["expired"])):
        assert ask("/metrics", None, headers).fields == {}
        assert not access.must_wait("/health/live", None, headers)
