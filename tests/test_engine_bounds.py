"""The tool that measures what bounds the native engines: its counts of work, against counts of our own."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from technobench.cpu_pipeline import features, matrix_build, predict, shap
from technobench.pipeline.datasets.dataset import Column
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.shap_tables import ShapTables
from technobench.pipeline.stages.features import FeaturesProblem
from technobench.pipeline.stages.matrix_build import MatrixProblem
from technobench.pipeline.threshold_codes import ThresholdCodes

from .boosters import sparse, trained

RECORDS = 150
CELLS = ["Alpha;Beta;;Gamma", None, "", "beta;Delta;Beta"] * 30


@pytest.fixture(scope="module")
def tool():
    folder = str(Path(__file__).resolve().parent.parent / "tools")
    sys.path.insert(0, folder)
    try:
        import engine_bounds
    finally:
        sys.path.remove(folder)
    return engine_bounds


@pytest.fixture(scope="module")
def scoring():
    matrix = sparse(RECORDS, 12)
    booster = trained(matrix, rounds=12, max_depth=5)
    return ScoringProblem(matrix, tuple(f"f{column}" for column in range(12)), bytes(booster.save_raw("ubj")))


def counted(tool, name, run):
    found = tool.run_with_clocks(run, tool.LOOPS[name])
    assert sum(found.seconds.values()) == pytest.approx(found.total)
    return {part: dict(work) for part, work in found.work.items()}


def thresholds_met(problem):
    """For each stored value, the distinct (threshold, default side) of its feature, by a loop over the trees' nodes."""
    forest = problem.forest()
    splits = np.flatnonzero(forest.feature >= 0)
    asked = {(forest.feature[n], forest.threshold[n], forest.default_left[n]) for n in splits}
    return sum(feature == column for feature, _, _ in asked for column in problem.matrix.indices)


def test_the_work_of_explanations_adds_up(tool, scoring):
    work = counted(tool, "shap", shap.native(scoring).run)
    forest = scoring.forest()
    tables = ShapTables.of(forest, ThresholdCodes.of(forest))
    gathers = sum(-(-len(used) // 2) for used in features_by_group(forest, tables))
    rows = work["gathers"]["gathers"] / gathers
    assert rows == int(rows)
    assert RECORDS <= rows < RECORDS + 32  # whole vectors of rows
    assert work["patterns"] == {"byte comparisons": rows * tables.question_offsets[-1]}
    assert work["codes of the values"] == {"float comparisons": thresholds_met(scoring)}
    assert work["rows of the answer"] == {"bytes written": RECORDS * 4 * (len(forest.used_features) + 1)}


def features_by_group(forest, tables):
    """The features of each group, from its questions' coded columns and not from its pairs."""
    feature_of_column = ThresholdCodes.of(forest).feature
    ends = pairwise(tables.question_offsets)
    return [set(feature_of_column[tables.column[first:last]]) for first, last in ends]


def test_the_work_of_scores_adds_up(tool, scoring):
    work = counted(tool, "predict", predict.native(scoring).run)
    trees = 12
    assert work["codes of the values"] == {"float comparisons": thresholds_met(scoring)}
    assert work["splits of shallow trees"] == {"byte comparisons": RECORDS * trees * 63}
    assert work["their leaves"] == {"gathers": RECORDS * trees}
    assert "walks down deeper trees" not in work


def test_steps_down_deeper_trees_are_counted(tool):
    matrix = sparse(RECORDS, 12)
    booster = trained(matrix, rounds=3, max_depth=9, min_child_weight=0)
    problem = ScoringProblem(matrix, tuple("abcdefghijkl"), bytes(booster.save_raw("ubj")))
    work = counted(tool, "predict", predict.native(problem).run)
    deep = [depth for depth in map(depth_of, booster.get_dump()) if depth > 6]
    assert deep
    assert work["walks down deeper trees"] == {"gathers": RECORDS * sum(deep)}


def depth_of(dump):
    """Of a tree as XGBoost prints it, one tab per level."""
    return max(len(line) - len(line.lstrip("\t")) for line in dump.splitlines())


def matrix_problem():
    return MatrixProblem(CELLS, ";", len(CELLS))


def test_the_work_of_the_matrix_adds_up(tool):
    work = counted(tool, "matrix_build", matrix_build.native(matrix_problem()).run)
    items = sum(bool(item) for cell in CELLS for item in (cell or "").split(";"))
    content = sum(len(cell or "") for cell in CELLS)
    names = {item for cell in CELLS for item in (cell or "").split(";")} - {""}  # looked up once more, as names
    found = items + len(names) + 2  # and the empty one, in the table of items and in that of names
    read = content + sum(map(len, names))
    assert work["items found and numbered"] == {"hash look-ups": found, "bytes read": read}
    assert work["names counted"] == work["columns sorted by row"] == {"names": items}
    assert work["Python strings to Arrow"]["bytes written"] >= content


def features_problem():
    table = pa.table({"kind": ["a", "b", None, "a"] * 30, "size": [1.0, 0.0, None, 2.5] * 30})
    technologies = sp.csr_matrix(np.tile(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.int8), (30, 1)))
    columns = (Column("kind", "categorical"), Column("size", "numeric"))
    return FeaturesProblem(table, columns, technologies, ("x", "y"), np.ones(120, bool), 120)


def test_the_work_of_the_final_matrix_adds_up(tool):
    problem = features_problem()
    run = features.native(problem).run
    work = counted(tool, "features", run)
    answer = run().matrix
    assert work["entries written"] == {"bytes written": answer.nnz * (answer.indices.itemsize + 4)}
    assert work["entries counted"] == {"bytes read": 120 * (4 + 1 + 8 + 1)}
    assert work["categories numbered by Arrow"] == {"hash look-ups": 120}


def test_the_table_has_every_part_and_holds_it_against_its_bound(tool, scoring):
    runs = {
        "matrix_build": matrix_build.native(matrix_problem()).run,
        "features": features.native(features_problem()).run,
        "predict": predict.native(scoring).run,
        "shap": shap.native(scoring).run,
    }
    found, rates = tool.measured(runs, 1)
    assert all(rate > 0 for rate in rates[0].values())
    lines = list(tool.table(found, rates))
    assert {line.count("|") for line in lines} == {8}
    for engine in runs:
        assert any(line.startswith(f"| `{engine}` | {tool.REST} |") for line in lines)
    (gathers,) = [line for line in lines if line.startswith("| `shap` | gathers")]
    (one,) = found["shap"]
    expected = one.work["gathers"]["gathers"] / rates[0]["gathers"] / one.seconds["gathers"]
    assert f"{100 * expected:.0f} % ±0" in gathers.rsplit("|", 2)[1]
