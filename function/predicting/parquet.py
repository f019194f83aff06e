"""A column of a Parquet file, by pyarrow where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from function.predicting.chunks import (
    CHUNK_ROWS,
    TEXT,
    Chunk,
    Fault,
    UsageProblem,
    numbered,
    text_of,
)


class Parquet:
    """The texts of the column that is named, of ``text``, or of the only one; null is none."""

    def __init__(self, path: str, column: str | None) -> None:
        """UsageProblem where the file cannot be read, or has no such column of texts."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as exc:
            raise UsageProblem("Parquet takes pyarrow: pip install pyarrow") from exc
        try:
            self._file: Any = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.ArrowException) as exc:
            raise UsageProblem(f"--input {path}: {exc}") from exc
        schema = self._file.schema_arrow
        self._column = column or (schema.names[0] if len(schema.names) == 1 else TEXT)
        if schema.names.count(self._column) != 1:
            found = ", ".join(map(repr, schema.names[:20]))
            raise UsageProblem(
                f"{path} has no one column {self._column!r}: --column one of {found}"
            )
        kind = schema.field(self._column).type
        kind = getattr(kind, "value_type", kind)  # of categories
        if str(kind) not in ("string", "large_string", "string_view"):
            raise UsageProblem(f"{path}: the column {self._column!r} is {kind}, no text")
        self.total: int | None = self._file.metadata.num_rows

    def chunks(self) -> Iterator[Chunk]:
        return numbered(self._blocks())

    def close(self) -> None:
        self._file.close()

    def _blocks(self) -> Iterator[tuple[list[str | None], int]]:
        done = 0
        batches = self._file.iter_batches(CHUNK_ROWS, columns=[self._column], use_threads=False)
        for batch in batches:
            rows = batch.column(0).to_pylist()
            done += len(rows)
            yield rows, done

    def text(self, row: str | None) -> str | Fault:
        return text_of(row, self._column)
