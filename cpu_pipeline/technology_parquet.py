"""The technology column of a Parquet file, a row group at a time and some rows of it at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..pipeline.errors import InputError
from ..pipeline.parquet_source import BYTES_AT_A_TIME, errors_named
from .technology_items import check_type

_ROWS_AT_A_TIME = 1 << 16


class TechnologyFile:
    """A column of a Parquet file, opened anew by each thread that reads a row group.

    group_rows: how many rows each row group has.
    """

    def __init__(self, source: Path | pa.Buffer, column: str) -> None:
        """Read the footer and check the column.

        Raises:
            InputError: the file is missing, damaged or no Parquet file, lacks the column, or has it of another type.

        """
        self._source, self._column = source, column
        with errors_named(self._name):
            self._footer = pq.read_metadata(self._opened())
            schema = self._footer.schema.to_arrow_schema()
        count = schema.names.count(column)
        if count != 1:
            problem = f"is there {count} times" if count else f"is not among {', '.join(map(repr, schema.names[:10]))}"
            raise InputError(f"{self._name}: column {column!r} {problem}; name one that is there once")
        kind = schema.field(column).type
        check_type(kind, f"{self._name}: column {column!r}")
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        # Strings are read as their bytes, lists as the numbers that Parquet stores, with the dictionary of those.
        self._dictionaries = self._leaf_paths() if is_list else []
        self.group_rows = [self._footer.row_group(group).num_rows for group in range(self._footer.num_row_groups)]

    def chunks(self, group: int) -> Iterator[pa.Array]:
        """The rows of a row group in order, no chunk without rows.

        Raises:
            InputError: the file is damaged there.

        """
        options = {"metadata": self._footer, "read_dictionary": self._dictionaries, "buffer_size": BYTES_AT_A_TIME}
        with errors_named(self._name), pq.ParquetFile(self._opened(), **options) as file:
            batches = file.iter_batches(_ROWS_AT_A_TIME, row_groups=[group], columns=[self._column], use_threads=False)
            for batch in batches:
                if batch.num_rows:
                    yield batch.column(self._column)

    @property
    def _name(self) -> str:
        return str(self._source) if isinstance(self._source, Path) else "the file in memory"

    def _opened(self) -> Path | pa.BufferReader:
        return self._source if isinstance(self._source, Path) else pa.BufferReader(self._source)

    def _leaf_paths(self) -> list[str]:
        """Paths in the Parquet schema of what the lists hold."""
        schema = self._footer.schema
        leaves = [schema.column(leaf).path for leaf in range(len(schema))]
        return [path for path in leaves if path.startswith(f"{self._column}.")]
