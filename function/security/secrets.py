"""Which values of the environment are secret, in every spelling that may turn up in a text.

A password in a URL is read leniently: MLflow takes URLs that no parser would, and a slash or an @
in a password is no reason to print it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

SHORTEST = 4
"""Of fewer letters a value is only hidden where it stands as a credential: "pw" is everywhere."""

# Parts of a variable's name that make it a secret, and last parts that make it the place of one.
# No patterns: these are for every variable of every cold start.
_SECRET_PARTS = frozenset(
    ("PASS", "PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN", "TOKENS")
    + ("KEY", "KEYS", "APIKEY", "APIKEYS", "CREDENTIAL", "CREDENTIALS", "SAS", "SIG", "SIGNATURE")
    + ("AUTH", "AUTHORIZATION", "COOKIE", "HEADERS", "JWT", "PGPASSWORD")
)
_PLACE_PARTS = frozenset(("FILE", "PATH", "DIR", "FOLDER", "SOCK", "TYPE", "EXPIRATION", "MODE"))
_ADDRESS_PARTS = frozenset(("URI", "URL", "DSN", "PROXY", "ENDPOINT", "HOST", "SERVER"))
_SECRET_NAMES = ("MLFLOW_TRACKING_USERNAME", "AZURE_STORAGE_CONNECTION_STRING")
_OPEN_NAMES = (
    *("PWD", "GOOGLE_APPLICATION_CREDENTIALS", "AUTH", "AUTH_OPEN_PATHS", "API_KEYS_FILE"),
    *("JWT_JWKS", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_LEEWAY_SECONDS"),
)

_SECRET_KEYS = (
    *("pass", "pwd", "secret", "token", "cred", "cookie", "sas", "sig", "key", "auth"),
    *("session", "jwt", "code"),
)
_HARMLESS_KEYS = ("endpoint", "protocol", "suffix", "name", "host", "server", "user", "port")
_NO_CREDENTIALS = ("models", "runs", "file", "dbfs", "s3", "gs", "mlflow-artifacts")
_PAIR = r"[?&#;,]([\w.-]+)=([^&#;,\s]+)"
_JSON_PAIR = r'"([\w.-]+)"\s*:\s*("(?:[^"\\]|\\.)*")'
_LONG_RANDOM = r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=_.~%-]{24,}"


def secret_values(environ: Mapping[str, str], addresses: Iterable[str]) -> set[str]:
    """Every spelling of every secret in the environment, and in the ``addresses`` given."""
    found: set[str] = set()
    for name, value in environ.items():
        parts = name.upper().split("_")
        if _is_secret(name, parts):
            found.update(_of_secret(value))
        if "://" in value or not _ADDRESS_PARTS.isdisjoint(parts):
            found.update(_of_address(value))
    for value in addresses:
        found.update(_of_address(value))
    user, password = (environ.get(f"MLFLOW_TRACKING_{of}") for of in ("USERNAME", "PASSWORD"))
    if user and password:
        found.update(_base64(f"{user}:{password}"))
    return {spelling for value in found for spelling in _spellings(value)}


def _is_secret(name: str, parts: list[str]) -> bool:
    if name in _OPEN_NAMES or parts[-1] in _PLACE_PARTS:
        return False
    named = not _SECRET_PARTS.isdisjoint(parts) or parts[-1].endswith("PASSWORD")
    return named or name.upper() in _SECRET_NAMES


def open_text(address: str) -> str:
    """An address without what may be secret in it."""
    if "://" in address or _scheme(address) not in _NO_CREDENTIALS:
        address = address.rpartition("@")[2]
    return re.split("[?#]", address)[0]


def _of_secret(value: str) -> Iterator[str]:
    """A variable that is a secret, and the parts of one that is several: keys, a key file."""
    value = value.strip()
    yield value
    parts = [part for part in re.split(r"[,;\s]+", value) if part != value]
    yield from (part for part in parts if len(part) >= 2 * SHORTEST and "=" not in part)
    for part in [*parts, value]:
        key, right = re.split("[:=]", f"{part}=", maxsplit=1)
        right = right.removesuffix("=")
        if right.strip("=") and not _says(key, _HARMLESS_KEYS):
            yield right
    yield from _of_query(value)
    for key, quoted in re.findall(_JSON_PAIR, value):
        if _says(key, _SECRET_KEYS):
            yield from _of_secret(json.loads(quoted, strict=False))


def _of_address(address: str) -> Iterator[str]:
    """Passwords before the @ and values of the query; of a profile or a name nothing."""
    scheme, slashes, rest = address.strip().partition("://")
    if not slashes:
        rest = "" if _scheme(address) in _NO_CREDENTIALS else scheme
    ends = {at.start() for at in re.finditer("@", rest)}
    for userinfo in {rest[:end] for end in ends and {min(ends), max(ends)}}:
        user, colon, password = userinfo.partition(":")
        if colon:
            from urllib.parse import unquote

            yield from _as_parsers_cut(password)
            yield from _base64(f"{unquote(user)}:{unquote(password)}")
        elif slashes and "/" not in user and not re.match(r"[^@]*@databricks\b", rest):
            yield user  # a token by itself
    yield from _of_query(address)


def _says(key: str, words: Iterable[str]) -> bool:
    return any(word in key.lower() for word in words)


def _scheme(address: str) -> str:
    return address.partition(":")[0].lower()


def _as_parsers_cut(password: str) -> Iterator[str]:
    """The password, and what is left of it where a parser takes its / or @ for the URL's own."""
    yield password
    for cut in re.finditer("[/@?#]", password):
        yield password[: cut.start()]
        yield password[cut.end() :]
    yield from re.split("[/@?#]", password)


def _of_query(address: str) -> Iterator[str]:
    if "=" not in address:
        return
    for key, value in re.findall(_PAIR, address):
        if _says(key, _SECRET_KEYS) or re.fullmatch(_LONG_RANDOM, value):
            yield value


def _spellings(value: str) -> Iterator[str]:
    """As it is and decoded; quoted for URLs, for Python and for JSON; in base64."""
    from urllib.parse import quote, quote_plus, unquote  # a tenth of a start without secrets

    for plain in {value, unquote(value), value.rstrip("=")}:
        for quoted in (quote(plain, safe=""), quote(plain), quote_plus(plain)):
            yield quoted
            yield re.sub("%..", lambda code: code[0].lower(), quoted)
        yield from (plain, repr(plain)[1:-1], json.dumps(plain)[1:-1])
        if len(plain) >= SHORTEST:
            yield from _base64(plain)


def _base64(plain: str) -> Iterator[str]:
    from base64 import b64encode, urlsafe_b64encode

    for encode in (b64encode, urlsafe_b64encode):
        yield encode(plain.encode("utf-8", "surrogateescape")).decode().rstrip("=")
