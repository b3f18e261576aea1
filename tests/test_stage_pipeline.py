"""The whole pipeline: columns in the model's order, every variant against the references, hostile names and records."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
import xgboost as xgb
from technobench.cpu_pipeline import scorer
from technobench.pipeline.column_order import in_order_of
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import RECORDS_FILE, Column, RecordDataset
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.item_vectors import ItemVectors, als_parameters
from technobench.pipeline.stages.pipeline import PHASES, Pipeline
from technobench.pipeline.workload import DEFAULTS, Workload

from .variants import answer_of, variants_of

STAGE = Pipeline()
HERE = [each for each in variants_of("pipeline").values() if each.missing() is None]
BY_NAME = {each.name: each for each in HERE}
every_variant = pytest.mark.parametrize("variant", HERE, ids=lambda each: each.name)
SMALL = {"trees": 6, "depth": 3}


def small_dataset(folder, cells, sizes, labels, name, revenue=None, training=None, row_group=None):
    folder.mkdir(parents=True, exist_ok=True)
    count = len(cells)
    table = pa.table(
        {
            "id": [str(i) for i in range(count)],
            "technologies": pa.array(cells, pa.string()),
            "label": pa.array(labels, pa.int8()),
            "size": pa.array(sizes, pa.string()),
            "revenue": pa.array(revenue or [None] * count, pa.float64()),
        }
    )
    pq.write_table(table, folder / RECORDS_FILE, row_group_size=row_group)
    return RecordDataset(
        folder=folder,
        name=name,
        scale=1.0,
        delimiter="|",
        identifier="id",
        technologies="technologies",
        label="label",
        columns=(Column("size", "categorical"), Column("revenue", "numeric")),
        records=count,
        training_records=count if training is None else training,
        digest="",
        source="made by a test",
    ).save()


@pytest.fixture(scope="module")
def problem():
    return STAGE.problem(Workload(catalogue.get("whotracksme"), SMALL))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Nulls of every kind, names in any case, and in the last half technologies and categories never seen before."""
    random = np.random.default_rng(1)
    names = ["C++", "c++ ", "R", " Node.js", "É", "e\u0301", "", "c"]

    def drawn(choices, share_of_nulls, count=90):
        return [None if random.random() < share_of_nulls else random.choice(choices) for _ in range(count)]

    cells = [None if random.random() < 0.1 else "|".join(random.choice(names, 4)) for _ in range(90)]
    cells[50:] = [cell if cell is None else cell + f"|new {position}" for position, cell in enumerate(cells[50:])]
    sizes = drawn(["small", "big", "(missing)", ""], 0.2, 50) + drawn(["small", "huge"], 0.5, 40)
    revenue = [None if random.random() < 0.3 else float(random.normal()) for _ in range(90)]
    labels = [int(cell is not None and "R" in cell) for cell in cells]
    folder = tmp_path_factory.mktemp("hostile")
    dataset = small_dataset(folder, cells, sizes, labels, "hostile", revenue, training=50, row_group=40)
    return STAGE.problem(Workload(dataset, {**SMALL, "min_frequency": 2}))


def error_of(variant, problem):
    return STAGE.error(problem, answer_of(variant, problem), STAGE.reference(problem))


@every_variant
def test_every_variant_on_the_first_records(problem, variant):
    """A prefix learns fewer technologies than the model has columns: they are put in its order."""
    first = STAGE.prefix(problem, 60)
    prepared = variant.prepare(first)
    answer = prepared.fetch(prepared.run())
    assert STAGE.error(first, answer, STAGE.reference(first)) <= STAGE.tolerance
    assert answer.scores.shape == (60,)
    assert answer.features.shape == answer.values.shape == (60, 10)
    assert answer.recommended.shape == answer.recommended_scores.shape == (60, 10)
    assert prepared.ran_on() == "cpu"
    phases = prepared.phases()
    if variant.name == "native":
        assert tuple(phases) == ("model", "read", "matrix", "features", "predict+shap", "recommend")
    else:
        assert tuple(phases) == PHASES
    assert all(seconds > 0 for seconds in phases.values())


@every_variant
def test_a_model_of_three_classes_has_three_scores_each_explained(problem, variant):
    first = STAGE.prefix(problem, 60)
    booster = xgb.train(
        {"objective": "multi:softprob", "num_class": 3, "max_depth": 3},
        xgb.DMatrix(first.reference_inputs()[0].matrix, np.arange(60) % 3),
        4,
    )
    classes = replace(first, model=bytes(booster.save_raw("ubj")))
    answer = answer_of(variant, classes)
    assert answer.scores.shape == (60, 3) and answer.values.shape == (60, 3, classes.explained)
    reference = STAGE.reference(classes)
    assert STAGE.error(classes, answer, reference) <= STAGE.tolerance
    exchanged = replace(answer, features=answer.features[:, ::-1], values=answer.values[:, ::-1])
    assert STAGE.error(classes, exchanged, reference) > STAGE.tolerance


@every_variant
def test_explanations_are_the_largest_that_xgboost_gives(problem, variant):
    first = STAGE.prefix(problem, 60)
    matrix = first.reference_inputs()[0].matrix
    booster = xgb.Booster(model_file=bytearray(first.model))
    expected = booster.predict(xgb.DMatrix(matrix), pred_contribs=True, validate_features=False)[:, :-1]
    answer = answer_of(variant, first)
    assert np.abs(answer.values) == pytest.approx(np.sort(np.abs(expected), axis=1)[:, :-11:-1], abs=1e-6)
    assert answer.values == pytest.approx(np.take_along_axis(expected, answer.features, axis=1), abs=1e-6)


@every_variant
def test_hostile_records(hostile, variant):
    assert error_of(variant, hostile) <= STAGE.tolerance


@every_variant
@pytest.mark.parametrize("records", [0, 1, 41])
def test_no_records_one_and_a_row_group_of_one(hostile, variant, records):
    first = STAGE.prefix(hostile, records)
    answer = answer_of(variant, first)
    assert answer.values.shape == (records, hostile.explained)
    assert answer.recommended.shape == (records, 10)
    assert error_of(variant, first) <= STAGE.tolerance


@every_variant
@pytest.mark.parametrize("training", [0, 1])
def test_hardly_any_training_records(hostile, variant, training):
    """Nothing is learned from none, so that all columns of the model are empty but those of numbers."""
    problem = replace(hostile, dataset=replace(hostile.dataset, training_records=training))
    assert error_of(variant, problem) <= STAGE.tolerance


@every_variant
def test_columns_that_the_model_lacks_and_lacks_the_records(hostile, variant):
    """A model of other records: trained on half of the columns, in reverse, and on some that no record has."""
    columns = ("never seen", *hostile.columns[::-2], "revenue=", "size=gone")
    random = np.random.default_rng(0)
    matrix = sp.csr_matrix((random.random((80, len(columns))) < 0.5).astype(np.float32))
    booster = xgb.train({"max_depth": 3}, xgb.DMatrix(matrix, matrix.sum(axis=1)), 6)
    problem = replace(hostile, model=bytes(booster.save_raw("ubj")), columns=columns)
    assert error_of(variant, problem) <= STAGE.tolerance


@every_variant
def test_fewer_features_than_asked_for(hostile, variant):
    matrix = sp.csr_matrix(np.eye(2, len(hostile.columns), dtype=np.float32))
    for gamma, used in ((0, 1), (1e9, 0)):
        options = {"max_depth": 1, "min_child_weight": 0, "gamma": gamma}
        booster = xgb.train(options, xgb.DMatrix(matrix, [0, 1]), 1)
        problem = replace(hostile, model=bytes(booster.save_raw("ubj")))
        assert answer_of(variant, problem).features.shape == (90, used)
        assert error_of(variant, problem) <= STAGE.tolerance


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_native_does_not_depend_on_the_chunks(hostile, rows, monkeypatch):
    whole = answer_of(BY_NAME["native"], hostile)
    monkeypatch.setattr(scorer, "ROWS_AT_A_TIME", rows)
    in_chunks = answer_of(BY_NAME["native"], hostile)
    for field in ("scores", "features", "values", "recommended"):
        assert (getattr(in_chunks, field) == getattr(whole, field)).all()
    # Rows in coordinates of their own are multiplied by BLAS, whose last bits depend on how many they are.
    assert in_chunks.recommended_scores == pytest.approx(whole.recommended_scores, abs=1e-6)


def test_the_error_sees_scores_and_explanations(problem):
    first = STAGE.prefix(problem, 70)
    answer, reference = answer_of(BY_NAME["batched-sparse"], first), STAGE.reference(first)
    unchecked = next(row for row in range(70) if row not in reference.explanations.rows)

    def wrong(row, change):
        features, values = answer.features.copy(), answer.values.copy()
        change(features[row], values[row])
        return replace(answer, features=features, values=values)

    def leave_out_the_largest(features, values):
        features[:], values[:] = np.roll(features, -1), np.append(values[1:], 0)
        features[-1] = next(column for column in range(len(problem.columns)) if column not in features)

    planted = {
        "a score": replace(answer, scores=answer.scores + 0.01),
        "a value": wrong(0, lambda features, values: values.__setitem__(0, values[0] * 1.01)),
        "a value of another feature": wrong(0, lambda features, values: features.__setitem__([0, 1], features[[1, 0]])),
        "the largest is not there": wrong(0, leave_out_the_largest),
    }
    assert all(STAGE.error(first, each, reference) > STAGE.tolerance for each in planted.values())
    malformed = {
        "out of range": wrong(unchecked, lambda features, values: features.__setitem__(9, len(problem.columns))),
        "negative": wrong(unchecked, lambda features, values: features.__setitem__(9, -1)),
        "twice": wrong(unchecked, lambda features, values: features.__setitem__(9, features[0])),
        "not a number": wrong(unchecked, lambda features, values: values.__setitem__(9, np.nan)),
        "not in order": wrong(unchecked, lambda features, values: values.__setitem__(9, 100)),
        "too few": replace(answer, features=answer.features[:, :9], values=answer.values[:, :9]),
        "not a score": replace(answer, scores=answer.scores * np.nan),
    }
    assert [STAGE.error(first, each, reference) for each in malformed.values()] == [np.inf] * len(malformed)


def test_the_error_sees_recommendations(problem):
    first = STAGE.prefix(problem, 20)
    answer, reference = answer_of(BY_NAME["native"], first), STAGE.reference(first)
    second_best = replace(
        answer,
        recommended=np.roll(answer.recommended, -1, axis=1)[:, :9],
        recommended_scores=np.roll(answer.recommended_scores, -1, axis=1)[:, :9],
    )
    nine = replace(
        reference, recommendations=replace(reference.recommendations, best=reference.recommendations.best[:, :9])
    )
    assert STAGE.error(first, second_best, nine) > STAGE.tolerance
    assert STAGE.error(first, replace(answer, recommended=answer.recommended[:, ::-1]), reference) > STAGE.tolerance
    assert STAGE.error(first, second_best, reference) == np.inf


@every_variant
def test_more_recommendations_than_technologies(hostile, variant):
    """The lists end where nothing is left; a record without technologies is shown all."""
    technologies = len(hostile.recommender.names)
    more = replace(STAGE.prefix(hostile, 30), recommendations=technologies + 3)
    answer, owned = answer_of(variant, more), more.reference_inputs()[1]
    assert error_of(variant, more) <= STAGE.tolerance
    assert ((answer.recommended >= 0).sum(axis=1) == technologies - np.diff(owned.indptr)).all()
    assert (np.isneginf(answer.recommended_scores) == (answer.recommended == -1)).all()


@every_variant
def test_a_recommender_of_other_technologies(hostile, variant):
    """In an order of its own, without one that the records have, with one that they have not."""
    items = hostile.recommender
    names = (*items.names[:0:-1], "never seen")
    vectors = np.random.default_rng(0).normal(size=(len(names), 5)).astype(np.float32)
    other = replace(STAGE.prefix(hostile, 30), recommender=replace(items, names=names, vectors=vectors))
    assert error_of(variant, other) <= STAGE.tolerance


def test_the_recommender_learns_from_the_training_records_alone(hostile):
    parameters = als_parameters({**STAGE.parameters, **DEFAULTS})
    rows = hostile.reference_inputs()[1][: hostile.training_records].astype(np.float32)
    expected = ItemVectors.trained(rows, hostile.recommender.names, parameters)
    assert np.abs(expected.vectors).max() > 0.01
    np.testing.assert_allclose(hostile.recommender.vectors, expected.vectors, atol=1e-6)


def test_regularisation_by_frequency(hostile):
    problem = replace(STAGE.prefix(hostile, 30), recommender=replace(hostile.recommender, scaling="frequency"))
    for variant in (BY_NAME["naive"], BY_NAME["native"]):
        assert error_of(variant, problem) <= STAGE.tolerance
    with pytest.raises(UnsupportedModelError, match="implicit has no regularisation by frequency"):
        BY_NAME["batched-sparse"].prepare(problem)


def test_no_recommendations_are_refused():
    with pytest.raises(InputError, match="recommendations=0: must be at least 1"):
        STAGE.problem(Workload(catalogue.get("whotracksme"), {**SMALL, "recommendations": 0}))


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
    for variant in HERE:
        assert error_of(variant, problem) <= STAGE.tolerance


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
        model.train(features.matrix, features.columns, labels, np.arange(dataset.training_records), parameters)
        for _ in range(2)
    )
    more = {**parameters, "trees": 6}
    other = model.train(features.matrix, features.columns, labels, np.arange(dataset.training_records), more)
    assert first == second != other
