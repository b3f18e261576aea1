"""A user's own data: every format gives the same records, and every fault is named with its file, place and mend."""

import gzip
import json
import pickle
import random
import re
import subprocess
import sys
import textwrap
import tracemalloc
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from technobench.pipeline.datasets import catalogue, describe
from technobench.pipeline.datasets.dataset import Column, Dataset, RecordDataset, file_digest
from technobench.pipeline.datasets.own import add as own_data
from technobench.pipeline.datasets.own import convert, csv_source, json_source, read, survey
from technobench.pipeline.datasets.own.add import OwnData, add
from technobench.pipeline.datasets.own.model import check_model_features, load_model
from technobench.pipeline.datasets.own.read import BadCell
from technobench.pipeline.datasets.own.roles import Roles
from technobench.pipeline.errors import InputError
from technobench.pipeline.technologies import items


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("TECHNOBENCH_HOME", str(folder))
    return folder


@pytest.fixture
def added(tmp_path):
    """Write a file and add it; returns the dataset, its table and the outcome of the columns."""

    def write_and_add(name, content, **options):
        dataset, uses = add(_own(tmp_path, name, content, **options), lambda done, total: None)
        return dataset, pq.read_table(dataset.path), {use.column: use for use in uses}

    return write_and_add


@pytest.fixture
def refused(tmp_path, home):
    """Write a file, expect it to be refused and nothing to be kept; returns the message."""

    def write_and_refuse(name, content, **options):
        with pytest.raises(InputError) as caught:
            add(_own(tmp_path, name, content, **options), lambda done, total: None)
        kept = list((home / "datasets").iterdir()) if (home / "datasets").is_dir() else []
        assert kept == []
        return str(caught.value)

    return write_and_refuse


ROLES = ("id", "technologies", "delimiter", "label", "positive", "categorical", "numeric", "ignore")


def _own(folder, name, content, **options):
    path = folder / name
    if isinstance(content, pa.Table):
        pq.write_table(content, path)
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    roles = Roles(**{key: options.pop(key) for key in ROLES if key in options})
    return OwnData(path, options.pop("keep_as", "mine"), roles, **options)


# What is kept

RECORDS = (
    # id, technologies, size, score, won
    ("a1", ["C++", "Node.js", "R"], "small", 1.5, True),
    ("a2", [], "large", None, False),
    ("a3", None, None, -2.0, True),
    ("a4", ["Ünïcode", "日本語", "a b"], "small, really", 1e30, False),
)
COLUMNS = ("id", "technologies", "size", "score", "won")


def _as_csv(separator=","):
    lines = [separator.join(COLUMNS)]
    for identifier, names, size, score, won in RECORDS:
        cell = "" if names is None else '"' + "|".join(names) + '"'
        size = f'"{size}"' if size else ""
        lines.append(separator.join([identifier, cell, size, "" if score is None else repr(score), str(won)]))
    return "\n".join(lines) + "\n"


def _as_json_lines():
    return "\n".join(json.dumps(dict(zip(COLUMNS, record, strict=True))) for record in RECORDS)


def _as_parquet(kind):
    columns = dict(zip(COLUMNS, map(list, zip(*RECORDS, strict=True)), strict=True))
    return pa.table({**columns, "technologies": pa.array(columns["technologies"], kind)})


FORMATS = {
    "x.csv": _as_csv(),
    "x.tsv": _as_csv("\t"),
    "x.CSV.gz": gzip.compress(_as_csv().encode()),
    "bom.csv": b"\xef\xbb\xbf" + _as_csv().encode(),
    "windows.csv": _as_csv().replace("\n", "\r\n"),
    "x.jsonl": _as_json_lines(),
    "x.ndjson": _as_json_lines() + "\n\n",
    "x.jsonl.gz": gzip.compress(_as_json_lines().encode()),
    "list.parquet": _as_parquet(pa.list_(pa.string())),
    "large_list.parquet": _as_parquet(pa.large_list(pa.large_string())),
    "dictionary.parquet": _as_parquet(pa.list_(pa.dictionary(pa.int32(), pa.string()))),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_dataset(added, name):
    dataset, table, _ = added(name, FORMATS[name], id="id", label="won")
    assert table.to_pydict() == {
        "id": ["a1", "a2", "a3", "a4"],
        "technologies": ["C++|Node.js|R", "", None, "Ünïcode|日本語|a b"],
        "size": ["small", "large", None, "small, really"],
        "score": [1.5, None, -2.0, 1e30],
        "won": [1, 0, 1, 0],
    }
    assert table.schema.types == [pa.string(), pa.string(), pa.string(), pa.float64(), pa.int8()]
    assert (dataset.identifier, dataset.technologies, dataset.label) == ("id", "technologies", "won")
    assert dataset.columns == (Column("size", "categorical"), Column("score", "numeric"))
    assert (dataset.records, dataset.training_records, dataset.delimiter, dataset.model) == (4, 4, "|", None)
    assert dataset.digest == file_digest(dataset.path)
    assert Dataset.load(catalogue.folder_of("mine")) == dataset
    assert catalogue.get("mine") == dataset


def test_only_the_datasets_folder_is_written(added, home, tmp_path):
    added("x.csv", _as_csv(), id="id")
    assert [path.name for path in (home / "datasets").iterdir()] == ["mine@1"]
    assert sorted(path.name for path in (home / "datasets" / "mine@1").iterdir()) == ["dataset.json", "records.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "x.csv"]


def test_records_are_numbered_where_no_identifier_is_named(added):
    dataset, table, _ = added("x.csv", "tech,record,record_\na|b,1,2\nc,1,2\n", technologies="tech")
    assert dataset.identifier == "record__"
    assert table["record__"].to_pylist() == ["1", "2"]
    assert dataset.columns == (Column("record", "numeric"), Column("record_", "numeric"))


def test_numbers_as_identifiers_become_text(added):
    _, table, _ = added("x.parquet", pa.table({"k": [7, 8], "technologies": ["a", "b"]}), id="k")
    assert table["k"].to_pylist() == ["7", "8"]


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


def test_quoted_line_ends_and_commas_survive(added):
    _, table, _ = added("x.csv", 'technologies,note\n"a\n|b","one\r\ntwo, ""three"""\n')
    assert table.to_pydict() == {"record": ["1"], "technologies": ["a\n|b"], "note": ['one\r\ntwo, "three"']}


def test_columns_that_no_role_names_are_told_by_their_values(added, monkeypatch):
    monkeypatch.setattr(survey, "MOST_CATEGORIES", 2)
    content = "technologies,number,gaps,few,many,empty,flag\na,1,NA,x,p,,true\nb,-2e3, 4 ,y,q,,false\nc,.5,,x,r,,true\n"
    _, table, uses = added("x.csv", content)
    assert {name: use.role for name, use in uses.items()} == {
        "technologies": "technologies",
        "number": "numeric",
        "gaps": "numeric",
        "few": "categorical",
        "many": "ignore",
        "empty": "ignore",
        "flag": "categorical",
    }
    assert table["gaps"].to_pylist() == [None, 4.0, None]
    assert table["number"].to_pylist() == [1.0, -2000.0, 0.5]
    assert table.column_names == ["record", "technologies", "number", "gaps", "few", "flag"]
    assert "2 distinct" in uses["many"].why


def test_named_roles_win_over_values(added):
    content = "technologies,code,text,secret\na,01,NA,1\nb,02,,2\n"
    dataset, table, _ = added("x.csv", content, categorical=("code",), ignore=("secret",), numeric=("text",))
    assert dataset.columns == (Column("code", "categorical"), Column("text", "numeric"))
    assert table["code"].to_pylist() == ["01", "02"]
    assert table["text"].to_pylist() == [None, None]


def test_typed_columns_keep_their_kind(added):
    table = pa.table(
        {
            "technologies": pa.array(["a", None]).dictionary_encode(),
            "whole": [1, None],
            "money": pa.array([Decimal("3.25"), Decimal("2")], pa.decimal128(9, 2)),
            "real": [float("nan"), 2.5],
            "text_number": ["1", "2"],
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "day": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "nothing": pa.nulls(2),
            "nested": [[1], [2]],
            "flag": [True, None],
        }
    )
    dataset, kept, uses = added("x.parquet", table)
    kinds = {column.name: column.kind for column in dataset.columns}
    assert kinds == {
        "whole": "numeric",
        "money": "numeric",
        "real": "numeric",
        "text_number": "categorical",
        "kind": "categorical",
        "flag": "categorical",
    }
    assert {name for name, use in uses.items() if use.role == "ignore"} == {"day", "nothing", "nested"}
    assert kept["real"].to_pylist() == [None, 2.5] and kept["real"].null_count == 1
    assert kept["money"].to_pylist() == [3.25, 2.0]
    assert kept["flag"].to_pylist() == ["true", None]
    assert kept["technologies"].to_pylist() == ["a", None]


def test_json_columns_may_change_type_and_come_late(added, monkeypatch):
    monkeypatch.setattr(json_source, "_BATCH", 2)
    lines = [
        {"technologies": ["a"], "n": 1, "m": 1, "date": "2020-01-01"},
        {"technologies": None, "n": 2.5, "m": 2, "date": "2020-01-02"},
        {"n": 2**70, "m": "x", "late": "yes", "technologies": []},
    ]
    _, table, _ = added("x.jsonl", "\n".join(map(json.dumps, lines)))
    assert table.to_pydict() == {
        "record": ["1", "2", "3"],
        "technologies": ["a", None, ""],
        "n": [1.0, 2.5, float(2**70)],
        "m": ["1", "2", "x"],
        "date": ["2020-01-01", "2020-01-02", None],
        "late": [None, None, "yes"],
    }


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        (["0", "1"], None, [0, 1]),
        (["True", "FALSE"], None, [1, 0]),
        (["1.0", " 0.0 "], None, [1, 0]),
        (["won", "lost"], "won", [1, 0]),
        ([1, 0], None, [1, 0]),
        ([1.0, 0.0], None, [1, 0]),
        ([True, False], None, [1, 0]),
        ([3, 7], "7", [0, 1]),
    ],
)
def test_labels(added, values, positive, expected):
    table = pa.table({"technologies": ["a", "b"], "y": values})
    _, kept, _ = added("x.parquet", table, label="y", positive=positive)
    assert kept["y"].to_pylist() == expected and kept["y"].type == pa.int8()


def test_training_records(added, refused):
    assert "--training-records 3" in refused("x.csv", "technologies\na\nb\n", training_records=3)
    assert "--training-records 0" in refused("x.csv", "technologies\na\nb\n", training_records=0)
    dataset, _, _ = added("x.csv", "technologies\na\nb\n", training_records=1)
    assert dataset.training_records == 1


def test_encodings(added):
    for position, encoding in enumerate(("latin-1", "cp1252", "utf-16", "utf-8-sig")):
        for suffix, content in (("csv", "technologies\nCafé|b\n"), ("jsonl", '{"technologies": ["Café", "b"]}\n')):
            options = {"encoding": encoding, "keep_as": f"{suffix}-{position}"}
            _, table, _ = added(f"x.{suffix}", content.encode(encoding), **options)
            assert table["technologies"].to_pylist() == ["Café|b"]


def test_semicolons_between_cells(added):
    _, table, _ = added("x.csv", "id;technologies\n1;a|b\n", separator=";", id="id")
    assert table.to_pydict() == {"id": ["1"], "technologies": ["a|b"]}


def test_many_batches_and_row_groups(added, monkeypatch):
    monkeypatch.setattr(csv_source, "LARGEST_ROW", 1 << 12)
    monkeypatch.setattr("technobench.pipeline.datasets.own.write.ROWS_PER_GROUP", 500)
    rows = [(f"i{row}", "|".join(f"t{row % k}" for k in (2, 3, 5)), row / 3) for row in range(3000)]
    content = "id,technologies,x\n" + "".join(f"{a},{b},{c!r}\n" for a, b, c in rows)
    dataset, table, _ = added("x.csv", content, id="id")
    assert list(zip(*table.to_pydict().values(), strict=True)) == rows
    assert pq.ParquetFile(dataset.path).num_row_groups > 3


def test_the_same_file_gives_the_same_bytes(added):
    first, _, _ = added("x.csv", _as_csv(), id="id")
    second, _, _ = added("x.csv", _as_csv(), id="id", replace=True)
    assert first.digest == second.digest


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


# What is refused


def test_missing_file_folder_and_unknown_suffix(refused, tmp_path):
    assert "no such file" in refused("absent.csv", None)
    (tmp_path / "folder.csv").mkdir()
    assert "a folder" in refused("folder.csv", None)
    assert "--format" in refused("x.xlsx", "technologies\na\n")


def test_the_format_said_wins_over_the_suffix(added):
    _, table, _ = added("x.txt", "technologies\na|b\n", format="csv")
    assert table["technologies"].to_pylist() == ["a|b"]


@pytest.mark.parametrize("name", ["../up", "Upper", "", "a/b", "@1"])
def test_names_that_are_no_folder(refused, name):
    assert "dataset name" in refused("x.csv", "technologies\na\n", keep_as=name)


def test_names_of_the_suite_and_of_kept_datasets(added, refused, tmp_path):
    assert "whotracksme" in catalogue.makers()
    assert "of the suite" in refused("x.csv", "technologies\na\n", keep_as="whotracksme")
    added("x.csv", "technologies\na\n")
    with pytest.raises(InputError, match="--replace"):
        add(_own(tmp_path, "x.csv", "technologies\nb\n"), lambda done, total: None)
    _, table, _ = added("x.csv", "technologies\nb\n", replace=True)
    assert table["technologies"].to_pylist() == ["b"]


def test_a_failed_replacement_leaves_the_old_dataset(added, tmp_path):
    old, _, _ = added("x.csv", "technologies\na\n")
    with pytest.raises(InputError):
        add(_own(tmp_path, "x.csv", "technologies,y\na,2\n", label="y", replace=True), lambda done, total: None)
    assert catalogue.get("mine") == old and file_digest(old.path) == old.digest


def test_missing_columns_are_named_with_what_there_is(refused):
    message = refused("x.csv", "domain,technologies\na,b\n", id="domains")
    assert "x.csv: no column 'domains' for id; did you mean 'domain'?" in message and "'technologies'" in message
    assert "no column 'y' for label" in refused("x.jsonl", '{"technologies": []}', label="y")
    assert "no column 'z' for numeric" in refused("x.parquet", pa.table({"technologies": ["a"]}), numeric=("z",))


def test_the_technology_column_is_asked_for_where_it_cannot_be_guessed(refused):
    assert "--technologies" in refused("x.csv", "a,b\n1,2\n")
    assert "several" in refused("x.csv", "technologies,tech_stack\n1,2\n")


def test_a_column_has_one_role(refused):
    message = refused("x.csv", "technologies,x\na,1\n", numeric=("x",), categorical=("x",))
    assert "'x' is named for categorical and for numeric" in message


@pytest.mark.parametrize("said", [None, "|", "/"])
def test_a_delimiter_that_is_nowhere_while_another_is(refused, said):
    content = 'technologies\n"a, b"\nc\n"d,e,f"\n\n'
    message = refused("x.csv", content, delimiter=said)
    assert f"the delimiter {said or '|'!r} is in none of its 3 cells, but ',' is in 67% of them" in message
    assert "--delimiter ','" in message


def test_delimiters_and_positive_values_that_make_no_sense(refused):
    assert "delimiter is empty" in refused("x.csv", "technologies\na\n", delimiter="")
    assert "without a label" in refused("x.csv", "technologies\na\n", positive="x")


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


@pytest.mark.parametrize("extra", [["2"], ["2", "b", "c"]])
def test_ragged_rows(refused, extra):
    content = 'id,technologies\n\n1,"a\n|b"\n' + ",".join(extra) + "\n3,c\n"
    message = refused("x.csv", content)
    assert f"x.csv, line 5: {len(extra)} cells where the header has 2 columns" in message


@pytest.mark.parametrize("ignore", [(), ("note",)])
def test_a_quote_that_is_never_closed(refused, ignore):
    message = refused("x.csv", 'technologies,note\n1,a\n2,"b\n3,c\n4,d\n', ignore=ignore)
    assert "never closed" in message and "after line 2" in message


def test_wrong_encoding_names_the_byte(refused):
    content = "id,technologies\n1,a\n2,Café\n".encode("latin-1")
    message = refused("x.csv", content)
    assert f"x.csv, line 3: byte 0xE9 at offset {content.index(0xE9)} is not utf-8" in message
    assert "--encoding" in message
    content = '{"technologies": []}\n{"technologies": ["Café"]}\n'.encode("latin-1")
    message = refused("x.jsonl", content)
    assert f"x.jsonl, line 2: byte 0xE9 at offset {content.index(0xE9)} is not utf-8" in message
    assert "for example utf-16" in refused("x.csv", "technologies\na\n".encode("utf-16"))
    assert "line 1: byte 0xE9" in refused("x.csv", "té,technologies\na,b\n".encode("latin-1"))
    assert "no such encoding" in refused("x.csv", "technologies\na\n", encoding="utf-99")
    assert "no such encoding" in refused("x.csv", "technologies\na\n", encoding="rot13")


def test_the_byte_is_found_beyond_the_first_chunk(tmp_path):
    path = tmp_path / "x.csv"
    line = "é" * 700 + "\n"
    whole = (line * 2000).encode()
    path.write_bytes(whole + b"ab\xff\n")
    message = str(read.wrong_encoding(path, "utf-8-sig"))
    assert f"line 2001: byte 0xFF at offset {len(whole) + 2} " in message
    path.write_bytes(whole + "é".encode()[:1])
    assert f"line 2001: byte 0xC3 at offset {len(whole)} " in str(read.wrong_encoding(path, "utf-8-sig"))
    path.write_bytes(whole)
    assert read.wrong_encoding(path, "utf-8-sig") is None


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl"])
@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_empty_files(refused, name, content):
    assert "is empty" in refused(name, content)


def test_files_without_records(refused):
    for name, content in (
        ("x.csv", "id,technologies\n"),
        ("y.csv", "id,technologies"),
        ("x.parquet", pa.table({"technologies": pa.array([], pa.string())})),
    ):
        assert "no records" in refused(name, content)


def test_column_names_that_repeat_or_are_missing(refused):
    assert "columns 1 and 3 are both named 'a'" in refused("x.csv", "a,technologies,a\n1,2,3\n")
    assert "column 1 has no name" in refused("x.csv", ",technologies\n0,a\n")
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["technologies", "technologies"])
    assert "both named 'technologies'" in refused("x.parquet", twice)
    assert "line 2: key 'a' stands twice" in refused("x.jsonl", '{"a": 1}\n{"a": 1, "a": 2}\n')


def test_repeated_identifiers_are_named_with_their_rows(refused):
    message = refused("x.csv", 'id,technologies\nx,a\n"y\n",b\nz,c\nx,d\nx,e\nz,f\n', id="id")
    assert "identifiers repeat: 'x' in line 2 and line 6; 'z' in line 5 and line 8" in message
    many = pa.table({"id": list(range(10)) * 2, "technologies": ["a"] * 20})
    message = refused("x.parquet", many, id="id")
    assert "'0' in row 1 and row 11" in message and "and 5 more" in message


def test_identifiers_with_equal_hashes_are_compared_as_text(added, monkeypatch):
    monkeypatch.setattr(pd.util, "hash_array", lambda texts, categorize: np.zeros(len(texts), np.uint64))
    _, table, _ = added("x.csv", "id,technologies\na,x\nb,x\nc,x\n", id="id")
    assert table["id"].to_pylist() == ["a", "b", "c"]


def test_missing_identifiers(refused):
    assert "x.csv, line 3, column 'id': no identifier" in refused("x.csv", "id,technologies\n1,a\n,b\n", id="id")
    table = pa.table({"id": [1, None], "technologies": ["a", "b"]})
    assert "x.parquet, row 2, column 'id': no identifier" in refused("x.parquet", table, id="id")


def test_labels_that_are_none(refused):
    message = refused("x.csv", "technologies,y\na,1\nb,2\n", label="y")
    assert "x.csv, line 3, column 'y': label '2'" in message and "--positive" in message
    assert "line 3, column 'y': no label" in refused("x.csv", "technologies,y\na,1\nb,\n", label="y")
    message = refused("x.csv", "technologies,y\na,won\nb,lost\n", label="y", positive="Won")
    assert "column 'y': no value is 'Won'" in message


def test_text_in_a_column_of_numbers(refused):
    content = "technologies,x\n" + "a,1\n" * 40 + 'b,"1,5"\n' + "a,2\n" * 40
    message = refused("x.csv", content, numeric=("x",))
    assert "x.csv, line 42, column 'x': '1,5' is not a number" in message
    message = refused("x.jsonl", '{"technologies": [], "x": "many"}', numeric=("x",))
    assert "x.jsonl, line 1, column 'x': 'many' is not a number" in message
    day = pa.table({"technologies": ["a"], "x": pd.to_datetime(["2020-01-01"])})
    assert "timestamp" in refused("x.parquet", day, numeric=("x",))


@pytest.mark.parametrize("value", ["inf", "-Infinity"])
def test_infinite_numbers(refused, value):
    assert "x.csv, line 3, column 'x': an infinite" in refused("x.csv", f"technologies,x\na,1\nb,{value}\n")
    assert "x.csv, line 2, column 'x': beyond" in refused("x.csv", "technologies,x\na,-4e38\n")
    assert "line 1, column 'x': an infinite" in refused("x.jsonl", '{"technologies": [], "x": 1' + "0" * 400 + "}")


def test_cells_and_rows_that_are_too_large(refused, monkeypatch):
    monkeypatch.setattr(convert, "LARGEST_CELL", 1 << 20)
    large = "a|" * (1 << 20)
    assert "line 3, column 'technologies': a cell of more than" in refused("x.csv", f"technologies\nb\n{large}\n")
    table = pa.table({"technologies": [["a"], ["ab"] * (1 << 19)]})
    assert "row 2, column 'technologies': a cell of more than" in refused("x.parquet", table)
    monkeypatch.setattr(csv_source, "LARGEST_ROW", 1 << 17)
    message = refused("x.csv", f"id,technologies\n1,b\n2,{large}\n3,c\n")
    assert "a row of more than" in message and "line 2 or the record after it" in message
    monkeypatch.setattr(json_source, "LARGEST_ROW", 1 << 17)
    assert "line 2: more than" in refused("x.jsonl", '{"technologies": []}\n{"technologies": "' + large + '"}')


def test_lines_that_are_no_objects(refused):
    assert "line 2: not JSON" in refused("x.jsonl", '{"technologies": []}\n{"technologies": [}\n')
    assert "a JSON array instead" in refused("x.json", '[{"technologies": []}]')
    assert "a JSON value instead" in refused("x.jsonl", "3\n")
    assert "line 1" in refused("x.jsonl", "[" * 100_000)
    surrogate = refused("x.jsonl", '{"technologies": []}\n{"technologies": ["\\ud800"]}\n')
    assert "line 2, column 'technologies'" in surrogate


def test_damaged_files(refused):
    assert "not a Parquet file" in refused("x.parquet", "technologies\na\n")
    whole = gzip.compress(("technologies\n" + "".join(random.Random(0).choices("ab|\n", k=9000)) + "\n").encode())
    assert "cannot be read" in refused("x.csv.gz", whole[: len(whole) // 2])
    assert "cannot be read" in refused("x.csv.gz", b"technologies\na\n")


def test_options_that_the_format_does_not_have(refused):
    table = pa.table({"technologies": ["a"]})
    assert "--encoding" in refused("x.parquet", table, encoding="latin-1")
    assert "--separator" in refused("x.tsv", "technologies\na\n", separator=";")
    assert "--separator" in refused("x.csv", "technologies\na\n", separator="ab")


def test_a_kill_in_the_middle_leaves_no_dataset(tmp_path, home):
    """A child is killed by itself while it writes; the name stays free and can be added afterwards."""
    (tmp_path / "x.csv").write_text("technologies\n" + "a|b\n" * 1000)
    code = f"""
        import os, signal
        from pathlib import Path
        from technobench.pipeline.datasets.own.add import OwnData, add
        def kill(done, total):
            if total:
                os.kill(os.getpid(), signal.SIGKILL)
        add(OwnData(Path({str(tmp_path / "x.csv")!r}), "mine"), kill)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode == -9
    assert not catalogue.folder_of("mine").exists() and catalogue.kept() == []
    dataset, _ = add(OwnData(tmp_path / "x.csv", "mine"), lambda done, total: None)
    assert catalogue.kept() == [dataset]


# Roles from TOML


def test_roles_from_toml(tmp_path):
    path = tmp_path / "roles.toml"
    path.write_text(
        'id = "k"\ntechnologies = "stack"\ndelimiter = "\\t"\ncategorical = ["a, b", "ü"]\n', encoding="utf-8"
    )
    roles = Roles.load(path)
    assert roles == Roles(id="k", technologies="stack", delimiter="\t", categorical=("a, b", "ü"))
    changed = roles.with_options(id="other", label=None, categorical=None)
    assert changed == Roles(id="other", technologies="stack", delimiter="\t", categorical=("a, b", "ü"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'tech = "x"', "tech"),
        (b'categorical = "x"', "categorical"),
        (b"label = 3", "label"),
        (b"label =", "roles.toml"),
        (b'label = "\xe9"', "roles.toml"),
    ],
)
def test_bad_roles(tmp_path, content, said):
    path = tmp_path / "roles.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Roles.load(path)
    assert said in str(caught.value) and "the keys are: id, technologies" in str(caught.value)


def test_absent_roles(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        Roles.load(tmp_path / "roles.toml")


# Models


@pytest.fixture
def model(tmp_path):
    """Train a small model on named features (None for no names) and save it."""

    def train_and_save(names, width=3, file="model.json", booster="gbtree"):
        import xgboost

        random_state = np.random.default_rng(0)
        features = random_state.random((60, len(names) if names else width))
        matrix = xgboost.DMatrix(features, features[:, 0] > 0.5, feature_names=names)
        path = tmp_path / file
        parameters = {"objective": "binary:logistic", "booster": booster}
        xgboost.train(parameters, matrix, 3).save_model(path)
        return path

    return train_and_save


@pytest.mark.parametrize("file", ["model.json", "model.ubj"])
def test_models_that_match(model, file):
    path = model(["a", "b|c", "ü"], file=file)
    check_model_features(path, ["a", "b|c", "ü"])
    check_model_features(model(None, width=4, file=file), list("wxyz"))


def test_models_whose_features_do_not_match(model):
    path = model(["a", "b", "c"])
    with pytest.raises(InputError) as caught:
        check_model_features(path, ["a", "x", "y"])
    message = str(caught.value)
    assert "2 features of the model are not in the dataset, first 'b'" in message
    assert "2 columns of the dataset are not in the model, first 'x'" in message
    with pytest.raises(InputError, match="2 are out of order, first number 2: 'b' in the model, 'c' in the dataset"):
        check_model_features(path, ["a", "c", "b"])
    with pytest.raises(InputError, match="1 columns of the dataset are not in the model, first 'a'"):
        check_model_features(path, ["a", "a", "b", "c"])
    with pytest.raises(InputError, match="3 features without names and the dataset has 2 final columns"):
        check_model_features(model(None), ["a", "b"])


class _Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model.pkl", "model.joblib"])
def test_pickles_are_never_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(InputError, match="pickle"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.json", b""),
        ("model.json", b"id,technologies\n"),
        ("model.json", b"{}"),
        ("model.json", b'{"learner": 3}'),
        ("model.json", b'{"learner": {"a'),
        ("model.ubj", b"{"),
        ("model.ubj", b'{"learner": {}}'),
        ("model.bin", b"{}"),
    ],
)
def test_files_that_are_no_models(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_model(path)


@pytest.mark.filterwarnings("ignore:.*gblinear")
def test_models_in_the_other_format_absent_and_linear(model, tmp_path):
    path = model(["a", "b"], file="model.ubj")
    path.rename(tmp_path / "renamed.json")
    with pytest.raises(InputError, match=r"renamed\.json"):
        load_model(tmp_path / "renamed.json")
    with pytest.raises(InputError, match="no such model file"):
        load_model(tmp_path / "absent.json")
    with pytest.raises(InputError, match="gblinear"):
        load_model(model(["a"], file="linear.json", booster="gblinear"))


def test_a_model_is_kept_beside_the_records(added, refused, model, monkeypatch):
    monkeypatch.setattr(own_data, "final_columns", lambda dataset: ["a", "b"])
    message = refused("x.csv", "technologies\na|b\n", model=model(["a", "c"]))
    assert "first 'c'" in message
    path = model(["a", "b"], file="model.ubj")
    dataset, _, _ = added("x.csv", "technologies\na|b\n", model=path)
    assert dataset.model == "model.ubj"
    assert (dataset.folder / "model.ubj").read_bytes() == path.read_bytes()
    assert Dataset.load(dataset.folder) == dataset


def test_a_model_of_the_final_columns_is_taken(added, model):
    """With the features stage itself: categories, numbers and technologies in its order."""
    pytest.importorskip("technobench.pipeline.workload")
    content = "technologies,size,x\nb|A,small,1\nc,large,\n"
    without, _, _ = added("x.csv", content)
    columns = own_data.final_columns(without)
    assert {"a", "b", "c", "x"} <= set(columns)
    dataset, _, _ = added("x.csv", content, keep_as="other", model=model(list(columns)))
    assert dataset.model == "model.json"


# Describe


def _dataset(folder, cells, training, delimiter="|", **columns):
    table = pa.table({"id": [str(row) for row in range(len(cells))], "t": pa.array(cells, pa.string()), **columns})
    pq.write_table(table, folder / "records.parquet", row_group_size=7)
    kinds = {pa.string(): "categorical", pa.float64(): "numeric"}
    raw = tuple(Column(name, kinds[table.schema.field(name).type]) for name in columns if name != "y")
    label = "y" if "y" in columns else None
    return RecordDataset(
        folder=folder,
        name="d",
        scale=1.0,
        delimiter=delimiter,
        identifier="id",
        technologies="t",
        label=label,
        columns=raw,
        records=len(cells),
        training_records=training,
        digest="",
        source="made",
    ).save()


def test_describe_counts_as_python_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(describe, "BATCH_RECORDS", 10)
    random_state = random.Random(1)
    alphabet = ["C++", "c++ ", "R", "Node.js", "É", "é", "", " ", "x", "Y"]
    cells = [
        None if random_state.random() < 0.1 else "|".join(random_state.choices(alphabet, k=random_state.randrange(5)))
        for _ in range(95)
    ]
    cells[80] = "new|newer"
    sets = [None if cell is None else items(cell, "|") for cell in cells]
    y = pa.array([row % 4 == 0 for row in range(95)]).cast(pa.int8())
    numbers = pa.array([None if row % 5 == 0 else float(row % 7) for row in range(95)])
    dataset = _dataset(tmp_path, cells, 60, y=y, x=numbers, k=pa.array(["p", None, "q", "p", "p"] * 19))
    done = []
    found = describe.describe(dataset, lambda seen, total: done.append((seen, total)))
    assert done[-1] == (95, 95) and len(done) > 5

    counts = Counter(name for names in sets for name in names or ())
    technologies = found.technologies
    assert technologies.distinct == len(counts)
    assert technologies.nonzeros == sum(counts.values())
    assert technologies.unknown == cells.count(None)
    assert technologies.known_none == sets.count(set())
    assert technologies.top == tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))[:10]
    sizes = [len(names) for names in sets if names is not None]
    expected = np.quantile(sizes, describe.QUANTILES, method="inverted_cdf")
    assert list(technologies.quantiles.values()) == expected.tolist()
    trained = {name for names in sets[:60] for name in names or ()}
    later = [name for names in sets[60:] for name in names or ()]
    assert technologies.unseen_share == sum(name not in trained for name in later) / len(later) > 0
    assert found.label_share == pytest.approx(24 / 95)
    assert found.raw_columns == 5
    assert [(column.name, column.distinct, column.null_share) for column in found.columns] == [
        ("x", 7, 19 / 95),
        ("k", 2, 19 / 95),
    ]
    assert json.loads(json.dumps(found.as_json()))["technologies"]["nonzeros"] == technologies.nonzeros


def test_describe_of_little(tmp_path):
    found = describe.describe(_dataset(tmp_path, [None, None], 2), lambda seen, total: None)
    assert (found.technologies.nonzeros, found.technologies.unknown, found.technologies.quantiles) == (0, 2, {})
    assert (found.technologies.unseen_share, found.label_share) == (None, None)


def test_describe_stops_counting_distinct_values(tmp_path, monkeypatch):
    monkeypatch.setattr(describe, "MOST_DISTINCT", 3)
    dataset = _dataset(tmp_path, ["a"] * 4, 4, three=pa.array(list("xyzz")), four=pa.array(list("wxyz")))
    assert [column.distinct for column in describe.describe(dataset, lambda seen, total: None).columns] == [3, None]


def test_bad_cells_of_a_later_batch_are_placed(refused, monkeypatch):
    monkeypatch.setattr(json_source, "_BATCH", 3)
    lines = [json.dumps({"technologies": ["a"], "x": row}) for row in range(10)]
    lines[7] = json.dumps({"technologies": ["a"], "x": "seven"})
    assert "line 8, column 'x': 'seven'" in refused("x.jsonl", "\n".join(lines), numeric=("x",))


def test_memory_of_python_does_not_grow_with_a_json_file(tmp_path, monkeypatch):
    """Objects of one batch at a time: ten times the lines take less than twice the peak."""
    monkeypatch.setattr(json_source, "_BATCH", 100)
    peaks = []
    for lines in (1_000, 10_000):
        path = tmp_path / f"{lines}.jsonl"
        path.write_text("\n".join(json.dumps({"technologies": [f"t{row % 50}"] * 20}) for row in range(lines)))
        tracemalloc.start()
        add(OwnData(path, f"n{lines}"), lambda done, total: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_memory_of_arrow_does_not_grow_with_a_csv_file(tmp_path, monkeypatch):
    """Arrow reads a bounded number of blocks ahead: what it holds stays far below the size of the file."""
    monkeypatch.setattr(csv_source, "LARGEST_ROW", 1 << 14)
    monkeypatch.setattr("technobench.pipeline.datasets.own.write.ROWS_PER_GROUP", 500)
    path = tmp_path / "x.csv"
    path.write_text("technologies,note\n" + ("a|b|c," + "n" * 190 + "\n") * 60_000)
    before = pa.total_allocated_bytes()
    held = []
    add(OwnData(path, "mine"), lambda done, total: held.append(pa.total_allocated_bytes() - before))
    assert len(held) > 100
    assert max(held) < path.stat().st_size / 3


def test_memory_of_arrow_does_not_grow_with_a_parquet_file(tmp_path, monkeypatch):
    """Neither adding nor describing holds more than a few of the file's many row groups."""
    monkeypatch.setattr("technobench.pipeline.datasets.own.write.ROWS_PER_GROUP", 1000)
    monkeypatch.setattr(read, "PARQUET_BATCH", 1000)
    monkeypatch.setattr(describe, "BATCH_RECORDS", 1000)
    monkeypatch.setattr(describe, "MOST_DISTINCT", 10)
    values = np.random.default_rng(0)
    columns = {f"x{number}": values.random(60_000) for number in range(15)}
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"technologies": ["a|b"] * 60_000, **columns}), path, row_group_size=1000)
    before = pa.total_allocated_bytes()
    held = []

    def report(done, total):
        held.append(pa.total_allocated_bytes() - before)

    dataset, _ = add(OwnData(path, "mine"), report)
    assert len(held) > 20 and max(held) < path.stat().st_size / 3
    held.clear()
    describe.describe(dataset, report)
    assert len(held) > 20 and max(held) < dataset.path.stat().st_size / 3


def test_bad_cell_keeps_its_row():
    with pytest.raises(BadCell) as caught:
        convert.identifiers(pa.array(["a", "", None]))
    assert caught.value.row == 1
