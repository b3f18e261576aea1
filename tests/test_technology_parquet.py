"""The native matrix from Parquet: forms of columns, row groups, dictionaries that end, files that are no good."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.cpu_pipeline import technology_parquet
from technobench.cpu_pipeline.technology_matrix import build_from_parquet
from technobench.pipeline.errors import InputError
from technobench.pipeline.stages.matrix_build import LISTS, MatrixBuild, MatrixProblem

STAGE = MatrixBuild()
CELLS = [
    "A|b|c",
    None,
    "",
    "b|B |é",
    "東雲|c",
    None,
    "||a",
    "\x00|a\x00|",
    *(f"t{k % 7}|T{k % 3}|u" for k in range(40)),
]
ROWS = [None if cell is None else [item or None for item in cell.split("|")] for cell in CELLS]
FORMS = {
    "strings": pa.array(CELLS, pa.string()),
    "large strings": pa.array(CELLS, pa.large_string()),
    "dictionary": pa.array(CELLS).dictionary_encode(),
    "list": pa.array(ROWS, pa.list_(pa.string())),
    "large list of large strings": pa.array(ROWS, pa.large_list(pa.large_string())),
    "list of dictionary": pa.array(ROWS, pa.list_(pa.dictionary(pa.int8(), pa.string()))),
}


def assert_right(source, column, cells, training=None, frequency=1):
    problem = MatrixProblem(cells, "|", len(cells) if training is None else training, frequency)
    answer = build_from_parquet(source, column, "|", problem.training_records, frequency)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) == 0
    assert answer.matrix.data.dtype == np.int8 and answer.matrix.has_canonical_format
    return answer


def written(path: Path, column, name="stack", **options) -> Path:
    pq.write_table(pa.table({"id": np.arange(len(column)), name: column}), path, **options)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_every_form_and_size_of_row_group(tmp_path, monkeypatch, form, rows):
    monkeypatch.setattr(technology_parquet, "_ROWS_AT_A_TIME", 5)
    path = written(tmp_path / "f", FORMS[form], row_group_size=rows)
    for training, frequency in ((None, 1), (11, 1), (23, 2), (0, 1)):
        assert_right(path, "stack", CELLS, training, frequency)


def random_rows(records, distinct, seed=5):
    generator = np.random.default_rng(seed)
    return [
        [f"Technology {k}" for k in (distinct * generator.random(count) ** 3).astype(int)]
        for count in generator.integers(0, 25, records)
    ]


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"dictionary_pagesize_limit": 2000}])
def test_more_names_than_a_dictionary_may_hold(tmp_path, options):
    """The second way has no dictionary; in the third it ends within a row group, and plain values follow."""
    rows = random_rows(3000, 8000)
    path = written(tmp_path / "f", pa.array(rows), row_group_size=700, **options)
    answer = assert_right(path, "stack", ["|".join(row) for row in rows], training=2000, frequency=2)
    assert answer.unseen > 100


def test_the_file_of_a_problem_holds_its_items():
    cells = ["A| a|b", None, "", "東雲||c"]
    problem = MatrixProblem(cells, "|", 4)
    assert pq.read_table(pa.BufferReader(problem.lists_file()))[LISTS].to_pylist() == [
        ["A", " a", "b"],
        None,
        [""],
        ["東雲", "", "c"],
    ]
    assert_right(problem.lists_file(), LISTS, cells)
    assert STAGE.prefix(problem, 2).lists_file().size > 0


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.array([], pa.list_(pa.string())), pa.nulls(0)])
def test_a_file_without_rows(tmp_path, column):
    answer = assert_right(written(tmp_path / "f", column), "stack", [])
    assert answer.matrix.shape == (0, 0)


@pytest.mark.parametrize("name", ["a.b", "a", "list.element"])
def test_columns_whose_names_hold_dots(tmp_path, name):
    other = pa.array([["wrong"]], pa.list_(pa.string()))
    table = pa.table({"a": other, "a.b": other, "list.element": other, "element": other})
    place = table.schema.get_field_index(name)
    table = table.set_column(place, name, pa.array([["right"]], pa.list_(pa.string())))
    pq.write_table(table, tmp_path / "f")
    assert_right(tmp_path / "f", name, ["right"])


def test_columns_that_cannot_be_used_are_refused(tmp_path):
    path = written(tmp_path / "f", pa.array([1, 2]))
    with pytest.raises(InputError, match=r"f: column 'stack' holds int64, not strings"):
        build_from_parquet(path, "stack", "|", 2)
    with pytest.raises(InputError, match=r"column 'stacks' is not among 'id', 'stack'; name one"):
        build_from_parquet(path, "stacks", "|", 2)
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["stack", "stack"]), path)
    with pytest.raises(InputError, match="is there 2 times"):
        build_from_parquet(path, "stack", "|", 2)
    with pytest.raises(InputError, match="delimiter is empty"):
        build_from_parquet(path, "stack", "", 2)


def test_files_that_are_no_good_are_refused(tmp_path):
    path = written(tmp_path / "f", pa.array(random_rows(2000, 500)), row_group_size=500)
    whole = path.read_bytes()
    with pytest.raises(InputError, match="absent: no such file"):
        build_from_parquet(tmp_path / "absent", "stack", "|", 1)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        build_from_parquet(tmp_path, "stack", "|", 1)
    for content in (b"", b"PAR1", whole[:-20], whole[: len(whole) // 2], b"id,stack\n1,a|b\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="f: cannot be read as Parquet"):
            build_from_parquet(path, "stack", "|", 2000)
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    path.write_bytes(b"\x00" * (len(whole) - footer) + whole[-footer:])
    with pytest.raises(InputError, match="f: cannot be read as Parquet"):
        build_from_parquet(path, "stack", "|", 2000)
