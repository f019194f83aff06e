"""A compiled model to its folder: what artifact.py reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from function.compiled import code as code_files
from function.compiled.artifact import KIND, PARTS
from function.compiled.files import (
    FOREST,
    MANIFEST,
    SUMS,
    SUPPORT,
    VECTORIZER,
    CompiledModelError,
)
from function.compiled.folder import write_folder
from function.compiled.forest import FLAGS
from function.compiled.formats import format_of
from function.compiled.predictor import CompiledPredictor
from function.compiled.vectorizer import Vectorizer, row_layout


def save(
    directory: str | Path,
    predictor: CompiledPredictor,
    lineage: Mapping[str, Any],
    code: Mapping[str, bytes] | None = None,
) -> str:
    """Write `predictor` to the folder `directory` and return the SHA-256 of its SHA256SUMS.

    `lineage` is any JSON object: where the model came from. The folder appears whole, by a rename,
    or not at all. An older compiled model there is replaced; anything else that is not an empty
    folder raises CompiledModelError. So does a function of the model's own, unless there is `code`,
    the sources of its modules by file: it is written as its name alone.
    """
    if code is None and (own := predictor.own_functions):
        raise CompiledModelError(f"{directory}: a folder holds no code, and there is {own[0]}")
    target = Path(directory).resolve()
    _refuse_to_clobber(target)
    files = _render(predictor, lineage, code or {})
    try:
        write_folder(target, files)
    except OSError as exc:
        raise CompiledModelError(f"{target}: {exc.strerror}; choose another output folder") from exc
    return sha256(files[SUMS]).hexdigest()


def _render(
    predictor: CompiledPredictor, lineage: Mapping[str, Any], code: Mapping[str, bytes]
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    specs = []
    for position, vectorizer in enumerate(predictor.vectorizers):
        is_quick = vectorizer.units is not None
        layout = row_layout(predictor.weights, vectorizer.norm, is_quick)
        terms, found = vectorizer.vocabulary.to_parts(layout)
        found["table"] = vectorizer.table
        parts = {part: found[part] for part in PARTS[vectorizer.vocabulary.kind]}
        files[f"{VECTORIZER}.{position}"] = b"".join(parts.values())
        specs.append({**_spec(vectorizer, terms), "sizes": _sizes(parts)})
    facts: dict[str, Any] = {
        "kind": KIND,
        "byte_order": sys.byteorder,
        "lineage": dict(lineage),
        "classes": predictor.classes,
        "labels": predictor.labels,
        "intercepts": predictor.intercepts,
        "decision": predictor.decision,
        "binarize": predictor.binarize,
        "vectorizers": specs,
    }
    if predictor.class_type is not None:
        facts["class_type"] = predictor.class_type
    if any(part.functions for part in predictor.vectorizers):
        facts["code"] = sorted(code)
        files |= {f"{code_files.FOLDER}/{file}": content for file, content in code.items()}
    if predictor.support is not None:
        parts = predictor.support.parts
        files[SUPPORT] = b"".join(parts.values())
        kernels = predictor.kernels
        facts["support"] = {
            "counts": predictor.support.counts,
            "sizes": _sizes(parts),
            **({} if kernels is None else {"kernel": kernels.kernel._asdict()}),
        }
    if predictor.forest is not None:
        forest, parts = predictor.forest, predictor.forest.parts
        files[FOREST] = b"".join(parts.values())
        facts["forest"] = {
            "starts": forest.starts,
            "single": forest.single,
            "alone": forest.alone,
            **{flag: True for flag in FLAGS if getattr(forest, flag)},
            "sizes": _sizes(parts),
        }
    facts["format"] = format_of(facts)
    files[MANIFEST] = json.dumps(facts, indent=1, allow_nan=False).encode()
    sums = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    files[SUMS] = sums.encode()
    return files


def _sizes(parts: Mapping[str, bytes]) -> dict[str, int]:
    return {part: len(content) for part, content in parts.items()}


def _spec(vectorizer: Vectorizer, terms: Mapping[str, Any]) -> dict[str, Any]:
    own = vectorizer.functions
    return {
        **({"functions": code_files.named(own)} if own else {}),
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
