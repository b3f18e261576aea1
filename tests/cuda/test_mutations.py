"""Kernels with a planted mistake: each must give a wrong answer, or be stopped, where the true ones pass."""

import shutil

import numpy as np
import pytest
from technobench.gpu_pipeline import als_parts, cuda_source

from .factor_checks import (
    assert_largest,
    assert_lists,
    assert_rows,
    long_rows_of,
    near_ties,
    rows_of_lengths,
    share_short_rows,
    strengths_of,
)
from .kernel_checks import (
    assert_explanations,
    assert_scores,
    chain,
    kind_of_model,
    random_forest,
    random_rows,
    rows_down_a_chain,
)
from .mutations import MUTATIONS
from .standin import StandIn


def check_scores(cupy):
    """Two tiles of rows, several outputs, categories, missing values, both default directions."""
    assert_scores(cupy, *kind_of_model("categories and classes", 41))
    assert_scores(cupy, random_forest(9, 0.6, 1, rounds=9), random_rows(41, 9, 0.6, 2))


def check_explanations(cupy):
    """Two tiles of rows and of features, tables of more entries than a block holds at a time."""
    assert_explanations(cupy, random_forest(40, 0.6, 1, rounds=6, max_depth=6), random_rows(37, 40, 0.6, 2))


def check_paths(cupy):
    """More players than a block has at a time, outputs and categories, and a model with tables for some trees."""
    assert_explanations(cupy, chain(35), rows_down_a_chain(35, 40), 0)
    assert_explanations(cupy, *kind_of_model("categories and classes", 41), 0)
    forest = random_forest(9, 0.6, 1, max_depth=9)
    assert_explanations(cupy, forest, random_rows(9, 9, 0.6, 2), 100_000)


def check_rows(cupy):
    """Empty rows, rows of one tile and of several, few steps and all of them."""
    for steps in (3, 1000):
        assert_rows(cupy, strengths_of(7, 130, 0.3), 65, steps)


def check_equations(cupy):
    """Rows of one tile and of several, confidences far apart, and a triangle that shared memory does not hold."""
    assert_rows(cupy, strengths_of(4, 250, 0.3), 38, cholesky=True)
    assert_rows(cupy, strengths_of(2, 100, 0.3), 24, alpha=1e5, penalties=np.full(2, 0.5), cholesky=True, error=1e-5)
    assert_rows(cupy, strengths_of(3, 20, 0.3), 132, cholesky=True, blocks=2)


def check_shared(cupy):
    """Slices of several tiles, several batches and one, steps and solutions, and confidences far apart."""
    with pytest.MonkeyPatch.context() as patch:
        share_short_rows(patch)
        for factors, blocks, how in ((20, 1, {"steps": 3}), (70, 2, {}), (20, 1, {"cholesky": True})):
            assert_rows(cupy, long_rows_of(), factors, blocks=blocks, **how)
        patch.setattr(als_parts, "MOST_SLICES", 2)
        far_apart = rows_of_lengths([300, 90], 300)
        far_apart.data[::3] *= 1e-3
        assert_rows(cupy, far_apart, 40, alpha=1e5, penalties=np.full(2, 0.5), cholesky=True, blocks=2, error=1e-5)


def check_lists(cupy):
    """Scores far apart, some that float32 does not tell apart, more of them than a buffer holds, lists that end."""
    generator = np.random.default_rng(5)
    assert_lists(cupy, *(generator.normal(size=(n, 9)).astype(np.float32) for n in (3, 700)), 10)
    assert_lists(cupy, *near_ties(3, 700), 10, barred=[3, 50])
    users, items = near_ties(2, 4)
    assert_lists(cupy, users, np.tile(items, (500, 1)), 7)
    assert_lists(cupy, users, items, 6, barred=[1])
    assert_lists(cupy, *near_ties(2, 1700), 7)


def check_largest(cupy):
    """Fewer columns than strands and more, both signs, as many equal ones as a buffer does not hold."""
    for rows, columns, k in ((3, 40, 10), (2, 700, 7), (1, 1500, 3)):
        assert_largest(cupy, rows, columns, k)


CHECKS = {
    "scores": check_scores,
    "explanations": check_explanations,
    "paths": check_paths,
    "rows": check_rows,
    "equations": check_equations,
    "shared": check_shared,
    "lists": check_lists,
    "largest": check_largest,
}


@pytest.fixture
def load_from(monkeypatch):
    """Make the engines load their kernels from another folder."""

    return lambda folder: monkeypatch.setattr(cuda_source, "FOLDER", folder)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_true_kernels_pass(checked_cupy, check):
    check(checked_cupy)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_is_caught(compiler, tmp_path, load_from, mutation):
    folder = tmp_path / "kernels"
    shutil.copytree(cuda_source.FOLDER, folder)
    text = (folder / mutation.source).read_text(encoding="utf-8")
    assert mutation.was in text
    (folder / mutation.source).write_text(text.replace(mutation.was, mutation.becomes, 1), encoding="utf-8")
    load_from(folder)
    with pytest.raises(AssertionError) as caught:
        CHECKS[mutation.check](StandIn(checked=True))
    assert "does not compile" not in str(caught.value)
