"""Trees without tables on the device: the layout of their leaves, and what the kernel makes of it in the emulator."""

import sys
from dataclasses import replace
from functools import partial
from math import comb

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from technobench.gpu_pipeline import device_paths, device_shap, shap
from technobench.gpu_pipeline.cuda_source import FOLDER
from technobench.gpu_pipeline.device_memory import BLOCK
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.pipeline import shapley
from technobench.pipeline.leaf_paths import LeafPaths
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.stages.shap import Shap
from technobench.pipeline.threshold_codes import ThresholdCodes

from .. import model_kinds
from ..boosters import trained
from .kernel_checks import (
    assert_explanations,
    chain,
    forest_of,
    kind_of_model,
    random_forest,
    random_rows,
    rows_down_a_chain,
)
from .standin import StandIn

SHAPES = {
    "stumps": {"max_depth": 1},
    "depth 9": {"max_depth": 9},
    "one side": {"max_depth": 0, "max_leaves": 60, "grow_policy": "lossguide"},
    "single leaves": {"gamma": 1e9},
}
NO_TABLES, FEW_TABLES = 0, 100_000


def test_the_constants_of_the_kernel_are_those_that_its_arguments_are_made_for():
    source = (FOLDER / "shap_paths.cu").read_text(encoding="utf-8")
    for name in ("POINTS", "PLAYERS"):
        assert f"constexpr int {name} = {getattr(device_paths, name)};" in source


@pytest.mark.parametrize("most_table_bytes", [NO_TABLES, FEW_TABLES])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_tree(cupy, shape, most_table_bytes):
    forest = random_forest(9, 0.6, 1, **SHAPES[shape])
    assert_explanations(cupy, forest, random_rows(77, 9, 0.6, 2), most_table_bytes)


def test_a_model_of_both_kinds_of_trees(cupy):
    """The test above is of what it says: some trees have tables, and some have not."""
    forest = random_forest(9, 0.6, 1, **SHAPES["depth 9"])
    tables = ShapTables.of(forest, ThresholdCodes.of(forest), FEW_TABLES)
    assert len(tables.tables) and len(tables.uncovered_trees)


@pytest.mark.parametrize("kind", model_kinds.KINDS)
def test_every_kind_of_model(cupy, kind):
    assert_explanations(cupy, *kind_of_model(kind, 50), NO_TABLES)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    columns=st.integers(1, 12),
    density=st.sampled_from([0.05, 0.5, 1.0]),
    depth=st.integers(1, 9),
    records=st.integers(0, 70),
    most_table_bytes=st.sampled_from([NO_TABLES, FEW_TABLES]),
)
def test_any_small_model_in_any_order_of_threads(compiler, seed, columns, density, depth, records, most_table_bytes):
    forest = random_forest(columns, density, seed, max_depth=depth)
    assert_explanations(StandIn(seed=seed), forest, random_rows(records, columns, density, seed + 1), most_table_bytes)


def _by_sizes(worth, present, absent):
    """What `shapley.by_integral` computes, without an integral: all subsets of a size together."""
    players = present.shape[1]
    values = np.empty(present.shape)
    for player in range(players):
        of_size = np.zeros((players, *present[:, 0].shape))  # sums over the subsets of others, of their products
        of_size[0] = 1
        for other in range(players):
            if other != player:
                joined = of_size[:-1] * present[:, other]
                of_size *= absent[:, other, None]
                of_size[1:] += joined
        weights = [1 / (players * comb(players - 1, size)) for size in range(players)]
        change = worth[:, None] * (present[:, player] - absent[:, player, None])
        values[:, player] = change * np.tensordot(weights, of_size, 1)
    return values


@pytest.mark.parametrize("players", [16, 17, 32, 33, 65])
def test_paths_of_more_players_than_the_kernel_has_at_a_time(monkeypatch, cupy, players):
    """Both sides of one and of several sets of points and of players, against an oracle without quadrature."""
    monkeypatch.setattr(shapley, "by_integral", _by_sizes)
    assert_explanations(cupy, chain(players), rows_down_a_chain(players, 9), NO_TABLES)


@pytest.mark.parametrize("records", [1, 255, 256, 257])
def test_no_access_is_wrong_at_the_ends_of_blocks(checked_cupy, records):
    forest = random_forest(5, 0.6, 1, rounds=2, max_depth=3)
    assert_explanations(checked_cupy, forest, random_rows(records, 5, 0.6, 2), NO_TABLES)


@pytest.mark.parametrize("kind", ["categories and classes", "vector leaves"])
def test_no_access_is_out_of_bounds_or_a_race(checked_cupy, kind):
    assert_explanations(checked_cupy, *kind_of_model(kind, 45), NO_TABLES)


def test_no_access_is_wrong_on_long_paths(checked_cupy):
    assert_explanations(checked_cupy, chain(35), rows_down_a_chain(35, 40), NO_TABLES)


def test_shares_of_few_leaves(monkeypatch, checked_cupy):
    monkeypatch.setattr(device_paths, "LEAVES_OF_A_SHARE", 3)
    assert_explanations(checked_cupy, random_forest(9, 0.6, 1, max_depth=5), random_rows(40, 9, 0.6, 2), NO_TABLES)


@pytest.mark.parametrize("most_table_bytes", [NO_TABLES, FEW_TABLES])
def test_rows_at_a_time_change_no_bit(cupy, most_table_bytes):
    forest, matrix = random_forest(9, 0.6, 1, **SHAPES["depth 9"]), random_rows(300, 9, 0.6, 2)
    (explainer,) = shap.explainers(cupy, forest, most_table_bytes)
    rows = DeviceRows.of(cupy, matrix, forest.features)
    answers = []
    for at_a_time in (90, 256, 299, 1000):
        answers.append(cupy.empty((300, explainer.width), np.float32))
        scratch = at_a_time * explainer.scratch_bytes_of_a_row + device_shap.SCRATCH_ARRAYS * BLOCK
        explainer.write(rows, answers[-1], 0, scratch)
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.get(), answers[0].get())


def test_a_leaf_that_no_training_record_reached(cupy):
    """A cover of 0 is a factor of 0."""
    forest = chain(12)
    cover = forest.cover.copy()
    cover[[forest.left[4], forest.left[8]]] = 0
    assert_explanations(cupy, replace(forest, cover=cover), rows_down_a_chain(12, 40), NO_TABLES)


def test_thousands_of_leaves_lose_no_digits(cupy):
    """float32 throughout: within a tenth of the stage's tolerance on trees of hundreds of leaves."""
    rows = random_rows(3000, 20, 0.5, 1)
    rows.data = np.nan_to_num(rows.data)
    options = {"max_depth": 0, "max_leaves": 400, "grow_policy": "lossguide", "min_child_weight": 0, "nthread": 1}
    forest = forest_of(trained(rows, rounds=5, **options))
    assert (forest.left < 0).sum() > 1500
    assert_explanations(cupy, forest, random_rows(60, 20, 0.5, 2), NO_TABLES)


@pytest.mark.parametrize("kind", ["categories and classes", "partitioned categories", "labels"])
def test_players_and_questions_are_those_of_the_walk(kind):
    """Leaf by leaf: who is present by the questions on codes is whoever goes the path's way at all of its splits."""
    whole, matrix = kind_of_model(kind, 60)
    forest = whole.of_output(0)
    codes = ThresholdCodes.of(forest)
    paths = LeafPaths.of(forest, codes, np.flatnonzero(forest.feature[forest.tree_offsets[:-1]] >= 0))
    values = forest.used_values(matrix)
    coded = np.array(
        [codes.encode(c, values[s]) for c, s in enumerate(np.searchsorted(forest.used_features, codes.feature))]
    )
    leaf = 0
    for root in forest.tree_offsets[:-1]:
        for end, splits in _leaves_below(forest, root):
            players = slice(*paths.player_offsets[leaf : leaf + 2])
            assert paths.worth[leaf] == forest.leaf_value[end]
            assert paths.slot[players].tolist() == sorted({int(forest.slot[node]) for node, _ in splits})
            for player in range(players.start, players.stop):
                own = [split for split in splits if forest.slot[split[0]] == paths.slot[player]]
                _assert_player(forest, paths, player, own, values, coded)
            leaf += 1
    assert leaf == len(paths.worth)


def _assert_player(forest, paths, player, splits, values, coded):
    below = [forest.left[node] if left else forest.right[node] for node, left in splits]
    ratio = np.prod(
        [float(forest.cover[b]) / float(forest.cover[node]) for b, (node, _) in zip(below, splits, strict=True)]
    )
    assert paths.absent[player] == np.float32(ratio)
    present = np.all([forest.goes_left(node, values[forest.slot[node]]) == left for node, left in splits], axis=0)
    asked = range(paths.question_offsets[player], paths.question_offsets[player + 1])
    low, end = paths.low.astype(int), paths.low + paths.span.astype(int)
    answered = [(low[q] <= coded[paths.column[q]]) & (coded[paths.column[q]] < end[q]) for q in asked]
    np.testing.assert_array_equal(np.all(answered, axis=0), present)


def _leaves_below(forest, node, splits=()):
    """Leaves of a tree from the left, each with its splits and the sides taken; those of a single leaf are none."""
    if forest.left[node] >= 0:
        yield from _leaves_below(forest, forest.left[node], (*splits, (node, True)))
        yield from _leaves_below(forest, forest.right[node], (*splits, (node, False)))
    elif splits:
        yield node, splits


def test_the_variant_explains_a_deep_model_in_memory_that_does_not_hold_it_at_once(monkeypatch, cupy, device_memory):
    """By the stage's measure; all of it fits, or batches do, and no more is taken than there is."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(shap, "explainers", partial(shap.explainers, most_table_bytes=NO_TABLES))
    monkeypatch.setattr(device_paths, "LEAVES_OF_A_SHARE", 50)
    matrix = random_rows(400, 30, 0.5, 2)
    rows = random_rows(300, 30, 0.6, 1)
    rows.data = np.nan_to_num(rows.data)
    options = {"max_depth": 0, "max_leaves": 90, "grow_policy": "lossguide", "min_child_weight": 0, "nthread": 1}
    model = bytes(trained(rows, rounds=6, **options).save_raw("ubj"))
    problem = ScoringProblem(matrix, tuple(f"f{column}" for column in range(30)), model)
    stage = Shap()
    reference = stage.reference(problem)
    peaks = []
    for free in (64 << 20, 400 << 10):
        memory = device_memory(free)
        before = memory.used
        prepared = shap.native_cuda(problem)
        answer = prepared.fetch(prepared.run())
        peaks.append(memory.peak - before)
        assert stage.error(problem, answer, reference) <= stage.tolerance / 10
        del prepared
    assert peaks[1] <= 400 << 10 < peaks[0]
