"""Kernels that are no line: libsvm's answers in C and, of folders made there, in Python."""

from __future__ import annotations

import random
from array import array
from pathlib import Path
from typing import Any

import pytest

from function.compiled import native
from function.compiled.artifact import load
from function.compiled.kernels import Kernel, KernelVectors
from function.compiled.writing import save
from function.compiler.compiler import NotCompilable, translate
from function.compiler.verify import compare
from tests.conftest import without_native
from tests.fitted_models import original, texts_for
from tests.kinds import KERNELS, Case, fit, hashable

pytestmark = [
    pytest.mark.skipif(native._native is None, reason="the C code is not built"),
    pytest.mark.filterwarnings("ignore:Attribute `prob._` was deprecated:FutureWarning"),
]
COUNTS = [1, 2]
PARTS = {
    "lengths": array("I", [1, 2, 0]).tobytes(),
    "columns": array("I", [3, 0, 4]).tobytes(),
    "values": array("d", [1.0, 0.5, 2.0]).tobytes(),
    "coefficients": array("d", [1.0, -0.5, -0.5]).tobytes(),
    "ignored": array("I", [1]).tobytes(),
}
RBF = Kernel("rbf", 0.5, 3, 0.0)


@pytest.mark.parametrize("on", ["tfidf", "union-selected", "hashing"])
@pytest.mark.parametrize("kind", ["svc-rbf", "svc-rbf-probability", "svc-poly"])
def test_a_folder_made_with_the_c_code_is_served_without(
    kind: str, on: str, tmp_path: Path
) -> None:
    model = fit(Case(kind, on, 3))
    save(tmp_path / "model", translate(model), {})
    with without_native():
        served = load(tmp_path / "model")[0]
        found = compare(served, original(model), hashable(texts_for(7, 80)))
    assert found.problem is None, found


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_without_the_c_code_scikit_learn_is_quicker_and_serves(kind: str) -> None:
    model = fit(Case(kind, "tfidf", 2))
    with without_native(), pytest.raises(NotCompilable, match=r"kernel='\w+' without the C code"):
        translate(model)


def test_what_was_not_selected_is_no_part_of_the_distance() -> None:
    found = KernelVectors(COUNTS, PARTS, RBF, 5)
    assert found.quick_scores([(0, 1.0), (1, 9.0)], [0.0]) == found.quick_scores([(0, 1.0)], [0.0])


@pytest.mark.parametrize("kind", ["rbf", "poly", "sigmoid"])
def test_both_ways_come_to_the_same_but_for_rounding(kind: Any) -> None:
    rng, kernel = random.Random(kind), Kernel(kind, 0.7, 3, 0.2)
    quick = KernelVectors(COUNTS, PARTS, kernel, 5)
    with without_native():
        slow = KernelVectors(COUNTS, PARTS, kernel, 5)
    for _ in range(50):
        text = [(column, rng.uniform(-1, 1)) for column in sorted(rng.sample(range(5), 3))]
        exact = slow.scores(text, [0.1])
        assert quick.quick_scores(text, [0.1]) == pytest.approx(exact, abs=1e-12)
        assert slow.quick_scores(text, [0.1]) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("way", ["native", "python"])
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("damage", ["short", "cut", "other"])
def test_damaged_vectors_do_not_load(name: str, damage: str, way: str) -> None:
    size = 8 if name in ("values", "coefficients") else 4
    content = {
        "short": PARTS[name][:-size],
        "cut": PARTS[name][:-1],
        "other": b"\xff" * size + PARTS[name][size:],
    }[damage]
    if (name, damage) == ("ignored", "short"):
        return  # nothing is ignored then
    parts = {**PARTS, name: content}
    with pytest.raises(ValueError, match=r"support vector|array|bytes"):
        if way == "native":
            KernelVectors(COUNTS, parts, RBF, 5)
        else:
            with without_native():
                KernelVectors(COUNTS, parts, RBF, 5)
