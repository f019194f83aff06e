"""The compiled model on disk: data only, complete or refused.

    DIR/
      SHA256SUMS      a line per file below, as sha256sum writes and checks them
      manifest.json   format, byte order, lineage, classes and labels, intercepts, decision,
                      vectorizers
      terms.0         the first vectorizer's terms, UTF-8, joined by a character none of them has
      pairs.0         where the terms are words and pairs of them: which words make each pair
      rows.0          the terms' packed rows (rows.py)
      table.0         what the faithful way reads (vectorizer.Vectorizer)
      terms.1 ...     a FeatureUnion's further parts

SHA256SUMS names every file and `load` reads no byte that it did not check, so a folder that was
cut short, edited or mixed with another does not load. That guards against accidents; where someone
recomputed the sums, what is loaded still is of the types and in the ranges that serving relies on
(manifest.py), and nothing in the folder can run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from function.compiled import garbage, manifest
from function.compiled.linear import LinearPredictor
from function.compiled.names import rename
from function.compiled.native import pair_vocabulary
from function.compiled.pairs import PairVocabulary
from function.compiled.terms import TermVocabulary
from function.compiled.vectorizer import Vectorizer, check_numbers, row_layout

if TYPE_CHECKING:
    from pathlib import Path  # whose import takes longer than a small model's load

FORMAT = 2
KIND = "compiled text classifier"
PARTS = {TermVocabulary.kind: ("terms", "rows"), PairVocabulary.kind: ("terms", "pairs", "rows")}
"""By kind of vocabulary, the files it is kept in."""
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
REMEDY = "compile the model again, or copy the folder again as a whole"


class CompiledModelError(Exception):
    """A compiled model that cannot be read or written; the message says which file, why, and
    what to do."""


def load(
    directory: str | Path, labels: Mapping[str, str] | None = None
) -> tuple[LinearPredictor, dict[str, Any]]:
    """Return the predictor in the folder `directory`, and its lineage.

    `labels` renames the model's own classes, as in compile_model, instead of what was given when
    it was compiled. Raises CompiledModelError for anything but a complete, unaltered folder of a
    format and byte order this version reads, and ModelLoadError for `labels` that do not fit.
    """
    folder = os.fspath(directory)
    raw = _read(folder, MANIFEST)
    facts = _parse_manifest(folder, raw)
    sums = _read_sums(folder)
    _check(folder, MANIFEST, raw, sums)
    try:
        with garbage.collection_paused():
            manifest.check(facts)
            return _build(folder, facts, sums, labels or {}), facts["lineage"]
    except (LookupError, TypeError, ValueError, ArithmeticError, re.error) as exc:
        raise _damaged(f"{folder}/{MANIFEST}", f"it does not describe a model ({exc!r})") from exc


def digest(directory: str | Path) -> str:
    """Return the SHA-256 of the folder's SHA256SUMS, and so of everything in it: what `save`
    returned. Raises CompiledModelError where there is no such file."""
    return sha256(_read(os.fspath(directory), SUMS)).hexdigest()


def _build(
    folder: str, facts: Mapping[str, Any], sums: Mapping[str, str], names: Mapping[str, str]
) -> LinearPredictor:
    scores = len(facts["intercepts"])
    vectorizers = [
        _load_vectorizer(folder, position, dict(spec), scores, sums)
        for position, spec in enumerate(facts["vectorizers"])
    ]
    classes = facts.get("classes", facts["labels"])  # not in folders of before there were any
    return LinearPredictor(
        labels=rename(classes, names) if names else facts["labels"],
        classes=classes,
        vectorizers=vectorizers,
        intercepts=[*map(float, facts["intercepts"])],
        decision=facts["decision"],
        binarize=facts["binarize"],
    )


def _load_vectorizer(
    folder: str, position: int, spec: dict[str, Any], scores: int, sums: Mapping[str, str]
) -> Vectorizer:
    def read(part: str) -> bytes:
        name = f"{part}.{position}"
        content = _read(folder, name)
        _check(folder, name, content, sums)
        return content

    kind = spec.pop("vocabulary")
    vocabulary = TermVocabulary if kind == TermVocabulary.kind else pair_vocabulary()
    layout = row_layout(scores, spec["norm"], is_quick=spec["units"] is not None)
    files = {part: read(part) for part in PARTS[kind]}
    found = Vectorizer(
        vocabulary=vocabulary.from_parts(spec["analyzer"], layout, files, **spec.pop("terms")),
        table=read("table"),
        **spec,
    )
    check_numbers(found, scores)
    found.vocabulary.check(layout, files, found.columns)
    return found


def _parse_manifest(folder: str, raw: bytes) -> dict[str, Any]:
    """Refuse what this version cannot read first: a newer format may sum its files another way."""
    try:
        facts = manifest.parse(raw)
    except (ValueError, RecursionError) as exc:
        raise _damaged(f"{folder}/{MANIFEST}", f"it is not JSON ({exc})") from exc
    if not isinstance(facts, dict) or facts.get("kind") != KIND:
        raise _damaged(f"{folder}/{MANIFEST}", "it is not a compiled model's")
    version = facts.get("format")
    if version != FORMAT:
        raise CompiledModelError(
            f"{folder}/{MANIFEST}: format {version!r}, and this version reads {FORMAT}; "
            "compile the model with the version that serves it"
        )
    if facts.get("byte_order") != sys.byteorder:
        raise CompiledModelError(
            f"{folder}/{MANIFEST}: written on a {facts.get('byte_order')}-endian machine; "
            f"compile the model on a {sys.byteorder}-endian one"
        )
    return facts


def _read_sums(folder: str) -> dict[str, str]:
    """Return file name to digest."""
    try:
        lines = _read(folder, SUMS).decode("ascii").splitlines(keepends=True)
        pairs = [line.split("  ") for line in lines]
        sums = {name.removesuffix("\n"): digest for digest, name in pairs}
    except ValueError as exc:
        raise _damaged(f"{folder}/{SUMS}", "it is not a list of checksums") from exc
    if not all(line.endswith("\n") for line in lines):
        raise _damaged(f"{folder}/{SUMS}", "its last line is cut short")
    return sums


def _check(folder: str, name: str, content: bytes, sums: Mapping[str, str]) -> None:
    if name not in sums:
        raise _damaged(f"{folder}/{SUMS}", f"it has no checksum for {name}")
    if sha256(content).hexdigest() != sums[name]:
        raise _damaged(
            f"{folder}/{name}", f"its content is not what {SUMS} says: cut short or edited"
        )


def _read(folder: str, name: str) -> bytes:
    try:
        with open(f"{folder}/{name}", "rb") as file:
            return file.read()
    except FileNotFoundError as exc:
        raise _damaged(f"{folder}/{name}", "no such file") from exc
    except OSError as exc:
        raise CompiledModelError(f"{folder}/{name}: {exc.strerror}; check its permissions") from exc


def _damaged(path: str, reason: str) -> CompiledModelError:
    return CompiledModelError(f"{path}: {reason}; {REMEDY}")
