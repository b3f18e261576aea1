"""Recommendations as a file: a row per user and rank, whole or not at all; as JSON lines also on standard output."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ..pipeline.errors import InputError
from ..pipeline.home import new_file

SCHEMA = pa.schema([("user", pa.string()), ("rank", pa.int32()), ("item", pa.string()), ("score", pa.float32())])
FORMATS = (".csv", ".parquet", ".jsonl")
STANDARD_OUTPUT = "-"

Write = Callable[[pa.RecordBatch], None]


def checked_target(target: str) -> str:
    """The file to write, or `STANDARD_OUTPUT`.

    Raises:
        InputError: its suffix tells no format, or there is no such folder.

    """
    if target == STANDARD_OUTPUT:
        return target
    path = Path(target)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"--output {target}: the suffix is none of {', '.join(FORMATS)}; '-' prints JSON lines")
    if not path.parent.is_dir():
        raise InputError(f"--output {target}: no folder {path.parent}; make it, or name another")
    if path.is_dir():
        raise InputError(f"--output {target}: is a folder; name a file")
    return target


@contextlib.contextmanager
def written(target: str) -> Iterator[Write]:
    """A function that writes a batch of rows with the columns of `SCHEMA`; a file is there once the block ends well."""
    if target == STANDARD_OUTPUT:
        yield _json_lines(sys.stdout.buffer)
        return
    suffix = Path(target).suffix.lower()
    with new_file(Path(target)) as path:
        if suffix == ".parquet":
            with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
                yield writer.write_batch
        elif suffix == ".csv":
            with pyarrow.csv.CSVWriter(path, SCHEMA) as writer:
                yield writer.write_batch
        else:
            with path.open("wb") as stream:
                yield _json_lines(stream)


def _json_lines(stream: BinaryIO) -> Write:
    encoder = msgspec.json.Encoder()

    def write(batch: pa.RecordBatch) -> None:
        columns = {name: batch.column(name) for name in SCHEMA.names}
        # By way of text, a float32 has the digits that tell it and not those of the float64 it becomes.
        columns["score"] = pc.cast(pc.cast(columns["score"], pa.string()), pa.float64())
        stream.write(encoder.encode_lines(pa.RecordBatch.from_pydict(columns).to_pylist()))
        stream.flush()

    return write
