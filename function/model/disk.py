"""MODEL_CACHE: compiled folders kept on disk, so that a cold start survives without the registry.

    DIR/
      <digest>/         a compiled folder as it was published, under the SHA-256 of its SHA256SUMS
      <address>.json    what MODEL_URI meant when it was last served: lineage and publication

Several processes may share it: what is written appears whole, by a rename, and what is read is
checked against its digest. A folder that another process takes away meanwhile is fetched again.
What else is in the folder is nobody's business here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import NamedTuple

from function.compiled.files import SUMS, CompiledModelError, Files, Folder
from function.registry.lineage import Lineage
from function.registry.published import Publication, read_publication

_FOLDER = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"\.([0-9a-f]{64}|[0-9a-f]{32}\.json)\.[0-9a-f]{8}\.partial")
_ABANDONED_SECONDS = 3600
"""A folder half written for so long is of a process that was killed."""


class Kept(NamedTuple):
    """What was last served."""

    lineage: Lineage
    publication: Publication


class DiskCache:
    """The folder ``directory``, of at most ``most_bytes`` but for what is served."""

    def __init__(self, directory: str, most_bytes: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes

    def last_served(self, tracking_uri: str, model_uri: str) -> Kept | None:
        """What ``model_uri`` meant when it was last served; None where that is not known."""
        try:
            with open(self._record(tracking_uri, model_uri), encoding="utf-8") as file:
                told = json.load(file)
            lineage = Lineage.from_facts(dict(told["lineage"]))
            publication = read_publication(told["publication"], lineage)
        except Exception:  # whatever it holds instead: it is as if there were none
            return None
        return Kept(lineage, publication) if self.folder(publication) else None

    def folder(self, found: Publication) -> Folder | None:
        """The kept folder; None where there is none."""
        place = os.path.join(self._directory, found.digest)
        if not os.path.isdir(place):
            return None
        with suppress(OSError):  # of another user, or read-only
            os.utime(place)  # used just now: what is used longest ago goes first
        return Folder(place)

    @contextmanager
    def keeping(self, found: Publication, files: Files) -> Iterator[Files]:
        """Files that are written down as they are read; the folder is kept where the block ends
        well. Raises OSError where that cannot be written."""
        os.makedirs(self._directory, exist_ok=True)
        partial = self._beside(found.digest)
        os.mkdir(partial)
        try:
            yield _Written(files, partial)
            with open(os.path.join(partial, SUMS), "w", encoding="ascii") as file:
                file.write(found.sums)
            with suppress(OSError):  # another process was quicker
                os.rename(partial, os.path.join(self._directory, found.digest))
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def served(self, tracking_uri: str, model_uri: str, what: Kept) -> None:
        """Remember what is served, and make room. Raises OSError where it cannot be written."""
        lineage = {**what.lineage._asdict(), "details": {}, "tags": {}}
        told = {"lineage": lineage, "publication": what.publication._asdict()}
        record = self._record(tracking_uri, model_uri)
        partial = self._beside(os.path.basename(record))
        try:
            with open(partial, "w", encoding="utf-8") as file:
                json.dump(told, file)
            os.replace(partial, record)
        except OSError:
            with suppress(OSError):
                os.unlink(partial)
            self.serves_another(tracking_uri, model_uri)
            raise
        self._make_room(what.publication.digest)

    def serves_another(self, tracking_uri: str, model_uri: str) -> None:
        """What is served now cannot be kept: what was served before is not to come back."""
        with suppress(OSError):
            os.unlink(self._record(tracking_uri, model_uri))

    def forget(self, found: Publication) -> None:
        """Take a folder away that turned out to be damaged."""
        shutil.rmtree(os.path.join(self._directory, found.digest), ignore_errors=True)

    def _record(self, tracking_uri: str, model_uri: str) -> str:
        address = sha256(f"{tracking_uri}\n{model_uri}".encode()).hexdigest()[:32]
        return os.path.join(self._directory, f"{address}.json")

    def _beside(self, name: str) -> str:
        return os.path.join(self._directory, f".{name}.{os.urandom(4).hex()}.partial")

    def _make_room(self, served: str) -> None:
        """Take away what was used longest ago, and what processes left half written."""
        folders = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(OSError):  # another process took it away
                    age = time.time() - entry.stat().st_mtime
                    if _PARTIAL.fullmatch(entry.name) and age > _ABANDONED_SECONDS:
                        _remove(entry)
                    elif _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                        folders.append((age, _size(entry.path), entry.name))
        total = sum(size for _, size, _ in folders)
        for _, size, name in sorted(folders, reverse=True):
            if total <= self._most_bytes:
                break
            if name != served:
                shutil.rmtree(os.path.join(self._directory, name), ignore_errors=True)
                total -= size


class _Written:
    """Files that are written to a folder as they are read."""

    def __init__(self, files: Files, folder: str) -> None:
        self.named = files.named
        self._files = files
        self._folder = folder

    def read(self, name: str, sizes: Iterable[int] = ()) -> tuple[list[bytes], str]:
        if not all(part == os.path.basename(part) != ".." for part in name.split("/")):
            raise CompiledModelError(f"{self.named}/{name}: not the name of a file")
        parts, digest = self._files.read(name, sizes)
        path = os.path.join(self._folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)  # of its code
        with open(path, "wb") as file:
            file.writelines(parts)
        return parts, digest


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)


def _size(folder: str) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries)
