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

import json
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from function.compiled import garbage, manifest
from function.compiled.linear import LinearPredictor
from function.compiled.names import rename
from function.compiled.native import pair_vocabulary
from function.compiled.pairs import PairVocabulary
from function.compiled.terms import TermVocabulary
from function.compiled.vectorizer import Vectorizer, check_numbers, row_layout

FORMAT = 2
KIND = "compiled text classifier"
PARTS = {TermVocabulary.kind: ("terms", "rows"), PairVocabulary.kind: ("terms", "pairs", "rows")}
"""By kind of vocabulary, the files it is kept in."""
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
REMEDY = "compile the model again, or copy the folder again as a whole"


class CompiledModelError(Exception):
    """A compiled model that cannot be read or written; the message says which file, why, and
    what to do."""


def save(directory: str | Path, predictor: LinearPredictor, lineage: Mapping[str, Any]) -> str:
    """Write `predictor` to the folder `directory` and return the SHA-256 of its SHA256SUMS.

    `lineage` is any JSON object: where the model came from. The folder appears whole, by a rename,
    or not at all. An older compiled model there is replaced; anything else that is not an empty
    folder raises CompiledModelError.
    """
    from function.compiled.folder import write_folder

    target = Path(directory).resolve()
    _refuse_to_clobber(target)
    files = _render(predictor, lineage)
    try:
        write_folder(target, files)
    except OSError as exc:
        raise CompiledModelError(f"{target}: {exc.strerror}; choose another output folder") from exc
    return sha256(files[SUMS]).hexdigest()


def load(
    directory: str | Path, labels: Mapping[str, str] | None = None
) -> tuple[LinearPredictor, dict[str, Any]]:
    """Return the predictor in the folder `directory`, and its lineage.

    `labels` renames the model's own classes, as in compile_model, instead of what was given when
    it was compiled. Raises CompiledModelError for anything but a complete, unaltered folder of a
    format and byte order this version reads, and ModelLoadError for `labels` that do not fit.
    """
    folder = Path(directory)
    raw = _read(folder, MANIFEST)
    facts = _parse_manifest(folder, raw)
    sums = _read_sums(folder)
    _check(folder, MANIFEST, raw, sums)
    try:
        with garbage.collection_paused():
            manifest.check(facts)
            return _build(folder, facts, sums, labels or {}), facts["lineage"]
    except (LookupError, TypeError, ValueError, ArithmeticError, re.error) as exc:
        raise _damaged(folder / MANIFEST, f"it does not describe a model ({exc!r})") from exc


def digest(directory: str | Path) -> str:
    """Return the SHA-256 of the folder's SHA256SUMS, and so of everything in it: what `save`
    returned. Raises CompiledModelError where there is no such file."""
    return sha256(_read(Path(directory), SUMS)).hexdigest()


def _build(
    folder: Path, facts: Mapping[str, Any], sums: Mapping[str, str], names: Mapping[str, str]
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
    folder: Path, position: int, spec: dict[str, Any], scores: int, sums: Mapping[str, str]
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


def _parse_manifest(folder: Path, raw: bytes) -> dict[str, Any]:
    """Refuse what this version cannot read first: a newer format may sum its files another way."""
    try:
        facts = manifest.parse(raw)
    except (ValueError, RecursionError) as exc:
        raise _damaged(folder / MANIFEST, f"it is not JSON ({exc})") from exc
    if not isinstance(facts, dict) or facts.get("kind") != KIND:
        raise _damaged(folder / MANIFEST, "it is not a compiled model's")
    version = facts.get("format")
    if version != FORMAT:
        raise CompiledModelError(
            f"{folder / MANIFEST}: format {version!r}, and this version reads {FORMAT}; "
            "compile the model with the version that serves it"
        )
    if facts.get("byte_order") != sys.byteorder:
        raise CompiledModelError(
            f"{folder / MANIFEST}: written on a {facts.get('byte_order')}-endian machine; "
            f"compile the model on a {sys.byteorder}-endian one"
        )
    return facts


def _read_sums(folder: Path) -> dict[str, str]:
    """Return file name to digest."""
    try:
        lines = _read(folder, SUMS).decode("ascii").splitlines(keepends=True)
        pairs = [line.split("  ") for line in lines]
        sums = {name.removesuffix("\n"): digest for digest, name in pairs}
    except ValueError as exc:
        raise _damaged(folder / SUMS, "it is not a list of checksums") from exc
    if not all(line.endswith("\n") for line in lines):
        raise _damaged(folder / SUMS, "its last line is cut short")
    return sums


def _check(folder: Path, name: str, content: bytes, sums: Mapping[str, str]) -> None:
    if name not in sums:
        raise _damaged(folder / SUMS, f"it has no checksum for {name}")
    if sha256(content).hexdigest() != sums[name]:
        raise _damaged(folder / name, f"its content is not what {SUMS} says: cut short or edited")


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as exc:
        raise _damaged(folder / name, "no such file") from exc
    except OSError as exc:
        raise CompiledModelError(f"{folder / name}: {exc.strerror}; check its permissions") from exc


def _damaged(path: Path, reason: str) -> CompiledModelError:
    return CompiledModelError(f"{path}: {reason}; {REMEDY}")


def _render(predictor: LinearPredictor, lineage: Mapping[str, Any]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    specs = []
    for position, vectorizer in enumerate(predictor.vectorizers):
        is_quick = vectorizer.units is not None
        layout = row_layout(len(predictor.intercepts), vectorizer.norm, is_quick)
        terms, parts = vectorizer.vocabulary.to_parts(layout)
        parts["table"] = vectorizer.table
        files.update({f"{part}.{position}": content for part, content in parts.items()})
        specs.append(_spec(vectorizer, terms))
    facts = {
        "kind": KIND,
        "format": FORMAT,
        "byte_order": sys.byteorder,
        "lineage": dict(lineage),
        "classes": predictor.classes,
        "labels": predictor.labels,
        "intercepts": predictor.intercepts,
        "decision": predictor.decision,
        "binarize": predictor.binarize,
        "vectorizers": specs,
    }
    files[MANIFEST] = json.dumps(facts, indent=1, allow_nan=False).encode()
    sums = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    files[SUMS] = sums.encode()
    return files


def _spec(vectorizer: Vectorizer, terms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "analyzer": vectorizer.analyzer,
        "vocabulary": vectorizer.vocabulary.kind,
        "terms": terms,
        "columns": vectorizer.columns,
        "units": vectorizer.units,
        "binary": vectorizer.binary,
        "sublinear": vectorizer.sublinear,
        "norm": vectorizer.norm,
        "scale": vectorizer.scale,
    }


def _refuse_to_clobber(target: Path) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise CompiledModelError(f"{target}: not a folder; choose another output folder")
    if any(target.iterdir()) and not _is_compiled_model(target):
        raise CompiledModelError(
            f"{target}: holds something other than a compiled model; choose another output folder"
        )


def _is_compiled_model(target: Path) -> bool:
    try:
        return bool(json.loads((target / MANIFEST).read_bytes())["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False
