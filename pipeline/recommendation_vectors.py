"""Models of who wants what, each as a vector per user and item whose product is the score.

- *popularity*: everyone the same; the score of an item is how many users have it.
- *content*: cosine of the item's attributes with those of what the user has (Lops, de Gemmis, Semeraro, "Content-based
  recommender systems: state of the art and trends", 2011, section 3.3.1).
- *als*: implicit-feedback ALS as `stages.als` defines it, in float64, every row solved exactly.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from .als_reference import exact_als
from .datasets.dataset import RecordDataset
from .errors import InputError
from .stages.als import AlsProblem

if TYPE_CHECKING:
    from .workload import Workload


class Vectors(NamedTuple):
    """float32[n, factors] of users and float32[m, factors] of items."""

    users: np.ndarray
    items: np.ndarray


def popularity(training: sp.csr_matrix) -> Vectors:
    """Vectors of length 1, of CSR users x items without repeats: 1, and how many users have the item."""
    users, items = training.shape
    owners = np.bincount(training.indices, minlength=items)
    return Vectors(np.ones((users, 1), np.float32), owners.astype(np.float32)[:, None])


def content(training: sp.csr_matrix, attributes: np.ndarray) -> Vectors:
    """Unit vectors of items, and of users the unit vector of the mean over their items.

    An item without attributes, and a user without such items, has a vector of zeros.

    Args:
        training: CSR, users x items without repeats; what is stored counts 1.
        attributes: float[m, attributes].

    """
    items = _unit(attributes.astype(np.float64))
    have = sp.csr_matrix((np.ones(training.nnz), training.indices, training.indptr), shape=training.shape)
    return Vectors(_unit(have @ items).astype(np.float32), items.astype(np.float32))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Each divided by its length, which for a sum is as good as for a mean."""
    lengths = np.sqrt(np.einsum("nf,nf->n", vectors, vectors))
    return vectors / np.where(lengths > 0, lengths, 1)[:, None]


def item_attributes(workload: "Workload", training: sp.csr_matrix) -> np.ndarray:
    """float64[m, attributes]: 1 for each of an item's genres; of a technology, how its companies are spread.

    A technology's attributes are the shares of its companies in training with each value of each categorical column.

    Raises:
        InputError: nothing is known of the items, or of the companies.

    """
    dataset = workload.dataset
    if isinstance(dataset, RecordDataset):
        names = [column.name for column in dataset.columns if column.kind == "categorical"]
        if not names:
            raise InputError(f"recommender=content: dataset '{dataset.name}' has no categorical column; choose another")
        table = workload.raw_columns()
        return owner_shares(training, sp.hstack([one_hot(table[name]) for name in names], format="csr"))
    table = workload.items()
    if "genres" not in table.column_names:
        raise InputError(f"recommender=content: dataset '{dataset.name}' has no genres of items; choose another")
    genres = table["genres"].combine_chunks()
    return one_hot(pc.list_flatten(genres), pc.list_parent_indices(genres).to_numpy(), len(genres)).toarray()


def owner_shares(training: sp.csr_matrix, attributes: sp.csr_matrix) -> np.ndarray:
    """float64[m, attributes]: the mean of the users' attributes (CSR, n x attributes) over those who have the item."""
    owners = np.bincount(training.indices, minlength=training.shape[1])
    have = sp.csr_matrix((np.ones(training.nnz), training.indices, training.indptr), shape=training.shape)
    return (have.T @ attributes).toarray() / np.maximum(owners, 1)[:, None]


def one_hot(
    values: pa.Array | pa.ChunkedArray, rows: np.ndarray | None = None, number: int | None = None
) -> sp.csr_matrix:
    """CSR, a column per distinct value, by code point; null has none.

    Args:
        values: strings.
        rows: int[len(values)], the row that each value is in; without it each is in its own.
        number: of rows, where ``rows`` are given.

    """
    known = np.asarray(values.is_valid())
    rows = np.arange(len(values)) if rows is None else rows
    categories, codes = np.unique(np.asarray(values.to_pylist(), object)[known].astype(str), return_inverse=True)
    shape = (len(values) if number is None else number, len(categories))
    return sp.csr_matrix((np.ones(len(codes)), (rows[known], codes)), shape=shape)


def als(problem: AlsProblem) -> Vectors:
    """The vectors after the problem's iterations."""
    users, items = exact_als(problem)
    return Vectors(users.astype(np.float32), items.astype(np.float32))
