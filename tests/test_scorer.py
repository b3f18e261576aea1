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
from technobench.cpu_pipeline.pipeline import Scorer
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
    scores, features, values = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    matrix = xgb.DMatrix(matrix_of(ROWS * 5))
    assert scores == pytest.approx(booster.predict(matrix, output_margin=True, validate_features=False), abs=1e-5)
    expected = booster.predict(matrix, pred_contribs=True, validate_features=False)[:, :-1]
    assert values == pytest.approx(np.take_along_axis(expected, features, axis=1), abs=1e-6)
    assert np.abs(values) == pytest.approx(np.sort(np.abs(expected), axis=1)[:, :-4:-1], abs=1e-6)
    assert (scores.dtype, features.dtype, values.dtype) == (np.float32, np.int32, np.float32)


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
    exec(example, {"booster": booster_named(NAMES), "keep": lambda *parts: kept.append(parts)})
    scores, names, values = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    assert scores.shape == (20,)
    assert names.shape == values.shape == (20, 10)
    assert set(names.ravel()) <= set(NAMES)
