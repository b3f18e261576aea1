"""What recommendation starts from: interactions as a sparse matrix, or ratings as a list."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from .datasets.dataset import ITEMS_FILE, USERS_FILE, InteractionDataset, RatingDataset
from .errors import InputError


@dataclass(frozen=True)
class Interactions:
    """Implicit feedback.

    matrix: CSR, users x items, float32, indices sorted within a row and distinct, values finite.
    user_ids, item_ids: of the rows and columns.
    """

    matrix: sp.csr_matrix
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]


@dataclass(frozen=True)
class Ratings:
    """Explicit feedback: who gave what how many stars.

    users, items: int32[n], numbers from 0. values: float64[n], finite. A pair may come more than once.
    scale: the lowest and the highest rating there can be.
    timestamps: int64[n], seconds since 1970 UTC, or None where they are not known.
    user_ids, item_ids: of the numbers; empty where they have none.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    scale: tuple[float, float]
    timestamps: np.ndarray | None = None
    user_ids: tuple[str, ...] = ()
    item_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def of(self, places: np.ndarray | slice) -> "Ratings":
        """Those at the places, in that order, on the same scale."""
        timestamps = None if self.timestamps is None else self.timestamps[places]
        return replace(
            self,
            users=self.users[places],
            items=self.items[places],
            values=self.values[places],
            timestamps=timestamps,
        )


def interactions_of(dataset: InteractionDataset) -> Interactions:
    """The matrix of a dataset: the values of a pair's rows are summed, a row without a value counts 1.

    A rating counts 1, too: which items a user chose to rate is the feedback, not how the user liked them (Hu, Koren
    and Volinsky, "Collaborative filtering for implicit feedback datasets", 2008, section 2).
    """
    valued = "value" in dataset.columns and not isinstance(dataset, RatingDataset)
    table = pq.read_table(dataset.path, columns=["user", "item", *(["value"] if valued else [])])
    users, items = table["user"].to_numpy(), table["item"].to_numpy()
    values = table["value"].to_numpy() if valued else np.ones(len(users), np.float32)
    matrix = sp.csr_matrix((values, (users, items)), shape=(dataset.users, dataset.items))
    matrix.sum_duplicates()
    return Interactions(matrix, _ids(dataset, USERS_FILE), _ids(dataset, ITEMS_FILE))


def last_times(dataset: InteractionDataset) -> np.ndarray | None:
    """int64[entries]: when the last of a pair's interactions was, in the order of the entries of `interactions_of`.

    Seconds since 1970 UTC; None where times are not known.
    """
    if "timestamp" not in dataset.columns:
        return None
    table = pq.read_table(dataset.path, columns=["user", "item", "timestamp"])
    pairs = table["user"].to_numpy().astype(np.int64) * dataset.items + table["item"].to_numpy()
    times = table["timestamp"].to_numpy()
    order = np.lexsort((times, pairs))
    return times[order[np.flatnonzero(np.diff(pairs[order], append=-1))]]


def ratings_of(dataset: RatingDataset) -> Ratings:
    """The ratings of a dataset in the order of the file; the scale is from the lowest to the highest that it has.

    Raises:
        InputError: it has none.

    """
    table = pq.read_table(dataset.path)
    timestamps = table["timestamp"].to_numpy() if "timestamp" in dataset.columns else None
    users, items, values = (table[name].to_numpy() for name in ("user", "item", "value"))
    if not len(values):
        raise InputError(f"dataset '{dataset.name}' has no ratings; choose one that has")
    scale = float(values.min()), float(values.max())
    ids = _ids(dataset, USERS_FILE), _ids(dataset, ITEMS_FILE)
    return Ratings(users, items, values.astype(np.float64), scale, timestamps, *ids)


def _ids(dataset: InteractionDataset, file: str) -> tuple[str, ...]:
    ids: pa.ChunkedArray = pq.read_table(dataset.folder / file, columns=["id"])["id"]
    return tuple(ids.to_pylist())
