"""A user's file as batches of records, whatever its format, and where in the file each record is.

Formats differ in one thing that matters later: Parquet and JSON lines have types, CSV and TSV have text alone.
"""

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import InputError

LARGEST_ROW = 4 << 20
"""Bytes of the largest row that is read from a text file: more is a quote that was never closed, or not a table.

It is also Arrow's block, of which Arrow reads up to 32 ahead: a larger one costs 32 times as much memory.
"""

PARQUET_BATCH = 1 << 14
"""Records of a Parquet file that are read at a time."""


class BadCell(Exception):
    """A cell that cannot be used: ``row`` counts from 0 within its batch; None where the whole column is at fault."""

    def __init__(self, row: int | None, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


class Source(ABC):
    """A file of records.

    path: the file, as the user named it.
    names: its columns, in order, distinct and not empty.
    typed: whether values have types; otherwise every column is text, and numbers are told by how they look.
    """

    typed = True

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = list(names)
        for position, name in enumerate(self.names, 1):
            if not name.strip():
                raise InputError(
                    f"{path}: column {position} has no name; name it, or write the file without it "
                    "(pandas: to_csv(index=False))"
                )
            if name in self.names[: position - 1]:
                first = self.names.index(name) + 1
                raise InputError(f"{path}: columns {first} and {position} are both named {name!r}; rename one of them")

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The records in order, the named columns only, in that order.

        Raises:
            InputError: the file is damaged; with the place and how to mend it.

        """

    @abstractmethod
    def places(self, rows: Sequence[int]) -> list[str]:
        """Where records are, in the words of an editor; ``rows`` count from 0 and are sorted."""

    def at(self, row: int) -> str:
        """The file and the place of one record, to begin an error with."""
        return f"{self.path}, {self.places([row])[0]}"

    def missing(self, name: str, role: str) -> InputError:
        """The error for a column that the user named and the file does not have."""
        near = get_close_matches(name, self.names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        return InputError(f"{self.path}: no column {name!r} for {role}{hint} There are: {listed(self.names)}")


class ParquetSource(Source):
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        try:
            with pq.ParquetFile(path) as opened:
                names = opened.schema_arrow.names
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: not a Parquet file ({error}); name its format with --format") from error
        super().__init__(path, names)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As `Source.batches`."""
        try:
            # Read ahead, Arrow would keep the whole file.
            with pq.ParquetFile(self.path, pre_buffer=False) as opened:
                for batch in opened.iter_batches(batch_size=PARQUET_BATCH, columns=list(columns)):
                    yield batch.select(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path}: the Parquet file is damaged ({error}); write it again") from error

    def places(self, rows: Sequence[int]) -> list[str]:
        """As `Source.places`."""
        return [f"row {row + 1}" for row in rows]


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names for a message, the first ``most`` of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more


def no_records(path: Path) -> InputError:
    """The error for a file that ends after its header."""
    return InputError(f"{path}: the file has columns and no records; add some")


def checked_encoding(encoding: str) -> str:
    """Python's name of the encoding, without the byte order mark where it is UTF-8.

    Raises:
        InputError: there is no such encoding.

    """
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):
        raise InputError(f"--encoding {encoding}: no such encoding; try utf-8, cp1252, latin-1 or utf-16") from None
    name = codecs.lookup(encoding).name
    return "utf-8-sig" if name == "utf-8" else name


def opened_bytes(path: Path) -> pa.NativeFile:
    """The file's bytes, decompressed where its suffix says that they are compressed (.gz, .bz2, .zst, .lz4)."""
    return pa.input_stream(str(path), compression="detect")


def opened_text(path: Path, encoding: str) -> TextIO:
    """The file's text, line ends as they are."""
    return TextIOWrapper(cast("IO[bytes]", opened_bytes(path)), encoding=encoding, newline="")


def wrong_encoding(path: Path, encoding: str) -> InputError | None:
    """The error for the first byte that is not ``encoding``; None if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done, line = 0, 1
    with opened_bytes(path) as stream:
        start = chunk = stream.read(1 << 20)
        while True:
            pending = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as found:
                error = found
                line += error.object[: error.start].decode(encoding, "replace").count("\n")
                break
            except UnicodeError as error:
                return InputError(f"{path}: not {encoding} ({error}); say what it is with --encoding")
            if not chunk:
                return None
            done += len(chunk)
            chunk = stream.read(1 << 20)
    said = "utf-8" if encoding == "utf-8-sig" else encoding
    try_this = "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "cp1252 or latin-1"
    return InputError(
        f"{path}, line {line}: byte 0x{error.object[error.start]:02X} at offset {done - pending + error.start} "
        f"is not {said}; say what it is with --encoding, for example {try_this}"
    )
