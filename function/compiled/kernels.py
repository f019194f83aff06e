"""Support vectors of a kernel that is no line: `rbf`, `poly` and `sigmoid` of SVC and NuSVC.

Follows Kernel::k_function and svm_predict_values of
https://github.com/scikit-learn/scikit-learn/blob/1.9.1/sklearn/svm/src/libsvm/svm.cpp
There a text is laid beside every vector, term by term. Here it meets only the vectors that share a
term with it; `rbf`, which wants the distance, then has it of both lengths and the product, rounded
otherwise. Where that could decide, `scores` goes libsvm's way.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import exp, tanh
from operator import add
from typing import Literal, NamedTuple

from function.compiled import native, support
from function.compiled.support import SupportVectors

LARGEST = 1e150
"""Of a kernel's value. Only a file made by hand has larger ones, and these count for nothing."""

PARTS = (*support.PARTS, "ignored")
Values = Iterable[tuple[int, float]]
"""A text's columns, ascending, and what they are worth."""


class Kernel(NamedTuple):
    """As in scikit-learn, where `offset` is coef0."""

    kind: Literal["rbf", "poly", "sigmoid"]
    gamma: float
    degree: int
    offset: float

    def of(self, product: float) -> float:
        """The value for two that multiply to `product`; not of rbf."""
        scaled = self.gamma * product + self.offset
        if self.kind == "sigmoid":
            return _kept(tanh(scaled))
        found, times = 1.0, self.degree
        while times > 0:
            if times % 2 == 1:
                found *= scaled
            times, scaled = times // 2, scaled * scaled
        return _kept(found)

    def at(self, distance: float) -> float:
        """The value of rbf for two at a distance of which this is the square."""
        return _kept(exp(min(-self.gamma * distance, 700.0)))


class KernelVectors(SupportVectors):
    """As SupportVectors, with a kernel; terms have no weights beside them."""

    alone = True

    def __init__(
        self, counts: Sequence[int], parts: Mapping[str, bytes], kernel: Kernel, columns: int
    ) -> None:
        """The part `ignored` has the columns that do not count (unsigned 32 bits). Raises
        ValueError where they are not of so many columns, or do not fit together."""
        super().__init__(counts, parts)
        self.parts = {name: parts[name] for name in PARTS}
        self.kernel = kernel
        self.check(columns)
        if max(array("I", parts["ignored"]), default=0) >= columns:
            raise ValueError(f"support vectors without a column that is none of {columns}")
        self.native = None
        if native._native is not None:
            self.native = native._native.Kernels(
                kernel.kind,
                kernel.gamma,
                kernel.degree,
                kernel.offset,
                array("I", counts).tobytes(),
                **self.parts,
                width=columns,
            )

    @property
    def micros(self) -> float:
        """How long a text takes in C, roughly: 30 vectors in a microsecond."""
        return sum(self.counts) / 30

    def scores(self, features: Values, intercepts: Sequence[float]) -> list[float]:
        """As SupportVectors.scores, rounded as libsvm does."""
        found = self._counted(features)
        if self.kernel.kind == "rbf":
            return self.pairs([self._exactly(found, own) for own in self._by_vector], intercepts)
        products = self.multiply(found.items())
        return self.pairs([*map(self.kernel.of, products)], intercepts)

    def quick_scores(self, features: Values, intercepts: Sequence[float]) -> list[float]:
        """The same, rounded in another way."""
        if self.native is not None:
            sums = native.add_values(self.native, features, len(intercepts))
            return [*map(add, sums, intercepts)]
        if self.kernel.kind != "rbf":
            return self.scores(features, intercepts)
        found = self._counted(features)
        square = sum([value * value for value in found.values()])
        products = zip(self._squares, self.multiply(found.items()), strict=True)
        return self.pairs(
            [self.kernel.at(square + own - 2.0 * both) for own, both in products], intercepts
        )

    def _counted(self, features: Values) -> dict[int, float]:
        return {column: value for column, value in features if column not in self._ignored}

    def _exactly(self, text: Mapping[int, float], vector: Mapping[int, float]) -> float:
        distance = 0.0  # not sum(), see faithful._length
        for column in sorted(text.keys() | vector.keys()):
            gap = text.get(column, 0.0) - vector.get(column, 0.0)
            distance += gap * gap
        return self.kernel.at(distance)

    @cached_property
    def _ignored(self) -> frozenset[int]:
        return frozenset(array("I", self.parts["ignored"]))

    @cached_property
    def _by_vector(self) -> list[dict[int, float]]:
        """Each vector's numbers, by column. In C they are wanted at the first tie."""
        columns, values = array("I", self.parts["columns"]), array("d", self.parts["values"])
        found, start = [], 0
        for length in array("I", self.parts["lengths"]):
            at = slice(start, start + length)
            found.append(dict(zip(columns[at], values[at], strict=True)))
            start += length
        return found

    @cached_property
    def _squares(self) -> list[float]:
        return [sum([own * own for own in vector.values()]) for vector in self._by_vector]


def _kept(value: float) -> float:
    return value if abs(value) <= LARGEST else 0.0
