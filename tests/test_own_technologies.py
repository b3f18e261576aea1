"""A technology column of the user's own: text, JSON lists or lists become names that the normaliser reads back."""

import json
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.pipeline.datasets.own import convert, survey
from technobench.pipeline.errors import InputError
from technobench.pipeline.technologies import items

pytestmark = pytest.mark.usefixtures("own_home")


JSON_CELLS = [json.dumps(names) for names in (["a", "b"], [], ["c|d"], [None, "e", ""])]


def test_json_lists_in_text_cells_take_another_delimiter_if_a_name_holds_it(added):
    lines = "".join('"' + cell.replace('"', '""') + '"\n' for cell in [*JSON_CELLS, "null"])
    dataset, table, uses = added("x.csv", "technologies\n" + lines)
    assert dataset.delimiter == "\x1f"
    assert table["technologies"].to_pylist() == ["a\x1fb", "", "c|d", "e\x1f", None]
    assert "JSON lists" in uses["technologies"].why and "guessed" in uses["technologies"].why


@pytest.mark.parametrize("escaped", ["\\u007c", "\\u007C"])
def test_a_delimiter_escaped_in_json_is_seen(added, escaped):
    dataset, table, _ = added("x.jsonl", '{"technologies": "[\\"a' + escaped.replace("\\", "\\\\") + 'b\\"]"}\n')
    assert (dataset.delimiter, table["technologies"].to_pylist()) == ("\x1f", ["a|b"])


def test_lists_take_another_delimiter_only_if_a_name_holds_it(added):
    dataset, table, _ = added("x.parquet", pa.table({"technologies": [["a|b", None, "c"], None, []]}))
    assert (dataset.delimiter, table["technologies"].to_pylist()) == ("\x1f", ["a|b\x1fc", None, ""])
    dataset, _, _ = added("y.parquet", pa.table({"technologies": [["a", "c"]]}), keep_as="other", delimiter=";")
    assert dataset.delimiter == ";"


def test_the_delimiter_said_for_lists_is_refused_where_a_name_holds_it(refused):
    table = pa.table({"technologies": [None, ["a"], ["b", "c;d"]]})
    message = refused("x.parquet", table, delimiter=";")
    assert "x.parquet, row 3, column 'technologies': technology 'c;d' holds the delimiter ';'" in message
    message = refused("x.jsonl", '{"technologies": ["c;d"]}', delimiter=";", technologies="technologies")
    assert "line 1" in message and "JSON list" in message


def test_names_that_hold_every_joiner_are_refused(refused):
    message = refused("x.parquet", pa.table({"technologies": [list("|\x1f\x1e\x1d")]}))
    assert "--delimiter" in message


def test_cells_keep_their_blanks_and_repeats_for_the_normaliser(added):
    _, table, _ = added("x.csv", 'technologies,x\n" A|a||b ",1\n|,2\n')
    assert table["technologies"].to_pylist() == [" A|a||b ", "|"]


@pytest.mark.parametrize("delimiter", [";", ", ", "\t", "||"])
def test_the_delimiter_said_is_kept(added, delimiter):
    dataset, table, _ = added("x.csv", f'technologies\n"a{delimiter}b"\n', delimiter=delimiter)
    assert dataset.delimiter == delimiter
    assert items(table["technologies"][0].as_py(), delimiter) == {"a", "b"}


def test_one_name_per_cell_needs_no_delimiter(added):
    dataset, _, _ = added("x.csv", "technologies\nPython\nC++\n")
    assert dataset.delimiter == "|"


CELL = st.none() | st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=4)


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(CELL, min_size=1, max_size=12))
def test_lists_of_any_text_come_back(cells):
    """Joined as Arrow lists and as JSON, the names that `items` reads are those of the lists."""
    array = pa.array(cells, pa.list_(pa.string()))
    seen = survey.TechnologySurvey(None)
    seen.add(array)
    try:
        delimiter = seen.delimiter("f", "c")
    except InputError:
        return
    expected = [None if cell is None else {name for one in cell for name in items(one, "\0\0")} for cell in cells]
    texts = pa.array([None if cell is None else json.dumps(cell) for cell in cells], pa.string())
    for form, column in (("list", array), ("list", array.slice(0)), ("json", texts)):
        joined = convert.technologies(column, form, delimiter).to_pylist()
        assert [None if cell is None else items(cell, delimiter) for cell in joined] == expected
    half = convert.technologies(array.slice(len(cells) // 2), "list", delimiter)
    assert half.to_pylist() == joined[len(cells) // 2 :]


def test_the_technology_column_is_asked_for_where_it_cannot_be_guessed(refused):
    assert "--technologies" in refused("x.csv", "a,b\n1,2\n")
    assert "several" in refused("x.csv", "technologies,tech_stack\n1,2\n")


@pytest.mark.parametrize("said", [None, "|", "/"])
def test_a_delimiter_that_is_nowhere_while_another_is(refused, said):
    content = 'technologies\n"a, b"\nc\n"d,e,f"\n\n'
    message = refused("x.csv", content, delimiter=said)
    assert f"the delimiter {said or '|'!r} is in none of its 3 cells, but ',' is in 67% of them" in message
    assert "--delimiter ','" in message


def test_bad_json_in_a_cell(refused):
    good = '"[""a"", ""b""]"\n'
    message = refused("x.csv", 'technologies\n"[""a\nb""]"\n' + good)
    assert re.search(r"x\.csv, line 2, column 'technologies': .* is not JSON", message, re.DOTALL)
    message = refused("x.csv", "technologies\n" + good + good + '"[""a"", "\n')
    assert "x.csv, line 4, column 'technologies': '[\"a\", ' is not JSON" in message
    assert "line 3" in (message := refused("x.csv", "technologies\n" + good + '"{""a"": 1}"\n'))
    assert "is not a JSON list" in message
    message = refused("x.jsonl", '{"technologies": ["a"]}\n\n{"technologies": ["b", 3]}\n')
    assert "x.jsonl, line 3, column 'technologies': the list holds '3', which is not text" in message


def test_a_json_list_among_delimited_cells(refused):
    message = refused("x.csv", 'technologies\na|b\n"[""c""]"\n')
    assert "line 3" in message and "a JSON list" in message


def test_brackets_in_names_are_no_json(added):
    _, table, _ = added("x.csv", "technologies\na|b\n[c]|d\n")
    assert table["technologies"].to_pylist() == ["a|b", "[c]|d"]


def test_technologies_of_another_type(refused):
    assert "int64" in refused("x.parquet", pa.table({"technologies": [[1], [2]]}))
    struct = pa.table({"technologies": [{"a": 1}]})
    assert "column 'technologies'" in refused("x.parquet", struct)
