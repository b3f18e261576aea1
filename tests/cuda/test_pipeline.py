"""The whole pipeline with stand-ins for CuPy, cuDF and cuSPARSE: by the stage's measure, its transfers, its phases."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from technobench.gpu_pipeline import device_top_k, matrix_build, pipeline
from technobench.gpu_pipeline.transfers import CountingCupy, DevicePhases
from technobench.pipeline.contract import Prepared
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.stages.matrix_build import MatrixBuild, MatrixProblem
from technobench.pipeline.stages.pipeline import PHASES, Pipeline
from technobench.pipeline.technologies import items
from technobench.pipeline.workload import Workload

from ..test_stage_pipeline import SMALL, hostile  # noqa: F401 - a fixture
from .cudf_standin import Frames
from .sparse_standin import in_place_of_cupy
from .standin import NotOnTheDevice

STAGE = Pipeline()


@pytest.fixture(scope="module")
def problem():
    return STAGE.prefix(STAGE.problem(Workload(catalogue.get("whotracksme"), SMALL)), 60)


@pytest.fixture
def prepare(monkeypatch, cupy):
    """Set-up of the variant; CuPy, cuDF and cuSPARSE are what is not real."""
    in_place_of_cupy(monkeypatch, cupy)
    monkeypatch.setitem(sys.modules, "cudf", Frames("cudf"))
    return pipeline.native_cuda


def assert_right(prepare, problem):
    prepared: Prepared = prepare(problem)
    assert prepared.ran_on() == "cpu", "nothing has run"
    answer = prepared.fetch(prepared.run())
    assert prepared.ran_on() == "cuda"
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= 3e-6 < STAGE.tolerance
    return answer, prepared


@pytest.mark.parametrize("in_parts", [False, True])
def test_real_records(monkeypatch, prepare, problem, in_parts):
    if in_parts:
        monkeypatch.setattr(device_top_k, "SCORE_BYTES", 7 << 14)
        monkeypatch.setattr(pipeline, "SCRATCH_BYTES", 1)
    answer, _ = assert_right(prepare, problem)
    assert answer.values.shape == (60, 10) and answer.recommended.shape == (60, 10)
    assert answer.features.dtype == answer.recommended.dtype == np.int32


@pytest.mark.parametrize("records", [0, 1, 90])
def test_hostile_records(prepare, hostile, records):  # noqa: F811
    assert_right(prepare, STAGE.prefix(hostile, records))


@pytest.mark.parametrize("training", [0, 1])
def test_hardly_any_training_records(prepare, hostile, training):  # noqa: F811
    assert_right(prepare, replace(hostile, dataset=replace(hostile.dataset, training_records=training)))


def test_columns_that_the_model_lacks_and_lacks_the_records(prepare, hostile):  # noqa: F811
    columns = ("never seen", *hostile.columns[::-2], "revenue=", "size=gone")
    random = np.random.default_rng(0)
    matrix = sp.csr_matrix((random.random((80, len(columns))) < 0.5).astype(np.float32))
    booster = xgb.train({"max_depth": 3}, xgb.DMatrix(matrix, matrix.sum(axis=1)), 6)
    assert_right(prepare, replace(hostile, model=bytes(booster.save_raw("ubj")), columns=columns))


def test_classes_that_use_fewer_features_than_are_told(prepare, problem):
    parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 1}
    matrix = problem.reference_inputs()[0].matrix
    booster = xgb.train(parameters, xgb.DMatrix(matrix, np.arange(60) % 3), 4)
    classes = replace(problem, model=bytes(booster.save_raw("ubj")))
    assert classes.explained > 4, "one tree a class and round, with a feature each"
    answer, _ = assert_right(prepare, classes)
    assert answer.scores.shape == (60, 3) and answer.values.shape == (60, 3, classes.explained)


def test_a_model_that_uses_no_feature(prepare, hostile):  # noqa: F811
    matrix = sp.csr_matrix(np.eye(2, len(hostile.columns), dtype=np.float32))
    booster = xgb.train({"gamma": 1e9}, xgb.DMatrix(matrix, [0, 1]), 1)
    answer, _ = assert_right(prepare, replace(hostile, model=bytes(booster.save_raw("ubj"))))
    assert answer.features.shape == (90, 0)


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
def test_more_recommendations_than_technologies_of_a_recommender_of_its_own(prepare, hostile, scaling):  # noqa: F811
    items = hostile.recommender
    names = (*items.names[:0:-1], "never seen")
    vectors = np.random.default_rng(0).normal(size=(len(names), 5)).astype(np.float32)
    own = replace(items, names=names, vectors=vectors, scaling=scaling)
    answer, _ = assert_right(prepare, replace(hostile, recommender=own, recommendations=len(names) + 3))
    assert (np.isneginf(answer.recommended_scores) == (answer.recommended == -1)).all()


def names_in(problem):
    cells = problem.read()[problem.dataset.technologies].to_pylist()
    return len(set().union(*(items(cell, problem.dataset.delimiter) for cell in cells)))


def test_phases_and_what_is_copied(prepare, problem):
    _, prepared = assert_right(prepare, problem)
    phases, copied = prepared.phases(), prepared.transferred()
    assert tuple(phases) == (*PHASES, "to device", "to host")
    assert all(seconds > 0 for seconds in phases.values())
    answers = 60 * (4 + 10 * (4 + 4) + 10 * (4 + 4))
    assert copied["to host"] == answers + 8 * names_in(problem), "only answers come back, and how frequent a name is"
    prepared.run()
    assert prepared.transferred() == copied, "each run counts for itself"
    problem = STAGE.prefix(problem, 20)
    fewer = prepare(problem)
    fewer.run()
    assert fewer.transferred()["to host"] == answers // 3 + 8 * names_in(problem)
    assert fewer.transferred()["to device"] < copied["to device"]


def test_copies_are_counted_once_and_are_no_part_of_phases(cupy):
    counting = CountingCupy(cupy)
    phases = DevicePhases(counting, ["all", "later"])
    with phases.phase("all"):
        on_device = counting.asarray(np.zeros(1000, np.float32))
        assert counting.asarray(on_device) is on_device
        with counting.copying("to device", 6):
            end = phases._cupy.seconds  # what was copied before
        counting.asnumpy(on_device[:10] + 1)
    assert counting.bytes == {"to device": 4006, "to host": 40}
    assert phases.seconds["to device"] >= end["to device"] > 0
    with pytest.raises(NotOnTheDevice):
        np.asarray(on_device)
    phases.reset()
    assert phases.seconds == {"all": 0, "later": 0, "to device": 0, "to host": 0} and counting.bytes == {
        "to device": 0,
        "to host": 0,
    }


def test_the_matrix_stage_s_variant_is_right(monkeypatch, cupy):
    """As the pipeline begins with it."""
    in_place_of_cupy(monkeypatch, cupy)
    monkeypatch.setitem(sys.modules, "cudf", Frames("cudf"))
    cells = ["C++|c++ |R", None, "", "|", "R|\u00c9|new", "e\u0301|R", "never seen"]
    for training, least in ((6, 1), (6, 2), (0, 1)):
        problem = MatrixProblem(cells, "|", training, least)
        prepared = matrix_build.cudf(problem)
        answer = prepared.fetch(prepared.run())
        assert MatrixBuild().error(problem, answer, MatrixBuild().reference(problem)) == 0
        assert prepared.ran_on() == "cuda"
