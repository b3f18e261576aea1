"""Our CUDA kernels, emulated, with the code that launches them: against float64 oracles, and every access watched."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from technobench.gpu_pipeline import device_rows, device_shap, predict, shap
from technobench.gpu_pipeline.device_forest import DeviceForest
from technobench.gpu_pipeline.device_memory import BLOCK
from technobench.gpu_pipeline.device_rows import DeviceCodes, DeviceRows
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.stages.predict import Predict
from technobench.pipeline.stages.shap import Shap
from technobench.pipeline.threshold_codes import ThresholdCodes

from .. import model_kinds
from ..boosters import sparse, trained
from .kernel_checks import assert_explanations, assert_scores, forest_of, kind_of_model, random_forest, random_rows
from .standin import StandIn

CHECKS = {"predict": assert_scores, "shap": assert_explanations}
SHAPES = {
    "stumps": {"max_depth": 1},
    "depth 6": {"max_depth": 6},
    "depth 8": {"max_depth": 8},
    "unbalanced": {"max_depth": 0, "max_leaves": 20, "grow_policy": "lossguide"},
    "single leaves": {"gamma": 1e9},
    "parallel trees": {"num_parallel_tree": 3, "subsample": 0.5},
}
both = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)


@both
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_tree(cupy, check, shape):
    check(cupy, random_forest(9, 0.6, 1, **SHAPES[shape]), random_rows(77, 9, 0.6, 2))


@both
@pytest.mark.parametrize("kind", model_kinds.KINDS)
def test_every_kind_of_model(cupy, check, kind):
    check(cupy, *kind_of_model(kind, 50))


@both
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 12),
    density=st.sampled_from([0.05, 0.5, 1.0]),
    depth=st.integers(1, 7),
    records=st.integers(0, 70),
)
def test_any_small_model_in_any_order_of_threads(compiler, check, seed, columns, density, depth, records):
    cupy = StandIn(seed=seed)
    check(
        cupy, random_forest(columns, density, seed, max_depth=depth), random_rows(records, columns, density, seed + 1)
    )


@both
@pytest.mark.parametrize("kind", ["classes", "categories and dropped trees", "partitioned categories"])
def test_no_access_is_out_of_bounds_or_a_race(checked_cupy, check, kind):
    check(checked_cupy, *kind_of_model(kind, 45))


@both
@pytest.mark.parametrize("records", [1, 31, 32, 33])
def test_no_access_is_wrong_at_the_ends_of_tiles(checked_cupy, check, records):
    check(checked_cupy, random_forest(9, 0.6, 1), random_rows(records, 9, 0.6, 2))


@both
@pytest.mark.parametrize("tile_rows", [1, 4, 16])
def test_models_so_wide_that_a_block_has_fewer_rows(monkeypatch, checked_cupy, check, tile_rows):
    forest = random_forest(9, 0.6, 1)
    bytes_of_a_row = DeviceCodes(checked_cupy, ThresholdCodes.of(forest)).shared_bytes // device_rows.MOST_TILE_ROWS
    monkeypatch.setattr(device_rows, "SHARED_BYTES", tile_rows * bytes_of_a_row)
    assert DeviceCodes(checked_cupy, ThresholdCodes.of(forest)).tile_rows == tile_rows
    check(checked_cupy, forest, random_rows(19, 9, 0.6, 2))
    monkeypatch.setattr(device_rows, "SHARED_BYTES", bytes_of_a_row - 1)
    with pytest.raises(UnsupportedModelError, match="columns of thresholds"):
        DeviceForest(checked_cupy, forest)


def test_more_thresholds_than_codes(cupy):
    deep = {"max_depth": 8, "min_child_weight": 0, "max_bin": 4096, "nthread": 1}
    booster = trained(sparse(3000, 2, 1.0), rounds=12, **deep)
    forest = forest_of(booster)
    assert np.diff(ThresholdCodes.of(forest).columns_of).min() > 1
    assert_scores(cupy, forest, sparse(200, 2, 0.9, seed=2))


def test_values_equal_to_thresholds_and_beside_them(cupy):
    forest = random_forest(4, 0.9, 5)
    splits = np.flatnonzero(forest.feature >= 0)[:60]
    rows = random_rows(len(splits), 4, 1.0, 6)
    for row, node in enumerate(splits):
        beside = np.nextafter(forest.threshold[node], np.float32([-np.inf, np.inf, 0])[row % 3])
        rows.data[4 * row + forest.feature[node]] = [forest.threshold[node], beside][row % 2]
    assert_scores(cupy, forest, rows)
    assert_explanations(cupy, forest, rows)


def test_the_smallest_numbers_are_told_from_zero(cupy):
    """Compiled as CuPy does it, a comparison of floats would take them for 0."""
    forest = random_forest(4, 0.9, 5)
    tiny = np.float32([-2e-40, -1e-45, -0.0, 0, 1e-45, 1e-40, 1e-38])
    generator = np.random.default_rng(0)
    threshold = np.where(forest.feature >= 0, generator.choice(tiny, len(forest.feature)), np.float32(0))
    rows = random_rows(200, 4, 1.0, 6)
    rows.data = generator.choice(tiny, len(rows.data))
    assert_scores(cupy, replace(forest, threshold=threshold), rows)


def test_features_in_more_tables_than_one_segment_adds_and_rows_of_several_blocks(monkeypatch, cupy):
    """The features are in a table of every tree; a block's rows, and those held at a time, do not divide the rows."""
    monkeypatch.setattr(device_shap, "COLUMNS_OF_A_SEGMENT", 3)
    forest = random_forest(3, 0.9, 7, rounds=12, max_depth=2)
    (explainer,) = shap.explainers(cupy, forest)
    scratch_bytes = (device_shap.ROWS_OF_A_BLOCK + 9) * explainer.scratch_bytes_of_a_row
    monkeypatch.setattr(device_shap, "SCRATCH_BYTES", scratch_bytes + device_shap.SCRATCH_ARRAYS * BLOCK)
    tables = ShapTables.of(forest, ThresholdCodes.of(forest))
    columns = device_shap.FeatureColumns.of(tables, len(forest.used_features))
    assert np.diff(columns.feature_offsets).max() > 2 and np.diff(columns.segment_offsets).max() == 3
    assert_explanations(cupy, forest, random_rows(device_shap.ROWS_OF_A_BLOCK + 5, 3, 0.9, 8))


def test_a_column_s_values_are_those_of_its_table():
    """Every entry of the tables is in exactly one column, but for those of the scrap."""
    forest = random_forest(9, 0.6, 1, max_depth=5)
    tables = ShapTables.of(forest, ThresholdCodes.of(forest))
    columns = device_shap.FeatureColumns.of(tables, len(forest.used_features))
    assert len(columns.columns) == (tables.pairs < len(forest.used_features)).sum()
    np.testing.assert_array_equal(np.sort(columns.values), np.sort(_entries_of_features(tables, forest)))


def _entries_of_features(tables, forest):
    found = []
    for group, start in enumerate(tables.table_offsets):
        entries = 1 << (tables.question_offsets[group + 1] - tables.question_offsets[group])
        for place, pair in enumerate(range(tables.pair_offsets[group], tables.pair_offsets[group + 1])):
            table = tables.tables[start + place * entries : start + (place + 1) * entries]
            found += [table[:, half] for half in (0, 1) if tables.pairs[pair, half] < len(forest.used_features)]
    return np.concatenate(found)


@pytest.mark.parametrize("kind", ["classes", "partitioned categories"])
@pytest.mark.parametrize(("module", "stage"), [(predict, Predict()), (shap, Shap())], ids=["predict", "shap"])
def test_the_variant_s_answer_is_right_by_the_stage_s_measure(monkeypatch, cupy, module, stage, kind):
    """Set-up, run and fetch as the harness calls them; CuPy is what is not real."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    matrix = model_kinds.as_csr(model_kinds.values(130, seed=3))
    model = bytes(model_kinds.trained(kind).save_raw("ubj"))
    problem = ScoringProblem(matrix, tuple(f"f{column}" for column in range(5)), model)
    prepared = module.native_cuda(problem)
    assert prepared.ran_on() == "cpu", "nothing has run"
    answer = prepared.run()
    prepared.sync()
    assert prepared.ran_on() == "cuda"
    error = stage.error(problem, prepared.fetch(answer), stage.reference(problem))
    assert error <= 1e-6 < stage.tolerance


def test_what_the_kernels_cannot_do_is_refused(cupy):
    forest = random_forest(4, 0.9, 5)
    with pytest.raises(InputError, match="the model has 4 features"):
        DeviceRows.of(cupy, sparse(3, 5), forest.features)
    twice = sparse(3, 4, 1.0)
    twice.indices[1] = twice.indices[0]
    twice.has_canonical_format = False
    with pytest.raises(InputError, match="twice"):
        DeviceRows.of(cupy, twice, 4)
