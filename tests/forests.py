"""Forests of any shape, as their parts."""

from __future__ import annotations

import random
from array import array

from function.compiled.forest import LEAF, NODE, TREE

NUMBERS = [0.0, -0.0, 0.1, 0.25, 1 / 3, 1.0, 2.0, -0.5, 1e-30, 1e30]


def random_parts(rng: random.Random, columns: int, scores: int) -> dict[str, bytes]:
    """The parts of a few trees that ask for some of so many columns."""
    trees, nodes = bytearray(), list[bytes]()
    values = [rng.uniform(-3, 3) for _ in range(scores + rng.randrange(20))]
    for _ in range(rng.randrange(6)):
        first = rng.randrange(scores)
        count = rng.randint(1, scores - first)
        trees += TREE.pack(len(nodes), first, count)
        _grow(rng, nodes, columns, len(values) - count, rng.randrange(7))
    return {
        "trees": bytes(trees),
        "nodes": b"".join(nodes),
        "values": array("d", values).tobytes(),
    }


def _grow(rng: random.Random, nodes: list[bytes], columns: int, last: int, depth: int) -> None:
    place = len(nodes)
    nodes.append(NODE.pack(0.0, LEAF, rng.randint(0, last)))
    if depth == 0 or columns == 0 or rng.random() < 0.2:
        return
    _grow(rng, nodes, columns, last, depth - 1)
    threshold = rng.choice([*NUMBERS, rng.uniform(-1, 1)])
    nodes[place] = NODE.pack(threshold, rng.randrange(columns), len(nodes))
    _grow(rng, nodes, columns, last, depth - 1)


def random_flags(rng: random.Random) -> dict[str, bool]:
    """How values are read and sums rounded."""
    chances = {"single": 0.7, "missing": 0.4, "single_sums": 0.4}
    return {flag: rng.random() < chance for flag, chance in chances.items()}


def random_values(rng: random.Random, columns: int) -> list[tuple[int, float]]:
    """A text's columns, ascending, and what they are worth there."""
    chosen = sorted(rng.sample(range(columns), rng.randint(0, columns)))
    return [(column, rng.choice([*NUMBERS, rng.uniform(-1, 1)])) for column in chosen]
