"""Raw columns of some records, read on several threads."""

from collections.abc import Sequence

import pyarrow as pa

from ..pipeline.datasets.dataset import Column
from ..pipeline.raw_columns import RawColumn

_ROWS_FOR_THREADS = 4096
"""Fewer rows than this are not worth starting threads for."""


def raw_columns(records: pa.Table | pa.RecordBatch, columns: Sequence[Column]) -> list[RawColumn]:
    """The raw columns of some records, which may hold other columns too."""
    from .kernels.threads import on_threads

    def read(column: Column) -> RawColumn:
        return RawColumn.of(records[column.name], column.kind)

    if records.num_rows < _ROWS_FOR_THREADS:
        return [read(column) for column in columns]
    return on_threads(read, columns)
