"""Features by array algebra: under NumPy and under CuPy's stand-in, by the stage's own measure and against native."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline.features import native
from technobench.gpu_pipeline import features
from technobench.gpu_pipeline.final_matrix import Technologies
from technobench.pipeline.contract import Prepared
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stages.features import Features, FeaturesAnswer
from technobench.pipeline.workload import Workload

from ..test_stage_features import COLUMNS, ROW, problem_of
from .standin import NotOnTheDevice, StandIn

STAGE = Features()


def on_host(problem):
    """The same array algebra with NumPy in the place of CuPy."""
    matrix = problem.technologies
    technologies = Technologies(matrix.indptr, matrix.indices, problem.names)
    final_matrix, final = features.final_matrix(np, problem)
    rows = final_matrix.rows(technologies, 0, len(technologies))
    shape = len(rows), len(final.names)
    return FeaturesAnswer(features.sp.csr_matrix((rows.data, rows.indices, rows.indptr), shape=shape), final.names)


def on_device(problem):
    """The whole variant, as the harness calls it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", StandIn())
        prepared: Prepared = features.cupy(problem)
        assert prepared.ran_on() == "cpu", "nothing has run"
        answer = prepared.run()
        prepared.sync()
        assert prepared.ran_on() == "cuda"
        return prepared.fetch(answer)


both = pytest.mark.parametrize("answer_of", [on_host, on_device])


@both
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(ROW, max_size=9), training=st.integers(0, 9))
def test_any_table(answer_of, rows, training):
    size, revenue, country, known = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    problem = problem_of(size, revenue, country, min(training, len(rows)), known)
    answer = answer_of(problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) == 0
    matrix = answer.matrix
    assert matrix.dtype == np.float32 and matrix.indices.dtype == np.int32
    assert matrix.has_canonical_format


@both
@pytest.mark.parametrize("kind", ["categorical", "numeric", None])
def test_tables_of_one_kind_or_none(answer_of, kind):
    columns = tuple(column for column in COLUMNS if column.kind == kind)
    problem = problem_of(["a", "b"], [1.0, 2.0], ["x", None], known=[True, False], columns=columns)
    assert STAGE.error(problem, answer_of(problem), STAGE.reference(problem)) == 0


@both
def test_the_smallest_numbers_are_stored_and_zeros_are_not(answer_of):
    revenue = [1e-45, -1e-45, 1e-40, 0.0, -0.0, 1e-60, 3e38, None]
    problem = problem_of(["a"] * 8, revenue, ["x"] * 8)
    answer = answer_of(problem)
    column = answer.matrix[:, answer.columns.index("revenue")].toarray()[:, 0]
    np.testing.assert_array_equal(column, np.nan_to_num(np.array(revenue, np.float32)))
    assert answer.matrix[:, answer.columns.index("revenue")].nnz == 4


@both
def test_real_records_are_to_the_last_bit_as_native_has_them(answer_of):
    problem = STAGE.problem(Workload(catalogue.get("whotracksme")))
    answer, expected = answer_of(problem), native(problem).run()
    assert answer.columns == expected.columns
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(answer.matrix, part), getattr(expected.matrix, part))


def test_the_final_matrix_is_not_on_the_host_before_it_is_fetched():
    problem = problem_of(["a", "b"], [1.0, 2.0], ["x", None])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", StandIn())
        (rows,), _ = features.cupy(problem).run()
    for part in rows:
        with pytest.raises(NotOnTheDevice):
            np.asarray(part)
