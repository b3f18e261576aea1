"""Columns told by their names: a matrix as another set of columns has it."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp


def in_order_of(wanted: Sequence[str], matrix: sp.csr_matrix, columns: Sequence[str]) -> sp.csr_matrix:
    """The CSR matrix with its columns as ``wanted``: those not wanted left out, those not there empty."""
    if tuple(wanted) == tuple(columns):
        return matrix
    place = {name: position for position, name in enumerate(wanted)}
    moves = [(before, place[name]) for before, name in enumerate(columns) if name in place]
    before, after = np.array(moves, np.int64).reshape(-1, 2).T
    order = sp.csr_matrix((np.ones(len(moves), matrix.dtype), (before, after)), shape=(len(columns), len(wanted)))
    ordered = sp.csr_matrix(matrix @ order)
    ordered.sort_indices()
    return ordered
