"""The native forest by itself: inputs, outputs, leaves and edge cases against XGBoost and the float64 oracle."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import forest_engine, forest_layouts
from technobench.cpu_pipeline.predict import Forest
from technobench.pipeline.errors import InputError, UnsupportedModelError

from . import model_kinds
from .boosters import sparse, trained

ROWS = [1, forest_engine.FEW_ROWS, forest_engine.TILE_ROWS + 7]


def assert_like_xgboost(booster, matrix):
    forest, data = Forest.from_booster(booster), xgb.DMatrix(matrix)
    records = matrix.shape[0]
    margins = forest.predict(matrix)
    assert margins.dtype == np.float32 and margins.shape == (records,)
    np.testing.assert_allclose(margins, booster.predict(data, output_margin=True), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(margins, forest.forest.margins(matrix), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(forest.predict(matrix, output="value"), booster.predict(data), rtol=1e-5, atol=1e-5)
    leaves = forest.predict(matrix, output="leaf")
    assert leaves.dtype == np.int32
    np.testing.assert_array_equal(leaves, booster.predict(data, pred_leaf=True).reshape(records, -1))
    return forest


SHAPES = {
    "stumps": {"max_depth": 1},
    "depth 6": {"max_depth": 6, "min_child_weight": 0},
    "depth 7": {"max_depth": 7, "min_child_weight": 0},
    "depth 14": {"max_depth": 14, "min_child_weight": 0, "lambda": 0.01},
    "unbalanced": {"max_depth": 0, "max_leaves": 40, "grow_policy": "lossguide", "min_child_weight": 0},
    "parallel trees": {"num_parallel_tree": 3, "subsample": 0.5},
    "pruned": {"tree_method": "exact", "gamma": 3.0},
    "single leaves": {"gamma": 1e9},
    "some single leaves": {"gamma": 8.0},
}


@pytest.mark.parametrize("records", ROWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_margins_values_and_leaves_are_those_of_xgboost(shape, records):
    booster = trained(sparse(400, 12), **SHAPES[shape])
    assert_like_xgboost(booster, sparse(records, 12, seed=1))


def test_the_shapes_above_take_both_ways():
    deep = Forest.from_booster(trained(sparse(400, 12), **SHAPES["depth 14"]))
    shallow = Forest.from_booster(trained(sparse(400, 12), **SHAPES["depth 6"]))
    assert deep._nodes.trees[:, 1].max() > forest_layouts.COMPLETE_DEPTH and len(deep._deep_trees[0])
    assert not len(shallow._deep_trees[0]) and len(shallow._shallow.values) == 10


@pytest.mark.parametrize("kind", ["classes and parallel trees", "categories and dropped trees"])
@pytest.mark.parametrize("complete_depth", [-1, 3, forest_layouts.COMPLETE_DEPTH])
def test_few_rows_by_complete_trees_and_by_deep_ones(monkeypatch, kind, complete_depth):
    """A depth of -1 is what a model gets whose questions are too many for complete trees."""
    monkeypatch.setattr(forest_layouts, "COMPLETE_DEPTH", complete_depth)
    booster, rows = model_kinds.trained(kind), model_kinds.values(40, seed=9)
    expected = booster.predict(xgb.DMatrix(rows, feature_types=booster.feature_types), output_margin=True)
    found = Forest.from_booster(booster).predict(rows.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    columns=st.integers(1, 8),
    density=st.sampled_from([0.05, 0.5, 1.0]),
    depth=st.integers(1, 9),
    rounds=st.integers(1, 4),
    records=st.sampled_from([1, 63, 64, 65, 120]),
)
def test_random_models(seed, columns, density, depth, rounds, records):
    booster = trained(sparse(120, columns, density, seed), rounds, seed, max_depth=depth, min_child_weight=0)
    assert_like_xgboost(booster, sparse(records, columns, density, seed + 1))


def test_more_thresholds_than_codes():
    booster = trained(sparse(3000, 2, 1.0), rounds=20, max_depth=8, min_child_weight=0, max_bin=4096)
    flat = assert_like_xgboost(booster, sparse(500, 2, 0.9, seed=2)).forest
    assert min(len(np.unique(flat.threshold[flat.feature == column])) for column in (0, 1)) > 255


@pytest.mark.parametrize("records", [3, 500])
def test_a_value_equal_to_a_threshold_goes_right_and_the_float32_below_it_left(records):
    booster = trained(sparse(500, 4, density=0.9), rounds=5, max_depth=4)
    flat = Forest.from_booster(booster).forest
    split = np.flatnonzero(flat.feature >= 0)
    near = [
        np.where(np.arange(4) == flat.feature[node], value, np.float32(0.5))
        for node in split
        for value in (
            flat.threshold[node],
            *np.nextafter(flat.threshold[node], np.float32([-np.inf, np.inf])),
        )
    ]
    rows = np.resize(np.array(near, np.float32), (records, 4))
    assert_like_xgboost(booster, sp.csr_matrix(rows))


@pytest.mark.parametrize("records", [7, 300])
def test_every_kind_of_input_scores_the_same(records):
    booster = trained(sparse(400, 12), max_depth=7)
    forest = Forest.from_booster(booster)
    matrix = sparse(records, 12, seed=3)
    expected = forest.predict(matrix)
    dense = np.where(matrix.toarray() == 0, np.nan, matrix.toarray())
    with_nan = sp.csr_matrix(dense)
    frame = pd.DataFrame(dense, columns=[f"f{k}" for k in range(12)])
    inputs = [matrix.tocsc(), matrix.tocoo(), with_nan, dense, np.asfortranarray(dense), dense.astype(np.float64)]
    wide = sp.csr_matrix((matrix.data, matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)), matrix.shape)
    for given_rows in (*inputs, frame, wide, sp.csr_array(matrix)):
        np.testing.assert_array_equal(forest.predict(given_rows), expected)
    np.testing.assert_array_equal(
        forest.predict(frame, output="leaf"), booster.predict(xgb.DMatrix(matrix), pred_leaf=True)
    )


def test_a_dense_zero_is_a_value_and_a_sparse_one_is_missing():
    booster = trained(sparse(500, 4, density=0.5), max_depth=4)
    forest = Forest.from_booster(booster)
    zeros = np.zeros((3, 4), np.float32)
    as_value = booster.inplace_predict(zeros, predict_type="margin")
    np.testing.assert_allclose(forest.predict(zeros), as_value, atol=1e-5)
    assert abs(forest.predict(sp.csr_matrix(zeros)) - as_value).max() > 1e-3


def test_integers_and_booleans_in_sparse_matrices():
    booster = trained(sparse(400, 6), max_depth=3)
    ones = sp.csr_matrix(sparse(90, 6, seed=5) > 0)
    forest = Forest.from_booster(booster)
    expected = forest.predict(ones.astype(np.float32))
    for kind in (bool, np.int8, np.int64, np.float64):
        np.testing.assert_array_equal(forest.predict(ones.astype(kind)), expected)


def test_boosting_rounds_can_be_chosen():
    matrix = sparse(300, 8)
    booster = trained(matrix, rounds=12)
    some = Forest.from_booster(booster, iteration_range=(0, 5)).predict(matrix)
    expected = booster.predict(xgb.DMatrix(matrix), output_margin=True, iteration_range=(0, 5))
    np.testing.assert_allclose(some, expected, atol=1e-5)


def test_no_rows():
    forest = Forest.from_booster(trained(sparse(200, 5)))
    for nothing in (sparse(0, 5), np.zeros((0, 5)), pd.DataFrame(np.zeros((0, 5)))):
        assert forest.predict(nothing).shape == (0,)
        assert forest.predict(nothing, output="leaf").shape == (0, 10)


def test_a_model_without_trees_scores_its_base_score():
    booster = trained(sparse(200, 5), rounds=0, base_score=0.25)
    forest = Forest.from_booster(booster)
    assert forest.predict(sparse(3, 5)) == pytest.approx([np.log(1 / 3)] * 3, abs=1e-6)
    assert forest.predict(sparse(100, 5), output="leaf").shape == (100, 0)


def test_what_it_cannot_score_is_refused_by_name():
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        Forest.from_booster(trained(sparse(200, 5), booster="gblinear"))
    forest = Forest.from_booster(trained(sparse(200, 5), rounds=1))
    with pytest.raises(InputError, match="5 features"):
        forest.predict(sparse(3, 6))
    with pytest.raises(InputError, match="output='shap'"):
        forest.predict(sparse(3, 5), output="shap")
    with pytest.raises(InputError, match="no number"):
        forest.predict(pd.DataFrame({name: ["x"] for name in "abcde"}))


def test_several_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    forest = Forest.from_booster(trained(sparse(400, 12)))
    matrix = sparse(3 * forest_engine.TILE_ROWS, 12, seed=4)
    expected = forest.predict(matrix)
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(lambda _: forest.predict(matrix), range(8)):
            np.testing.assert_array_equal(scores, expected)
