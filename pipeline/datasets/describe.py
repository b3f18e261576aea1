"""What is in a dataset of records, counted in one streaming read: memory holds one batch and the distinct names."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..technologies import normalise
from .dataset import Progress, RecordDataset

BATCH_RECORDS = 1 << 15
MOST_DISTINCT = 100_000
"""Distinct values of a column are counted up to here; beyond, there are more."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
TOP = 10


@dataclass(frozen=True)
class TechnologyDescription:
    """The technology column.

    distinct: names after `normalise`; nonzeros: pairs of record and name, repeats within a record once.
    known_none, unknown: records whose cell is known to hold no technology, and whose cell is null.
    quantiles: names per known record, by `QUANTILES`: the least count that at least that share of records does not
    exceed; empty where no record is known.
    top: the names in most records, with their number of records; ties in order of code points.
    unseen_share: among the non-zeros of the records after the training records, the share of names in no training
    record; None where there are no later records, or no non-zeros in them.
    """

    distinct: int
    nonzeros: int
    known_none: int
    unknown: int
    quantiles: dict[str, int]
    top: tuple[tuple[str, int], ...]
    unseen_share: float | None


@dataclass(frozen=True)
class ColumnDescription:
    """One column beside identifier, technologies and label; ``distinct`` is None above `MOST_DISTINCT`."""

    name: str
    kind: str
    distinct: int | None
    null_share: float


@dataclass(frozen=True)
class Description:
    """A dataset in figures; ``raw_columns`` counts identifier, technologies and label as well."""

    dataset: RecordDataset
    raw_columns: int
    technologies: TechnologyDescription
    label_share: float | None
    columns: tuple[ColumnDescription, ...]

    def as_json(self) -> dict[str, Any]:
        """The description for a program to read; columns of the dataset are those with figures."""
        dataset = {name: value for name, value in asdict(self.dataset).items() if name != "columns"}
        figures = {name: value for name, value in asdict(self).items() if name != "dataset"}
        return {**dataset, "folder": str(self.dataset.folder), **figures}


def describe(dataset: RecordDataset, progress: Progress) -> Description:
    """Read the records once and count."""
    technologies = _Technologies(dataset.delimiter, dataset.training_records)
    columns = [_Column() for _ in dataset.columns]
    labels = done = 0
    names = [dataset.technologies, *(column.name for column in dataset.columns)]
    # Read ahead, Arrow would keep the whole file.
    with pq.ParquetFile(dataset.path, pre_buffer=False) as opened:
        read = names if dataset.label is None else [*names, dataset.label]
        for batch in opened.iter_batches(BATCH_RECORDS, columns=read):
            technologies.add(batch.column(dataset.technologies))
            for counted, column in zip(columns, dataset.columns, strict=True):
                counted.add(batch.column(column.name))
            if dataset.label is not None:
                labels += pc.sum(batch.column(dataset.label), min_count=0).as_py()
            done += batch.num_rows
            progress(done, dataset.records)
    return Description(
        dataset=dataset,
        raw_columns=dataset.raw_columns,
        technologies=technologies.description(),
        label_share=None if dataset.label is None or not done else labels / done,
        columns=tuple(
            ColumnDescription(column.name, column.kind, counted.distinct, counted.nulls / max(done, 1))
            for counted, column in zip(columns, dataset.columns, strict=True)
        ),
    )


@dataclass
class _Column:
    """Distinct values and nulls of one column."""

    values: set[Any] | None = field(default_factory=set)
    nulls: int = 0

    def add(self, array: pa.Array) -> None:
        self.nulls += array.null_count
        if self.values is not None:
            self.values.update(pc.unique(array.drop_null()).to_pylist())
            if len(self.values) > MOST_DISTINCT:
                self.values = None

    @property
    def distinct(self) -> int | None:
        return None if self.values is None else len(self.values)


class _Technologies:
    """Counts of the technology column; each distinct item is normalised once."""

    def __init__(self, delimiter: str, training_records: int) -> None:
        self._delimiter = delimiter
        self._training_records = training_records
        self._done = 0
        self._unknown = 0
        self._name_of: dict[str, int] = {}
        self._names: dict[str, int] = {"": 0}
        self._training = np.zeros(1, np.int64)
        self._later = np.zeros(1, np.int64)
        self._records_of_size = np.zeros(1, np.int64)

    def add(self, cells: pa.Array) -> None:
        known = cells.drop_null()
        rows = np.flatnonzero(cells.is_valid().to_numpy(zero_copy_only=False)) + self._done
        self._done += len(cells)
        self._unknown += len(cells) - len(known)
        lists = pc.split_pattern(known, self._delimiter)
        encoded = lists.flatten().dictionary_encode()
        names = np.array([self._number(item) for item in encoded.dictionary.to_pylist()], np.int64)
        record = np.repeat(np.arange(len(known)), pc.list_value_length(lists).to_numpy())
        self._count(record, names[encoded.indices.to_numpy()], rows)

    def _count(self, record: np.ndarray, name: np.ndarray, rows: np.ndarray) -> None:
        """Count pairs of ``record`` (an index into ``rows``) and ``name``, each once; name 0 is no technology."""
        width = len(self._names)
        pairs = np.unique((record * width + name)[name != 0])
        record, name = np.divmod(pairs, width)
        self._records_of_size = _sum(self._records_of_size, np.bincount(np.bincount(record, minlength=len(rows))))
        later = rows[record] >= self._training_records
        self._training = _sum(self._training, np.bincount(name[~later], minlength=width))
        self._later = _sum(self._later, np.bincount(name[later], minlength=width))

    def _number(self, item: str) -> int:
        if item not in self._name_of:
            self._name_of[item] = self._names.setdefault(normalise(item), len(self._names))
        return self._name_of[item]

    def description(self) -> TechnologyDescription:
        counts = self._training + self._later
        later = int(self._later.sum())
        ordered = sorted((-int(counts[number]), name) for name, number in self._names.items() if number)
        return TechnologyDescription(
            distinct=len(self._names) - 1,
            nonzeros=int(counts.sum()),
            known_none=int(self._records_of_size[0]),
            unknown=self._unknown,
            quantiles=quantiles(self._records_of_size),
            top=tuple((name, -count) for count, name in ordered[:TOP]),
            unseen_share=int(self._later[self._training == 0].sum()) / later if later else None,
        )


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The sum of two arrays of counts of which one may be shorter."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total = longer.astype(np.int64)
    total[: len(shorter)] += shorter
    return total


def quantiles(records_of_size: Sequence[int] | np.ndarray) -> dict[str, int]:
    """Quantiles of a histogram, as counted values (Hyndman and Fan, 1996, definition 1)."""
    reached = np.cumsum(records_of_size)
    if not reached[-1]:
        return {}
    wanted = np.maximum(np.ceil(np.array(QUANTILES) * reached[-1]), 1)
    sizes = np.searchsorted(reached, wanted)
    return {f"{share:.0%}": int(size) for share, size in zip(QUANTILES, sizes, strict=True)}
