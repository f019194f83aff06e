"""What mlflow's own client is told by the environment: whom it trusts and as whom it asks.

It asks through ``requests``, and takes a second to import. What is followed here is followed
exactly; any other setting raises NeedsMlflow before anything is sent.
Followed: https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/rest_utils.py (http_request)
"""

from __future__ import annotations

import os
import re
import sys
from binascii import b2a_base64  # base64 itself imports what a start does without
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl

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
_PLAIN_SERVER = re.compile(r"(https?)://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?((?:/[A-Za-z0-9._-]*)*)")
_CREDENTIAL_FILES = ("~/.mlflow/credentials", "~/.netrc", "~/_netrc")
_PLUGINS = (
    b"[mlflow.request_header_provider]",
    b"[mlflow.artifact_repository]",
    b"[mlflow.tracking_store]",
    b"[mlflow.model_registry_store]",
)


NOTHING_MEANT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for what there is not; the last for an alias, among others."""


class NeedsMlflow(Exception):
    """Why a model must be loaded through mlflow; nothing in it is secret."""


class ServerBroken(NeedsMlflow):
    """The server answers, and not as it should: an error of its own, or an answer cut short."""


class NotThere(NeedsMlflow):
    """The server has nothing there (404)."""


class NothingMeant(NotThere):
    """MLflow itself says that there is no such model, version or alias."""


class Server(NamedTuple):
    """A tracking URI's parts, as urllib.parse.SplitResult names them."""

    scheme: str
    hostname: str
    port: int | None
    path: str
    query: str = ""
    fragment: str = ""
    username: str | None = None
    password: str | None = None


def server(tracking_uri: str) -> Server:
    """The server that is to be asked; NeedsMlflow where it is none."""
    if plain := _PLAIN_SERVER.fullmatch(tracking_uri):
        scheme, host, port, path = plain.groups("")
        return Server(scheme, host.lower(), int(port) if port else None, path)
    from urllib.parse import urlsplit  # a twentieth of a start, and its parser of IP addresses

    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NeedsMlflow("MLFLOW_TRACKING_URI is no http(s) URL")
    return Server(
        *(parts.scheme, parts.hostname, parts.port, parts.path, parts.query, parts.fragment),
        *(parts.username, parts.password),
    )


def refuse_unknown_settings(server: Server) -> None:
    """Raise NeedsMlflow, with the reason, where the server is to be asked as only mlflow can."""
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
    if _is_behind_a_proxy(server):
        raise NeedsMlflow("a proxy is set")
    if _has_plugins():
        raise NeedsMlflow("a plugin of mlflow is installed")


def credentials(server: Server) -> dict[str, str]:
    """The Authorization header: requests has a URL's own user come before mlflow's settings."""
    given = os.environ.get
    if server.username is not None and server.password is not None:
        from urllib.parse import unquote

        pair = f"{unquote(server.username)}:{unquote(server.password)}"
        if pair != ":":
            return _basic(pair.encode("latin-1"))
    username, password = given("MLFLOW_TRACKING_USERNAME"), given("MLFLOW_TRACKING_PASSWORD")
    if username and password:
        return _basic(f"{username}:{password}".encode())
    token = given("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _basic(pair: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {b2a_base64(pair, newline=False).decode()}"}


def timeout_seconds() -> int:
    """Of a connection that is made, and of each wait for an answer's next bytes."""
    timeout = int(_limit("MLFLOW_HTTP_REQUEST_TIMEOUT"))
    if timeout <= 0:
        raise NeedsMlflow("MLFLOW_HTTP_REQUEST_TIMEOUT is not positive")
    return timeout


def tls() -> ssl.SSLContext:
    """Trusts the authorities that requests would: the operator's own, else certifi's, else, where
    neither is installed, the system's."""
    import ssl

    names = ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    authorities = next(filter(None, map(os.environ.get, names)), None)
    if authorities is None:
        try:
            import certifi
        except ImportError:
            return ssl.create_default_context()
        authorities = certifi.where()
    if os.path.isdir(authorities):
        return ssl.create_default_context(capath=authorities)
    return ssl.create_default_context(cafile=authorities)


def _limit(name: str) -> str:
    return os.environ.get(name, FAIL_SOON[name])


def _is_behind_a_proxy(server: Server) -> bool:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return False
    from urllib.request import getproxies, proxy_bypass  # a tenth of a start without a proxy

    is_named = bool(getproxies().keys() & {server.scheme, "all"})
    return is_named and not proxy_bypass(server.hostname)


def _has_plugins() -> bool:
    """Whether an installed package has one: what importlib.metadata finds, at a tenth of its cost.

    https://packaging.python.org/specifications/entry-points/
    """
    for place in sys.path:
        try:
            packages = [name for name in os.listdir(place or ".") if name.endswith("-info")]
        except OSError:
            continue
        for package in packages:
            try:
                with open(f"{place or '.'}/{package}/entry_points.txt", "rb") as file:
                    text = file.read()
            except OSError:
                continue
            if any(group in text for group in _PLUGINS):
                return True
    return False
