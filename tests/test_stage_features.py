"""Features: every variant against scikit-learn's encoder and against the reference on any table."""

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder
from technobench.pipeline.datasets.dataset import Column
from technobench.pipeline.stages.features import Features, FeaturesAnswer, FeaturesProblem

from .variants import answer_of, variants_of

STAGE = Features()
HERE = [each for each in variants_of("features").values() if each.missing() is None]
every_variant = pytest.mark.parametrize("variant", HERE, ids=lambda each: each.name)
COLUMNS = (Column("size", "categorical"), Column("revenue", "numeric"), Column("country", "categorical"))


def problem_of(size, revenue, country, training=None, known=None, batch=3, columns=COLUMNS):
    count = len(size)
    table = pa.table(
        {
            "size": pa.array(size, pa.string()),
            "revenue": pa.array(revenue, pa.float64()),
            "country": pa.array(country, pa.string()),
        }
    )
    technologies = sp.csr_matrix((np.arange(2 * count).reshape(count, 2) % 3 == 0).astype(np.int8))
    known = np.ones(count, bool) if known is None else np.array(known, bool)
    training = count if training is None else training
    return FeaturesProblem(table, columns, technologies, ("c++", "r"), known, training, batch)


@every_variant
def test_against_scikit_learn(variant):
    random = np.random.default_rng(0)
    size = random.choice(["small", "big", "huge", "é", ""], 50).tolist()
    country = random.choice(["de", "DE", "fr"], 50).tolist()
    revenue = random.normal(size=50).tolist()
    problem = problem_of(size, revenue, country, training=30)
    answer = answer_of(variant, problem)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder.fit(np.array([size, country], object).T[:30])
    encoded = encoder.transform(np.array([size, country], object).T)
    sizes = len(encoder.categories_[0])
    numbers = np.array(revenue, np.float32)[:, None]
    expected = np.hstack([problem.technologies.toarray(), encoded[:, :sizes], numbers, encoded[:, sizes:]])
    assert (answer.matrix.toarray() == expected.astype(np.float32)).all()
    assert answer.matrix.dtype == np.float32
    names = [f"size={value}" for value in encoder.categories_[0]]
    assert list(answer.columns) == ["c++", "r", *names, "revenue", *(f"country={v}" for v in encoder.categories_[1])]


@every_variant
def test_missing_values_zeros_and_unseen_categories(variant):
    problem = problem_of(
        size=["a", None, "b", "new"],
        revenue=[0.0, None, -1e30, 5.0],
        country=["x", "x", "x", None],
        training=3,
        known=[True, False, True, True],
    )
    answer = answer_of(variant, problem)
    assert answer.columns == (
        *("c++", "r", "technologies (unknown)", "size=a", "size=b", "size (missing)"),
        *("revenue", "revenue (missing)", "country=x"),
    )
    assert (answer.matrix.data != 0).all()
    expected = [
        [0, 1, 0, 0, 0, 0, 1],
        [1, 0, 0, 1, 0, 1, 1],
        [0, 0, 1, 0, -1e30, 0, 1],
        [0, 0, 0, 0, 5, 0, 0],
    ]
    assert (answer.matrix.toarray()[:, 2:] == np.array(expected, np.float32)).all()


VALUES = st.none() | st.sampled_from(["a", "b", "é", "", "(missing)", "z" * 30])
NUMBERS = st.none() | st.floats(-3e38, 3e38, allow_nan=False) | st.just(0.0) | st.just(-0.0) | st.just(1e-60)
ROW = st.tuples(VALUES, NUMBERS, VALUES, st.booleans())


@every_variant
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(ROW, max_size=9), training=st.integers(0, 9), batch=st.integers(1, 4))
def test_every_variant_against_the_reference(variant, rows, training, batch):
    size, revenue, country, known = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    problem = problem_of(size, revenue, country, min(training, len(rows)), known, batch)
    assert STAGE.error(problem, answer_of(variant, problem), STAGE.reference(problem)) == 0


@every_variant
@pytest.mark.parametrize("kind", ["categorical", "numeric", None])
def test_tables_of_one_kind_or_none(variant, kind):
    columns = tuple(column for column in COLUMNS if column.kind == kind)
    problem = problem_of(["a", "b"], [1.0, 2.0], ["x", None], columns=columns)
    assert STAGE.error(problem, answer_of(variant, problem), STAGE.reference(problem)) == 0


def test_the_error_sees_every_kind_of_wrong_answer():
    problem = problem_of(["a", "b", None], [1.0, 2.0, None], ["x", "y", "x"])
    right = STAGE.reference(problem)
    moved = right.matrix.copy()
    moved.data[-1] += 1e-6
    stored_zero = right.matrix.copy()
    stored_zero.data[0] = 0
    wrong = {
        "a value moved": FeaturesAnswer(moved, right.columns),
        "a stored zero": FeaturesAnswer(stored_zero, right.columns),
        "columns swapped": FeaturesAnswer(right.matrix[:, ::-1], right.columns),
        "names swapped": FeaturesAnswer(right.matrix, right.columns[::-1]),
        "a column too few": FeaturesAnswer(right.matrix[:, :-1], right.columns[:-1]),
        "a row too few": FeaturesAnswer(right.matrix[:-1], right.columns),
    }
    assert STAGE.error(problem, right, right) == 0
    for what, answer in wrong.items():
        assert STAGE.error(problem, answer, right) > 0, what
