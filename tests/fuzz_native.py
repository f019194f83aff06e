"""``python -m tests.fuzz_native``: the C code beside Python's, under AddressSanitizer and UBSan.

Builds the module with both into a folder of its own. Then random vocabularies of every kind are
asked random texts: rows, scores (to the bit), decisions and counts must be Python's, and no read
may leave its bytes. In between, vocabularies' files come with bytes changed, lost or doubled: they
are refused, or answer.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Mapping
from operator import add
from pathlib import Path
from typing import Any
from unittest.mock import patch

from function import build

SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
MODULE = "function.compiled._native"
TEXTS_EACH = 40
"""Of one vocabulary."""
TIMES_ASKED = 2
"""For the scores, and for the values."""
SCORES = (1, 2, 3, 7)
PIECES = [
    *("good", "bad", "the", "a", "é", "naïve", "ÉTÉ", "don't", "a_b", "x1", "2024"),
    *("ﬁne", "™", "№", "ß", "İ", "Σ", "ς", "e\u0301", "\u0301", "\U0010ffff"),
    *("好", "很好", "плохо", "🙂", "👎🏽", "\ud800", "\udfff", "\ud83d\ude00", "\0"),
    *(" ", "  ", "\t", "\n", "\r\n", "\x1c", "\x85", "\xa0", "\u1680", "\u2003", "\u2028"),
    *("\u3000", ".", ",", "!", "'", "-", "\x7f", "\u200b", "\ufeff"),
]
PATTERNS = [None, r"(?u)\b\w+\b", r"\S+", r"[a-z]+", r"[a-zA-Z'-]{2,}", r"\w{3,}", r"\w*"]
PATTERNS += [r"[^\W\d]+", r"(\w)\w*", r"\d+", r"[^,]+"]
RANGES = [(1, 1), (1, 2), (2, 2), (1, 3), (2, 5), (3, 5), (0, 2), (4, 40), (3, 2)]


def main() -> None:
    """Run for so many texts; exit status 1 with the seed where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_native", description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000, help="in all (1,000,000)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to do the same again")
    parser.add_argument("--module", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.module is None:
        sys.exit(run_apart(chosen.texts, chosen.seed))
    print(f"seed {chosen.seed}", flush=True)  # before what no exception tells
    load(chosen.module)
    fuzz(chosen.texts, chosen.seed)


def run_apart(texts: int, seed: int) -> int:
    """Build the module, and start this again with it and the sanitizers' library."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / build.MODULE.name
        build.build(module, SANITIZERS)
        library = [*build.compiler(), "-print-file-name=libasan.so"]
        preloaded = subprocess.run(library, check=True, capture_output=True, text=True)
        environ = {
            **os.environ,
            "LD_PRELOAD": preloaded.stdout.strip(),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",  # Python's own leaks
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",  # so that every object has bounds
        }
        arguments = ["--texts", str(texts), "--seed", str(seed), "--module", str(module)]
        command = [sys.executable, "-m", "tests.fuzz_native", *arguments]
        return subprocess.run(command, cwd=Path(__file__).parent.parent, env=environ).returncode


def load(path: str) -> None:
    """Take this module for the one that is built."""
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)


def fuzz(count: int, seed: int) -> None:
    """Ask about so many texts, and say how far it is."""
    from function.compiled import native

    assert native._native is sys.modules[MODULE]
    started = said = time.monotonic()
    texts = refused = number = 0
    while texts < count:
        rng = random.Random(f"{seed} {number}")
        try:
            texts += one_model(rng) + one_hashed(rng)
            refused += one_damage(rng) + one_forest(rng) + one_kernel(rng)
        except BaseException:
            print(f"with --seed {seed}, model {number}:", flush=True)
            raise
        number += 1
        if time.monotonic() - said > 10:
            said = time.monotonic()
            print(f"{texts:,} texts, {number:,} models", flush=True)
    seconds = time.monotonic() - started
    print(
        f"{texts:,} texts of {number:,} models as in Python, and damaged ones, of which {refused:,}"
        f" were refused, in {seconds:.0f} s; seed {seed}"
    )


def one_model(rng: random.Random) -> int:
    """Compare a vocabulary's answers with Python's, and return how many texts they were about."""
    spec = random_spec(rng)
    terms = random_terms(rng, spec)
    python, native, _, _ = vocabularies(rng, spec, terms)
    texts = compare_answers(rng, spec, python, native, len(terms))
    for text in texts[:4]:
        columns = sorted(row & 0xFFFFFFFF for row in python.rows_in(text))
        same(native.rows_in(text), columns, (spec, text))
    [*python.totals(texts)]
    same(native.terms_met(), tuple(TIMES_ASKED * met for met in python.terms_met()), spec)
    return len(texts)


def one_hashed(rng: random.Random) -> int:
    """The same of terms that are known by their hashes, and of columns that are not right."""
    from function.compiled.hashed import HashedVocabulary
    from function.compiled.native_hashed import NativeHashed

    spec, features = random_spec(rng), rng.choice([1, 2, 7, 50, 2**12, 2**22])
    own = array("I", sorted(rng.sample(range(features), rng.randrange(min(features, 60) + 1))))
    has_signs = rng.random() < 0.7
    python = HashedVocabulary(spec, own, features, has_signs)
    native = NativeHashed(spec, own, features, has_signs)
    texts = compare_answers(rng, spec, python, native, len(own) + 1, sublinear=not has_signs)
    columns = [python.column_of(term) for text in texts for term in python.analyze(text)]
    met = TIMES_ASKED * len(columns), TIMES_ASKED * columns.count(None)
    same(native.terms_met(), met, spec)
    content = damage(rng, own.tobytes())
    damaged = array("I", content[: len(content) // 4 * 4])
    try:
        found = NativeHashed(spec, damaged, features, has_signs)
        found.weigh(
            *(bytes(16 * (len(own) + rng.randrange(2))), 1),
            **{"binary": False, "sublinear": False, "norm": "l2", "scale": 1.0, "binarize": None},
        )
        found.add_up(texts, bytearray(8 * len(texts)))
    except ValueError:
        pass
    return len(texts)


def compare_answers(
    rng: random.Random, spec: Any, python: Any, native: Any, lines: int, sublinear: bool = True
) -> list[str]:
    """Compare what texts add up to, whose terms have so many lines of a table; return the texts."""
    from function.compiled.faithful import add_up, build_features
    from function.compiled.native import VALUE
    from function.compiled.vectorizer import Vectorizer

    scores = rng.choice(SCORES)
    table = array("d", [rng.uniform(-3, 3) for _ in range(lines * (1 + scores))]).tobytes()
    options: dict[str, Any] = {
        "binary": rng.random() < 0.2,
        "sublinear": sublinear and rng.random() < 0.4,
        "norm": rng.choice([None, "l1", "l2"]),
        "scale": rng.choice([1.0, 0.3]),
    }
    binarize = rng.choice([None, None, 0.1])
    features = build_features(
        Vectorizer(spec, python, table, None, lines, **options), scores, binarize
    )
    native.weigh(table, scores, **options, binarize=binarize)
    if rng.random() < 0.5:
        native.let_rows_go()
    texts = [random_text(rng) for _ in range(TEXTS_EACH)]
    totals = bytearray(8 * scores * len(texts))
    native.add_up(texts, totals)
    found = [features(text) for text in texts]
    given = [[(at, row[0]) for at, row in zip(*line, strict=True)] for line in found]
    expected = [add_up(line, [0.0] * scores) for _, line in found]
    same(array("d", totals).tolist(), [number for row in expected for number in row], texts)
    values = [b"".join(VALUE.pack(column, value) for column, value in line) for line in given]
    same(native.values(texts, 0), values, texts)
    compare_decisions(rng, totals, scores)
    compare_layers(rng, totals, scores)
    return texts


def one_damage(rng: random.Random) -> int:
    """Take files that are not right; 1 where they are refused."""
    spec, scores = random_spec(rng), rng.choice(SCORES)
    terms = random_terms(rng, spec)
    _, native, files, more = vocabularies(rng, spec, terms)
    damaged = {name: damage(rng, content) for name, content in files.items()}
    table = damage(rng, bytes(len(terms) * (1 + scores) * 8))
    try:
        from function.compiled.rows import RowLayout

        layout = RowLayout(rng.choice([*[3] * 9, 0, 4]))
        found = type(native).from_parts(spec, layout, damaged, **more)
        found.weigh(
            table, scores, binary=False, sublinear=True, norm="l2", scale=1.0, binarize=None
        )
        texts = [random_text(rng) for _ in range(5)]
        found.add_up(texts, bytearray(8 * scores * rng.choice([*[5] * 9, 4])))
        found.rows_in(texts[0])
        found.terms()
        found.check(layout, damaged, len(terms))
    except ValueError:
        return 1
    return 0


def one_forest(rng: random.Random) -> int:
    """Compare a forest's scores with Python's, and take one that is not right; 1 where that is
    refused."""
    from function.compiled import native as built
    from function.compiled.forest import Forest
    from function.compiled.native import VALUE
    from tests.forests import random_flags, random_parts, random_values

    columns, scores, flags = rng.randrange(9), rng.randint(1, 4), random_flags(rng)
    starts = [rng.uniform(-1, 1)] * scores
    parts = random_parts(rng, columns * (1 + flags["missing"]), scores)
    texts = [random_values(rng, columns) for _ in range(9)]
    with patch.object(built, "_native", None):
        python = Forest(starts, parts, columns=columns, alone=True, **flags)
        expected = [*map(python.scores, texts)]
    native = Forest(starts, parts, columns=columns, alone=True, **flags)
    same([*map(native.scores, texts)], expected, texts)
    damaged = {name: damage(rng, content) for name, content in parts.items()}
    try:
        found = Forest(starts, damaged, columns=columns, alone=True, **flags)
        lines = [damage(rng, VALUE.pack(*pair)) for text in texts for pair in text]
        assert found.native is not None
        found.native.add_up(lines, bytearray(8 * scores * max(len(lines) - rng.randrange(2), 0)))
    except ValueError:
        return 1
    return 0


def one_kernel(rng: random.Random) -> int:
    """The same of support vectors."""
    from function.compiled import native as built
    from function.compiled.kernels import Kernel, KernelVectors

    def numbers() -> list[tuple[int, float]]:
        chosen = sorted(rng.sample(range(columns), rng.randint(0, columns)))
        return [(column, rng.uniform(-1, 1)) for column in chosen]

    columns, counts = rng.randrange(1, 9), [rng.randrange(5) for _ in range(rng.randint(2, 4))]
    vectors = [numbers() for _ in range(sum(counts))]
    weights = [rng.uniform(-2, 2) for _ in range(len(vectors) * (len(counts) - 1))]
    parts = {
        "lengths": array("I", map(len, vectors)).tobytes(),
        "columns": array("I", [pair[0] for own in vectors for pair in own]).tobytes(),
        "values": array("d", [pair[1] for own in vectors for pair in own]).tobytes(),
        "coefficients": array("d", weights).tobytes(),
        "ignored": array("I", rng.sample(range(columns), rng.randrange(columns))).tobytes(),
    }
    kinds: Any = ("rbf", "poly", "sigmoid")
    kernel = Kernel(rng.choice(kinds), rng.random(), rng.randrange(5), rng.uniform(-1, 1))
    texts = [numbers() for _ in range(9)]
    intercepts = [0.25] * (len(counts) * (len(counts) - 1) // 2)
    native = KernelVectors(counts, parts, kernel, columns)
    with patch.object(built, "_native", None):
        python = KernelVectors(counts, parts, kernel, columns)
        expected = [python.quick_scores(text, intercepts) for text in texts]
    for text, scores in zip(texts, expected, strict=True):
        for mine, theirs in zip(native.quick_scores(text, intercepts), scores, strict=True):
            same(math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9), True, (mine, theirs))
    damaged = {name: damage(rng, content) for name, content in parts.items()}
    try:
        found = KernelVectors([*counts[1:], rng.randrange(5)], damaged, kernel, columns)
        [found.quick_scores(text, intercepts) for text in texts]
    except ValueError:
        return 1
    return 0


def compare_decisions(rng: random.Random, totals: bytearray, scores: int) -> None:
    """Of the same scores, both ways."""
    from function.compiled import native
    from function.compiled.decision import build_decision

    decisions: list[dict[str, Any]] = [{"kind": "labels"}]
    for link in ("logistic", "clipped"):
        decisions += [
            {"kind": "one_vs_rest", "link": link, "all_zero": zero} for zero in ("uniform", "zero")
        ]
    if scores > 1:
        decisions += [{"kind": "softmax"}, {"kind": "naive_bayes"}]
    if scores == 2:  # of two labels a linear classifier has one score
        decisions = decisions[-2:]
    names = [str(number) for number in range(max(scores, 2))]
    intercepts = [rng.uniform(-1, 1) for _ in range(scores)]
    packed = array("d", intercepts).tobytes()
    numbers = array("d", totals).tolist()
    rows = [numbers[at : at + scores] for at in range(0, len(numbers), scores)]
    for decision in decisions:
        decide = build_decision(decision, names, scores)
        kind, all_zero = decision.get("link", decision["kind"]), decision.get("all_zero")
        answers = native._native.decide(totals, packed, kind, all_zero == "uniform")
        for row, found in zip(rows, answers, strict=True):
            expected = decide([*map(add, row, intercepts)], -1.0)
            assert expected is not None
            same(names[found[0]], expected.label, (decision, row))
            for mine, theirs in zip(found[1] or (), expected.scores or (), strict=True):
                same(math.isclose(mine, theirs, rel_tol=1e-12, abs_tol=1e-15), True, (mine, theirs))


def compare_layers(rng: random.Random, totals: bytearray, scores: int) -> None:
    """Of the same scores, both ways."""
    from function.compiled import native
    from function.compiled.layers import ACTIVATIONS, Layer

    count, activation = rng.randint(1, 9), rng.choice([*ACTIVATIONS])
    columns = [tuple(rng.gauss(0, 1) for _ in range(scores)) for _ in range(count)]
    layer = Layer(activation, columns, (0.0,) * count)
    intercepts = [rng.uniform(-1, 1) for _ in range(scores)]
    packed, numbers = array("d", intercepts).tobytes(), array("d", totals).tolist()
    found = array("d", native._native.pass_on(totals, packed, activation, layer.packed()))
    same(len(found) * scores, len(numbers) * count, (len(numbers), scores, count))
    for at in range(0, len(numbers), scores):
        expected = layer.of([*map(add, numbers[at : at + scores], intercepts)])
        own = found[at // scores * count :]
        for mine, theirs in zip(own, expected, strict=False):
            same(math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9), True, (mine, theirs))


def same(found: object, expected: object, about: object) -> None:
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}: {about!a}")


def vocabularies(
    rng: random.Random, spec: Any, terms: list[str]
) -> tuple[Any, Any, Mapping[str, bytes], Mapping[str, Any]]:
    """Return both ways' vocabulary, and what they are made of."""
    from function.compiled.pairs import PairVocabulary, link
    from function.compiled.rows import RowLayout
    from function.compiled.terms import TermVocabulary
    from function.compiled.vocabularies import NativePairs, NativeTerms

    layout = RowLayout(3)
    rows = {
        term: layout.pack(column, [rng.randrange(-(2**48), 2**48) for _ in range(3)])
        for column, term in enumerate(terms)
    }
    python: Any = TermVocabulary(spec, rows)
    if PairVocabulary.fits(spec) and rng.random() < 0.8:
        python = PairVocabulary(spec, link(spec, rows))
    more, files = python.to_parts(layout)
    kind: Any = NativePairs if isinstance(python, PairVocabulary) else NativeTerms
    return python, kind.from_parts(spec, layout, files, **more), files, more


def random_spec(rng: random.Random) -> Any:
    shortest, longest = rng.choice(RANGES)
    return {
        "analyzer": rng.choice(["word", "word", "char", "char_wb"]),
        "ngram_range": [shortest, longest],
        "lowercase": rng.random() < 0.7,
        "strip_accents": rng.choice([None, None, "ascii", "unicode"]),
        "stop_words": rng.choice([None, None, ["the", "a", "\ud800", "é", "a b", ""]]),
        "token_pattern": rng.choice(PATTERNS),
    }


def random_terms(rng: random.Random, spec: Any) -> list[str]:
    """Some of those of some texts, and others, which no text may have."""
    from function.compiled.analyzer import build_analyzer

    analyze = build_analyzer(spec)
    terms = {term for _ in range(rng.randrange(12)) for term in analyze(random_text(rng))}
    some = rng.sample(sorted(terms), rng.randrange(len(terms) + 1))
    return [*dict.fromkeys([*some, *(random_text(rng)[:3] for _ in range(rng.randrange(4)))])]


def random_text(rng: random.Random) -> str:
    """Pieces in any order, of all of Unicode now and then, in ASCII one time in three."""
    kind = rng.randrange(12)
    if kind == 0:
        return "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(12)))
    if kind == 1:
        return rng.choice(PIECES) * rng.randrange(60)
    is_long = rng.random() < 0.002
    text = "".join(rng.choices(PIECES, k=rng.randrange(5000 if is_long else 16)))
    return text.encode("ascii", "ignore").decode() if kind < 6 else text


def damage(rng: random.Random, content: bytes) -> bytes:
    """Left alone one time in two."""
    kind, changed = rng.randrange(10), bytearray(content)
    at = rng.randrange(len(changed) + 1)
    if kind == 0:
        del changed[at:]
    elif kind == 1:
        changed[at:at] = rng.randbytes(rng.randrange(40))
    elif kind == 2:
        changed += changed[at:]
    elif kind < 5:
        for _ in range(rng.randrange(1, 6)):
            if changed:
                changed[rng.randrange(len(changed))] = rng.choice([0, 10, 32, 128, 255])
    return bytes(changed)


if __name__ == "__main__":
    main()
