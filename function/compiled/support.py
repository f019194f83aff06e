"""Support vectors of a linear kernel: what tells on which side of a line a text is, to the bit.

All of a pair's support vectors add up to one line of weights, which is what the quick way and
explanations take. libsvm itself multiplies a text with each of them and adds up that, and where
two classes mirror one another it is the rounding of this sum that decides.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations

LARGEST = 1e75
"""Of a vector's number or coefficient: two of them and a text's value come to no infinity."""
PARTS = ("lengths", "columns", "values", "coefficients")


class SupportVectors:
    """The vectors of each class, one class after the other."""

    alone = False
    """Whether terms have no weights beside them."""

    def __init__(self, counts: Sequence[int], parts: Mapping[str, bytes]) -> None:
        """`counts` are those of each class. Of the `parts`, `lengths` has how many numbers each
        vector has (unsigned 32 bits), `columns` and `values` which, ascending, one vector after
        the other, and `coefficients` those of each vector against the first other class, then
        against the second, and so on (doubles). A vectorizer's columns follow those of the one
        before it."""
        self.counts = tuple(counts)
        self.parts = {name: parts[name] for name in PARTS}

    def check(self, columns: int) -> None:
        """Raise ValueError where they do not fit together, are not of so many columns, or are not
        numbers."""
        vectors, parts = sum(self.counts), self.parts
        lengths, own = array("I", parts["lengths"]), array("I", parts["columns"])
        sizes = (len(lengths), len(own), len(parts["values"]), len(parts["coefficients"]))
        wanted = (vectors, sum(lengths), 8 * len(own), 8 * vectors * (len(self.counts) - 1))
        if len(self.counts) < 2 or sizes != wanted:
            raise ValueError(f"support vectors {self.counts} of sizes {sizes}")
        if max(own, default=0) >= columns:
            raise ValueError(f"a support vector has another column than these {columns}")
        for name in ("values", "coefficients"):
            if not all(-LARGEST <= number <= LARGEST for number in array("d", parts[name])):
                raise ValueError(f"support vectors with {name} that are not finite or too large")

    def scores(
        self, features: Iterable[tuple[int, float]], intercepts: Sequence[float]
    ) -> list[float]:
        """Return a score for each two classes, above zero for the second of them, of a text's
        columns, ascending, and their values: svm_predict_values."""
        return self.pairs(self.multiply(features), intercepts)

    def pairs(self, products: Sequence[float], intercepts: Sequence[float]) -> list[float]:
        """Return the same of what the text and each vector come to."""
        found = []
        pairs = combinations(range(len(self.counts)), 2)
        for (one, other), intercept in zip(pairs, intercepts, strict=True):
            total = self._add_up(self._add_up(0.0, products, one, other - 1), products, other, one)
            found.append(intercept - total)
        return found

    def multiply(self, features: Iterable[tuple[int, float]]) -> list[float]:
        """Return the product of the text and each vector."""
        products, by_column = [0.0] * sum(self.counts), self._by_column
        for column, value in features:
            for place, own in by_column.get(column, ()):
                products[place] += value * own
        return products

    def _add_up(self, total: float, products: Sequence[float], whose: int, against: int) -> float:
        """Add the products of one class's vectors, each as often as it weighs."""
        start = sum(self.counts[:whose])
        row, vectors = self._coefficients, len(products)
        for place in range(start, start + self.counts[whose]):
            total += row[against * vectors + place] * products[place]
        return total

    @cached_property
    def _coefficients(self) -> array[float]:
        return array("d", self.parts["coefficients"])

    @cached_property
    def _by_column(self) -> dict[int, list[tuple[int, float]]]:
        """By column, each vector that has it, and its value. Made at the first tie."""
        columns, values = array("I", self.parts["columns"]), array("d", self.parts["values"])
        found: dict[int, list[tuple[int, float]]] = {}
        start = 0
        for place, length in enumerate(array("I", self.parts["lengths"])):
            for position in range(start, start + length):
                found.setdefault(columns[position], []).append((place, values[position]))
            start += length
        return found
