"""What is in a dataset of interactions or ratings, in one streaming read; memory holds a count per user and item."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .dataset import ITEMS_FILE, InteractionDataset, Progress
from .describe import BATCH_RECORDS, MOST_DISTINCT, TOP, quantiles


@dataclass(frozen=True)
class InteractionDescription:
    """A dataset in figures.

    density: rows, divided by users times items.
    per_user, per_item: rows of each, by `describe.QUANTILES`.
    top: the items in most rows, by title where there is one, with their number of rows; ties in the order of items.
    values: rows by value, ascending; None without values, or with more than `describe.MOST_DISTINCT` different ones.
    times: the first and the last, ISO 8601 in UTC; None where they are not known.
    """

    dataset: InteractionDataset
    density: float
    per_user: dict[str, int]
    per_item: dict[str, int]
    top: tuple[tuple[str, int], ...]
    values: dict[str, int] | None
    times: tuple[str, str] | None

    def as_json(self) -> dict[str, Any]:
        """The description for a program to read."""
        figures = {name: value for name, value in asdict(self).items() if name != "dataset"}
        kind = self.dataset.kind
        return {"kind": kind, **asdict(self.dataset), "folder": str(self.dataset.folder), **figures}


def describe_interactions(dataset: InteractionDataset, progress: Progress) -> InteractionDescription:
    """Read the rows once and count."""
    users, items = np.zeros(dataset.users, np.int64), np.zeros(dataset.items, np.int64)
    values: dict[float, int] | None = {} if "value" in dataset.columns else None
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    done = 0
    with pq.ParquetFile(dataset.path, pre_buffer=False) as opened:
        for batch in opened.iter_batches(BATCH_RECORDS):
            users += np.bincount(batch.column("user"), minlength=len(users))
            items += np.bincount(batch.column("item"), minlength=len(items))
            if values is not None:
                for value, count in zip(*np.unique(batch.column("value"), return_counts=True), strict=True):
                    values[float(value)] = values.get(float(value), 0) + int(count)
                values = None if len(values) > MOST_DISTINCT else values
            if "timestamp" in dataset.columns:
                times = batch.column("timestamp").to_numpy()
                first, last = min(first, int(times.min())), max(last, int(times.max()))
            done += batch.num_rows
            progress(done, dataset.records)
    most = np.argsort(-items, kind="stable")[:TOP]
    table = pq.read_table(dataset.folder / ITEMS_FILE)
    names = pc.coalesce(*(table[name] for name in ("title", "id") if name in table.column_names)).take(most).to_pylist()
    return InteractionDescription(
        dataset=dataset,
        density=done / max(dataset.users * dataset.items, 1),
        per_user=quantiles(np.bincount(users)),
        per_item=quantiles(np.bincount(items)),
        top=tuple(zip(names, items[most].tolist(), strict=True)),
        values=None if values is None else {f"{value:g}": values[value] for value in sorted(values)},
        times=(_iso(first), _iso(last)) if first <= last else None,
    )


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
