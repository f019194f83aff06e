"""One kept HTTP connection to an MLflow server, under the settings mlflow's own client follows.

mlflow asks through ``requests``, and takes a second to import. Here the standard library asks,
for the settings it can follow exactly; any other raises NeedsMlflow before anything is sent. So
does every answer but a plain 200: no redirect is followed, so no credential goes to another host.
Followed: https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/rest_utils.py (http_request)
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from importlib.metadata import entry_points
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from function import __version__
from function.errors import ModelLoadError
from function.registry.failures import UNREACHABLE

# mlflow retries an unreachable server for minutes (7 times, back-off doubling from 2 s) while a
# cold request waits. The service retries by itself, so fail soon; an operator's own value wins.
FAIL_SOON = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

# Kubernetes describes each Service to every container so; one named mlflow is no setting.
_SERVICE_LINK = re.compile(
    r"MLFLOW_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)

# What is followed here, or has no part in reading from a server. Any other of mlflow's many
# variables (its certificates, signatures, workspaces, another registry) needs mlflow.
_KNOWN_SETTINGS = {
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_HOST",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_ALLOW_FILE_STORE",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_CONFIGURE_LOGGING",
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_LOGGING_LEVEL",
}
_CREDENTIAL_FILES = ("~/.mlflow/credentials", "~/.netrc", "~/_netrc")
_PLUGINS = {
    "mlflow.request_header_provider",
    "mlflow.artifact_repository",
    "mlflow.tracking_store",
    "mlflow.model_registry_store",
}
_PLAIN_PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9_.-]+)*")
_CHUNK_BYTES = 1024 * 1024


class NeedsMlflow(Exception):
    """Why a model must be loaded through mlflow; nothing in it is secret."""


class Connection:
    """Asks the server at ``tracking_uri``; connects with the first question.

    Every method raises NeedsMlflow where the answer is not a plain one, and ModelLoadError where
    no server answers in time.
    """

    def __init__(self, tracking_uri: str) -> None:
        parts = urlsplit(tracking_uri)
        _refuse_unknown_settings(parts)
        self._prefix = parts.path.removesuffix("/")
        self._headers = {"User-Agent": f"sentiment-function/{__version__}", **_credentials(parts)}
        self._http = _connection(parts)
        self._socket: socket | None = None  # http.client forgets its own before a last answer
        self._hung_up = False

    def close(self) -> None:
        self._http.close()

    def hang_up(self) -> None:
        """From another thread: end the request under way, and let no other begin."""
        self._hung_up = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.shutdown(self._socket, SHUT_RDWR)

    def get(self, path: str, /, **query: str | int) -> dict[str, Any]:
        """The JSON object that GET ``path`` answers."""
        with self._answer("GET", path, f"?{urlencode(query)}" if query else "") as response:
            return _object(response)

    def post(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that POST ``path`` answers."""
        with self._answer("POST", path, body=json.dumps(question).encode()) as response:
            return _object(response)

    def save(self, path: str, file: Path) -> None:
        """Write what GET ``path`` answers to ``file``, as it comes."""
        with self._answer("GET", path) as response, file.open("wb") as output:
            shutil.copyfileobj(response, output, _CHUNK_BYTES)
            if response.length:  # http.client itself says nothing
                raise NeedsMlflow("an answer was cut short")

    @contextmanager
    def _answer(
        self, verb: str, path: str, query: str = "", body: bytes | None = None
    ) -> Iterator[HTTPResponse]:
        target = self._prefix + path
        if not _PLAIN_PATH.fullmatch(target):
            raise NeedsMlflow("a path has more than letters, digits, dots, dashes and underscores")
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        self._connect()
        try:
            self._http.request(verb, target + query, body, headers)
            with self._http.getresponse() as response:
                if response.status != 200:
                    raise NeedsMlflow(f"the server answered {response.status}")
                if response.getheader("Content-Encoding"):
                    raise NeedsMlflow("an answer is compressed, which was not asked for")
                yield response
        except TimeoutError as exc:
            raise ModelLoadError(UNREACHABLE, "no answer in time") from exc

    def _connect(self) -> None:
        if self._http.sock is None:
            try:
                self._http.connect()
            except ssl.SSLError as exc:
                raise NeedsMlflow("no TLS connection came about") from exc
            except OSError as exc:
                raise ModelLoadError(UNREACHABLE, str(exc)) from exc
            self._socket = self._http.sock
        if self._hung_up:
            raise ModelLoadError("The load was given up.")


def _refuse_unknown_settings(server: SplitResult) -> None:
    if server.scheme not in ("http", "https") or not server.hostname:
        raise NeedsMlflow("MLFLOW_TRACKING_URI is no http(s) URL")
    if server.query or server.fragment:
        raise NeedsMlflow("MLFLOW_TRACKING_URI has a query")
    for name in sorted(os.environ):
        known = not name.startswith("MLFLOW_") or name in _KNOWN_SETTINGS
        if not (known or _SERVICE_LINK.fullmatch(name)):
            raise NeedsMlflow(f"{name} is set")
    retries = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    if _limit(retries) != FAIL_SOON[retries]:
        raise NeedsMlflow(f"{retries} is set")
    files = (os.environ.get("NETRC", ""), *_CREDENTIAL_FILES)
    if any(os.path.exists(os.path.expanduser(name)) for name in files):
        raise NeedsMlflow("a file has credentials")
    if getproxies().keys() & {server.scheme, "all"} and not proxy_bypass(server.hostname):
        raise NeedsMlflow("a proxy is set")
    if entry_points().groups & _PLUGINS:
        raise NeedsMlflow("a plugin of mlflow is installed")


def _credentials(server: SplitResult) -> dict[str, str]:
    """The Authorization header: requests has a URL's own user come before mlflow's settings."""
    given = os.environ.get
    if server.username is not None and server.password is not None:
        pair = f"{unquote(server.username)}:{unquote(server.password)}"
        if pair != ":":
            return _basic(pair.encode("latin-1"))
    username, password = given("MLFLOW_TRACKING_USERNAME"), given("MLFLOW_TRACKING_PASSWORD")
    if username and password:
        return _basic(f"{username}:{password}".encode())
    token = given("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _basic(pair: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _connection(server: SplitResult) -> HTTPConnection:
    host = server.hostname or ""
    timeout = int(_limit("MLFLOW_HTTP_REQUEST_TIMEOUT"))
    if timeout <= 0:
        raise NeedsMlflow("MLFLOW_HTTP_REQUEST_TIMEOUT is not positive")
    if server.scheme == "http":
        return HTTPConnection(host, server.port, timeout=timeout)
    return HTTPSConnection(host, server.port, timeout=timeout, context=_tls())


def _limit(name: str) -> str:
    return os.environ.get(name, FAIL_SOON[name])


def _tls() -> ssl.SSLContext:
    """Trusts the authorities that requests would: the operator's own, else certifi's."""
    names = ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    authorities = next(filter(None, map(os.environ.get, names)), None)
    if authorities is None:
        import certifi

        authorities = certifi.where()
    if Path(authorities).is_dir():
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


def _object(response: HTTPResponse) -> dict[str, Any]:
    found = json.loads(response.read())
    if not isinstance(found, dict):
        raise NeedsMlflow("an answer is no JSON object")
    return found
