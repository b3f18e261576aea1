"""The files of a dataset of interactions or ratings: written here, in chunks, and described in `InteractionDataset`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .dataset import ITEMS_FILE, RECORDS_FILE, USERS_FILE

TYPES = {"user": pa.int32(), "item": pa.int32(), "value": pa.float32(), "timestamp": pa.int64()}
ROWS_AT_ONCE = 1 << 20


def write_rows(folder: Path, columns: Sequence[str], chunks: Iterable[Sequence[np.ndarray]]) -> None:
    """Write ``records.parquet``: chunks of rows, each an array per column, joined into groups of `ROWS_AT_ONCE`."""
    schema = pa.schema([(name, TYPES[name]) for name in columns])
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(folder / RECORDS_FILE, schema, compression="zstd", use_dictionary=["value"]) as writer:
        for chunk in chunks:
            arrays = [pa.array(array, kind) for array, kind in zip(chunk, schema.types, strict=True)]
            waiting.append(pa.table(arrays, schema=schema))
            if sum(table.num_rows for table in waiting) >= ROWS_AT_ONCE:
                writer.write_table(pa.concat_tables(waiting).combine_chunks())
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())


def write_ids(folder: Path, users: pa.Table, items: pa.Table) -> None:
    """Write ``users.parquet`` and ``items.parquet``; each has its ``id`` and what else is known."""
    pq.write_table(users, folder / USERS_FILE, compression="zstd")
    pq.write_table(items, folder / ITEMS_FILE, compression="zstd")


def numbered(prefix: str, count: int) -> pa.Table:
    """The ids of synthetic users or items: ``u0000000`` and on."""
    return pa.table({"id": pa.array([f"{prefix}{number:07d}" for number in range(count)], pa.string())})
