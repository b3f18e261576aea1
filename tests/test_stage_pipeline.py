"""The whole pipeline: columns in the model's order, every variant against the references, hostile names."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import RECORDS_FILE, Column, Dataset
from technobench.pipeline.errors import InputError
from technobench.pipeline.stages.pipeline import PHASES, Pipeline, PipelineAnswer, in_order_of
from technobench.pipeline.workload import Workload

from .variants import variants_of

STAGE = Pipeline()
HERE = [each for each in variants_of("pipeline").values() if each.missing() is None]
SMALL = {"trees": 6, "depth": 3}


def small_dataset(folder, cells, sizes, labels, name):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "id": [str(i) for i in range(len(cells))],
            "technologies": pa.array(cells, pa.string()),
            "label": pa.array(labels, pa.int8()),
            "size": pa.array(sizes, pa.string()),
        }
    )
    pq.write_table(table, folder / RECORDS_FILE)
    count = len(cells)
    return Dataset(
        folder=folder,
        name=name,
        scale=1.0,
        delimiter="|",
        identifier="id",
        technologies="technologies",
        label="label",
        columns=(Column("size", "categorical"),),
        records=count,
        training_records=count,
        digest="",
        source="made by a test",
    ).save()


@pytest.fixture(scope="module")
def problem():
    return STAGE.problem(Workload(catalogue.get("whotracksme"), SMALL))


@pytest.mark.parametrize("variant", HERE, ids=lambda each: each.name)
def test_every_variant_on_the_first_records(problem, variant):
    """A prefix learns fewer technologies than the model has columns: they are put in its order."""
    first = STAGE.prefix(problem, 60)
    prepared = variant.prepare(first)
    answer = prepared.fetch(prepared.run())
    assert STAGE.error(first, answer, STAGE.reference(first)) <= STAGE.tolerance
    assert answer.scores.shape == (60,)
    assert answer.contributions.shape == (60, len(problem.columns) + 1)
    assert prepared.ran_on() == "cpu"
    phases = prepared.phases()
    assert tuple(phases) == PHASES
    assert all(seconds > 0 for seconds in phases.values())


def test_the_error_sees_scores_and_explanations(problem):
    first = STAGE.prefix(problem, 40)
    (variant,) = [each for each in HERE if each.name == "batched-sparse"]
    answer = variant.prepare(first).run()
    reference = STAGE.reference(first)
    assert STAGE.error(first, PipelineAnswer(answer.scores + 0.01, answer.contributions), reference) > STAGE.tolerance
    swapped = sp.csr_matrix(answer.contributions.toarray()[:, ::-1])
    assert STAGE.error(first, PipelineAnswer(answer.scores, swapped), reference) > STAGE.tolerance


def test_columns_in_the_models_order():
    matrix = sp.csr_matrix(np.array([[1, 2, 3], [0, 5, 0]], np.float32))
    found = in_order_of(("c", "new", "a"), matrix, ("a", "b", "c"))
    assert found.toarray().tolist() == [[3, 0, 1], [0, 0, 0]]
    assert found.dtype == np.float32
    assert in_order_of(("a", "b", "c"), matrix, ("a", "b", "c")) is matrix
    assert in_order_of(("x",), matrix, ("a", "b", "c")).toarray().tolist() == [[0], [0]]


def test_hostile_names_go_through(tmp_path):
    """XGBoost refuses [, ] and < in the names of a DMatrix; such technologies exist."""
    names = ["<script>alert(1)</script>", "a[0]", "c++", "x,y", '"quoted"', "naïve ☃"]
    random = np.random.default_rng(0)
    cells = ["|".join(random.choice(names, 3, replace=False)) for _ in range(80)]
    dataset = small_dataset(tmp_path / "d", cells, ["s<1", None] * 40, [0, 1, 1, 0] * 20, name="hostile")
    problem = STAGE.problem(Workload(dataset, SMALL))
    reference = STAGE.reference(problem)
    for variant in HERE:
        assert STAGE.error(problem, variant.prepare(problem).run(), reference) <= STAGE.tolerance


def test_two_columns_of_one_name_are_refused(tmp_path):
    dataset = small_dataset(tmp_path / "d", ["size=big", "b"] * 10, ["big", "small"] * 10, [0, 1] * 10, name="twice")
    with pytest.raises(InputError, match="2 final columns are named 'size=big'"):
        Workload(dataset, SMALL).features()


def test_a_label_of_one_class_is_refused(tmp_path):
    dataset = small_dataset(tmp_path / "d", ["a", "b"] * 10, ["big", "small"] * 10, [1] * 20, name="one-class")
    with pytest.raises(InputError, match="all of one class"):
        Workload(dataset, SMALL).model()


def test_training_is_deterministic_and_parameters_change_it():
    dataset = catalogue.get("whotracksme")
    from technobench.pipeline import model

    features = Workload(dataset).features()
    labels = Workload(dataset).labels()
    parameters = {"trees": 5, "depth": 3, "learning_rate": 0.1, "seed": 0}
    first, second = (
        model.train(features.matrix, features.columns, labels, dataset.training_records, parameters).booster
        for _ in range(2)
    )
    other = model.train(features.matrix, features.columns, labels, dataset.records, {**parameters, "trees": 6}).booster
    assert first == second != other


def test_the_default_model_is_better_than_chance():
    quality = Workload(catalogue.get("whotracksme"), {"trees": 60}).model_quality()
    assert quality["auc"] > 0.75
    assert quality["held_out"] == 244
