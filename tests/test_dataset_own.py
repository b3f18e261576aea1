"""A user's own data: every format gives the same records, kept whole or not at all under a name of their own."""

import gzip
import json
import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Column, Dataset, file_digest
from technobench.pipeline.datasets.own import csv_source
from technobench.pipeline.datasets.own.add import OwnData, add
from technobench.pipeline.errors import InputError

from .own_data import own_data

pytestmark = pytest.mark.usefixtures("own_home")


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


def test_only_the_datasets_folder_is_written(added, own_home, tmp_path):
    added("x.csv", _as_csv(), id="id")
    assert [path.name for path in (own_home / "datasets").iterdir()] == ["mine@1"]
    kept = own_home / "datasets" / "mine@1"
    assert sorted(path.name for path in kept.iterdir()) == [
        "dataset.json",
        "records.parquet",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "x.csv"]


def test_records_are_numbered_where_no_identifier_is_named(added):
    dataset, table, _ = added("x.csv", "tech,record,record_\na|b,1,2\nc,1,2\n", technologies="tech")
    assert dataset.identifier == "record__"
    assert table["record__"].to_pylist() == ["1", "2"]
    assert dataset.columns == (Column("record", "numeric"), Column("record_", "numeric"))


def test_numbers_as_identifiers_become_text(added):
    _, table, _ = added("x.parquet", pa.table({"k": [7, 8], "technologies": ["a", "b"]}), id="k")
    assert table["k"].to_pylist() == ["7", "8"]


def test_training_records(added, refused):
    assert "--training-records 3" in refused("x.csv", "technologies\na\nb\n", training_records=3)
    assert "--training-records 0" in refused("x.csv", "technologies\na\nb\n", training_records=0)
    dataset, _, _ = added("x.csv", "technologies\na\nb\n", training_records=1)
    assert dataset.training_records == 1


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
        add(own_data(tmp_path, "x.csv", "technologies\nb\n"), lambda done, total: None)
    _, table, _ = added("x.csv", "technologies\nb\n", replace=True)
    assert table["technologies"].to_pylist() == ["b"]


def test_a_failed_replacement_leaves_the_old_dataset(added, tmp_path):
    old, _, _ = added("x.csv", "technologies\na\n")
    with pytest.raises(InputError):
        add(own_data(tmp_path, "x.csv", "technologies,y\na,2\n", label="y", replace=True), lambda done, total: None)
    assert catalogue.get("mine") == old and file_digest(old.path) == old.digest


def test_a_kill_in_the_middle_leaves_no_dataset(tmp_path, own_home):
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
