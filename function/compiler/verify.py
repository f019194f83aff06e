"""Does the compiled predictor answer as the original does?

Knows nothing of scikit-learn nor of input shapes: the original is a function from texts to labels
and probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

from function.compiled.predictor import CompiledPredictor
from function.predictor import Predictor, said

Label = str | tuple[str, ...]
"""The one of a text, or those that apply where the model is multilabel."""
Original = Callable[[Sequence[str]], tuple[list[Label], Sequence[Sequence[float]] | None]]
"""Texts to (labels, probability rows in class order, or None where the model gives none)."""

TOLERANCE = 1e-9
SAMPLED_TERMS = 128
TERMS_PER_PROBE = 8

PROBES: tuple[str, ...] = (
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "qqqzzzx vvvkkkj",
    "a I x",
    "The delivery was late, but the support team was friendly and solved it within an hour.",
    "Absolutely loved it!!! Would buy again :-) 10/10",
    "Worst purchase I've ever made; it broke after 2 days & nobody answered my e-mails.",
    "It is what it is. Not good, not bad, not anything.",
    "good good good good bad bad good",
    "good\nbad\tgood\r\nbad\u2028good\x85bad\xa0good  bad   good",
    "Cafe\u0301 naïve façade — Ångström, A\u030angstro\u0308m, déjà vu",
    "Schön, daß es so groß ist. ẞ STRASSE Straße",
    "İstanbul ISPARTA ıspanak i\u0307",
    "ﬁnally eﬃcient ﬂow ǆ ǅ Ǆ ŉ ΑΣ Σας ὈΔΥΣΣΕΎΣ",
    "très bon produit, je recommande vivement à tous",
    "очень хорошо, но доставка ужасная",
    "素晴らしい製品です。二度と買いません。",
    "很好很好 非常差 ｆｕｌｌｗｉｄｔｈ ＡＢＣ１２３",
    "جيد جدا ولكن بطيء שלום עולם",
    "नमस्ते दुनिया क्षत्रिय ภาษาไทย 한국어 한국어",
    "👍🏽👩‍👩‍👧‍👦🇫🇷 ok 😀😀 good☺️bad",
    "𝔤𝔬𝔬𝔡 𝟙𝟚𝟛 ⅷ ½ x² № ™",
    "snake_case __init__ a_b 1_000 3.14 2nd 007 v1.2.3",
    "nul\x00inside \x00 \x1fgood\x1cbad\x7f",
    "zero\u200bwidth soft\xadhyphen bom\ufeff rtl\u200f lrm",
    "Z\u0351\u036f\u0310a\u0315\u0334l\u0321g\u0322o\u0301",
    "https://example.com/?q=good&x=bad user@example.org #tag @name",
    "UPPER CASE GOOD BAD Title Case Good Bad",
    "don't can't won't it's o'clock rock'n'roll co-op",
    "good, " * 60 + "bad. " * 40,
    "a" * 3000,
)
"""Texts on which analyzers differ if they differ at all. No lone surrogates: the original may keep
its texts in Arrow strings, which cannot hold them."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a comparison found. Parts of one comparison add up."""

    texts: int
    differing: int
    """How many texts got another label."""
    largest_difference: float
    """Between any two probabilities of a class; infinite where only one side gives any."""
    example: str = ""
    """The first text that differs."""

    @property
    def problem(self) -> str | None:
        """Why the two do not agree, or None where they do."""
        if self.differing:
            return f"{self.differing} of {self.texts} labels differ, first on {self.example!r}"
        if not self.largest_difference <= TOLERANCE:
            return (
                f"probabilities differ by {self.largest_difference:.3g} (at most {TOLERANCE:g}), "
                f"first on {self.example!r}"
            )
        return None

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.texts + other.texts,
            self.differing + other.differing,
            max(self.largest_difference, other.largest_difference),
            self.example or other.example,
        )


def probe_texts(predictor: CompiledPredictor) -> list[str]:
    """Return the built-in probes and texts made of the model's own terms, evenly sampled."""
    texts = list(PROBES)
    for vectorizer in predictor.vectorizers:
        terms = vectorizer.vocabulary.terms()
        step = max(1, len(terms) // SAMPLED_TERMS)
        sample = [term for term in terms[::step] if _is_encodable(term)]
        for start in range(0, len(sample), TERMS_PER_PROBE):
            terms = sample[start : start + TERMS_PER_PROBE]
            texts.append(" ".join(terms))
            texts.append("".join(terms + terms[:1]).upper())
    return texts


def _is_encodable(term: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in term)


def alone(predictor: Predictor) -> Original:
    """A predictor asked for each text alone."""

    def answer(texts: Sequence[str]) -> tuple[list[Label], Sequence[Sequence[float]] | None]:
        found = [predictor.predict([text])[0] for text in texts]
        rows = [item.scores for item in found if item.scores is not None]
        return [said(item) for item in found], rows or None  # type: ignore[misc]

    return answer


def compare(compiled: Predictor, original: Original, texts: Sequence[str]) -> Agreement:
    """Ask both about each text. Raises ValueError where the original skips or repeats texts."""
    labels, rows = original(texts)
    if len(labels) != len(texts) or (rows is not None and len(rows) != len(texts)):
        raise ValueError(f"{len(texts)} texts got {len(labels)} answers")
    found = Agreement(0, 0, 0.0)
    expected = [None] * len(texts) if rows is None else rows
    answers = compiled.predict(texts)
    for text, answer, label, row in zip(texts, answers, labels, expected, strict=True):
        difference = _difference(answer.scores, row)
        differs = said(answer) != label
        example = text[:80] if differs or difference > TOLERANCE else ""
        found += Agreement(1, int(differs), difference, example)
    return found


def _difference(scores: Sequence[float] | None, expected: Sequence[float] | None) -> float:
    if scores is None and expected is None:
        return 0.0
    if scores is None or expected is None or len(scores) != len(expected):
        return float("inf")
    gaps = [abs(score - other) for score, other in zip(scores, expected, strict=True)]
    return float("inf") if any(isnan(gap) for gap in gaps) else max(gaps)
