from collections.abc import Sequence

VERSION: int

def largest(doubles: bytes) -> float: ...
def decide(totals: bytearray, intercepts: bytes, kind: str, is_uniform: bool) -> list[tuple]: ...  # type: ignore[type-arg]
def pass_on(totals: bytearray, intercepts: bytes, activation: str, weights: bytes) -> bytearray: ...

class _Vocabulary:
    def is_sound(self, columns: int, squares: int) -> bool: ...
    def let_rows_go(self) -> None: ...
    def weigh(
        self,
        table: bytes,
        scores: int,
        binary: bool,
        sublinear: bool,
        norm: str | None,
        scale: float,
        threshold: float | None,
        /,
    ) -> None: ...
    def add_up(self, texts: Sequence[Sequence[str]], totals: bytearray, /) -> None: ...
    def values(self, texts: Sequence[Sequence[str]], start: int, /) -> list[bytes]: ...
    def columns(self, text: str | list[str], /) -> list[int]: ...
    def column(self, term: str, /) -> int | None: ...
    def terms_met(self) -> tuple[int, int]: ...

class Pairs(_Vocabulary):
    def __new__(cls, words: bytes, known: int, pairs: bytes, rows: bytes, fields: int) -> Pairs: ...

class Terms(_Vocabulary):
    def __new__(
        cls,
        terms: bytes,
        separator: bytes,
        rows: bytes,
        fields: int,
        analyzer: str,
        shortest: int,
        longest: int,
        ignored: bytes,
        letters: bytes,
        shortest_token: int,
    ) -> Terms: ...

class Hashed(_Vocabulary):
    def __new__(
        cls,
        columns: bytes,
        features: int,
        alternate_sign: bool,
        analyzer: str,
        shortest: int,
        longest: int,
        ignored: bytes,
        letters: bytes,
        shortest_token: int,
    ) -> Hashed: ...

class Forest:
    def __new__(
        cls,
        trees: bytes,
        nodes: bytes,
        values: bytes,
        starts: bytes,
        columns: int,
        single: bool,
        missing: bool,
        single_sums: bool,
    ) -> Forest: ...
    def add_up(self, lines: list[bytes], totals: bytearray, /) -> None: ...

class Kernels:
    def __new__(
        cls,
        kernel: str,
        gamma: float,
        degree: int,
        offset: float,
        counts: bytes,
        /,
        lengths: bytes,
        columns: bytes,
        values: bytes,
        coefficients: bytes,
        ignored: bytes,
        width: int,
    ) -> Kernels: ...
    def add_up(self, lines: list[bytes], totals: bytearray, /) -> None: ...
