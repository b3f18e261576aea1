"""CSV and TSV files, read by Arrow; a second, slow pass with Python's reader finds the line of what Arrow refused."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from ...errors import InputError
from .read import LARGEST_ROW, Source, no_records, opened_bytes, opened_text, wrong_encoding


class CsvSource(Source):
    """A file with a header line and ``separator`` between cells.

    Cells may be quoted, and quoted ones may hold line ends. An empty cell is null, a quoted empty one (``""``) is not.
    Empty lines are skipped.
    """

    typed = False

    def __init__(self, path: Path, separator: str, encoding: str) -> None:
        self._separator = separator
        self._encoding = encoding
        self.path = path
        try:
            header = next(self._rows(), None)
        except (UnicodeError, csv.Error, OSError) as error:
            raise self._explained(error) from error
        if header is None:
            raise InputError(f"{path}: the file is empty; it needs a header line and records")
        super().__init__(path, header[1])

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As `Source.batches`; every column is of type string."""
        last = None
        try:
            with opened_bytes(self.path) as stream, self._reader(stream) as reader:
                for batch in reader:
                    if batch.num_rows:
                        last = batch
                        yield batch.select(list(columns))
        except (pa.ArrowException, UnicodeError, OSError, EOFError) as error:
            raise self._explained(error) from error
        # Arrow takes a quote that is never closed as a cell that holds the rest of the file.
        if last is not None and any("\n" in (column[-1].as_py() or "") for column in last.columns):
            self._check_quotes()

    def places(self, rows: Sequence[int]) -> list[str]:
        """As `Source.places`: the line that a record begins on, the header's line being 1."""
        wanted = iter(rows)
        row = next(wanted, None)
        found = []
        for index, (line, _) in enumerate(self._rows(), -1):
            if index == row:
                found.append(f"line {line}")
                row = next(wanted, None)
                if row is None:
                    break
        return found

    def _reader(self, stream: pa.NativeFile) -> pyarrow.csv.CSVStreamingReader:
        encoding = "utf8" if self._encoding == "utf-8-sig" else self._encoding
        return pyarrow.csv.open_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(block_size=LARGEST_ROW, encoding=encoding),
            parse_options=pyarrow.csv.ParseOptions(delimiter=self._separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in self.names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _rows(self, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The line that each row begins on and its cells, the header's first."""
        with _large_cells(), opened_text(self.path, self._encoding) as text:
            reader = csv.reader(text, delimiter=self._separator, strict=strict)
            line = 1
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1

    def _explained(self, error: Exception) -> InputError:
        """What Arrow or Python refused, with its line."""
        line = 0
        try:
            wrong = wrong_encoding(self.path, self._encoding)
            if wrong is not None:
                return wrong
            rows = self._rows()
            _, header = next(rows)
            for line, cells in rows:
                if len(cells) != len(header):
                    return InputError(
                        f"{self.path}, line {line}: {len(cells)} cells where the header has {len(header)} columns; "
                        f"quote cells that hold {self._separator!r}, and give each line all of its cells"
                    )
                size = sum(len(cell.encode("utf-8", "replace")) for cell in cells)
                if size + len(cells) >= LARGEST_ROW:
                    return self._too_large(line)
        except csv.Error as unreadable:
            return self._too_large(line) if "limit" in str(unreadable) else InputError(f"{self.path}: {unreadable}")
        except (OSError, EOFError) as unreadable:
            return InputError(f"{self.path}: cannot be read ({unreadable}); write it again")
        return InputError(f"{self.path}: {error}") if line else no_records(self.path)

    def _too_large(self, after: int) -> InputError:
        return InputError(
            f"{self.path}, line {max(after, 1)} or the record after it: a row of more than {LARGEST_ROW >> 20} MiB; "
            "close its quotes, or give such records as Parquet"
        )

    def _check_quotes(self) -> None:
        line = 1
        try:
            for line, _ in self._rows(strict=True):  # noqa: B007
                pass
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputError(
                    f"{self.path}: a quote opened in the record after line {line} is never closed; close it"
                ) from None


@contextmanager
def _large_cells() -> Iterator[None]:
    """Let Python's reader take cells as large as Arrow does."""
    limit = csv.field_size_limit(LARGEST_ROW)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
