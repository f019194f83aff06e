"""Decision trees: the leaf that a text comes to in each, and what the leaves add up to.

As scikit-learn has it (tree/_tree.pyx, ensemble/_gradient_boosting.pyx): a value is rounded to
single precision, and goes to the left where it is not above the node's threshold; a column that the
text has not is 0.0. Leaves are added up in the order of the trees.

As XGBoost has it (src/predictor/cpu_predictor.cc), a column that the text has not is `missing`, and
each node says where such a text goes on. It is not a number here, so it is not up to any threshold
and goes to the node's other place, with what is above it; a node that has it go with what is below
asks for the value with its sign turned, which is a column of its own. And sums are rounded as they
grow.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import isfinite, nan, sqrt
from struct import Struct

from function.compiled import native

LEAF = 2**32 - 1
"""In the place of a leaf's feature."""
LARGEST, LARGEST_SINGLE = 1e80, 1e28
"""Of a leaf's number: any number of them comes to no infinity, the second in single precision."""
PARTS = ("trees", "nodes", "values")
FLAGS = ("missing", "single_sums")
"""What a folder says only of a forest that has it."""
TREE, NODE = Struct("3I"), Struct("d2I")
"""A root, the first score that it adds to and how many; a threshold, a feature and another node."""


class Forest:
    """Trees of any number of scores. Safe to share between threads."""

    def __init__(
        self,
        starts: Sequence[float],
        parts: Mapping[str, bytes],
        *,
        columns: int,
        single: bool,
        alone: bool,
        missing: bool = False,
        single_sums: bool = False,
    ) -> None:
        """`starts` has what each score begins with. Of the `parts`, `trees` have where each one's
        nodes begin, one tree's after the other's, and which scores it adds to: the first and how
        many. `nodes` have a threshold, a feature and where it goes on above the threshold, else at
        the next node; a leaf has LEAF for its feature, and where in `values` (doubles) its numbers
        begin. A feature is a column; those of a vectorizer follow those of the one before it.
        `single` is whether values are rounded; `alone`, whether there is nothing but trees, and
        terms have no weights. `missing` is whether a column that a text has not is no number, and
        the columns come a second time, with their values' signs turned; `single_sums`, whether
        what is added up is rounded to single precision each time.

        Raises ValueError where a way leads nowhere, or a number is none or too large.
        """
        self.starts, self.columns = tuple(starts), columns
        self.single, self.alone = single, alone
        self.missing, self.single_sums = missing, single_sums
        self.parts = {name: parts[name] for name in PARTS}
        numbers = self.parts["values"] + array("d", starts).tobytes()
        if len(numbers) % 8 or not native.largest_of(numbers) <= LARGEST:
            raise ValueError("leaves with numbers that are not finite, or too large")
        if single_sums and max(map(abs, array("d", numbers)), default=0.0) > LARGEST_SINGLE:
            raise ValueError("leaves with numbers that are too large for single precision")
        self.native = self._build_native()
        if self.native is None:
            self._check()

    @property
    def micros(self) -> float:
        """How long a text takes in C, roughly: the square root of each tree's nodes, in hundredths
        of a microsecond."""
        trees, nodes = len(self.parts["trees"]) // TREE.size, len(self.parts["nodes"]) // NODE.size
        return sqrt(trees * nodes) / 100

    def _build_native(self) -> native._native.Forest | None:
        if native._native is None:
            return None
        starts = array("d", self.starts).tobytes()
        return native._native.Forest(
            **self.parts,
            starts=starts,
            columns=self.columns,
            single=self.single,
            missing=self.missing,
            single_sums=self.single_sums,
        )

    def scores(self, values: Iterable[tuple[int, float]]) -> list[float]:
        """Return what a text's columns and their values come to."""
        if self.native is None:
            return self._walk(dict(values))
        return native.add_values(self.native, values, len(self.starts))

    def _walk(self, found: dict[int, float]) -> list[float]:
        if self.single:
            found = dict(zip(found, array("f", found.values()), strict=True))
        thresholds, features, others = self._nodes
        if self.missing:
            found |= {self.columns + column: -value for column, value in found.items()}
        scores, absent = array("f" if self.single_sums else "d", self.starts), self._absent
        leaves, value_of = self._values, found.get
        for place, first, count in self._trees:
            while (feature := features[place]) != LEAF:
                is_left = value_of(feature, absent) <= thresholds[place]
                place = place + 1 if is_left else others[place]
            for own, number in enumerate(leaves[others[place] : others[place] + count], first):
                scores[own] += number
        return scores.tolist()

    @property
    def _absent(self) -> float:
        """The value of a column that a text has not."""
        return nan if self.missing else 0.0

    @property
    def _width(self) -> int:
        """How many columns nodes may ask for."""
        return 2 * self.columns if self.missing else self.columns

    @cached_property
    def _trees(self) -> list[tuple[int, int, int]]:
        return [*TREE.iter_unpack(self.parts["trees"])]

    @cached_property
    def _values(self) -> array[float]:
        return array("d", self.parts["values"])

    @cached_property
    def _nodes(self) -> tuple[array[float], array[int], array[int]]:
        """Their thresholds, features, and where they go on above the threshold."""
        doubles, numbers = array("d", self.parts["nodes"]), array("I", self.parts["nodes"])
        return doubles[::2], numbers[2::4], numbers[3::4]

    def _check(self) -> None:
        """As native/forest.c has it."""
        if len(self.parts["trees"]) % TREE.size or len(self.parts["nodes"]) % NODE.size:
            raise ValueError("a tree or a node that is cut short")
        thresholds, features, others = self._nodes
        roots = [*(root for root, _, _ in self._trees), len(features)]
        if roots[0] != 0 or not self.starts:
            raise ValueError("nodes of no tree, or of a forest without scores")
        for (root, first, count), end in zip(self._trees, roots[1:], strict=True):
            if root >= end or first + count > len(self.starts):
                raise ValueError("a tree without nodes, or of scores that there are not")
            for place in range(root, end):
                feature, other = features[place], others[place]
                if feature == LEAF:
                    is_sound = other + count <= len(self._values)
                else:
                    leads_on = place + 1 < other < end and feature < self._width
                    is_sound = leads_on and isfinite(thresholds[place])
                if not is_sound:
                    raise ValueError("a node whose ways lead nowhere")
