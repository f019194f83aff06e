"""A compiled model's files, wherever they are: what is known of them before any is read.

Apart from artifact.py, which reads them, because a cold start asks the registry for them first and
imports what reads them while the answers are on their way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path  # whose import takes longer than a small model's load

FORMATS = (2, 3, 4, 5, 6)
"""What this version reads; formats.py has what they are."""
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
VECTORIZER, SUPPORT, FOREST = "vectorizer", "support", "forest"
REMEDY = "compile the model again, or copy the folder again as a whole"


_OPENSSL_FROM_BYTES = 500_000


class Hash(Protocol):
    """As hashlib's objects."""

    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class CompiledModelError(Exception):
    """A compiled model that cannot be read or written; the message says which file, why, and
    what to do."""


class CodeNotAllowed(CompiledModelError):
    """A folder with functions of the model's own, where none of them may run."""


class Files(Protocol):
    """A compiled model's files, wherever they are."""

    named: str
    """What messages call the folder."""

    def read(self, name: str, sizes: Iterable[int] = ()) -> tuple[list[bytes], str]:
        """The file in parts of these sizes, and whatever there is beyond them; the last ones are
        shorter where the file is. And its SHA-256, which is reckoned while the file arrives.
        Raises CompiledModelError where it cannot be read."""


class Folder:
    """The files of a folder on disk."""

    def __init__(self, directory: str | Path) -> None:
        self.named = os.fspath(directory)

    def read(self, name: str, sizes: Iterable[int] = ()) -> tuple[list[bytes], str]:
        try:
            with open(f"{self.named}/{name}", "rb") as file:
                largest = os.fstat(file.fileno()).st_size  # what is asked for is set aside first
                parts = [*(file.read(min(size, largest)) for size in sizes), file.read()]
        except FileNotFoundError as exc:
            raise damaged(f"{self.named}/{name}", "no such file") from exc
        except OSError as exc:
            problem = f"{exc.strerror}; check its permissions"
            raise CompiledModelError(f"{self.named}/{name}: {problem}") from exc
        return parts, sha256_of(parts)


class Checked:
    """Such files, of which none is given that is not what the checksums say.

    Raises CompiledModelError for one that is not."""

    def __init__(self, files: Files, sums: Mapping[str, str]) -> None:
        self.named = files.named
        self._files, self._sums = files, sums

    def read(self, name: str) -> bytes:
        """A file as a whole."""
        (content,), digest = self._files.read(name)
        self.check(name, digest)
        return content

    def parts(self, name: str, sizes: Mapping[str, int]) -> dict[str, bytes]:
        """A file's parts by name, of these sizes; ValueError where it has others."""
        (*contents, rest), digest = self._files.read(name, sizes.values())
        self.check(name, digest)
        if rest or sum(map(len, contents)) != sum(sizes.values()):
            raise ValueError(f"sizes: {sizes} are not those of {name}")
        return dict(zip(sizes, contents, strict=True))

    def check(self, name: str, digest: str) -> None:
        """Compare what a file's content came to."""
        if name not in self._sums:
            raise damaged(f"{self.named}/{SUMS}", f"it has no checksum for {name}")
        if digest != self._sums[name]:
            problem = f"its content is not what {SUMS} says: cut short or edited"
            raise damaged(f"{self.named}/{name}", problem)


def sha256_of(parts: Iterable[bytes]) -> str:
    """Of the parts one after the other."""
    known = [*parts]
    found = sha256_for(sum(map(len, known)))
    for part in known:
        found.update(part)
    return found.hexdigest()


def sha256_for(size: int) -> Hash:
    """What reckons the SHA-256 of so many bytes soonest: hashlib's OpenSSL is several times as
    quick as Python's own, and takes 4 ms to load."""
    if size < _OPENSSL_FROM_BYTES:
        for name in ("_sha2", "_sha256"):  # of Python 3.12 and newer, and of 3.11
            try:
                found: Hash = __import__(name).sha256()
                return found
            except ImportError:
                continue
    from hashlib import sha256

    return sha256()


def read_sums(folder: str, raw: bytes) -> dict[str, str]:
    """Return file name to digest, as SHA256SUMS has them."""
    try:
        lines = raw.decode("ascii").splitlines(keepends=True)
        pairs = [line.split("  ") for line in lines]
        sums = {name.removesuffix("\n"): digest for digest, name in pairs}
    except ValueError as exc:
        raise damaged(f"{folder}/{SUMS}", "it is not a list of checksums") from exc
    if not all(line.endswith("\n") for line in lines):
        raise damaged(f"{folder}/{SUMS}", "its last line is cut short")
    return sums


def damaged(path: str, reason: str) -> CompiledModelError:
    """A file that is not as it was written, and what to do."""
    return CompiledModelError(f"{path}: {reason}; {REMEDY}")
