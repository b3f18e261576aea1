"""What is compiled of `implicit.gpu`, on the host, as its CUDA sources (0.7.3) have it; its Python code is its own.

A thread has a factor each, and sums go through whole warps. A fit takes stored values as c, and no alpha. Lists are
laid out by the number of items where that is below k. What is left out has a score of its own.
"""

import numpy as np

LEFT_OUT = -np.nextafter(np.finfo(np.float32).max, np.float32(0))


class Matrix:
    """float32[rows, factors]; a slice is a view, as there, and chosen rows are a copy."""

    def __init__(self, values):
        assert values.dtype == np.float32 and values.ndim == 2
        self.values = values.copy()

    @classmethod
    def zeros(cls, rows, columns):
        return cls(np.zeros((rows, columns), np.float32))

    @property
    def shape(self):
        return self.values.shape

    def __getitem__(self, rows):
        assert isinstance(rows, np.ndarray) and rows.ndim == 1
        return Matrix(self.values[rows])

    def to_numpy(self):
        return self.values.copy()


class HostMatrix:
    """As CSRMatrix and COOMatrix, which copy a matrix of SciPy."""

    def __init__(self, matrix):
        assert matrix.nnz, "it takes the address of the first value"
        self.dense = matrix.toarray().astype(np.float64)
        self.stored = self.dense != 0


class LeastSquaresSolver:
    """als.cu: conjugate gradients, by a dense product in float64."""

    def calculate_yty(self, others, gram, regularization):
        gram.values[:] = others.values.T @ others.values + np.float32(regularization) * np.eye(others.shape[1])

    def least_squares(self, confidences, own, gram, others, steps):
        factors = own.shape[1]
        assert factors % 32 == 0 and factors <= 1024, "sums over a part of a warp are not right"
        vectors = others.values.astype(np.float64)
        for row, (stored, c) in enumerate(zip(confidences.stored, confidences.dense, strict=True)):
            if not stored.any():
                own.values[row] = 0
                continue
            system = gram.values + vectors[stored].T @ ((c[stored] - 1)[:, None] * vectors[stored])
            x = own.values[row].astype(np.float64)
            residual = c[stored] @ vectors[stored] - system @ x
            along, size = residual, residual @ residual
            for _ in range(steps if size >= 1e-20 else 0):
                length = size / (along @ system @ along)
                x, residual = x + length * along, residual - length * (system @ along)
                along, size = residual + residual @ residual / size * along, residual @ residual
                if size < 1e-20:
                    break
            own.values[row] = x


class KnnQuery:
    """knn.cu: scores of all items, some left out, the greatest ones by rank."""

    def topk(self, items, users, k, item_norms=None, query_filter=None, item_filter=None):
        scores = users.values @ items.values.T
        if item_filter is not None:
            scores[:, item_filter] = LEFT_OUT
        if query_filter is not None:
            scores[query_filter.stored] = LEFT_OUT
        width = min(k, items.shape[0])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :width]
        found, values = np.zeros((len(scores), k), np.int32), np.zeros((len(scores), k), np.float32)
        found.reshape(-1)[: order.size] = order.reshape(-1)
        values.reshape(-1)[: order.size] = np.take_along_axis(scores, order, axis=1).reshape(-1)
        return found, values


COMPILED = {
    "HAS_CUDA": True,
    "HAS_RMM": True,
    "Matrix": Matrix,
    "CSRMatrix": HostMatrix,
    "COOMatrix": HostMatrix,
    "IntVector": lambda values: np.asarray(values, np.int32),
    "LeastSquaresSolver": LeastSquaresSolver,
    "KnnQuery": KnnQuery,
    "RandomState": lambda seed=0: None,
}
