"""Columns of the user's own: what they are used as, by role or by their values, and which cells are refused."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from technobench.pipeline.datasets.dataset import Column
from technobench.pipeline.datasets.own import convert, json_source, survey
from technobench.pipeline.datasets.own.read import BadCell
from technobench.pipeline.datasets.own.roles import Roles
from technobench.pipeline.errors import InputError

pytestmark = pytest.mark.usefixtures("own_home")


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


def test_missing_columns_are_named_with_what_there_is(refused):
    message = refused("x.csv", "domain,technologies\na,b\n", id="domains")
    assert "x.csv: no column 'domains' for id; did you mean 'domain'?" in message and "'technologies'" in message
    assert "no column 'y' for label" in refused("x.jsonl", '{"technologies": []}', label="y")
    assert "no column 'z' for numeric" in refused("x.parquet", pa.table({"technologies": ["a"]}), numeric=("z",))


def test_a_column_has_one_role(refused):
    message = refused("x.csv", "technologies,x\na,1\n", numeric=("x",), categorical=("x",))
    assert "'x' is named for categorical and for numeric" in message


def test_delimiters_and_positive_values_that_make_no_sense(refused):
    assert "delimiter is empty" in refused("x.csv", "technologies\na\n", delimiter="")
    assert "without a label" in refused("x.csv", "technologies\na\n", positive="x")


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


def test_bad_cells_of_a_later_batch_are_placed(refused, monkeypatch):
    monkeypatch.setattr(json_source, "_BATCH", 3)
    lines = [json.dumps({"technologies": ["a"], "x": row}) for row in range(10)]
    lines[7] = json.dumps({"technologies": ["a"], "x": "seven"})
    assert "line 8, column 'x': 'seven'" in refused("x.jsonl", "\n".join(lines), numeric=("x",))


def test_bad_cell_keeps_its_row():
    with pytest.raises(BadCell) as caught:
        convert.identifiers(pa.array(["a", "", None]))
    assert caught.value.row == 1


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
