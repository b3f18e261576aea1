"""The kernels of ALS and of top-k lists through the code that launches them, against float64 oracles."""

import numpy as np
import scipy.sparse as sp
from technobench.gpu_pipeline import als_parts
from technobench.gpu_pipeline.als_kernels import Cholesky, ConjugateGradients
from technobench.gpu_pipeline.als_parts import Part
from technobench.gpu_pipeline.device_als import DeviceRowSolver, gram
from technobench.gpu_pipeline.device_largest import DeviceLargest
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.gpu_pipeline.device_top_k import SCORE_BYTES, DeviceTopK, Hidden


def strengths_of(users, items, share, seed=0):
    """CSR float32 with empty rows and columns, and a row that has everything."""
    generator = np.random.default_rng(seed)
    stored = generator.random((users, items)) < share
    stored[users // 2] = True
    stored[1::5] = False
    stored[:, ::7] = False
    return sp.csr_matrix((stored * generator.uniform(0.2, 3, stored.shape)).astype(np.float32))


def rows_of_lengths(lengths, columns, seed=0):
    """CSR float32, rows of so many entries at random places."""
    generator = np.random.default_rng(seed)
    indices = [np.sort(generator.permutation(columns)[:length]) for length in lengths]
    data = generator.uniform(0.2, 3, sum(lengths)).astype(np.float32)
    starts = np.append(0, np.cumsum(lengths))
    return sp.csr_matrix((data, np.concatenate(indices), starts), shape=(len(lengths), columns))


def share_short_rows(monkeypatch):
    """Make rows long that have more than 20 entries, slices of 8, and no row of more than 6 of them."""
    for name, value in {"LONG_ROW": 20, "SLICE_ENTRIES": 8, "MOST_SLICES": 6}.items():
        monkeypatch.setattr(als_parts, name, value)


def long_rows_of():
    """Rows just below, at and above what a block then has to itself, one of all 70 entries, and one of none."""
    return rows_of_lengths([19, 21, 0, 20, 70, 1, 2], 70)


def solved(strengths, others, alpha, penalties):
    """float64[rows, factors]: the normal equations of each row as they are written, by a dense solver."""
    found = np.zeros((strengths.shape[0], others.shape[1]))
    for row, dense in enumerate(strengths.toarray().astype(np.float64)):
        weighted = others * (1 + alpha * dense)[:, None]
        system = weighted.T @ others + penalties[row] * np.eye(others.shape[1])
        found[row] = np.linalg.solve(system, weighted.T @ (dense > 0))
    return found


def steps_taken(strengths, others, own, alpha, penalties, steps):
    """float64: preconditioned conjugate gradients on the dense normal equations, preconditioned by Y'Y + lambda."""
    found = own.astype(np.float64).copy()
    for row, dense in enumerate(strengths.toarray().astype(np.float64)):
        weighted = others * (1 + alpha * dense)[:, None]
        ridge = penalties[row] * np.eye(others.shape[1])
        system, inverse = weighted.T @ others + ridge, np.linalg.inv(others.T @ others + ridge)
        residual = weighted.T @ (dense > 0) - system @ found[row]
        along = inverse @ residual
        for _ in range(steps if dense.any() else 0):
            size = residual @ inverse @ residual
            if size < 1e-24:
                break
            length = size / (along @ system @ along)
            found[row] += length * along
            residual = residual - length * system @ along
            along = inverse @ residual + residual @ inverse @ residual / size * along
        if not dense.any():
            found[row] = 0
    return found


def loss_of(strengths, others, found, alpha, penalties):
    """What `DeviceRowSolver.run` returns of the loss, pair by pair."""
    dense = strengths.toarray().astype(np.float64)
    products = found @ others.T
    total = np.sum((1 + alpha * dense) * ((dense > 0) - products) ** 2) + penalties @ (found**2).sum(axis=1)
    return total - np.sum((1 + alpha * dense)[dense > 0])


def least_scratch_of(kernel, strengths):
    """Bytes for the longest row."""
    return kernel.least_scratch_bytes(int(np.diff(strengths.indptr).max(initial=0)))


def solver_of(cupy, kernel, strengths, alpha, penalties, scratch_bytes=0):
    """For all rows at once."""
    parts = [Part.of(cupy, DeviceRows.copied(cupy, strengths, 0, strengths.shape[0]))]
    return DeviceRowSolver(cupy, kernel, parts, alpha, penalties, scratch_bytes)


def assert_rows(
    cupy, strengths, factors, steps=1000, alpha=4.0, seed=1, penalties=None, cholesky=False, blocks=1, error=2e-4
):
    """Vectors and loss of half an iteration; to the end by a dense solver, of few steps by the same in float64.

    By conjugate gradients or by Cholesky, with scratch for so many ``blocks`` of what a call takes at least.
    """
    generator = np.random.default_rng(seed)
    rows, columns = strengths.shape
    penalties = generator.uniform(0.5, 3, rows) if penalties is None else penalties
    others = generator.normal(size=(columns, factors)).astype(np.float32)
    own = generator.normal(size=(rows, factors)).astype(np.float32) / 10
    on_device = cupy.asarray(others)
    kernel = Cholesky(cupy, factors) if cholesky else ConjugateGradients(cupy, factors, steps)
    solver = solver_of(cupy, kernel, strengths, alpha, penalties, blocks * least_scratch_of(kernel, strengths))
    found, rest = solver.run(on_device, gram(cupy, on_device), cupy.asarray(own))
    exact = others.astype(np.float64)
    if steps < 100:
        expected = steps_taken(strengths, exact, own, alpha, penalties, steps)
    else:
        expected = solved(strengths, exact, alpha, penalties)
    np.testing.assert_allclose(found.get(), expected, rtol=0, atol=error * np.abs(expected).max(initial=1e-9))
    cost = loss_of(strengths, exact, expected, alpha, penalties)
    np.testing.assert_allclose(float(rest), cost, rtol=1e-4, atol=1e-4)


def near_ties(users, items, factors=17, seed=3):
    """float32 vectors of users, and of items of which all are nearly the same one."""
    generator = np.random.default_rng(seed)
    every = generator.normal(size=factors) + generator.normal(size=(items, factors)) * 1e-7
    return generator.normal(size=(users, factors)).astype(np.float32), every.astype(np.float32)


def best_lists(users, items, k, owned, barred):
    """int32[n, k] and float64[n, k]: a full sort of float64 scores, each summed over the factors in order."""
    found, found_scores = np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf)
    scores = np.zeros((len(users), len(items)))
    for factor in range(users.shape[1]):
        scores += np.float64(users[:, factor, None]) * np.float64(items[:, factor])
    hidden = owned.toarray() != 0
    hidden[:, barred] = True
    for row in range(len(users)):
        order = np.argsort(-scores[row], kind="stable")
        order = order[~hidden[row, order]][:k]
        found[row, : len(order)], found_scores[row, : len(order)] = order, scores[row, order]
    return found, found_scores


def assert_lists(cupy, users, items, k, owned=None, barred=(), scratch_bytes=SCORE_BYTES):
    """Lists identical to those of a full sort, and their scores."""
    shape = len(users), len(items)
    owned = strengths_of(*shape, 0.2) if owned is None else owned
    barred = np.array(barred, np.int32)
    top = DeviceTopK(cupy, items, k)
    found = top.lists(top.users(cupy.asarray(users)), Hidden.of(cupy, owned, cupy.asarray(barred)), scratch_bytes)
    expected, scores = best_lists(users, items, k, owned, barred)
    np.testing.assert_array_equal(found.items.get(), expected)
    assert found.scores.dtype == np.float32
    # The device takes the smallest floats for 0.
    np.testing.assert_allclose(found.scores.get(), scores.astype(np.float32), rtol=0, atol=2**-126)


def assert_largest(cupy, rows, columns, k, seed=0):
    """Columns and values of a full sort by size: of few sizes and both signs, of one size, and of many sizes."""
    generator = np.random.default_rng(seed)
    few = generator.integers(-6, 7, (rows, columns)) / np.float32(8)
    for values in (few, np.copysign(np.float32(3), few), generator.normal(size=(rows, columns)) * 1e-38):
        values = values.astype(np.float32)
        found = DeviceLargest(cupy, k).of(cupy.asarray(values))
        expected = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(found.items.get(), expected)
        np.testing.assert_array_equal(found.scores.get(), np.take_along_axis(values, expected, axis=1))
