"""Compiled folders that somebody changed, and whose sums they brought up to date."""

from __future__ import annotations

import random
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from function.compiled.artifact import load
from function.compiled.files import CompiledModelError
from function.compiled.predictor import CompiledPredictor

TIMES = 60


def resum(folder: Path) -> None:
    """Bring SHA256SUMS up to date, as someone would who edits a model on purpose."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = "".join(f"{sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)
    (folder / "SHA256SUMS").write_text(sums)


def check_flipped(folder: Path, texts: list[str], rng: random.Random) -> None:
    """Flip a few bits of one file, again and again: some of it still loads, and then answers every
    text, with probabilities that are some."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    served = 0
    for _ in range(TIMES):
        name = rng.choice([name for name in sorted(files) if name != "SHA256SUMS"])
        content = bytearray(files[name])
        for position in rng.sample(range(len(content)), k=min(3, len(content))):
            content[position] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(content)
        resum(folder)
        with suppress(CompiledModelError):
            _check_probabilities(load(folder)[0], texts)
            served += 1
        (folder / name).write_bytes(files[name])
    assert 0 < served < TIMES


def _check_probabilities(predictor: CompiledPredictor, texts: list[str]) -> None:
    given = [[text] * len(predictor.vectorizers) for text in texts]
    answers = [*predictor.predict(texts), *map(predictor._decide_faithfully, given)]
    assert all(0 <= share <= 1 for answer in answers for share in answer.scores or ())
