"""The flattened forest: its float64 margins against XGBoost's own, and its layout."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.pipeline import forest as forest_module
from technobench.pipeline.errors import InputError
from technobench.pipeline.forest import Forest

from .boosters import sparse, trained


def raw_json(booster):
    return json.loads(bytes(booster.save_raw("json")))


def flattened(booster):
    return Forest.from_model(bytes(booster.save_raw("json")))


def xgboost_margins(booster, matrix):
    return booster.predict(xgb.DMatrix(matrix), output_margin=True)


def assert_same_margins(booster, matrix):
    expected = xgboost_margins(booster, matrix).reshape(matrix.shape[0])
    margins = flattened(booster).margins(matrix)
    assert margins.dtype == np.float64
    np.testing.assert_allclose(margins, expected, rtol=2e-6, atol=2e-6 * max(1.0, np.abs(expected).max(initial=0)))
    return margins


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_depth": 1},
        {"max_depth": 6, "min_child_weight": 0, "lambda": 0.01},
        {"max_depth": 3, "num_parallel_tree": 4, "subsample": 0.5},
        {"max_depth": 6, "tree_method": "exact", "gamma": 3.0},
        {"max_depth": 0, "max_leaves": 12, "grow_policy": "lossguide"},
        {"gamma": 1e9},
    ],
    ids=["stumps", "deep", "parallel trees", "pruned", "lossguide", "single leaves"],
)
def test_margins_are_those_of_xgboost(parameters):
    matrix = sparse(400, 12)
    assert_same_margins(trained(matrix, **parameters), sparse(300, 12, seed=1))


def test_the_models_above_are_what_their_names_say():
    matrix = sparse(400, 12)
    pruned = raw_json(trained(matrix, max_depth=6, tree_method="exact", gamma=3.0))
    trees = pruned["learner"]["gradient_booster"]["model"]["trees"]
    assert any(int(tree["tree_param"]["num_deleted"]) > 0 for tree in trees)
    single = flattened(trained(matrix, gamma=1e9))
    assert len(single.feature) == 10 and len(single.used_features) == 0


@pytest.mark.parametrize(("records", "columns", "density"), [(0, 5, 0.5), (1, 5, 0.5), (50, 5, 0.0), (50, 5, 1.0)])
def test_margins_of_matrices_at_the_limits(records, columns, density):
    booster = trained(sparse(300, columns))
    assert assert_same_margins(booster, sparse(records, columns, density, seed=2)).shape == (records,)


def test_margins_do_not_depend_on_the_rows_taken_at_a_time(monkeypatch):
    matrix = sparse(100, 8)
    forest = flattened(trained(matrix))
    whole = forest.margins(matrix)
    monkeypatch.setattr(forest_module, "ROWS_AT_A_TIME", 7)
    np.testing.assert_array_equal(forest.margins(matrix), whole)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_values_of_both_signs(scale):
    matrix = sparse(300, 6, scale=scale)
    booster = trained(matrix, max_depth=4)
    thresholds = flattened(booster).threshold
    assert thresholds.min() < 0 < thresholds.max()
    assert len(np.unique(assert_same_margins(booster, sparse(300, 6, seed=3, scale=scale)))) > 10


def test_a_value_equal_to_a_threshold_goes_right_and_the_float32_below_it_left():
    booster = trained(sparse(500, 4, density=0.9), rounds=5, max_depth=4)
    forest = flattened(booster)
    internal = forest.feature >= 0
    splits = list(zip(forest.feature[internal], forest.threshold[internal], strict=True))
    rows = [
        np.where(np.arange(4) == feature, value, np.float32(0.5))
        for feature, threshold in splits
        for value in (threshold, *np.nextafter(threshold, np.float32([-np.inf, np.inf])))
    ]
    assert_same_margins(booster, sp.csr_matrix(np.array(rows, np.float32)))


def test_what_is_not_stored_is_missing_and_a_stored_zero_is_a_value():
    matrix = sparse(500, 4, density=0.5)
    booster = trained(matrix, max_depth=4)
    stored = sp.csr_matrix(np.ones((20, 4), np.float32))
    stored.data[:] = 0
    empty = sp.csr_matrix((20, 4), dtype=np.float32)
    zero, missing = assert_same_margins(booster, stored), assert_same_margins(booster, empty)
    assert abs(zero - missing).max() > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    columns=st.integers(1, 8),
    density=st.sampled_from([0.05, 0.5, 1.0]),
    depth=st.integers(1, 7),
    rounds=st.integers(1, 4),
)
def test_margins_of_random_models(seed, columns, density, depth, rounds):
    booster = trained(sparse(120, columns, density, seed), rounds, seed, max_depth=depth, min_child_weight=0)
    assert_same_margins(booster, sparse(60, columns, density, seed + 1))


def test_a_model_without_trees_scores_its_base_score():
    booster = trained(sparse(200, 5), rounds=0, base_score=0.25)
    assert assert_same_margins(booster, sparse(3, 5)) == pytest.approx([np.log(1 / 3)] * 3, abs=1e-6)


def test_layout():
    matrix = sparse(300, 9)
    booster = trained(matrix, rounds=7, max_depth=4)
    forest = flattened(booster)
    trees = raw_json(booster)["learner"]["gradient_booster"]["model"]["trees"]
    assert np.diff(forest.tree_offsets).tolist() == [len(tree["left_children"]) for tree in trees]
    assert (forest.features, forest.objective) == (9, "binary:logistic")
    leaf = forest.feature == -1
    for start, end in zip(forest.tree_offsets[:-1], forest.tree_offsets[1:], strict=True):
        inside = np.arange(start, end)[~leaf[start:end]]
        children = np.concatenate([forest.left[inside], forest.right[inside]])
        assert sorted([start, *children]) == list(range(start, end))
    assert (forest.left[leaf] == -1).all() and (forest.right[leaf] == -1).all()
    assert not forest.threshold[leaf].any() and not forest.leaf_value[~leaf].any()
    np.testing.assert_allclose(
        forest.cover[forest.left[~leaf]] + forest.cover[forest.right[~leaf]], forest.cover[~leaf], rtol=1e-5
    )
    types = {name: getattr(forest, name).dtype.name for name in ("feature", "left", "right", "threshold", "cover")}
    assert types == {"feature": "int32", "left": "int32", "right": "int32", "threshold": "float32", "cover": "float32"}


def test_matrix_with_other_columns_than_the_model():
    with pytest.raises(InputError, match="5 features, the matrix 6"):
        flattened(trained(sparse(100, 5))).margins(sparse(3, 6))
