"""The compiled model on disk: data only, complete or refused.

    DIR/
      SHA256SUMS      a line per file below, as sha256sum writes and checks them
      manifest.json   format, byte order, lineage, classes and labels, intercepts, decision,
                      vectorizers
      vectorizer.0    the first vectorizer's parts, one after the other:
          terms         its terms, UTF-8, joined by a character none of them has
          pairs         where the terms are words and pairs of them: which words make each pair
          rows          the terms' packed rows (rows.py)
          table         what the faithful way reads (vectorizer.Vectorizer)
                      or, where terms are hashed (hashed.py):
          columns       which columns have a row of their own
          table         their rows, and that of all others
                      or, of numbers that functions make (own_numbers.py):
          table         a row for each number
      vectorizer.1 ...  those of a FeatureUnion's further vectorizers
      code/           of models with functions of their own: the modules these are in (code.py)
      support         of SVC and NuSVC: their support vectors (support.py)
      forest          decision trees (forest.py)

formats.py has what the format's number stands for.

SHA256SUMS names every file and `load` reads no byte that it did not check, so a folder that was
cut short, edited or mixed with another does not load. That guards against accidents; where someone
recomputed the sums, what is loaded still is of the types and in the ranges that serving relies on
(manifest.py). Nothing in the folder can run but its code/, and that where who loads it says how.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from function.compiled import garbage, manifest
from function.compiled.files import (
    FOREST,
    FORMATS,
    MANIFEST,
    SUMS,
    SUPPORT,
    VECTORIZER,
    Checked,
    CompiledModelError,
    Files,
    Folder,
    damaged,
    read_sums,
)
from function.compiled.names import rename
from function.compiled.pairs import PairVocabulary
from function.compiled.predictor import CompiledPredictor
from function.compiled.terms import TermVocabulary
from function.compiled.vectorizer import Vectorizer, Vocabulary, check_numbers, row_layout
from function.compiled.vocabularies import NativeVocabulary, pair_vocabulary, term_vocabulary

if TYPE_CHECKING:
    from pathlib import Path  # whose import takes longer than a small model's load

    from function.compiled.code import Resolve
    from function.compiled.forest import Forest
    from function.compiled.functions import Functions
    from function.compiled.support import SupportVectors

KIND = "compiled text classifier"
PARTS = {
    TermVocabulary.kind: ("terms", "rows", "table"),
    PairVocabulary.kind: ("terms", "pairs", "rows", "table"),
    "hashed": ("columns", "table"),
    "numbers": ("table",),
}
"""By kind of vocabulary, what a vectorizer's file consists of."""


def load(
    place: str | Path | Files,
    labels: Mapping[str, str] | None = None,
    resolve: Resolve | None = None,
) -> tuple[CompiledPredictor, dict[str, Any]]:
    """Return the predictor in the folder, or of the files, at `place`, and its lineage.

    `labels` renames the model's own classes, as in compile_model, instead of what was given when
    it was compiled. Raises CompiledModelError for anything but a complete, unaltered folder of a
    format and byte order this version reads, and ModelLoadError for `labels` that do not fit.
    `resolve` makes functions of the model's own; without, a folder that has any is CodeNotAllowed.
    """
    files = Folder(place) if isinstance(place, str | os.PathLike) else place
    (raw,), digest = files.read(MANIFEST)
    facts = _parse_manifest(files.named, raw)
    (listed,), _ = files.read(SUMS)
    checked = Checked(files, read_sums(files.named, listed))
    checked.check(MANIFEST, digest)
    try:
        with garbage.collection_paused():
            manifest.check(facts)
            functions = _load_functions(checked, facts, resolve)
            return _build(checked, facts, labels or {}, functions), facts["lineage"]
    except (LookupError, TypeError, ValueError, ArithmeticError, re.error) as exc:
        problem = f"it does not describe a model ({exc!r})"
        raise damaged(f"{files.named}/{MANIFEST}", problem) from exc


def digest(directory: str | Path) -> str:
    """Return the SHA-256 of the folder's SHA256SUMS, and so of everything in it: what `save`
    returned. Raises CompiledModelError where there is no such file."""
    return Folder(directory).read(SUMS)[1]


def _load_functions(
    files: Checked, facts: Mapping[str, Any], resolve: Resolve | None
) -> list[Functions | None]:
    """Of each vectorizer those of the model's own."""
    if not any("functions" in spec for spec in facts["vectorizers"]):
        return [None] * len(facts["vectorizers"])
    from function.compiled.code import read_functions

    return read_functions(facts, files.named, files.read, resolve)


def _build(
    files: Checked,
    facts: Mapping[str, Any],
    names: Mapping[str, str],
    functions: Sequence[Functions | None],
) -> CompiledPredictor:
    is_alone = facts.get("forest", {}).get("alone") or "kernel" in facts.get("support", {})
    scores = 0 if is_alone else len(facts["intercepts"])
    in_python = any(functions)
    vectorizers = [
        _load_vectorizer(files, position, {**spec, "functions": own}, scores, in_python)
        for position, (spec, own) in enumerate(zip(facts["vectorizers"], functions, strict=True))
    ]
    classes = facts.get("classes", facts["labels"])  # not in folders of before there were any
    return CompiledPredictor(
        labels=rename(classes, names) if names else facts["labels"],
        classes=classes,
        vectorizers=vectorizers,
        intercepts=[*map(float, facts["intercepts"])],
        decision=facts["decision"],
        binarize=facts["binarize"],
        support=_load_support(files, facts, vectorizers),
        forest=_load_forest(files, facts, vectorizers),
        class_type=facts.get("class_type"),
    )


def _load_support(
    files: Checked, facts: Mapping[str, Any], vectorizers: Sequence[Vectorizer]
) -> SupportVectors | None:
    if "support" not in facts:
        return None
    from function.compiled import support

    spec = facts["support"]
    if facts["decision"]["kind"] != "pairwise":
        raise ValueError("support: vectors for a decision without pairs of classes")
    sizes, columns = spec["sizes"], sum(part.width for part in vectorizers)
    if len(spec["counts"]) != len(facts["labels"]):
        raise ValueError(f"support: vectors of {len(spec['counts'])} classes")
    if "kernel" in spec:
        from function.compiled.kernels import PARTS, Kernel, KernelVectors

        parts = files.parts(SUPPORT, {part: sizes[part] for part in PARTS})
        return KernelVectors(spec["counts"], parts, Kernel(**spec["kernel"]), columns)
    sizes = {part: sizes[part] for part in support.PARTS}
    found = support.SupportVectors(spec["counts"], files.parts(SUPPORT, sizes))
    found.check(columns)
    return found


def _load_forest(
    files: Checked, facts: Mapping[str, Any], vectorizers: Sequence[Vectorizer]
) -> Forest | None:
    if "forest" not in facts:
        return None
    from function.compiled.forest import FLAGS, PARTS, Forest

    spec = facts["forest"]
    if len(spec["starts"]) != len(facts["intercepts"]):
        raise ValueError(f"a forest of {len(spec['starts'])} scores")
    sizes = {part: spec["sizes"][part] for part in PARTS}
    return Forest(
        spec["starts"],
        files.parts(FOREST, sizes),
        columns=sum(part.width for part in vectorizers),
        single=spec["single"],
        alone=spec["alone"],
        **{flag: spec.get(flag, False) for flag in FLAGS},
    )


def _load_vectorizer(
    files: Checked,
    position: int,
    spec: dict[str, Any],
    scores: int,
    in_python: bool,
) -> Vectorizer:
    kind, sizes = spec.pop("vocabulary"), spec.pop("sizes", None)
    if sizes is None:  # format 2
        parts = {part: files.read(f"{part}.{position}") for part in PARTS[kind]}
    else:
        sizes = {part: sizes[part] for part in PARTS[kind]}
        parts = files.parts(f"{VECTORIZER}.{position}", sizes)
    from_parts: Callable[..., Vocabulary] = _vocabulary(kind, in_python).from_parts
    layout = row_layout(scores, spec["norm"], is_quick=spec["units"] is not None)
    own: Functions | None = spec["functions"]
    analyze = own.own_analyzer(spec["analyzer"]) if own else None
    found = Vectorizer(
        vocabulary=from_parts(
            spec["analyzer"], layout, parts, *([analyze] if analyze else []), **spec.pop("terms")
        ),
        table=parts["table"],
        **spec,
    )
    check_numbers(found, scores)
    found.vocabulary.check(layout, parts, found.columns)
    if isinstance(found.vocabulary, NativeVocabulary):
        found.vocabulary.let_rows_go()
    return found


def _vocabulary(kind: str, in_python: bool) -> type[Vocabulary]:
    """C calls none of a model's own functions."""
    if kind == "numbers":
        from function.compiled.own_numbers import OwnNumbers

        return OwnNumbers
    if kind == "hashed":
        from function.compiled.native_hashed import hashed_vocabulary

        return hashed_vocabulary(in_python)
    if in_python:
        return TermVocabulary if kind == TermVocabulary.kind else PairVocabulary
    return term_vocabulary() if kind == TermVocabulary.kind else pair_vocabulary()


def _parse_manifest(folder: str, raw: bytes) -> dict[str, Any]:
    """Refuse what this version cannot read first: a newer format may sum its files another way."""
    try:
        facts = manifest.parse(raw)
    except (ValueError, RecursionError) as exc:
        raise damaged(f"{folder}/{MANIFEST}", f"it is not JSON ({exc})") from exc
    if not isinstance(facts, dict) or facts.get("kind") != KIND:
        raise damaged(f"{folder}/{MANIFEST}", "it is not a compiled model's")
    version = facts.get("format")
    if version not in FORMATS:
        *older, newest = FORMATS
        raise CompiledModelError(
            f"{folder}/{MANIFEST}: format {version!r}, and this version reads"
            f" {', '.join(map(str, older))} and {newest};"
            " compile the model with the version that serves it"
        )
    if facts.get("byte_order") != sys.byteorder:
        raise CompiledModelError(
            f"{folder}/{MANIFEST}: written on a {facts.get('byte_order')}-endian machine; "
            f"compile the model on a {sys.byteorder}-endian one"
        )
    return facts
