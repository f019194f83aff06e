"""Numbers that functions of the model's own make of a text, beside its terms: as columns that are
what they are, in the place of a vectorizer.

In scikit-learn that is a transformer next to the vectorizer in a FeatureUnion: a text's length, or
whether it begins with a verb.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from function.compiled.analyzer import Analyze, AnalyzerSpec
from function.compiled.rows import RowLayout

if TYPE_CHECKING:
    from function.compiled.vectorizer import Vectorizer

LARGEST_OWN = 1e30
"""More than anybody counts or measures, and in single precision still a number."""
MOST_OWN = 1 << 16
"""Numbers that are made of a text."""


class OwnNumbers:
    """So many numbers of a text; see faithful.py for what is made of them."""

    kind: Literal["numbers"] = "numbers"

    def __init__(self, name: str, features: int) -> None:
        """`name` is what people call them: that of the function they come from."""
        self.name, self.features = name, features

    def counts_in(self, row: Sequence[float]) -> dict[int, float]:
        """Return a text's numbers by column, ascending, without those that are 0."""
        return {column: number for column, number in enumerate(row) if number}

    def names_in(self, row: Sequence[float]) -> list[str]:
        """Return what these are called, which column_of takes."""
        return [f"{self.name}[{column}]" for column in self.counts_in(row)]

    def column_of(self, name: str) -> int:
        """Return the column of one of the names."""
        return int(name.rpartition("[")[2][:-1])

    def terms_met(self) -> tuple[int, int]:
        """There are no terms."""
        return 0, 0

    def terms(self) -> list[str]:
        """As terms_met."""
        return []

    def check(self, layout: RowLayout, files: Mapping[str, bytes], columns: int) -> None:
        """Raise ValueError where the numbers do not go with a table of so many rows."""
        if not 0 < self.features == columns <= MOST_OWN:
            raise ValueError(f"{self.features} numbers of a text with {columns} rows")

    def to_parts(self, layout: RowLayout) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what `from_parts` needs: JSON for the manifest, and contents by file name."""
        return {"name": self.name, "features": self.features}, {}

    @classmethod
    def from_parts(
        cls,
        spec: AnalyzerSpec,
        layout: RowLayout,
        files: Mapping[str, bytes],
        analyze: Analyze | None = None,
        /,
        *,
        name: str,
        features: int,
    ) -> OwnNumbers:
        """Return what `to_parts` took apart; ValueError where it is none."""
        if type(name) is not str or not name.isascii() or type(features) is not int:
            raise ValueError(f"numbers of {name!r}, {features!r} of a text")
        return cls(name, features)


def check_plain(vectorizer: Vectorizer) -> None:
    """Raise ValueError where no function makes the numbers, or they count for something else."""
    functions = vectorizer.functions
    if functions is None or functions.before is None or functions.make_terms:
        raise ValueError("numbers that no function makes")
    weighting = (vectorizer.binary, vectorizer.sublinear, vectorizer.norm, vectorizer.units)
    if any(weighting):
        raise ValueError("numbers that are weighted as terms are")


def as_rows(found: Any, count: int, columns: int | None, name: str) -> list[list[float]]:
    """Return the numbers that a function made of so many texts, in any of the shapes that
    scikit-learn takes: an array, a sparse matrix, a frame or lists, with a row for each text.

    Raises ValueError for anything else, for rows of other than so many `columns`, where that is
    given, and for what is no number within LARGEST_OWN, NaN among it.
    """
    for plainer in ("toarray", "to_numpy", "tolist"):
        found = getattr(found, plainer)() if hasattr(found, plainer) else found
    rows = [_as_row(row, name) for row in found]
    widths = {len(row) for row in rows}
    if len(rows) != count or len(widths | ({columns} if columns else set())) != 1:
        told = ", ".join(map(str, sorted(widths)))
        raise ValueError(f"{name} makes {len(rows)} rows of {told} numbers of {count} texts")
    return rows


def _as_row(row: Any, name: str) -> list[float]:
    numbers = row.tolist() if hasattr(row, "tolist") else row
    if not isinstance(numbers, list | tuple):
        raise ValueError(f"{name} makes no row of numbers of a text")
    plain = [number.item() if hasattr(number, "item") else number for number in numbers]
    if not all(isinstance(number, int | float) and abs(number) <= LARGEST_OWN for number in plain):
        raise ValueError(f"{name} makes what is no number of a text, or none up to {LARGEST_OWN:g}")
    return [*map(float, plain)]
