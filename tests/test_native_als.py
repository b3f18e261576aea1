"""The native ALS as a library: exact fold-in, updates, momentum, and the same bits at any number of threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.cpu_pipeline.als import ImplicitALS
from technobench.cpu_pipeline.kernels import threads
from technobench.cpu_pipeline.row_solver import Coordinates, RowSolver, gram
from technobench.pipeline.errors import InputError
from technobench.pipeline.stages.als import als_problem, loss

from .test_stage_als import interactions

FIT = """
import hashlib
import numpy as np
import scipy.sparse as sp
from technobench.cpu_pipeline.implicit_als import ImplicitALS
matrix = sp.random(700, 300, 0.05, format="csr", random_state=np.random.default_rng(4)).power(2)
model = ImplicitALS(factors=33, iterations=3, regularization=1.0).fit(matrix)
parts = model.user_factors, model.item_factors, model.losses, model.fold_in_users(matrix[:9])
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def solved(strengths, others, regularization, alpha):
    """The normal equations of each row, dense and in float64."""
    others = others.astype(np.float64)
    rows = []
    for strength in strengths.toarray().astype(np.float64):
        weighted = others * (1 + alpha * strength)[:, None]
        ridge = regularization * np.eye(others.shape[1])
        rows.append(np.linalg.solve(weighted.T @ others + ridge, weighted.T @ (strength > 0)))
    return np.array(rows)


@pytest.fixture(scope="module")
def model():
    return ImplicitALS(factors=9, regularization=0.7, scaling="plain", alpha=5.0, iterations=5).fit(interactions())


def test_the_same_bits_whether_compiled_or_from_the_cache(tmp_path):
    """The first process compiles, the other loads what it has written; the threads differ, too."""
    digests = [
        subprocess.run(
            [sys.executable, "-c", FIT],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert len(set(digests)) == 1 and len(digests[0]) > 60


@pytest.fixture
def blas_at_work():
    """Another thread that multiplies all the time."""
    ended = threading.Event()
    square = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)

    def multiply():
        while not ended.is_set():
            np.matmul(square, square)

    thread = threading.Thread(target=multiply)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("blas_at_work")
def test_the_same_bits_at_any_number_of_threads_beside_others_who_use_blas(monkeypatch):
    matrix = sp.random(900, 400, 0.05, format="csr", random_state=np.random.default_rng(4)).power(2)
    seen = set()
    for turn in range(6):
        monkeypatch.setattr(threads, "thread_count", lambda turn=turn: 1 + turn % 3)
        model = ImplicitALS(factors=65, iterations=2, regularization=1.0).fit(matrix)
        seen.add((model.user_factors.tobytes(), model.item_factors.tobytes(), model.losses.tobytes()))
    assert len(seen) == 1


def test_loss_of_a_fit_is_the_loss_of_its_vectors(model):
    problem = als_problem(interactions(), 9, 0.7, 5.0, 5, 0)
    assert model.loss == pytest.approx(loss(problem, model.user_factors, model.item_factors), rel=1e-5)


def test_folding_in_solves_the_rows(model):
    fresh = interactions(users=20, seed=8)
    expected = solved(fresh, model.item_factors, 0.7, 5.0)
    np.testing.assert_allclose(model.fold_in_users(fresh), expected, atol=1e-4 * np.abs(expected).max())
    columns = sp.csr_matrix(interactions(seed=9).T)
    expected = solved(columns, model.user_factors, 0.7, 5.0)
    np.testing.assert_allclose(model.fold_in_items(columns), expected, atol=1e-4 * np.abs(expected).max())
    assert model.fold_in_users(sp.csr_matrix((0, 35))).shape == (0, 9)


def test_strong_confidences_are_solved_too():
    """Their eigenvalues lie far apart, where conjugate gradients take the most steps."""
    strengths = interactions(seed=5) * 2000
    fitted = ImplicitALS(factors=9, regularization=0.1, scaling="plain", alpha=5.0, iterations=3, exact=True).fit(
        strengths
    )
    expected = solved(strengths, fitted.item_factors, 0.1, 5.0)
    np.testing.assert_allclose(fitted.fold_in_users(strengths), expected, atol=5e-3 * np.abs(expected).max())


def test_an_update_solves_what_changed_and_leaves_the_rest(model):
    old = interactions()
    now = sp.lil_matrix(sp.block_diag([old, sp.csr_matrix((1, 1))]))
    now[60, [2, 35]] = 1.5  # a new user with a new item
    now[5, 9] = 2.5
    now = sp.csr_matrix(now)
    grown_old = sp.csr_matrix((old.data, old.indices, np.append(old.indptr, old.nnz)), shape=now.shape)
    changed = sp.csr_matrix(now - grown_old)
    assert changed.nnz == 3
    updated = model.update(now, changed)
    users = solved(now[[5, 60]], np.vstack([model.item_factors, np.zeros((1, 9))]), 0.7, 5.0)
    np.testing.assert_allclose(updated.user_factors[[5, 60]], users, atol=1e-4 * np.abs(users).max())
    touched = [2, 9, 35]
    items = solved(sp.csr_matrix(now[:, touched].T), updated.user_factors, 0.7, 5.0)
    np.testing.assert_allclose(updated.item_factors[touched], items, atol=1e-4 * np.abs(items).max())
    others = np.setdiff1d(np.arange(60), [5])
    np.testing.assert_array_equal(updated.user_factors[others], model.user_factors[others])
    assert np.isnan(updated.loss) and model.user_factors.shape == (60, 9)


def test_an_update_that_cannot_be_is_refused(model):
    with pytest.raises(InputError, match="60 users"):
        model.update(interactions()[:10], sp.csr_matrix((10, 35)))
    with pytest.raises(InputError, match="both are users x items"):
        model.update(interactions(), sp.csr_matrix((60, 36)))
    with pytest.raises(InputError, match="the model 35 items"):
        model.fold_in_users(sp.csr_matrix((2, 3)))
    with pytest.raises(InputError, match="momentum"):
        ImplicitALS(momentum=1.0)


def test_momentum_reaches_a_lower_loss():
    matrix = sp.csr_matrix(interactions(users=300, items=120, seed=6))
    plain, quick = (
        ImplicitALS(8, 3.0, iterations=8, scaling="plain", momentum=share).fit(matrix) for share in (0.0, 0.5)
    )
    assert quick.loss < plain.loss


def test_pairs_that_are_not_stored_cost_the_squared_length_of_the_coordinates():
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    coordinates = Coordinates.of(gram(vectors), 0.3)
    own = np.random.default_rng(1).normal(size=(4, 7)).astype(np.float32)
    found = own @ coordinates.to
    assert found.shape == (4, 16)
    expected = ((own @ vectors.T) ** 2).sum(axis=1) + 0.3 * (own**2).sum(axis=1)
    np.testing.assert_allclose((found**2).sum(axis=1), expected, rtol=1e-4)
    np.testing.assert_allclose(found @ coordinates.back.T, own, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 500])
def test_the_parts_of_a_side_cover_its_rows_once(rows):
    matrix = sp.random(rows, 30, 0.3, format="csr", random_state=np.random.default_rng(rows), dtype=np.float32)
    parts = RowSolver.of(matrix, 1.0, np.ones(rows)).parts
    assert np.concatenate([np.arange(rows)[part] for part in parts]).tolist() == list(range(rows))
