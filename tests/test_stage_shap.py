"""The stage shap: its oracle against Shapley's definition, every variant against it, and wrong answers caught."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.pipeline import shapley
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.needs import cuda_device, xgboost_with_cuda
from technobench.pipeline.scoring import ScoringProblem, contributions
from technobench.pipeline.shapley import by_integral, by_subsets, shapley_values
from technobench.pipeline.stages.shap import CompactContributions, Shap

from .definition import shapley_by_definition
from .variants import answer_and_device, variants_of

VARIANTS = variants_of("shap")
CPU = sorted(name for name, each in VARIANTS.items() if each.device == "cpu" and each.missing() is None)
STAGE = Shap()


def compact(answer):
    return CompactContributions(np.asarray(answer), np.arange(answer.shape[1]), answer.shape[1])


def scoring_problem(records=150, columns=20, batch_records=64, rounds=20, density=0.3, seed=0, **parameters):
    generator = np.random.default_rng(seed)
    values = generator.normal(1, 1, (records, columns)) * (generator.random((records, columns)) < density)
    matrix = sp.csr_matrix(values.astype(np.float32))
    labels = (values.sum(axis=1) + generator.normal(size=records) > values.sum(axis=1).mean()).astype(np.float32)
    names = tuple(f"technology {column} [<]" for column in range(columns))
    options = {"objective": "binary:logistic", "max_depth": 4, "min_child_weight": 0, **parameters}
    booster = xgb.train(options, xgb.DMatrix(matrix, labels), rounds)
    booster.feature_names = list(names)
    return ScoringProblem(matrix, names, bytes(booster.save_raw("ubj")), batch_records)


@pytest.mark.parametrize("subsets_up_to", [8, 0], ids=["by subsets", "by integral"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"columns": 6, "max_depth": 4},
        {"columns": 2, "max_depth": 6},
        {"columns": 1, "max_depth": 3},
        {"columns": 5, "max_depth": 1},
        {"columns": 4, "gamma": 1e9},
        {"columns": 5, "max_depth": 0, "max_leaves": 9, "grow_policy": "lossguide"},
        {"columns": 4, "num_parallel_tree": 3, "subsample": 0.5},
    ],
    ids=["several", "repeated on a path", "one feature", "stumps", "single leaves", "lossguide", "parallel trees"],
)
def test_oracle_is_the_definition(parameters, subsets_up_to, monkeypatch):
    monkeypatch.setattr(shapley, "SUBSETS_UP_TO", subsets_up_to)
    problem = scoring_problem(rounds=3, **parameters)
    rows = sp.vstack([problem.matrix[:4], sp.csr_matrix((1, len(problem.columns)), dtype=np.float32)], format="csr")
    found = shapley_values(problem.forest(), rows)
    dense = np.where(rows.toarray() == 0, np.float32(np.nan), rows.toarray())
    expected = np.array([shapley_by_definition(problem.booster(), row)[0] for row in dense])
    expected[:, -1] += problem.forest().base_margin
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_a_feature_repeats_on_the_paths_tested_above():
    forest = scoring_problem(rounds=3, columns=2, max_depth=6).forest()
    deepest = list(shapley.paths(forest))[-1]
    assert deepest.depth > len(forest.used_features) == 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), players=st.integers(1, 9))
def test_subsets_and_integral_agree_on_any_game(seed, players):
    generator = np.random.default_rng(seed)
    worth, absent = generator.normal(size=3), generator.random((3, players))
    present = generator.random((3, players, 4)) < 0.5
    by_definition = by_subsets(worth, present, absent)
    np.testing.assert_allclose(by_integral(worth, present, absent), by_definition, atol=1e-13)
    total = worth[:, None] * (present.prod(axis=1) - absent.prod(axis=1)[:, None])
    np.testing.assert_allclose(by_definition.sum(axis=1), total, atol=1e-13)


@pytest.mark.parametrize("depth", [2, 6, 11])
def test_oracle_is_what_xgboost_computes(depth):
    problem = scoring_problem(records=400, columns=60, rounds=40, max_depth=depth)
    found = shapley_values(problem.forest(), problem.matrix)
    np.testing.assert_allclose(found, contributions(problem.booster(), problem.matrix), atol=3e-6)
    np.testing.assert_allclose(found.sum(axis=1), problem.forest().margins(problem.matrix), atol=1e-11)


def test_oracle_does_not_depend_on_the_leaves_taken_at_a_time(monkeypatch):
    problem = scoring_problem()
    whole = shapley_values(problem.forest(), problem.matrix)
    monkeypatch.setattr(shapley, "NUMBERS_AT_A_TIME", 1)
    np.testing.assert_allclose(shapley_values(problem.forest(), problem.matrix), whole, atol=1e-12)


def test_oracle_of_no_rows_and_of_no_trees():
    problem = scoring_problem(columns=5)
    assert shapley_values(problem.forest(), problem.matrix[:0]).shape == (0, 6)
    untrained = scoring_problem(columns=5, rounds=0, base_score=0.5)
    assert not shapley_values(untrained.forest(), untrained.matrix).any()


def test_a_split_without_cover_is_refused():
    forest = scoring_problem().forest()
    with pytest.raises(UnsupportedModelError, match="cover of 0"):
        shapley_values(replace(forest, cover=np.zeros_like(forest.cover)), sp.csr_matrix((1, 20), dtype=np.float32))


@pytest.fixture(scope="module")
def problem():
    return scoring_problem()


def test_the_ladder_is_there():
    assert {"naive", "batched-sparse", "shap-tree-explainer", "xgboost-cuda"} <= set(VARIANTS)
    assert VARIANTS["xgboost-cuda"].device == "cuda"


@pytest.mark.parametrize("batch_records", [1, 64, 1000])
@pytest.mark.parametrize("name", CPU)
def test_variant_is_right(name, batch_records):
    problem = scoring_problem(batch_records=batch_records)
    answer, ran_on = answer_and_device(VARIANTS[name], problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= 1e-6 < STAGE.tolerance
    assert getattr(answer, "values", answer).dtype == np.float32
    assert ran_on == "cpu"


@pytest.mark.parametrize("name", CPU)
def test_variant_on_one_record_and_on_records_without_entries(name, problem):
    empty = ScoringProblem(sp.csr_matrix(problem.matrix.shape, dtype=np.float32), problem.columns, problem.model)
    for small in (problem.prefix(1), empty.prefix(3)):
        answer, _ = answer_and_device(VARIANTS[name], small)
        assert STAGE.error(small, answer, STAGE.reference(small)) <= STAGE.tolerance


@pytest.mark.parametrize("name", CPU)
def test_all_trees_count_also_after_a_best_iteration(name, problem):
    booster = problem.booster()
    booster.set_attr(best_iteration="3")
    stopped_early = replace(problem, model=bytes(booster.save_raw("ubj")))
    answer, _ = answer_and_device(VARIANTS[name], stopped_early)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= STAGE.tolerance


def test_cuda_variant_tells_the_device_that_did_the_work(problem, monkeypatch):
    there = xgboost_with_cuda().missing() is None and cuda_device().missing() is None
    if not there:
        free = SimpleNamespace(free_bytes=lambda: 1 << 40)
        monkeypatch.setattr("technobench.gpu_pipeline.device_memory.driver", lambda: free)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XGBoost warns, and only warns, when it falls back
        answer, ran_on = answer_and_device(VARIANTS["xgboost-cuda"], problem)
    assert ran_on == ("cuda" if there else "cpu")
    assert (VARIANTS["xgboost-cuda"].missing() is None) == there
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= STAGE.tolerance


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, compact])
def test_error_catches_wrong_answers(problem, form):
    reference = STAGE.reference(problem)
    right = contributions(problem.booster(), problem.matrix)
    error = lambda answer: STAGE.error(problem, form(answer), reference)  # noqa: E731
    assert error(right) <= 1e-6
    checked = reference.rows[10]
    unchecked = np.setdiff1d(np.arange(len(right)), reference.rows)[0]
    for row in (checked, unchecked):
        moved = right.copy()
        moved[row, 3] += 1e-3
        assert error(moved) > STAGE.tolerance
    exchanged = right.copy()
    exchanged[checked, 3] += 1e-3
    exchanged[checked, 4] -= 1e-3
    assert error(exchanged) > STAGE.tolerance, "adds up, but to other contributions"
    used = problem.forest().used_features[:2]
    swapped = right.copy()
    swapped[:, used] = swapped[:, used[::-1]]
    assert error(swapped) > STAGE.tolerance
    assert error(np.roll(right, 1, axis=1)) > STAGE.tolerance, "bias in the first column"
    without_bias = right.copy()
    without_bias[:, -1] = 0
    assert error(without_bias) > STAGE.tolerance
    approximate = problem.booster().predict(
        xgb.DMatrix(problem.matrix), pred_contribs=True, approx_contribs=True, validate_features=False
    )
    assert error(approximate) > STAGE.tolerance, "Saabas' values add up too"


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, compact])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_error_of_what_is_no_number_is_infinite(problem, form, value):
    reference = STAGE.reference(problem)
    right = contributions(problem.booster(), problem.matrix)
    for row in range(3):
        answer = right.copy()
        answer[row, 5] = value
        assert STAGE.error(problem, form(answer), reference) == np.inf


def test_error_of_a_wrong_shape_is_infinite(problem):
    reference = STAGE.reference(problem)
    right = contributions(problem.booster(), problem.matrix)
    for wrong in (right[:-1], right[:, :-1], right[0], sp.csr_matrix(right[:, :-1])):
        assert STAGE.error(problem, wrong, reference) == np.inf
    whole = compact(right)
    assert STAGE.error(problem, whole, reference) <= 1e-6
    for columns in (whole.columns[:-1], whole.columns[::-1], whole.columns + 1, np.maximum(whole.columns, 1)):
        assert STAGE.error(problem, replace(whole, columns=columns), reference) == np.inf


def test_reference_checks_rows_from_first_to_last(problem):
    reference = STAGE.reference(problem)
    assert len(reference.rows) == 64 == len(np.unique(reference.rows))
    assert (reference.rows[0], reference.rows[-1]) == (0, 149)
    assert np.diff(reference.rows).max() <= 3
    assert STAGE.reference(problem.prefix(5)).rows.tolist() == [0, 1, 2, 3, 4]


def test_a_model_that_is_not_supported_has_no_reference():
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        STAGE.reference(scoring_problem(booster="gblinear"))
