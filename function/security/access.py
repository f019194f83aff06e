"""Who may ask what: a caller is known by a key or a token, which has scopes.

Two scopes: ``predict`` asks the model, ``admin`` tells the service what to do. Whatever else is not
open wants a key or a token of any scope. Nothing here is imported where AUTH is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from function.errors import Forbidden, InvalidSetting, Unauthorized

PREDICT, ADMIN = "predict", "admin"
SCOPES = frozenset((PREDICT, ADMIN))
ALWAYS_OPEN = ("/health", "/health/*")
_PATH = re.compile(r"/[^\s*?#]*\*?")
REALM = 'Bearer realm="sentiment"'


class Caller(NamedTuple):
    """Who asks: its scopes, and the fields that name it in the log."""

    scopes: frozenset[str]
    fields: Mapping[str, str]


ANYBODY = Caller(SCOPES, {})
"""Who asks for what is open."""


class Authenticator(Protocol):
    """Tells who asks."""

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who it is; raises Unauthorized (401). Never waits."""

    def must_wait(self, headers: Mapping[str, str]) -> bool:
        """Whether ``wait`` may bring what tells who it is."""

    def wait(self, headers: Mapping[str, str]) -> None:
        """Wait for that, within bounds."""


class Access:
    """Lets a request pass, or refuses it."""

    def __init__(self, authenticator: Authenticator, open_paths: str) -> None:
        """``open_paths`` as AUTH_OPEN_PATHS has them; InvalidSetting for one that is no path."""
        self._authenticator = authenticator
        given = [*filter(None, (path.strip() for path in open_paths.split(",")))]
        if not all(_PATH.fullmatch(path) for path in given):
            expected = "paths that begin with /, comma-separated, * at the end of them only"
            raise InvalidSetting("AUTH_OPEN_PATHS", open_paths, expected)
        self._open = (*ALWAYS_OPEN, *given)

    def caller(self, path: str, scope: str | None, headers: Mapping[str, str]) -> Caller:
        """Who asks for ``path``, which wants ``scope``; Unauthorized (401) where nobody says who,
        and somebody must."""
        return ANYBODY if self._is_open(path, scope) else self._authenticator.caller(headers)

    @staticmethod
    def check(caller: Caller, scope: str | None) -> None:
        """Raise Forbidden (403) where the caller lacks the scope."""
        if scope is not None and scope not in caller.scopes:
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            told = f"This needs the scope {scope}."
            raise Forbidden(told, headers={"WWW-Authenticate": challenge})

    def must_wait(self, path: str, scope: str | None, headers: Mapping[str, str]) -> bool:
        """Whether it takes a wait to say who asks."""
        return not self._is_open(path, scope) and self._authenticator.must_wait(headers)

    def wait(self, path: str, scope: str | None, headers: Mapping[str, str]) -> None:
        """Wait for what says who asks, within bounds."""
        if self.must_wait(path, scope, headers):
            self._authenticator.wait(headers)

    def _is_open(self, path: str, scope: str | None) -> bool:
        """What takes the scope ``admin`` is open only where it is named in full."""
        return any(
            path.startswith(shape[:-1]) and scope != ADMIN if shape.endswith("*") else path == shape
            for shape in self._open
        )


def credential(headers: Mapping[str, str]) -> str:
    """The key or the token that a request brings; raises Unauthorized where there is none."""
    given = headers.get("x-api-key") or _bearer(headers.get("authorization", ""))
    if not given:
        told = "Send a key as X-API-Key, or a key or token as Authorization: Bearer."
        raise Unauthorized(told, REALM)
    return given


def unknown(told: str) -> Unauthorized:
    """The answer to a key or a token that is not taken; ``told`` says why, and nothing of it."""
    return Unauthorized(told, f'{REALM}, error="invalid_token", error_description="{told}"')


def _bearer(authorization: str) -> str:
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""
