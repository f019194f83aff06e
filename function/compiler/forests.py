"""Fitted decision trees to the parts that serve (compiled/forest.py)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from function.compiled.forest import LEAF, NODE, TREE, Forest
from function.compiler.sklearn_names import NotCompilable


@dataclass(frozen=True, slots=True)
class FittedTree:
    """One tree as read from scikit-learn, its nodes numbered as they are there."""

    features: Sequence[int]
    thresholds: Sequence[float]
    left: Sequence[int]
    """Of each node, -1 for a leaf."""
    right: Sequence[int]
    leaves: Sequence[Sequence[float]]
    """By node, the numbers that a text gets there; those of inner nodes do not count."""
    first: int = 0
    """The first score that they are added to."""

    def in_order(self) -> Iterator[int]:
        """Yield the nodes so that the left one follows each at once."""
        waiting = [0]
        while waiting:
            node = waiting.pop()
            yield node
            if self.left[node] >= 0:
                waiting += [self.right[node], self.left[node]]


@dataclass(slots=True)
class FittedForest:
    """The trees of a classifier, by the columns that reach it."""

    trees: list[FittedTree]
    columns: int
    starts: list[float]
    """What each score begins with."""
    single: bool = True
    """Whether values are rounded to single precision."""

    def renumbered(self, places: Sequence[int], columns: int) -> FittedForest:
        """Return it where each of its columns has another place, among so many."""
        trees = [
            replace(tree, features=[places[own] if own >= 0 else own for own in tree.features])
            for tree in self.trees
        ]
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
    trees, nodes = bytearray(), bytearray()
    values, place_of = array("d"), dict[tuple[float, ...], int]()
    for tree in fitted.trees:
        root, count = len(nodes) // NODE.size, len(tree.leaves[0])
        trees += TREE.pack(root, tree.first, count)
        order = [*tree.in_order()]
        position_of = {node: root + at for at, node in enumerate(order)}
        for node in order:
            if tree.left[node] >= 0:
                other = position_of[tree.right[node]]
                nodes += NODE.pack(tree.thresholds[node], tree.features[node], other)
                continue
            leaf = tuple(tree.leaves[node])
            if leaf not in place_of:  # most trees end in a few that are the same
                place_of[leaf] = len(values)
                values.extend(leaf)
            nodes += NODE.pack(0.0, LEAF, place_of[leaf])
    parts = {"trees": bytes(trees), "nodes": bytes(nodes), "values": values.tobytes()}
    return Forest(fitted.starts, parts, columns=fitted.columns, single=fitted.single, alone=alone)
