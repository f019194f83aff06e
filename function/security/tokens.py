"""JSON Web Tokens (RFC 7519, RFC 8725): who asks is what an issuer has signed.

Which algorithm verifies a token is the key's to say, never the token's: one that says ``none``, or
HMAC with a public key for its secret, finds no key.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    MissingRequiredClaimError,
    PyJWTError,
)

from function.errors import InvalidSetting, ServiceError
from function.security.access import SCOPES, Caller, credential, unknown
from function.security.jwks import FileKeySet, Keys, KeySet, RemoteKeySet, VerifyingKey
from function.security.watched import Tell

MOST_TOKEN_BYTES = 8_192
MOST_KNOWN = 1_024
_LONGEST_SUBJECT = 128
_FAR = 1 << 40
"""Seconds: beyond it a number says no more than that."""
_WHY = {
    ExpiredSignatureError: "The token has expired.",
    ImmatureSignatureError: "The token is not valid yet.",
    InvalidAudienceError: "The token is for another audience.",
    InvalidIssuerError: "The token is of another issuer.",
    MissingRequiredClaimError: "The token lacks exp, iss or aud.",
}

_FAULTS = (PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""The library's own, and what it lets pass: a time that is infinite, say."""


class _Known(NamedTuple):
    """A token that has been verified, with which keys, and until when it is valid."""

    caller: Caller
    keys: Keys
    expires: float


class Tokens:
    """Knows callers by their tokens; see access.Authenticator."""

    def __init__(
        self, jwks: str, issuer: str, audience: str, leeway_seconds: float, tell: Tell
    ) -> None:
        """``jwks`` is a URL or a file; raises InvalidSetting for a file that is no key set."""
        is_url = jwks.lower().startswith(("http://", "https://"))
        self._key_set: KeySet = RemoteKeySet(jwks, tell) if is_url else FileKeySet(jwks, tell)
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway_seconds
        self._known: dict[bytes, _Known] = {}

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who the token says it is. Verifying takes longer than a prediction, so a token that comes
        again is known."""
        token = _token(headers)
        keys = self._key_set.keys()
        if keys is None:
            raise KeysUnavailable()
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._recalled(digest, keys)) is not None:
            return known
        claims = self._verified(token, keys)
        caller = Caller(_scopes(claims), _named(claims))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        expires = min(int(claims["exp"]), _FAR) + self._leeway
        self._known[digest] = _Known(caller, keys, expires)
        return caller

    def must_wait(self, headers: Mapping[str, str]) -> bool:
        """Whether the token names a key that the issuer may have brought out since."""
        try:
            token = _token(headers)
            digest = hashlib.sha256(token.encode()).digest()
            if self._recalled(digest, self._key_set.keys()) is not None:
                return False
            return self._key_set.must_wait(_key_id(token))
        except ServiceError:
            return False

    def wait(self, headers: Mapping[str, str]) -> None:
        self._key_set.wait()

    def _recalled(self, digest: bytes, keys: Keys | None) -> Caller | None:
        """Who a token was said to be when it was verified, where that still holds."""
        known = self._known.get(digest)
        holds = known is not None and known.keys is keys and time.time() < known.expires
        return known.caller if known is not None and holds else None

    def _verified(self, token: str, keys: Keys) -> dict[str, Any]:
        found = _key_for(_key_id(token), keys)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                found.key,
                algorithms=[found.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud"]},
            )
        except _FAULTS as exc:
            raise unknown(_WHY.get(type(exc), "The token cannot be verified.")) from None
        return claims


class KeysUnavailable(ServiceError):
    """Nobody can be told from anybody else right now; the client may come back."""

    status, title, slug = 503, "Service Unavailable", "keys-unavailable"

    def __init__(self) -> None:
        told = "The keys that verify tokens are not there yet, or cannot be fetched."
        super().__init__(told, headers={"Retry-After": "5"})


def configured(jwks: str, issuer: str, audience: str, leeway_seconds: float, tell: Tell) -> Tokens:
    """Tokens as the settings have them; raises InvalidSetting for what must be there and is not:
    without issuer and audience a token for any other service would do."""
    needed = {"JWT_JWKS": jwks, "JWT_ISSUER": issuer, "JWT_AUDIENCE": audience}
    for name, value in needed.items():
        if not value:
            raise InvalidSetting(name, value, "a value, since AUTH=jwt")
    return Tokens(jwks, issuer, audience, leeway_seconds, tell)


def _token(headers: Mapping[str, str]) -> str:
    token = credential(headers)
    if len(token) > MOST_TOKEN_BYTES or not token.isascii():
        raise unknown(f"A token has {MOST_TOKEN_BYTES} characters at most.")
    return token


def _key_id(token: str) -> str:
    """The key that the token names; empty where it names none."""
    try:
        header = jwt.get_unverified_header(token)
    except _FAULTS:
        raise unknown("This is no signed JSON Web Token.") from None
    return str(header.get("kid", ""))


def _key_for(key_id: str, keys: Keys) -> VerifyingKey:
    """The named key, or the one that there is where a token names none."""
    if not key_id and len(keys) == 1:
        return next(iter(keys.values()))
    if key_id not in keys:
        raise unknown("The token is signed with a key that is not known here.")
    return keys[key_id]


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """``scope``, words between spaces (RFC 8693, 4.2), or ``scp``, the same or a list."""
    given = claims.get("scope", claims.get("scp", ""))
    words = given.split(" ") if isinstance(given, str) else given if isinstance(given, list) else []
    return SCOPES & {word for word in words if isinstance(word, str)}


def _named(claims: Mapping[str, Any]) -> dict[str, str]:
    subject = claims.get("sub")
    return {"subject": str(subject)[:_LONGEST_SUBJECT]} if subject else {}
