"""The labelled sentences that ship with the project, written for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

LABELS = ("negative", "neutral", "positive")
PATH = Path(__file__).with_name("sentences.tsv")
HELD_OUT = Path(__file__).with_name("held_out.tsv")


class Sentence(NamedTuple):
    """One line of the file: ``label<TAB>text``."""

    label: str
    text: str


def read_sentences(path: Path = PATH) -> list[Sentence]:
    """Every sentence, in file order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Sentence(*line.split("\t")) for line in lines]


class HeldOut(NamedTuple):
    """A sentence that no model is trained on: ``kind<TAB>label<TAB>text``."""

    kind: str
    label: str
    text: str


def read_held_out(path: Path = HELD_OUT) -> list[HeldOut]:
    """What the demo model is judged by, kind by kind."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [HeldOut(*line.split("\t")) for line in lines]
