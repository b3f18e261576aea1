"""The `seed` dataset: synthetic technographics of the shape that the first performance report gives.

At scale 1: 41,776 records of 63 raw columns, 6,450 distinct technologies, 641,316 non-zeros, 6,894 final columns, and
4,819 / 5,605 / 6,219 / 6,421 technologies discovered after 10, 20, 30 and 40 batches of 1,000 records, within 3 %.
Another scale changes the numbers of records and of non-zeros in proportion; the catalogue of technologies stays.

Records are drawn batch by batch, each batch from random streams of its own, so that memory does not grow with the
scale. A scale gives the same records every time, whatever the version of NumPy; the file gives the same bytes with the
same version of PyArrow. The promise ends where another mathematical library rounds a logarithm otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...errors import InputError
from ..dataset import RECORDS_FILE, Maker, Progress, RecordDataset
from ..streams import Stream
from .catalogue import LATE_SOURCE_BEGINS, SEGMENTS, TECHNOLOGIES, Catalogue
from .columns import COLUMNS, FIRMOGRAPHICS
from .dirt import Dirt
from .firmographics import Firmographics

RECORDS, NON_ZEROS = 41_776, 641_316
BATCH = 16_384
DELIMITER = "|"
SOURCE = "Synthetic, drawn by technobench from a fixed seed: no company in it exists. No licence needed."

_SCHEMA = pa.schema(
    [("company_id", pa.string()), ("technologies", pa.string()), ("is_customer", pa.int8())]
    + [(column.name, pa.string() if column.kind == "categorical" else pa.float64()) for column in COLUMNS]
)
_MEAN_SIZE, _SIZE_SHAPE, _LARGEST_SIZE = 15.35, 2, 400


@dataclass(frozen=True)
class _Generator:
    """Draws the batches of a dataset of ``records`` records with ``non_zeros`` technologies in all."""

    records: int
    non_zeros: int
    catalogue: Catalogue
    firmographics: Firmographics
    dirt: Dirt | None

    def batch(self, start: int) -> pa.Table:
        """The records from ``start``, a multiple of `BATCH`."""
        stop = min(start + BATCH, self.records)
        count = stop - start
        stream = Stream(2, start // BATCH)
        segments = stream.index(SEGMENTS, count)
        late = np.arange(start, stop) >= LATE_SOURCE_BEGINS * self.records
        share = self.non_zeros * stop // self.records - self.non_zeros * start // self.records
        sizes = _list_sizes(count, share, stream)
        records, technologies = self._technologies(sizes, segments + SEGMENTS * late, stream)
        log_odds = self.catalogue.segment_effects[segments] + np.bincount(
            records, self.catalogue.signals[technologies], minlength=count
        )
        customer = stream.uniform(count) < 1 / (1 + np.exp(-log_odds))
        company_size = 0.6 * (np.log1p(sizes) - 2.5) / 0.85 + 0.8 * stream.normal(count)
        identifiers = pa.array([f"C{number:09d}" for number in range(start, stop)])
        firmographics = self.firmographics.draw(segments, company_size, stream)
        cells = self._cells(records, technologies, count, start // BATCH)
        return pa.Table.from_arrays(
            [identifiers, cells, pa.array(customer.astype(np.int8)), *firmographics], schema=_SCHEMA
        )

    def _technologies(
        self, sizes: NDArray[np.int64], groups: NDArray[np.int64], stream: Stream
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each item's record and technology: ``sizes[r]`` different ones for record ``r`` of group ``groups[r]``.

        A repeat is drawn again until there is none, which is sampling without replacement, one after the other.
        """
        pairs = np.empty(0, np.int64)
        lacking = sizes
        while lacking.any():
            records = np.repeat(np.arange(len(sizes)), lacking)
            drawn = self.catalogue.choice.draw(groups[records], stream)
            pairs = np.concatenate([pairs, np.sort(records * TECHNOLOGIES + drawn)])
            pairs.sort(kind="stable")  # merges two sorted runs; `np.unique` takes ten times as long
            pairs = pairs[np.diff(pairs, prepend=-1) > 0]
            lacking = sizes - np.bincount(pairs // TECHNOLOGIES, minlength=len(sizes))
        records, technologies = np.divmod(pairs, TECHNOLOGIES)
        return records, technologies

    def _cells(self, records: NDArray[np.int64], technologies: NDArray[np.int64], count: int, batch: int) -> pa.Array:
        """The delimited cells, strings of shape (count,), with the items of each in no order."""
        stream = Stream(3, batch)
        unknown = None
        if self.dirt is None:
            texts = pa.array(self.catalogue.names).take(pa.array(technologies))
        else:
            records, texts = self.dirt.items(records, technologies, count, stream)
            unknown = self.dirt.null_cells(count, stream)
        order = np.argsort(records + stream.uniform(len(records)))
        ends = np.cumsum(np.bincount(records, minlength=count))
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        lists = pa.ListArray.from_arrays(offsets, texts.take(pa.array(order)))
        cells = pc.binary_join(lists, DELIMITER)
        return cells if unknown is None else pc.if_else(unknown, None, cells)


def _list_sizes(count: int, total: int, stream: Stream) -> NDArray[np.int64]:
    """How many technologies each record has, (count,): negative binomial, some moved by one to give ``total``."""
    size = np.arange(_LARGEST_SIZE + 1)
    success = _SIZE_SHAPE / (_SIZE_SHAPE + _MEAN_SIZE)
    cumulative = np.cumsum((size + 1) * success**_SIZE_SHAPE * (1 - success) ** size)
    sizes = np.minimum(np.searchsorted(cumulative, stream.uniform(count)), _LARGEST_SIZE)
    while gap := total - int(sizes.sum()):
        movable = np.flatnonzero(sizes < _LARGEST_SIZE if gap > 0 else sizes > 0)
        moved = min(abs(gap), len(movable))
        sizes[movable[np.arange(moved) * len(movable) // moved]] += np.sign(gap)
    return sizes


def _make(name: str, folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> RecordDataset:
    records = round(RECORDS * scale)
    if records < 1:
        raise InputError(f"--scale {scale:g}: no record of dataset '{name}' is left; use {1 / RECORDS:.1g} or more")
    catalogue = Catalogue.create()
    dirt = Dirt(catalogue.names) if name == "seed-dirty" else None
    generator = _Generator(records, round(NON_ZEROS * scale), catalogue, Firmographics(FIRMOGRAPHICS), dirt)
    categorical = [column.name for column in COLUMNS if column.kind == "categorical"]
    path = folder / RECORDS_FILE
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd", use_dictionary=categorical) as writer:
        for start in range(0, records, BATCH):
            writer.write_table(generator.batch(start))
            progress(min(start + BATCH, records), records)
    return RecordDataset(
        folder=folder,
        name=name,
        scale=scale,
        delimiter=DELIMITER,
        identifier="company_id",
        technologies="technologies",
        label="is_customer",
        columns=COLUMNS,
        records=records,
        training_records=records,
        digest="",
        source=SOURCE,
    ).save()


MAKERS = (
    Maker(
        "seed",
        "synthetic technographics of the first report's shape",
        partial(_make, "seed"),
        scalable=True,
        rows=RECORDS,
    ),
    Maker(
        "seed-dirty",
        "the same with case variants, blanks, repeats, empty items, nulls and composed letters",
        partial(_make, "seed-dirty"),
        scalable=True,
        rows=RECORDS,
    ),
)
