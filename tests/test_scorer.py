"""The scorer as a library: a file to scores and explanations in chunks, against XGBoost on the same final matrix."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
import xgboost as xgb
from technobench.cpu_pipeline import scorer as module
from technobench.cpu_pipeline.als import ImplicitALS
from technobench.cpu_pipeline.pipeline import Recommender, Scorer
from technobench.pipeline.datasets.dataset import Column
from technobench.pipeline.errors import InputError

NAMES = [
    *("size=big", "c++", "technologies (unknown)", "revenue (missing)", "node.js", "revenue", "a=b", "size (missing)"),
    *("size=", "gone"),
]
COLUMNS = (Column("size", "categorical"), Column("revenue", "numeric"))
RECORDS = [
    {"technologies": "C++|Node.js|new", "size": "big", "revenue": 2.0},
    {"technologies": None, "size": None, "revenue": None},
    {"technologies": "", "size": "", "revenue": 0.0},
    {"technologies": " A=B ||a=b", "size": "huge", "revenue": -1.5},
]
ROWS = [
    {"size=big": 1, "c++": 1, "node.js": 1, "revenue": 2},
    {"technologies (unknown)": 1, "size (missing)": 1, "revenue (missing)": 1},
    {"size=": 1},
    {"a=b": 1, "revenue": -1.5},
]
"""What the records are as columns of the model, worked out by hand."""


def matrix_of(rows):
    return sp.csr_matrix(np.array([[row.get(name, 0) for name in NAMES] for row in rows], np.float32))


def booster_named(names, seed=0):
    random = np.random.default_rng(seed)
    matrix = sp.csr_matrix((random.random((200, len(names))) < 0.5).astype(np.float32))
    labels = matrix @ random.normal(size=len(names)) > 0
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 4}, xgb.DMatrix(matrix, labels), 20)
    booster.feature_names = list(names)
    return booster


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "records.parquet"
    pq.write_table(pa.Table.from_pylist(RECORDS * 5), path, row_group_size=8)
    return path


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_against_xgboost(file, rows, monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", rows)
    booster = booster_named(NAMES)
    scorer = Scorer.from_booster(booster, COLUMNS, top=3)
    assert scorer.names == tuple(NAMES)
    chunks = list(scorer.score_file(file))
    assert max(len(chunk.scores) for chunk in chunks) <= rows
    scores, features, values, recommended, recommended_scores = map(np.concatenate, zip(*chunks, strict=True))
    matrix = xgb.DMatrix(matrix_of(ROWS * 5))
    assert scores == pytest.approx(booster.predict(matrix, output_margin=True, validate_features=False), abs=1e-5)
    expected = booster.predict(matrix, pred_contribs=True, validate_features=False)[:, :-1]
    assert values == pytest.approx(np.take_along_axis(expected, features, axis=1), abs=1e-6)
    assert np.abs(values) == pytest.approx(np.sort(np.abs(expected), axis=1)[:, :-4:-1], abs=1e-6)
    assert (scores.dtype, features.dtype, values.dtype) == (np.float32, np.int32, np.float32)
    assert recommended.shape == recommended_scores.shape == (20, 0)
    assert scorer.technologies.tolist() == [""]


USED = np.random.default_rng(1).random((30, 5)) < 0.4
ITEMS = ("node.js", "new", "a=b", "rust", "c++")
"""The recommender's: in an order of its own, two that the booster does not have, and not all that it has."""
HELD = {"C++|Node.js|new": [0, 1, 4], None: [], "": [], " A=B ||a=b": [2], "all": [0, 1, 2, 3, 4]}


@pytest.fixture
def recommender():
    return Recommender(
        ImplicitALS(factors=3, regularization=0.5, scaling="plain", alpha=2.0).fit(sp.csr_matrix(USED, dtype=float)),
        ITEMS,
        4,
    )


def expected_lists(recommender, held):
    """Names and scores, by least squares on the rows of the loss as they are written."""
    vectors, has = recommender.model.item_factors.astype(np.float64), np.isin(np.arange(5), held)
    weights = np.sqrt(1 + 2.0 * has)
    system = np.vstack([vectors * weights[:, None], np.sqrt(0.5) * np.eye(3)])
    scores = vectors @ np.linalg.lstsq(system, np.append(weights * has, np.zeros(3)), rcond=None)[0]
    best = sorted(np.flatnonzero(~has), key=lambda item: (-scores[item], item))[:4]
    return [ITEMS[item] for item in best] + [""] * (4 - len(best)), [*scores[best], *[-np.inf] * (4 - len(best))]


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_recommendations(file, recommender, rows, monkeypatch):
    """As without a recommender, and what each record lacks, best first: also for who has none, or all."""
    everything = {"technologies": "|".join(ITEMS).upper(), "size": None, "revenue": 1.0}
    records = [*RECORDS, everything]
    pq.write_table(pa.Table.from_pylist(records * 5), file, row_group_size=8)
    plain = Scorer.from_booster(booster_named(NAMES), COLUMNS, top=3)
    whole = [np.concatenate(parts) for parts in zip(*plain.score_file(file), strict=True)]
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", rows)
    scorer = Scorer.from_booster(booster_named(NAMES), COLUMNS, top=3, recommender=recommender)
    chunks = list(scorer.score_file(file))
    assert max(len(chunk.scores) for chunk in chunks) <= rows
    *explained, recommended, scores = map(np.concatenate, zip(*chunks, strict=True))
    for ours, theirs in zip(explained, whole[:3], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (recommended.shape, recommended.dtype, scores.dtype) == ((25, 4), np.int32, np.float32)
    for row, record in enumerate(records * 5):
        held = HELD["all" if record is everything else record["technologies"]]
        names, expected = expected_lists(recommender, held)
        assert scorer.technologies[recommended[row]].tolist() == names
        assert scores[row] == pytest.approx(np.array(expected), abs=1e-5)


def test_a_recommender_that_says_too_little(recommender):
    model = recommender.model
    with pytest.raises(InputError, match="4 names for a model of 5 items"):
        Recommender(model, ITEMS[:4])
    with pytest.raises(InputError, match="k=0: recommend at least one item"):
        Recommender(model, ITEMS, 0)
    with pytest.raises(InputError, match="holds 1 names twice"):
        Scorer.from_booster(booster_named(NAMES), COLUMNS, recommender=Recommender(model, [*ITEMS[:4], "rust"]))
    with pytest.raises(InputError, match=re.escape("'C++' is compared as 'c++'")):
        Scorer.from_booster(booster_named(NAMES), COLUMNS, recommender=Recommender(model, [*ITEMS[:4], "C++"]))


def test_a_file_of_no_records(tmp_path):
    path = tmp_path / "none.parquet"
    pq.write_table(pa.Table.from_pylist(RECORDS).slice(0, 0), path)
    assert list(Scorer.from_booster(booster_named(NAMES), COLUMNS).score_file(path)) == []


def test_names_that_say_too_little(file):
    unnamed = booster_named(NAMES)
    unnamed.feature_names = None
    with pytest.raises(InputError, match="does not name its features"):
        Scorer.from_booster(unnamed, COLUMNS)
    with pytest.raises(InputError, match="'Employees' is of no raw column, and no technology's name"):
        Scorer.from_booster(booster_named([*NAMES, "Employees"]), COLUMNS)
    with pytest.raises(InputError, match=re.escape("'a|b' is of no raw column")):
        Scorer.from_booster(booster_named([*NAMES, "a|b"]), COLUMNS)
    two = Column("size", "categorical"), Column("size=x", "categorical")
    with pytest.raises(InputError, match="'size=x=y' could be of two raw columns"):
        Scorer.from_booster(booster_named(["size=x=y", "c++"]), two)
    with pytest.raises(InputError, match="column 'employees' is missing"):
        list(Scorer.from_booster(booster_named(NAMES), (*COLUMNS, Column("employees", "numeric"))).score_file(file))


def test_the_readme_example_runs(file, monkeypatch):
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "Scorer" in code]
    monkeypatch.chdir(file.parent)
    file.rename("companies.parquet")
    kept = []
    used = {"matrix": sp.csr_matrix(np.triu(np.ones((8, len(ITEMS))))), "technologies": ITEMS}
    exec(example, {"booster": booster_named(NAMES), "keep": lambda *parts: kept.append(parts), **used})
    scores, names, values, recommended = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    assert scores.shape == (20,)
    assert names.shape == values.shape == (20, 10)
    assert set(names.ravel()) <= set(NAMES)
    assert recommended.shape == (20, 10)
    assert set(recommended.ravel()) <= {*ITEMS, ""}
    assert set(recommended[0, :2]) == {"a=b", "rust"} and set(recommended[0, 2:]) == {""}, "it has the other three"
