"""A vectorizer as read from scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from function.compiled.analyzer import Analyze, AnalyzerSpec
from function.compiled.functions import Functions
from function.compiled.own_numbers import OwnNumbers
from function.compiled.vectorizer import Vectorizer, Vocabulary
from function.compiler.sklearn_names import NotCompilable, describe


class Hashing(NamedTuple):
    """HashingVectorizer's own parameters."""

    features: int
    alternate_sign: bool


@dataclass(slots=True)
class FittedVectorizer:
    """One vectorizer as read from scikit-learn, before the classifier's weights join it."""

    analyzer: AnalyzerSpec
    terms: list[str]
    binary: bool
    kept: Sequence[int] = field(default_factory=list)
    """The columns that reach the classifier, in order; all of them unless features are selected."""
    idf: list[float] | None = None
    sublinear: bool = False
    norm: Literal["l1", "l2"] | None = None
    scale: float = 1.0
    is_weighted: bool = False
    """Whether a TF-IDF step has already been applied."""
    is_rescaled: bool = False
    """Whether its values are scikit-learn's up to rounding only."""
    factors: list[float] | None = None
    """What a scaler multiplies each column with, in the end."""
    hashing: Hashing | None = None
    """Where terms are known by their hashes; there are no `terms` then."""
    numbers: OwnNumbers | None = None
    """Where it has numbers of the model's own, and no `terms` either."""
    has_zeros: bool = False
    """Whether it may have a 0 of these where another text has nothing, in a sparse matrix."""
    functions: Functions = Functions()

    @property
    def own_functions(self) -> Functions | None:
        """Those functions, where there are any."""
        return self.functions if any(self.functions) else None

    def own_analyzer(self) -> Analyze | None:
        """Return what makes its terms, where that is other than the options have it."""
        return self.functions.own_analyzer(self.analyzer)

    def packed(
        self,
        vocabulary: Vocabulary,
        table: bytes,
        columns: int,
        units: tuple[float, float] | None,
    ) -> Vectorizer:
        """Return what serves: these, beside all that it is in itself."""
        return Vectorizer(
            analyzer=self.analyzer,
            vocabulary=vocabulary,
            table=table,
            units=units,
            columns=columns,
            binary=self.binary,
            sublinear=self.sublinear,
            norm=self.norm,
            scale=self.scale,
            functions=self.own_functions,
        )

    @property
    def columns(self) -> int:
        """How many columns it makes of a text."""
        own = self.hashing or self.numbers
        return len(self.terms) if own is None else own.features


def fitted(step: Any, attribute: str) -> Any:
    """Return what fitting left in the step; NotCompilable where it was not fitted."""
    try:
        return getattr(step, attribute)
    except AttributeError as exc:
        raise NotCompilable(f"{describe(step)} is not fitted") from exc
