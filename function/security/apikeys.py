"""API keys: known by the SHA-256 of each, so that what is configured opens nothing by itself.

One a line, or one between commas: ``ID:SHA256HEX[:SCOPE+SCOPE]``. An id may have several, for a new
key to be there before the old one goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple

from function.errors import InvalidSetting
from function.security.access import PREDICT, SCOPES, Caller, credential, unknown
from function.security.watched import Tell, WatchedFile

EXPECTED = f"ID:SHA256HEX[:SCOPE+SCOPE], scopes of {', '.join(sorted(SCOPES))}"
_ID = "[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
_ENTRY = re.compile(f"({_ID}):([0-9a-fA-F]{{64}})(?::([a-z+]+))?")
is_id = re.compile(_ID).fullmatch


class Key(NamedTuple):
    """One entry; ``digest`` is of the key's bytes."""

    digest: bytes
    caller: Caller


def digest_of(key: str) -> bytes:
    """SHA-256. A key has 256 random bits: there is nothing that a slow hash would protect."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def parse(name: str, entries: Sequence[str]) -> list[Key]:
    """The keys of a setting; raises InvalidSetting, which shows none of them."""
    keys = []
    for place, entry in enumerate(map(str.strip, entries), start=1):
        if not entry or entry.startswith("#"):
            continue
        match = _ENTRY.fullmatch(entry)
        scopes = frozenset((match[3] or PREDICT).split("+")) if match else frozenset()
        if match is None or not scopes <= SCOPES:
            raise InvalidSetting(name, "***", f"as entry {place} {EXPECTED}")
        caller = Caller(scopes, {"key_id": match[1]})
        keys.append(Key(bytes.fromhex(match[2]), caller))
    return keys


class ApiKeys:
    """Knows callers by their keys; see access.Authenticator."""

    def __init__(self, api_keys: str, api_keys_file: str, tell: Tell) -> None:
        """Raises InvalidSetting where there is no key, or something that is none. A file that
        becomes unreadable later leaves the keys that were; ``tell`` says so to the operator."""
        self._listed = parse("API_KEYS", api_keys.split(","))
        self._file = (
            WatchedFile("API_KEYS_FILE", Path(api_keys_file), self._read, tell)
            if api_keys_file
            else None
        )
        if not self._keys():
            raise InvalidSetting("AUTH", "api-key", "a key in API_KEYS or API_KEYS_FILE")

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Whose key it is; each is compared, in a time that says nothing of how they differ."""
        given, found = digest_of(credential(headers)), None
        for key in self._keys():
            if compare_digest(key.digest, given):
                found = key.caller
        if found is None:
            raise unknown("The key is none that is known here.")
        return found

    def must_wait(self, headers: Mapping[str, str]) -> bool:
        return False

    def wait(self, headers: Mapping[str, str]) -> None: ...

    def _keys(self) -> list[Key]:
        return self._listed + (self._file.content() if self._file is not None else [])

    @staticmethod
    def _read(text: str) -> list[Key]:
        return parse("API_KEYS_FILE", text.splitlines())
