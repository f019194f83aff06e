"""HashedVocabulary in C, for what is served; what is explained, or compared in Python, is asked
there."""

from __future__ import annotations

from array import array
from typing import Literal

from function.compiled import native
from function.compiled.analyzer import Analyze, AnalyzerSpec
from function.compiled.hashed import HashedVocabulary
from function.compiled.vocabularies import NativeVocabulary, analyzer_for


class NativeHashed(NativeVocabulary, HashedVocabulary):
    """As HashedVocabulary."""

    kind: Literal["hashed"] = HashedVocabulary.kind

    def __init__(
        self,
        spec: AnalyzerSpec,
        columns: array[int],
        features: int,
        alternate_sign: bool,
        analyze: Analyze | None = None,
    ) -> None:
        """Raises ValueError for more columns than there are features."""
        assert analyze is None, "C calls none of a model's own functions"
        prepare, options = analyzer_for(spec)
        index = native._native.Hashed(
            columns=columns.tobytes(), features=features, alternate_sign=alternate_sign, **options
        )
        HashedVocabulary.__init__(self, spec, columns, features, alternate_sign)
        NativeVocabulary.__init__(self, index, prepare, {})

    check = HashedVocabulary.check


def hashed_vocabulary(in_python: bool = False) -> type[HashedVocabulary]:
    """Return the quicker of the two that is there, or the one in Python."""
    return HashedVocabulary if in_python or native._native is None else NativeHashed
