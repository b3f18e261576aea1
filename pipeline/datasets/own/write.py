"""The second pass over a user's file: convert every column that is kept and write the records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import InputError
from . import convert
from .convert import Form
from .read import BadCell, Source
from .survey import located

ROWS_PER_GROUP = 1 << 16
MOST_NAMED = 5
"""So many duplicated identifiers are named in the error."""

Role = Literal["identifier", "technologies", "label", "categorical", "numeric", "ignore"]


@dataclass(frozen=True)
class Use:
    """What becomes of a column of the file, and why."""

    column: str
    role: Role
    why: str


@dataclass(frozen=True)
class Plan:
    """What to write.

    kept: the columns to keep, in the order of the file.
    made_identifier: name of a column of row numbers to put first; None where the file has identifiers.
    form: how technologies are written; delimiter: between them, in the file's text and in the dataset.
    positive: the text that is label 1.
    """

    kept: Sequence[Use]
    made_identifier: str | None
    form: Form
    delimiter: str
    positive: str | None

    def column(self, role: Role) -> str | None:
        """The column of a role that one column at most has."""
        return next((use.column for use in self.kept if use.role == role), None)

    @property
    def schema(self) -> pa.Schema:
        """The columns as they are written."""
        types = {"label": pa.int8(), "numeric": pa.float64()}
        fields = [pa.field(use.column, types.get(use.role, pa.string())) for use in self.kept]
        made = [] if self.made_identifier is None else [pa.field(self.made_identifier, pa.string())]
        return pa.schema(made + fields)


def write(source: Source, plan: Plan, path: Path, written: Callable[[int], None]) -> int:
    """Write the records as Parquet and return their number; ``written`` is called with how many are written so far.

    Raises:
        InputError: a value that cannot be used, identifiers that repeat, or a positive value that no label has.

    """
    from pandas.util import hash_array  # pandas takes longer to import than most commands take

    identifier, label = plan.column("identifier"), plan.column("label")
    hashes: list[np.ndarray] = []
    records = positives = 0
    with pq.ParquetWriter(path, plan.schema, compression="zstd") as writer:
        for group in _groups(_converted(source, plan)):
            writer.write_table(group)
            if identifier is not None:
                texts = group[identifier].to_numpy(zero_copy_only=False).astype(object)
                hashes.append(hash_array(texts, categorize=False))
            if label is not None:
                positives += pc.sum(group[label]).as_py()
            records += group.num_rows
            written(records)
    if plan.positive is not None and positives == 0:
        raise InputError(f"{source.path}, column {label!r}: no value is {plan.positive!r}; mend --positive")
    if identifier is not None:
        _check_unique(source, path, identifier, np.concatenate(hashes))
    return records


def _converted(source: Source, plan: Plan) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in source.batches([use.column for use in plan.kept]):
        arrays = []
        if plan.made_identifier is not None:
            arrays.append(pc.cast(pa.array(np.arange(done + 1, done + 1 + batch.num_rows)), pa.string()))
        for use in plan.kept:
            try:
                arrays.append(_array(batch.column(use.column), use.role, plan))
            except BadCell as bad:
                raise located(bad, source, done, use.column) from None
        done += batch.num_rows
        yield pa.RecordBatch.from_arrays(arrays, schema=plan.schema)


def _array(array: pa.Array, role: Role, plan: Plan) -> pa.Array:
    if role == "identifier":
        return convert.identifiers(array)
    if role == "technologies":
        return convert.technologies(array, plan.form, plan.delimiter)
    if role == "label":
        return convert.labels(array, plan.positive)
    return convert.numbers(array) if role == "numeric" else convert.text(array)


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together, so that row groups are neither tiny nor of the file's making."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= ROWS_PER_GROUP:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _check_unique(source: Source, path: Path, identifier: str, hashes: np.ndarray) -> None:
    """Compare 64-bit hashes first, so that memory holds 8 bytes per record, then the texts whose hashes are equal."""
    distinct, counts = np.unique(hashes, return_counts=True)
    if len(distinct) == len(hashes):
        return
    rows_of: dict[str, list[int]] = {}
    suspects = np.flatnonzero(np.isin(hashes, distinct[counts > 1]))
    with pq.ParquetFile(path, pre_buffer=False) as opened:
        first = 0
        for batch in opened.iter_batches(columns=[identifier]):
            inside = suspects[(suspects >= first) & (suspects < first + batch.num_rows)]
            for row, name in zip(
                inside.tolist(), batch.column(0).take(pa.array(inside - first)).to_pylist(), strict=True
            ):
                rows_of.setdefault(name, []).append(row)
            first += batch.num_rows
    repeated = {name: rows for name, rows in rows_of.items() if len(rows) > 1}
    if not repeated:
        return
    named = [
        f"{name!r} in {' and '.join(source.places(rows[:2]))}" for name, rows in list(repeated.items())[:MOST_NAMED]
    ]
    more = f" and {len(repeated) - MOST_NAMED:,} more" if len(repeated) > MOST_NAMED else ""
    raise InputError(
        f"{source.path}, column {identifier!r}: identifiers repeat: {'; '.join(named)}{more}; "
        "keep one record of each, or leave --id out to number the records"
    )
