"""A Parquet file of raw records: checked before it is read, then read whole or in chunks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .datasets.dataset import Column
from .errors import InputError
from .parquet_source import BYTES_AT_A_TIME, errors_named

_ROWS_AT_A_TIME = 1 << 16


@dataclass(frozen=True)
class RecordFile:
    """A Parquet file with a column of technologies and raw columns; it may hold others, which are not read.

    source: path, or the bytes of a file.
    technologies: column of delimited strings; null means unknown.
    columns: the raw columns and their kinds.
    """

    source: Path | str | pa.Buffer
    technologies: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns that are read: the technologies, then the raw columns."""
        return [self.technologies, *(column.name for column in self.columns)]

    @property
    def records(self) -> int:
        """How many rows the file says it has.

        Raises:
            InputError: as `chunks`.

        """
        with self._opened() as file:
            return file.metadata.num_rows

    def read(self, first: int | None = None) -> pa.Table:
        """All records or the first so many: strings, and float64 numbers.

        Raises:
            InputError: as `chunks`.

        """
        schema = self._schema(pa.string())
        return pa.Table.from_batches(self._batches(schema, (), _ROWS_AT_A_TIME, first), schema)

    def chunks(self, most_rows: int, first: int | None = None) -> Iterator[pa.RecordBatch]:
        """The records in order, categorical columns as dictionaries of strings, numbers as float64.

        Memory grows neither with the file nor with its row groups.

        Args:
            most_rows: rows of a chunk; one that ends a row group may have fewer, none has 0.
            first: stop after so many records; None for all.

        Raises:
            InputError: the file is missing, damaged or no Parquet file, lacks a column, or has one of another type.

        """
        categorical = [column.name for column in self.columns if column.kind == "categorical"]
        return self._batches(self._schema(pa.dictionary(pa.int32(), pa.string())), categorical, most_rows, first)

    def _batches(
        self, schema: pa.Schema, dictionaries: Sequence[str], most_rows: int, first: int | None
    ) -> Iterator[pa.RecordBatch]:
        with self._opened(dictionaries) as file:
            left = file.metadata.num_rows if first is None else first
            for group in range(file.num_row_groups):  # all at once, more of them would be in memory
                for batch in file.iter_batches(most_rows, [group], self.names) if left > 0 else ():
                    if chosen := batch.slice(0, max(0, left)):
                        yield chosen.select(self.names).cast(schema, safe=False)
                    left -= batch.num_rows

    def _schema(self, categorical: pa.DataType) -> pa.Schema:
        types = {"categorical": categorical, "numeric": pa.float64()}
        raw = [(column.name, types[column.kind]) for column in self.columns]
        return pa.schema([(self.technologies, pa.string()), *raw])

    @contextmanager
    def _opened(self, dictionaries: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
        where = "the records" if isinstance(self.source, pa.Buffer) else self.source
        with errors_named(where):
            source = pa.BufferReader(self.source) if isinstance(self.source, pa.Buffer) else self.source
            footer = pq.read_metadata(source)
            self._check(footer.schema.to_arrow_schema(), where)
            with pq.ParquetFile(
                source,
                metadata=footer,
                read_dictionary=dictionaries,
                buffer_size=BYTES_AT_A_TIME,
                pre_buffer=False,
            ) as file:
                yield file

    def _check(self, schema: pa.Schema, where: Path | str) -> None:
        kinds = {self.technologies: "text", **{column.name: column.kind for column in self.columns}}
        for name, kind in kinds.items():
            count = schema.names.count(name)
            if count != 1:
                problem = "is missing" if count == 0 else f"is there {count} times"
                raise InputError(f"{where}: column {name!r} {problem}; it must be there once")
            found = schema.field(name).type
            wanted, right = ("numbers", _is_number(found)) if kind == "numeric" else ("strings", _is_text(found))
            if not right:
                raise InputError(f"{where}: column {name!r} holds {found}, not {wanted}; cast it before it is written")


def _is_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_null(plain)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    of_numbers = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null
    return any(matches(kind) for matches in of_numbers)
