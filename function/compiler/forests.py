"""Fitted decision trees to the parts that serve (compiled/forest.py)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from function.compiled.forest import LEAF, TREE, Forest
from function.compiler.sklearn_names import NotCompilable


@dataclass(frozen=True, slots=True)
class FittedTree:
    """One tree as read from scikit-learn: numpy arrays by node, as they are numbered there. Lists
    of all trees' nodes would take seven times the memory of what serves."""

    features: Any
    thresholds: Any
    left: Any
    """-1 for a leaf."""
    right: Any
    leaves: Any
    """A row for each node, the numbers that a text gets there; those of inner nodes do not
    count."""
    is_turned: Any = None
    """By node, whether it asks for a value with its sign turned; None for no node."""
    first: int = 0
    """The first score that they are added to."""

    def of_full_matrix(self) -> FittedTree:
        """Return it where no column is missing, so that no node need be turned."""
        import numpy as np

        if self.is_turned is None:
            return self
        below = np.nextafter((-self.thresholds).astype(np.float32), np.float32(-np.inf))
        return replace(
            self,
            thresholds=np.where(self.is_turned, below.astype(np.float64), self.thresholds),
            left=np.where(self.is_turned, self.right, self.left),
            right=np.where(self.is_turned, self.left, self.right),
            is_turned=None,
        )

    def in_order(self) -> Iterator[int]:
        """Yield the nodes so that the left one follows each at once."""
        left, right, waiting = self.left.tolist(), self.right.tolist(), [0]
        while waiting:
            node = waiting.pop()
            yield node
            if left[node] >= 0:
                waiting += [right[node], left[node]]


@dataclass(slots=True)
class FittedForest:
    """The trees of a classifier, by the columns that reach it."""

    trees: list[FittedTree]
    columns: int
    starts: list[float]
    """What each score begins with."""
    single: bool = True
    """Whether values are rounded to single precision."""
    missing: bool = False
    """Whether columns that a text has not are missing."""
    single_sums: bool = False
    """Whether what the trees add up to is rounded to single precision each time."""

    def of_full_matrix(self) -> FittedForest:
        """Return it where columns that a text has not are 0.0."""
        trees = [tree.of_full_matrix() for tree in self.trees]
        return replace(self, trees=trees, missing=False)

    def renumbered(self, places: Sequence[int], columns: int) -> FittedForest:
        """Return it where each of its columns has another place, among so many."""
        import numpy as np

        place_of = np.array(places, dtype=np.int64)
        trees = []
        for tree in self.trees:
            features, inner = tree.features.astype(np.int64), tree.left >= 0
            features[inner] = place_of[features[inner]]
            trees.append(replace(tree, features=features))
        return replace(self, trees=trees, columns=columns)

    def beside(self, other: FittedForest) -> FittedForest:
        """Return both as one, on the same columns, the other's scores after these."""
        if self.trees and other.trees and self.single != other.single:
            raise NotCompilable("some trees round values to single precision, and others do not")
        scores = len(self.starts)
        more = [replace(tree, first=tree.first + scores) for tree in other.trees]
        single = self.single if self.trees else other.single
        return FittedForest(
            self.trees + more, self.columns, self.starts + other.starts, single=single
        )


def pack_forest(fitted: FittedForest, *, alone: bool) -> Forest:
    """Return what serves. Raises ValueError as Forest."""
    import numpy as np

    trees, nodes = bytearray(), bytearray()
    values, place_of = array("d"), dict[tuple[float, ...], int]()
    node_type = np.dtype([("threshold", "f8"), ("feature", "u4"), ("other", "u4")])  # forest.NODE
    for tree in fitted.trees:
        root, count = len(nodes) // node_type.itemsize, tree.leaves.shape[1]
        trees += TREE.pack(root, tree.first, count)
        order = np.fromiter(tree.in_order(), np.int64)
        position_of = np.zeros(len(tree.left), np.int64)
        position_of[order] = np.arange(root, root + len(order))
        inner = tree.left[order] >= 0
        own = np.zeros(len(order), node_type)
        own["threshold"][inner] = tree.thresholds[order[inner]]
        own["feature"] = LEAF
        own["feature"][inner] = tree.features[order[inner]]
        if tree.is_turned is not None:
            own["feature"][inner] += fitted.columns * tree.is_turned[order[inner]].astype("u4")
        own["other"][inner] = position_of[tree.right[order[inner]]]
        leaves = [*map(tuple, tree.leaves[order[~inner]].tolist())]
        for leaf in leaves:
            if leaf not in place_of:  # most trees end in a few that are the same
                place_of[leaf] = len(values)
                values.extend(leaf)
        own["other"][~inner] = [place_of[leaf] for leaf in leaves]
        nodes += own.tobytes()
    parts = {"trees": bytes(trees), "nodes": bytes(nodes), "values": values.tobytes()}
    return Forest(
        fitted.starts,
        parts,
        columns=fitted.columns,
        single=fitted.single,
        alone=alone,
        missing=fitted.missing,
        single_sums=fitted.single_sums,
    )
