"""Compiled folders kept beside their models in MLflow, and the tag that says so.

    <the artifacts of the logged model, or of the run where there is none>/
      compiled/3-little-1f0c9a5be3d2/    as compiled/artifact.py writes it, named for its digest

Format and byte order are in the tag's key, so that several are published side by side and each
service finds its own. The tag is set after the folder is there whole, and a folder never changes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from function.compiled import files
from function.compiled.files import sha256_for, sha256_of
from function.registry.lineage import Lineage

FOLDER = "compiled"
FORMATS = tuple(sorted(files.FORMATS[1:], reverse=True))
"""Those that are published, the newest first; a registry knows nothing of the first, 2."""
_KINDS = tuple(f"{number}-{sys.byteorder}" for number in FORMATS)

Ask = Callable[[str], Iterator[bytes]]
"""The content of one of a folder's files, in pieces."""


class NotPublished(Exception):
    """Why a model version is not served from a published folder; nothing in it is secret."""


class Publication(NamedTuple):
    """What the tag says of a published folder.

    ``location``, where the version's artifacts are, and the folder's ``path`` among them; the
    SHA-256 of its SHA256SUMS, and these ``sums`` themselves, which saves a question; the SHA-256 of
    the model's files, and of their names and sizes; and the version of this service it is of.
    """

    location: str
    path: str
    digest: str
    sums: str
    model_digest: str
    listing_digest: str
    compiled_by: str

    def to_tag(self) -> tuple[str, str]:
        """The tag's key and value."""
        kind = self.path.removeprefix(f"{FOLDER}/").rpartition("-")[0]
        return tag_of(kind), json.dumps(self._asdict())


def tag_of(kind: str) -> str:
    """The key of the tag for folders of a kind: format and byte order, as 3-little."""
    return f"sentiment-function.compiled.{kind}"


def publication(
    location: str,
    sums: bytes,
    model_digest: str,
    files: Mapping[str, int],
    by: str,
    format: int,
) -> Publication:
    """What is to be published, of a folder of a format and with these sums, made from a model of
    these files."""
    digest = sha256_of([sums])
    path = f"{FOLDER}/{format}-{sys.byteorder}-{digest[:12]}"
    return Publication(
        location, path, digest, sums.decode(), model_digest, listing_digest(files), by
    )


def find(lineage: Lineage) -> Publication:
    """What the version's tags name, of the newest format that can be read; NotPublished where there
    is none."""
    tags = tags_of(lineage.tags)
    if not tags:
        raise NotPublished(
            f"no compiled folder of format {' or '.join(_KINDS)} is published for it"
        )
    name, tag = next(iter(tags.items()))
    try:
        told = json.loads(tag)
    except (ValueError, RecursionError):
        raise NotPublished(f"its tag {name} cannot be read") from None
    return read_publication(told, lineage, name)


def tags_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Of a version's tags those of published folders that can be read here, the newest format
    first."""
    return {name: tags[name] for name in map(tag_of, _KINDS) if name in tags}


def read_publication(told: object, lineage: Lineage, tag: str = "") -> Publication:
    """A publication of this version from JSON, of a tag; NotPublished where it is none."""
    if (
        not isinstance(told, dict)
        or told.keys() != {*Publication._fields}
        or not all(isinstance(value, str) and value.isascii() for value in told.values())
    ):
        raise NotPublished(f"its tag {tag} cannot be read")
    found = Publication(**told)
    if sha256_of([found.sums.encode()]) != found.digest:
        raise NotPublished(f"its tag {tag} contradicts itself: the digest is not that of the sums")
    if (lineage.model_id or lineage.run_id) not in found.location.split("/"):
        raise NotPublished(f"its tag {tag} names another model's artifacts")
    return found


def check_listing(found: Publication, files: Mapping[str, int]) -> None:
    """Raise NotPublished where the version's files are not those that were compiled, as far as
    names and sizes tell."""
    if listing_digest(files) != found.listing_digest:
        raise NotPublished(
            "its files are not those that were compiled: their names or sizes differ"
        )


def listing_digest(files: Mapping[str, int]) -> str:
    """Of the names and sizes of a model's own files, which published folders are not among."""
    return sha256_of(f"{size} {path}\n".encode() for path, size in sorted(files.items()))


class PublishedFiles:
    """A published folder's files, each asked for when it is read."""

    def __init__(self, found: Publication, ask: Ask) -> None:
        self.named = found.path
        self._ask = ask

    def read(self, name: str, sizes: Iterable[int] = ()) -> tuple[list[bytes], str]:
        sizes = [*sizes]
        found = sha256_for(sum(sizes))

        def told() -> Iterator[bytes]:
            for piece in self._ask(name):
                found.update(piece)
                yield piece

        return list(_split(told(), sizes)), found.hexdigest()


def _split(pieces: Iterable[bytes], sizes: Iterable[int]) -> Iterator[bytes]:
    """Parts of these sizes, and the rest, of content that comes in pieces."""
    source, left = iter(pieces), b""
    for size in sizes:
        part = [left]
        missing = size - len(left)
        while missing > 0 and (left := next(source, b"")):
            part.append(left)
            missing -= len(left)
        # Of the last piece, what is beyond this part.
        kept = len(part[-1]) + min(missing, 0)
        left, part[-1] = part[-1][kept:], part[-1][:kept]
        yield b"".join(part)
    yield b"".join([left, *source])
