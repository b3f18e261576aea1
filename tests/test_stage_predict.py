"""The stage predict: every variant against the oracle, and an error that catches wrong answers."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from technobench.pipeline.errors import UnsupportedModelError
from technobench.pipeline.needs import cuda_device, xgboost_with_cuda
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.predict import Predict

from .variants import answer_and_device, variants_of

VARIANTS = variants_of("predict")
CPU = sorted(name for name, each in VARIANTS.items() if each.device == "cpu" and each.missing() is None)
STAGE = Predict()


def scoring_problem(records=257, columns=40, batch_records=100, rounds=30, density=0.2, seed=0, **parameters):
    generator = np.random.default_rng(seed)
    values = generator.integers(1, 4, (records, columns)) * (generator.random((records, columns)) < density)
    matrix = sp.csr_matrix(values.astype(np.float32))
    labels = (values[:, :5].sum(axis=1) + generator.random(records) > 1.5).astype(np.float32)
    names = tuple(f"technology {column} [<]" for column in range(columns))
    options = {"objective": "binary:logistic", "max_depth": 5, **parameters}
    booster = xgb.train(options, xgb.DMatrix(matrix, labels), rounds)
    booster.feature_names = list(names)
    return ScoringProblem(matrix, names, bytes(booster.save_raw("ubj")), batch_records)


@pytest.fixture(scope="module")
def problem():
    return scoring_problem()


def test_the_ladder_is_there():
    assert {"naive", "batched-sparse", "xgboost", "xgboost-cuda"} <= set(VARIANTS)
    assert VARIANTS["xgboost-cuda"].device == "cuda"


@pytest.mark.parametrize("batch_records", [1, 100, 257, 1000])
@pytest.mark.parametrize("name", CPU)
def test_variant_is_right(name, batch_records):
    problem = scoring_problem(batch_records=batch_records)
    answer, ran_on = answer_and_device(VARIANTS[name], problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= 1e-6 < STAGE.tolerance
    assert answer.dtype == np.float32
    assert ran_on == "cpu"


@pytest.mark.parametrize("name", CPU)
def test_variant_on_one_record_and_on_records_without_entries(name, problem):
    empty = ScoringProblem(sp.csr_matrix(problem.matrix.shape, dtype=np.float32), problem.columns, problem.model)
    for small in (problem.prefix(1), empty.prefix(3)):
        answer, _ = answer_and_device(VARIANTS[name], small)
        assert STAGE.error(small, answer, STAGE.reference(small)) <= STAGE.tolerance


@pytest.mark.parametrize("name", CPU)
def test_a_run_can_be_repeated(name, problem):
    prepared = VARIANTS[name].prepare(problem)
    np.testing.assert_array_equal(prepared.run().copy(), prepared.run())


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


def test_error_catches_wrong_answers(problem):
    reference = STAGE.reference(problem)
    right = reference.astype(np.float32)
    assert STAGE.error(problem, right, reference) <= 1e-6
    moved = right.copy()
    moved[200] += 1e-3
    assert STAGE.error(problem, moved, reference) > STAGE.tolerance
    swapped = right.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert STAGE.error(problem, swapped, reference) > STAGE.tolerance
    probabilities = 1 / (1 + np.exp(-right))
    assert STAGE.error(problem, probabilities, reference) > STAGE.tolerance
    dense = problem.booster().inplace_predict(problem.matrix.toarray(), predict_type="margin")
    assert STAGE.error(problem, dense, reference) > 1e-2, "zero as a value is not zero as missing"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_error_of_what_is_no_number_is_infinite(problem, value):
    reference = STAGE.reference(problem)
    answer = reference.astype(np.float32)
    answer[17] = value
    assert STAGE.error(problem, answer, reference) == np.inf


def test_error_of_a_wrong_shape_is_infinite(problem):
    reference = STAGE.reference(problem)
    for wrong in (reference[:-1], reference[:, None], np.float32(0)):
        assert STAGE.error(problem, wrong, reference) == np.inf


def test_error_is_relative_to_large_margins_only():
    problem = scoring_problem(rounds=3, objective="reg:squarederror", base_score=1e6)
    reference = STAGE.reference(problem)
    assert STAGE.error(problem, reference + 1.0, reference) == pytest.approx(1 / reference.max())
    assert reference.max() > 1e5
    small = reference / 1e6
    assert STAGE.error(problem, small + 0.25, small) == pytest.approx(0.25)


def test_a_model_that_is_not_supported_has_no_reference():
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        STAGE.reference(scoring_problem(booster="gblinear"))


def test_problem_is_the_workloads_matrix_and_model(problem):
    features = SimpleNamespace(matrix=problem.matrix, columns=list(problem.columns))
    workload = SimpleNamespace(
        features=lambda: features,
        model=lambda: problem.model,
        held_out=lambda: None,
        parameters={"batch_records": 1000, "trees": 30},
    )
    made = STAGE.problem(workload)
    assert made.matrix is problem.matrix and made.model == problem.model
    assert made.columns == problem.columns and made.batch_records == 1000


def test_prefix_is_the_same_problem_on_fewer_records(problem):
    prefix = STAGE.prefix(problem, 50)
    assert STAGE.sizes(prefix) == {"records": 50, "columns": 40, "nonzeros": problem.matrix[:50].nnz}
    np.testing.assert_array_equal(STAGE.reference(prefix), STAGE.reference(problem)[:50])
