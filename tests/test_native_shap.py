"""Pattern-table TreeSHAP: against float64 Shapley values and XGBoost, on every shape of tree and form of input."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import tree_shap
from technobench.cpu_pipeline.kernels.threshold_codes import encode_csr, encode_dense
from technobench.cpu_pipeline.shap import ShapInteractions, TreeShap
from technobench.pipeline import shap_tables
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.forest import Forest
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.shapley import shapley_values
from technobench.pipeline.threshold_codes import ThresholdCodes


def sparse_matrix(rows, columns, density=0.4, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.normal(1, 1, (rows, columns)) * (generator.random((rows, columns)) < density)
    values[:, ::2] = values[:, ::2] != 0  # technologies: there or not
    return sp.csr_matrix(values.astype(np.float32))


def trained(matrix, rounds=8, **parameters):
    total = np.asarray(matrix.sum(axis=1)).ravel()
    labels = total + np.random.default_rng(1).normal(size=len(total)) > np.median(total)
    options = {"objective": "binary:logistic", "min_child_weight": 0, "max_depth": 5, **parameters}
    return xgb.train(options, xgb.DMatrix(matrix, labels.astype(np.float32)), rounds)


def forest_of(booster):
    return Forest.from_model(bytes(booster.save_raw("json")))


MATRIX = sparse_matrix(300, 16)

SHAPES = {
    "usual": {},
    "one feature": {"columns": 1},
    "repeated on a path": {"columns": 3, "max_depth": 9},
    "stumps": {"max_depth": 1},
    "single leaves": {"gamma": 1e9},
    "depth 8": {"max_depth": 8},
    "depth 12": {"max_depth": 12},
    "depth 30": {"max_depth": 30, "rounds": 4},
    "lossguide": {"max_depth": 0, "max_leaves": 60, "grow_policy": "lossguide"},
    "parallel trees": {"num_parallel_tree": 3, "subsample": 0.5},
    "base score": {"base_score": 0.9},
    "regression": {"objective": "reg:squarederror"},
    "no trees": {"rounds": 0, "base_score": 0.3},
}


@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 20_000, 0], ids=["tables", "both", "paths"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_shapleys(shape, most_table_bytes):
    parameters = dict(SHAPES[shape])
    matrix = sparse_matrix(300, parameters.pop("columns", 16))
    booster = trained(matrix, **parameters)
    explainer = TreeShap.from_forest(forest_of(booster), most_table_bytes)
    values, scores = explainer.shap_values(matrix, with_scores=True)
    expected = shapley_values(explainer.forest, matrix)
    np.testing.assert_allclose(values.toarray(), expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(scores, explainer.forest.margins(matrix), rtol=0, atol=4e-6)
    theirs = booster.predict(xgb.DMatrix(matrix), pred_contribs=True)
    np.testing.assert_allclose(values.toarray(), theirs, rtol=0, atol=4e-6)


@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 150_000, 0])
def test_the_budget_of_bytes_is_kept_and_decides_between_tables_and_paths(most_table_bytes):
    forest = forest_of(trained(MATRIX, max_depth=7))
    tables = ShapTables.of(forest, ThresholdCodes.of(forest), most_table_bytes)
    assert tables.tables.nbytes <= most_table_bytes
    walked = len(tables.uncovered_trees)
    assert walked == 0 if most_table_bytes == shap_tables.MOST_BYTES else walked > 0
    assert walked < 8 if most_table_bytes else walked == 8


def test_a_mean_over_cover_0_on_one_side():
    """A leaf that no training record reached; XGBoost gives none, but files from elsewhere have them."""
    forest = forest_of(trained(MATRIX))
    leaf = np.flatnonzero((forest.feature < 0) & (forest.cover > 0))[3]
    parent = np.flatnonzero((forest.left == leaf) | (forest.right == leaf))[0]
    cover = forest.cover.copy()
    cover[leaf] = 0
    other = forest.left[parent] + forest.right[parent] - leaf
    cover[other] = cover[parent]
    forest = replace(forest, cover=cover)
    expected = shapley_values(forest, MATRIX)
    for most_table_bytes in (shap_tables.MOST_BYTES, 0):
        values = TreeShap.from_forest(forest, most_table_bytes).shap_values(MATRIX, output="dense")
        np.testing.assert_allclose(values, expected, rtol=0, atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), depth=st.integers(1, 9), rows=st.integers(1, 40), bytes_=st.sampled_from([0, 1 << 28])
)
def test_any_small_model(seed, depth, rows, bytes_):
    matrix = sparse_matrix(120, 6, density=0.6, seed=seed)
    explainer = TreeShap.from_forest(forest_of(trained(matrix, rounds=3, max_depth=depth)), bytes_)
    found = explainer.shap_values(matrix[:rows], output="dense")
    np.testing.assert_allclose(found, shapley_values(explainer.forest, matrix[:rows]), rtol=0, atol=2e-6)


@pytest.fixture(scope="module")
def explained():
    booster = trained(MATRIX)
    return booster, TreeShap.from_booster(booster)


def test_outputs_say_the_same(explained):
    _, explainer = explained
    csr = explainer.shap_values(MATRIX)
    csr.check_format(full_check=True)
    compact = explainer.shap_values(MATRIX, output="compact")
    dense = explainer.shap_values(MATRIX, output="dense")
    assert dense.dtype == csr.dtype == compact.values.dtype == np.float32
    np.testing.assert_array_equal(csr.toarray(), dense)
    np.testing.assert_array_equal(compact.values[:, :-1], dense[:, compact.features])
    np.testing.assert_array_equal(compact.values[:, -1], dense[:, -1])
    with pytest.raises(InputError, match="csr, compact or dense"):
        explainer.shap_values(MATRIX, output="full")


def test_a_feature_that_no_split_reads_contributes_nothing():
    matrix = sp.hstack([sp.csr_matrix((300, 2), dtype=np.float32), MATRIX], format="csr")
    explainer = TreeShap.from_booster(trained(matrix))
    values = explainer.shap_values(matrix)
    assert not values[:, :2].toarray().any()
    assert 0 not in explainer.shap_values(matrix, output="compact").features


@pytest.mark.parametrize(
    "form", [sp.csc_matrix, sp.coo_array, sp.csr_array, lambda m: m.astype(np.float64), lambda m: m[:, :][::1]]
)
def test_sparse_forms_are_one(explained, form):
    _, explainer = explained
    expected = explainer.shap_values(MATRIX, output="dense")
    np.testing.assert_array_equal(explainer.shap_values(form(MATRIX), output="dense"), expected)


def test_a_stored_zero_is_a_value_and_a_stored_nan_is_missing(explained):
    booster, explainer = explained
    stored = MATRIX.copy()
    stored.data[::3] = 0
    stored.data[1::3] = np.nan
    theirs = booster.predict(xgb.DMatrix(stored), pred_contribs=True)
    found = explainer.shap_values(stored, output="dense")
    np.testing.assert_allclose(found, theirs, rtol=0, atol=2e-6)
    dropped = stored.copy()
    dropped.data[~np.isfinite(dropped.data)] = 0
    dropped.eliminate_zeros()
    assert np.abs(explainer.shap_values(dropped, output="dense") - found).max() > 1e-3, "a zero is not missing"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_in_an_array_zero_is_a_value_and_nan_is_missing(explained, dtype, order):
    booster, explainer = explained
    array = np.array(MATRIX.toarray(), dtype=dtype, order=order)
    if dtype != np.int8:
        array[::2][array[::2] == 0] = np.nan
    expected = booster.predict(xgb.DMatrix(array), pred_contribs=True)
    np.testing.assert_allclose(explainer.shap_values(array, output="dense"), expected, rtol=0, atol=2e-6)
    frame = pd.DataFrame(array, columns=[f"technology {column}" for column in range(array.shape[1])])
    np.testing.assert_allclose(explainer.shap_values(frame, output="dense"), expected, rtol=0, atol=2e-6)


def test_what_is_no_such_matrix_is_refused(explained):
    _, explainer = explained
    for wrong in (MATRIX[:, :-1], np.zeros((3, 99), np.float32), np.zeros(16, np.float32)):
        with pytest.raises(InputError, match="16 features"):
            explainer.shap_values(wrong)
    with pytest.raises(InputError, match="no number"):
        explainer.shap_values(np.full((2, 16), "retail", object))


def test_unsupported_models_are_refused_by_name():
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        TreeShap.from_booster(trained(MATRIX, booster="gblinear"))
    forest = forest_of(trained(MATRIX))
    with pytest.raises(UnsupportedModelError, match="cover of 0"):
        TreeShap.from_forest(replace(forest, cover=np.zeros_like(forest.cover)))


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 257])
@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 0])
def test_tiles_of_any_size(explained, rows, most_table_bytes, monkeypatch):
    booster, _ = explained
    monkeypatch.setattr(tree_shap, "TILE_ROWS", 48)
    monkeypatch.setattr(tree_shap, "ROWS_AT_A_TIME", 100)
    explainer = TreeShap.from_forest(forest_of(booster), most_table_bytes)
    part = MATRIX[:rows]
    expected = shapley_values(explainer.forest, part)
    np.testing.assert_allclose(explainer.shap_values(part, output="dense"), expected, rtol=0, atol=2e-6)
    array = np.where(part.toarray() == 0, np.float32(np.nan), part.toarray())
    np.testing.assert_allclose(explainer.shap_values(array, output="dense"), expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(
        explainer.mean_absolute(part)[:16], np.abs(expected[:, :-1]).sum(axis=0) / max(1, rows), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("k", [0, 1, 4, 16, 99])
@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 0])
def test_top_contributions_are_the_largest_of_all(explained, k, most_table_bytes, monkeypatch):
    booster, _ = explained
    monkeypatch.setattr(tree_shap, "TILE_ROWS", 48)
    monkeypatch.setattr(tree_shap, "ROWS_AT_A_TIME", 100)
    explainer = TreeShap.from_forest(forest_of(booster), most_table_bytes)
    every, scores = explainer.shap_values(MATRIX, output="dense", with_scores=True)
    every = every[:, :-1]
    top, margins = explainer.top_contributions(MATRIX, k, with_scores=True)
    assert top.features.shape == top.values.shape == (300, min(k, len(explainer.features)))
    assert all(len(set(row)) == len(row) for row in top.features.tolist())
    np.testing.assert_array_equal(np.take_along_axis(every, top.features, axis=1), top.values)
    np.testing.assert_array_equal(np.abs(top.values), -np.sort(-np.abs(every), axis=1)[:, :k])
    np.testing.assert_allclose(margins, scores, rtol=0, atol=1e-6)
    array = np.where(MATRIX.toarray() == 0, np.float32(np.nan), MATRIX.toarray())
    np.testing.assert_array_equal(explainer.top_contributions(array, k).values, top.values)


def test_top_contributions_of_nothing(explained):
    _, explainer = explained
    assert explainer.top_contributions(MATRIX[:0], 4).values.shape == (0, 4)
    stump = TreeShap.from_booster(trained(MATRIX, gamma=1e9))
    top, margins = stump.top_contributions(MATRIX, 4, with_scores=True)
    assert top.features.shape == (300, 0)
    np.testing.assert_allclose(margins, stump.forest.margins(MATRIX), rtol=0, atol=1e-6)
    with pytest.raises(InputError, match="k=-1 is negative"):
        explainer.top_contributions(MATRIX, -1)


def test_some_rounds_are_those_of_iteration_range(explained):
    booster, _ = explained
    expected = booster.predict(xgb.DMatrix(MATRIX), pred_contribs=True, iteration_range=(0, 3))
    found = TreeShap.from_booster(booster, iteration_range=(0, 3)).shap_values(MATRIX, output="dense")
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_several_threads_may_use_one_explainer(explained):
    from concurrent.futures import ThreadPoolExecutor

    _, explainer = explained
    expected = explainer.shap_values(MATRIX, output="dense")
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: explainer.shap_values(MATRIX, output="dense"), range(8)):
            np.testing.assert_array_equal(found, expected)


def many_thresholds():
    """A feature with over 255 thresholds of both default directions, so that it takes several coded columns."""
    values = np.random.default_rng(3).normal(size=(3000, 2)).astype(np.float32)
    values[::5, 0] = np.nan
    booster = xgb.train(
        {"tree_method": "exact", "max_depth": 8, "min_child_weight": 0, "eta": 1.0},
        xgb.DMatrix(values, np.random.default_rng(4).normal(size=3000)),
        12,
    )
    return booster, values


def test_codes_answer_every_split_as_the_forest_does():
    booster, _ = many_thresholds()
    forest = forest_of(booster)
    codes = ThresholdCodes.of(forest)
    assert np.bincount(codes.feature)[0] >= 3
    assert np.diff(codes.offsets).max() == 255
    edges = np.concatenate([forest.threshold[forest.feature == 0], [0, -0.0, np.inf, -np.inf, np.nan]])
    rows = np.column_stack([edges, edges]).astype(np.float32)
    stored = sp.csr_matrix(np.nan_to_num(rows, nan=0) != 0, dtype=np.float32)  # as rows, but zeros and NaN not stored
    stored.data = rows[np.nan_to_num(rows, nan=0) != 0]
    dense, sparse = np.empty((2, len(codes.feature), len(rows)), np.uint8)
    layout = codes.layout
    encode_dense(rows, 0, len(rows), forest.used_features, *layout, dense)
    encode_csr(stored.indptr, stored.indices, stored.data, 0, len(rows), *layout, sparse)
    missing = np.isnan(rows[:, 0]) | (rows[:, 0] == 0)
    for column in range(len(codes.feature)):
        expected = codes.encode(column, rows[:, codes.feature[column]])
        np.testing.assert_array_equal(dense[column], expected)
        np.testing.assert_array_equal(sparse[column], np.where(missing, codes.missing[column], expected))
    for node in np.flatnonzero(forest.feature >= 0):
        goes_right = dense[codes.node_column[node]] >= codes.node_rank[node]
        np.testing.assert_array_equal(~goes_right, forest.goes_left(np.array([node]), rows[:, forest.feature[node]]))


def test_values_with_more_than_255_thresholds_of_a_feature():
    booster, values = many_thresholds()
    expected = booster.predict(xgb.DMatrix(values[:200]), pred_contribs=True)
    found = TreeShap.from_booster(booster).shap_values(values[:200], output="dense")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_second_process_compiles_nothing(tmp_path):
    """The cache on disk holds every kernel: with compilation made impossible, set-up and run still work."""
    booster = trained(MATRIX)
    booster.save_model(tmp_path / "model.json")
    TreeShap.from_booster(booster).shap_values(MATRIX)
    ShapInteractions.from_booster(booster)
    script = """
import sys
import numba.core.dispatcher as dispatcher
def refused(self, *arguments): raise AssertionError(f"compiled again: {self.py_func}")
dispatcher._FunctionCompiler.compile = refused
import numpy, scipy.sparse, xgboost
from technobench.cpu_pipeline.shap import ShapInteractions, TreeShap
booster = xgboost.Booster(model_file=sys.argv[1])
explainer = TreeShap.from_booster(booster)
explainer.shap_values(scipy.sparse.csr_matrix((5, 16), dtype=numpy.float32))
explainer.shap_values(numpy.zeros((5, 16), numpy.float32))
explainer.top_contributions(numpy.zeros((5, 16), numpy.float32), 2)
for output in ("csr", "compact", "dense"):
    ShapInteractions.from_booster(booster).interaction_values(numpy.zeros((5, 16), numpy.float32), output)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "model.json"], capture_output=True, text=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]
