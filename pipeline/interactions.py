"""What recommendation starts from: interactions as a sparse matrix, or ratings as a list."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from .datasets.dataset import ITEMS_FILE, USERS_FILE, InteractionDataset, RatingDataset


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
    """Explicit feedback: n ratings in the order of the file.

    users, items: int32[n], positions in ``user_ids`` and ``item_ids``.
    values: float32[n].
    timestamps: int64[n], seconds since 1970 UTC, or None where they are not known.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    timestamps: np.ndarray | None
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]


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
    """The ratings of a dataset; a pair that was rated twice is there twice."""
    table = pq.read_table(dataset.path)
    timestamps = table["timestamp"].to_numpy() if "timestamp" in dataset.columns else None
    users, items, values = (table[name].to_numpy() for name in ("user", "item", "value"))
    return Ratings(users, items, values, timestamps, _ids(dataset, USERS_FILE), _ids(dataset, ITEMS_FILE))


def _ids(dataset: InteractionDataset, file: str) -> tuple[str, ...]:
    ids: pa.ChunkedArray = pq.read_table(dataset.folder / file, columns=["id"])["id"]
    return tuple(ids.to_pylist())
