"""Files of the user's own as CSV, JSON lines and Parquet: encodings, quotes, damage, size, and memory."""

import gzip
import json
import random
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets import describe
from technobench.pipeline.datasets.own import convert, csv_source, json_source, read
from technobench.pipeline.datasets.own.add import OwnData, add

pytestmark = pytest.mark.usefixtures("own_home")


def test_quoted_line_ends_and_commas_survive(added):
    _, table, _ = added("x.csv", 'technologies,note\n"a\n|b","one\r\ntwo, ""three"""\n')
    assert table.to_pydict() == {"record": ["1"], "technologies": ["a\n|b"], "note": ['one\r\ntwo, "three"']}


def test_encodings(added):
    for position, encoding in enumerate(("latin-1", "cp1252", "utf-16", "utf-8-sig")):
        for suffix, content in (("csv", "technologies\nCafé|b\n"), ("jsonl", '{"technologies": ["Café", "b"]}\n')):
            options = {"encoding": encoding, "keep_as": f"{suffix}-{position}"}
            _, table, _ = added(f"x.{suffix}", content.encode(encoding), **options)
            assert table["technologies"].to_pylist() == ["Café|b"]


def test_semicolons_between_cells(added):
    _, table, _ = added("x.csv", "id;technologies\n1;a|b\n", separator=";", id="id")
    assert table.to_pydict() == {"id": ["1"], "technologies": ["a|b"]}


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
