"""JSON-lines files: one object per line, keys are columns; a key that a line does not have is null there.

Read by Python's parser, line by line: it tells line and character of what is wrong, takes columns whose types differ
between lines, and leaves text that looks like a date alone.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...errors import InputError
from .read import LARGEST_ROW, Source, opened_text, wrong_encoding

_BATCH = 1 << 13


class JsonLinesSource(Source):
    """A file of JSON objects, one per line; empty lines are skipped.

    Columns of numbers and truth values keep their types; lists and objects become their JSON text.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self._encoding = encoding
        names: dict[str, None] = {}
        for _, record in self._records(_without_repeated_keys):
            names.update(dict.fromkeys(record))
        if not names:
            raise InputError(f"{path}: the file is empty; it needs one JSON object with keys per line")
        super().__init__(path, list(names))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """As `Source.batches`; the type of a column may differ between batches."""
        records = self._records()
        while batch := list(islice(records, _BATCH)):
            arrays = [self._array(name, batch) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def places(self, rows: Sequence[int]) -> list[str]:
        """As `Source.places`."""
        wanted = set(rows)
        lines = (line for row, (line, _) in enumerate(self._records()) if row in wanted)
        return [f"line {line}" for line in islice(lines, len(wanted))]

    def _records(self, hook: Any = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of each line and the object on it."""
        line = 0
        with opened_text(self.path, self._encoding) as text:
            try:
                while content := text.readline(LARGEST_ROW):
                    line += 1
                    if len(content) == LARGEST_ROW:
                        raise InputError(
                            f"{self.path}, line {line}: more than {LARGEST_ROW >> 20} Mi characters; "
                            "write one object per line, or give such records as Parquet"
                        )
                    if content.strip():
                        yield line, self._parsed(line, content, hook)
            except UnicodeError as error:
                raise wrong_encoding(self.path, self._encoding) or InputError(f"{self.path}: {error}") from error
            except (OSError, EOFError) as error:
                raise InputError(f"{self.path}: cannot be read after line {line} ({error})") from error

    def _parsed(self, line: int, content: str, hook: Any) -> dict[str, Any]:
        where = f"{self.path}, line {line}"
        try:
            record = json.loads(content, object_pairs_hook=hook)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error.msg} at character {error.pos + 1}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: {error}") from error
        if not isinstance(record, dict):
            kind = "JSON array" if isinstance(record, list) else "JSON value"
            raise InputError(f"{where}: a {kind} instead of an object; write one object {{...}} per line")
        return record

    def _array(self, name: str, batch: Sequence[tuple[int, dict[str, Any]]]) -> pa.Array:
        values = [record.get(name) for _, record in batch]
        kinds = {type(value) for value in values} - {type(None)}
        if kinds <= {int, float}:
            return _numbers(values)
        if kinds == {bool}:
            return pa.array(values)
        texts = [value if value is None or type(value) is str else _json_text(value) for value in values]
        try:
            return pa.array(texts, pa.string())
        except UnicodeEncodeError:
            for (line, _), text in zip(batch, texts, strict=True):
                if text and not _encodable(text):
                    raise InputError(
                        f"{self.path}, line {line}, column {name!r}: half of a surrogate pair, which no text may hold; "
                        "mend its \\u escape"
                    ) from None
            raise


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(values: Sequence[int | float | None]) -> pa.Array:
    """Whole numbers as int64 where all of them fit, else float64; type null where there are none."""
    try:
        if not any(type(value) is float for value in values):
            return pa.array(values)
    except OverflowError:
        pass
    return pa.array([None if value is None else _real(value) for value in values], pa.float64())


def _real(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for position, key in enumerate(keys) if key in keys[:position])
        raise ValueError(f"key {repeated!r} stands twice in one object; keep one of them")
    return record
