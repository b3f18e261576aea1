"""SHAP interaction values: against subsets of features in float64 and XGBoost, on every shape of tree and of answer."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import shap_interactions
from technobench.cpu_pipeline.shap import ShapInteractions, TreeShap
from technobench.pipeline import shap_tables
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.forest import Forest
from technobench.pipeline.shap_cells import ShapCells
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.threshold_codes import ThresholdCodes

from . import model_kinds
from .boosters import sparse, trained
from .definition import interactions_by_definition, raw_json

TABLES_AND_PATHS = pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 0], ids=["tables", "paths"])


def forest_of(booster):
    return Forest.from_model(bytes(booster.save_raw("json")))


def defined(booster, rows):
    """float64[n, features + 1, features + 1] by the definition, of a model of one output."""
    found = np.array([interactions_by_definition(booster, row)[0] for row in rows])
    found[:, -1, -1] += forest_of(booster).base_margin
    return found


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 5),
    depth=st.integers(1, 7),
    most_table_bytes=st.sampled_from([0, 2_000, shap_tables.MOST_BYTES]),
)
def test_any_small_model_is_as_the_definition_says(seed, columns, depth, most_table_bytes):
    matrix = sparse(100, columns, density=0.7, seed=seed)
    booster = trained(matrix, rounds=3, seed=seed, max_depth=depth, min_child_weight=0, nthread=1)
    explainer = ShapInteractions.from_forest(forest_of(booster), most_table_bytes)
    rows = np.where(matrix[:3].toarray() == 0, np.nan, matrix[:3].toarray())
    found = explainer.interaction_values(matrix[:3], output="dense")
    np.testing.assert_allclose(found, defined(booster, rows), rtol=0, atol=2e-6)


SHAPES = {
    "usual": {},
    "one feature": {"columns": 1},
    "repeated on a path": {"columns": 3, "max_depth": 9},
    "stumps": {"max_depth": 1},
    "single leaves": {"gamma": 1e9},
    "depth 12": {"max_depth": 12},
    "depth 30": {"max_depth": 30, "rounds": 3},
    "lossguide": {"max_depth": 0, "max_leaves": 60, "grow_policy": "lossguide"},
    "parallel trees": {"num_parallel_tree": 3, "subsample": 0.5},
    "regression": {"objective": "reg:squarederror"},
    "no trees": {"rounds": 0, "base_score": 0.3},
}


@pytest.fixture(scope="module", params=SHAPES)
def shape(request):
    """A booster, a matrix and XGBoost's interactions of it."""
    parameters = {"max_depth": 5, "min_child_weight": 0, "rounds": 6, **SHAPES[request.param]}
    matrix = sparse(100, parameters.pop("columns", 12), density=0.6)
    booster = trained(matrix, **parameters)
    return booster, matrix, booster.predict(xgb.DMatrix(matrix), pred_interactions=True)


@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 60_000, 0], ids=["tables", "both", "paths"])
def test_values_are_xgboosts(shape, most_table_bytes):
    booster, matrix, theirs = shape
    explainer = ShapInteractions.from_forest(forest_of(booster), most_table_bytes)
    values = explainer.interaction_values(matrix, output="dense")
    np.testing.assert_allclose(values, theirs, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(values, values.transpose(0, 2, 1))
    contributions = TreeShap.from_forest(explainer.forest).shap_values(matrix, output="dense")
    np.testing.assert_allclose(values.sum(axis=2, dtype=np.float64), contributions, rtol=0, atol=4e-6)
    np.testing.assert_allclose(values.sum(axis=(1, 2)), explainer.forest.margins(matrix), rtol=0, atol=1e-5)


def test_a_budget_of_bytes_is_kept_and_decides_between_tables_and_paths():
    forest = forest_of(trained(sparse(200, 12, density=0.6), max_depth=6, min_child_weight=0, rounds=6))
    cells, codes = ShapCells.of_interactions(forest), ThresholdCodes.of(forest)
    walked = []
    for most_bytes in (shap_tables.MOST_BYTES, 60_000, 0):
        tables = ShapTables.of(forest, codes, most_bytes, cells)
        assert tables.tables.nbytes <= most_bytes
        walked.append(len(tables.uncovered_trees))
    assert walked[0] == 0 < walked[1] < walked[2] == 6


@TABLES_AND_PATHS
def test_a_leaf_that_no_training_record_reached(most_table_bytes):
    """XGBoost gives none, but files from elsewhere have them."""
    file = raw_json(trained(sparse(100, 5, density=0.7), rounds=3, max_depth=4, min_child_weight=0))
    tree = file["learner"]["gradient_booster"]["model"]["trees"][1]
    leaf = tree["left_children"].index(-1)
    parent = tree["parents"][leaf]
    children = tree["left_children"][parent], tree["right_children"][parent]
    for child in children:
        tree["sum_hessian"][child] = 0.0 if child == leaf else tree["sum_hessian"][parent]
    booster = xgb.Booster()
    booster.load_model(bytearray(json.dumps(file), "utf-8"))
    assert (forest_of(booster).cover == 0).any()
    rows = sparse(8, 5, density=0.7, seed=1).toarray()
    rows[rows == 0] = np.nan
    explainer = ShapInteractions.from_forest(forest_of(booster), most_table_bytes)
    np.testing.assert_allclose(
        explainer.interaction_values(rows, output="dense"), defined(booster, rows), rtol=0, atol=2e-6
    )


@pytest.fixture(scope="module", params=model_kinds.KINDS)
def kind(request):
    return request.param, model_kinds.trained(request.param, rounds=3, depth=3)


@pytest.mark.parametrize("most_table_bytes", [shap_tables.MOST_BYTES, 10_000, 0], ids=["tables", "both", "paths"])
def test_outputs_dropped_trees_and_categories_are_as_the_definition_says(kind, most_table_bytes):
    name, booster = kind
    rows = model_kinds.values(40, seed=1)
    explainer = ShapInteractions.from_forest(forest_of(booster), most_table_bytes)
    expected = np.array([interactions_by_definition(booster, row) for row in rows[:3]])
    expected[..., -1, -1] += explainer.forest.base_margin
    axis = (explainer.forest.outputs,) if explainer.forest.outputs > 1 else ()
    for matrix in (rows, model_kinds.as_csr(rows)):
        found = explainer.interaction_values(matrix, output="dense")
        assert found.shape == (40, *axis, 6, 6)
        np.testing.assert_allclose(found[:3], expected.reshape(3, *axis, 6, 6), rtol=0, atol=4e-6)
        contributions = TreeShap.from_forest(explainer.forest).shap_values(rows, output="dense")
        np.testing.assert_allclose(found.sum(axis=-1, dtype=np.float64), contributions, rtol=0, atol=4e-6)
    try:
        theirs = booster.predict(xgb.DMatrix(rows), pred_interactions=True, validate_features=False)
    except xgb.core.XGBoostError as error:
        assert "not yet implemented" in str(error) and name.startswith("vector")
        return
    np.testing.assert_allclose(found, theirs, rtol=2e-6, atol=8e-6)


def test_answers_of_several_classes_say_the_same():
    """Of the last class, that no record has, single leaves alone: its features and pairs are others than the rest's."""
    explainer = ShapInteractions.from_booster(model_kinds.trained("a class without records", gamma=0.2, depth=3))
    assert len({len(output.cells.pairs) for output in explainer._outputs}) > 1
    rows = model_kinds.values(60, seed=1)
    dense = explainer.interaction_values(rows, output="dense")
    csr = explainer.interaction_values(rows)
    csr.check_format(full_check=True)
    assert csr.has_sorted_indices and csr.shape == (60, 4 * 36)
    assert csr.nnz == 60 * sum(output.cells.scrap + len(output.cells.pairs) + 1 for output in explainer._outputs)
    np.testing.assert_array_equal(csr.toarray().reshape(60, 4, 6, 6), dense)
    values, pairs, features = explainer.interaction_values(rows, output="compact")
    assert values.shape == (60, 4, len(pairs) + len(features) + 1)
    np.testing.assert_array_equal(from_compact(values, pairs, features, 6), dense)
    np.testing.assert_allclose(explainer.bias, dense[0, :, -1, -1], rtol=1e-6)
    assert explainer.interaction_values(rows[:0], output="dense").shape == (0, 4, 6, 6)
    assert explainer.interaction_values(rows[:0], output="compact").values.shape == (0, *values.shape[1:])


def from_compact(values, pairs, features, side):
    """The matrices that a compact answer stands for."""
    rebuilt = np.zeros((*values.shape[:-1], side, side), np.float32)
    rebuilt[..., pairs[:, 0], pairs[:, 1]] = rebuilt[..., pairs[:, 1], pairs[:, 0]] = values[..., : len(pairs)]
    rebuilt[..., features, features] = values[..., len(pairs) : -1]
    rebuilt[..., -1, -1] = values[..., -1]
    return rebuilt


MATRIX = sparse(300, 14, density=0.5)


@pytest.fixture(scope="module")
def explained():
    """A model that leaves the first two columns unused, and its interactions."""
    booster = trained(MATRIX @ sp.diags_array((np.arange(14) >= 2).astype(np.float32), format="csr"), max_depth=4)
    return booster, ShapInteractions.from_booster(booster)


def test_outputs_say_the_same(explained):
    _, explainer = explained
    dense = explainer.interaction_values(MATRIX, output="dense")
    csr = explainer.interaction_values(MATRIX)
    csr.check_format(full_check=True)
    assert csr.has_sorted_indices
    assert csr.shape == (300, 15 * 15)
    values, pairs, features = explainer.interaction_values(MATRIX, output="compact")
    assert dense.dtype == csr.dtype == values.dtype == np.float32
    assert csr.nnz == 300 * (2 * len(pairs) + len(features) + 1)
    np.testing.assert_array_equal(csr.toarray().reshape(300, 15, 15), dense)
    assert pairs.shape[1] == 2 and (pairs[:, 0] < pairs[:, 1]).all()
    assert not np.isin(features, [0, 1]).any()
    np.testing.assert_array_equal(from_compact(values, pairs, features, 15), dense)


def test_only_pairs_that_meet_on_a_path_are_stored():
    """Two features in trees of their own: nothing to interact, whatever the other trees do."""
    values = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    label = values[:, 0] * values[:, 1] + values[:, 2]
    options = {"max_depth": 3, "interaction_constraints": "[[0, 1], [2]]"}
    booster = xgb.train(options, xgb.DMatrix(values, label), 20)
    found = ShapInteractions.from_booster(booster).interaction_values(values, output="compact")
    np.testing.assert_array_equal(found.pairs, [[0, 1]])
    np.testing.assert_array_equal(found.features, [0, 1, 2])


@TABLES_AND_PATHS
@pytest.mark.parametrize("rows", [0, 1, 15, 17, 130])
def test_tiles_of_any_size(explained, rows, most_table_bytes, monkeypatch):
    booster, whole = explained
    expected = whole.interaction_values(MATRIX, output="dense")[:rows]
    monkeypatch.setattr(shap_interactions, "SCRATCH_BYTES", 10_000)
    monkeypatch.setattr(shap_interactions, "ROWS_AT_A_TIME", 50)
    explainer = ShapInteractions.from_forest(forest_of(booster), most_table_bytes)
    part = MATRIX[:rows]
    np.testing.assert_allclose(explainer.interaction_values(part, output="dense"), expected, rtol=0, atol=2e-6)
    array = np.where(part.toarray() == 0, np.float32(np.nan), part.toarray())
    np.testing.assert_allclose(explainer.interaction_values(array, output="dense"), expected, rtol=0, atol=2e-6)
    assert explainer.interaction_values(part).shape == (rows, 225)


@pytest.mark.parametrize("form", [sp.csc_matrix, sp.csr_array, lambda matrix: matrix.astype(np.float64)])
def test_sparse_forms_are_one(explained, form):
    _, explainer = explained
    expected = explainer.interaction_values(MATRIX, output="compact").values
    np.testing.assert_array_equal(explainer.interaction_values(form(MATRIX), output="compact").values, expected)


def test_in_arrays_and_frames_zero_is_a_value_and_nan_is_missing(explained):
    booster, explainer = explained
    array = MATRIX.toarray()
    array[::2][array[::2] == 0] = np.nan
    expected = booster.predict(xgb.DMatrix(array), pred_interactions=True)
    for form in (array, np.asfortranarray(array), pd.DataFrame(array)):
        np.testing.assert_allclose(explainer.interaction_values(form, output="dense"), expected, rtol=0, atol=1e-5)


def test_more_than_255_thresholds_of_a_feature():
    values = np.random.default_rng(3).normal(size=(2000, 2)).astype(np.float32)
    labels = np.random.default_rng(4).normal(size=2000)
    options = {"tree_method": "exact", "max_depth": 8, "min_child_weight": 0, "eta": 1.0}
    booster = xgb.train(options, xgb.DMatrix(values, labels), 12)
    assert len(ThresholdCodes.of(forest_of(booster)).feature) > 2
    found = ShapInteractions.from_booster(booster).interaction_values(values[:100], output="dense")
    expected = booster.predict(xgb.DMatrix(values[:100]), pred_interactions=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_some_rounds_are_those_of_iteration_range(explained):
    booster, _ = explained
    expected = booster.predict(xgb.DMatrix(MATRIX), pred_interactions=True, iteration_range=(0, 3))
    found = ShapInteractions.from_booster(booster, iteration_range=(0, 3)).interaction_values(MATRIX, output="dense")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_cannot_be_answered_is_refused(explained):
    booster, explainer = explained
    with pytest.raises(InputError, match="csr, compact or dense"):
        explainer.interaction_values(MATRIX, output="full")
    with pytest.raises(InputError, match="14 features"):
        explainer.interaction_values(MATRIX[:, :-1])
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        ShapInteractions.from_booster(trained(MATRIX, booster="gblinear"))
    forest = forest_of(booster)
    with pytest.raises(UnsupportedModelError, match="cover of 0"):
        ShapInteractions.from_forest(replace(forest, cover=np.zeros_like(forest.cover)))


def test_a_dense_answer_beyond_memory_is_refused_and_a_sparse_one_has_wide_indices(explained):
    """The same trees on 60,000 columns, whose matrices have more elements than 32 bits count."""
    booster, explainer = explained
    wide = ShapInteractions.from_forest(replace(forest_of(booster), features=60_000))
    matrix = sp.csr_matrix((MATRIX.data, MATRIX.indices, MATRIX.indptr), shape=(300, 60_000))
    with pytest.raises(InputError, match=r"4,320\.1 GB, 14,400\.5 MB for each of 300 rows; ask for output='compact'"):
        wide.interaction_values(matrix, output="dense")
    csr = wide.interaction_values(matrix)
    csr.check_format(full_check=True)
    assert csr.shape[1] == 60_001**2
    narrow = explainer.interaction_values(MATRIX)
    np.testing.assert_array_equal(csr.data, narrow.data)
    row, column = np.divmod(csr.indices[csr.indptr[5] : csr.indptr[6]], 60_001)
    expected = np.divmod(narrow.indices[narrow.indptr[5] : narrow.indptr[6]], 15)
    np.testing.assert_array_equal(np.where(row == 60_000, 14, row), expected[0])
    np.testing.assert_array_equal(np.where(column == 60_000, 14, column), expected[1])
