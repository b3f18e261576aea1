"""Interactions and ratings of the user's own: what is kept in every format, and every fault with its file and place."""

import gzip
import json
import re
import subprocess
import sys
import textwrap
import tracemalloc
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets import catalogue
from technobench.pipeline.datasets.dataset import Dataset
from technobench.pipeline.datasets.own import csv_source, interactions, json_source
from technobench.pipeline.datasets.own.interactions import OwnInteractions, add_interactions
from technobench.pipeline.errors import InputError
from technobench.pipeline.workload import Workload

from .own_data import written_file

pytestmark = pytest.mark.usefixtures("own_home")

ROWS = (
    # user, item, plays, when
    ("Zoë", "x,1", 1.5, 1_577_836_800),
    ("007", "日本", 2.0, -1),
    ("Zoë", "日本", 1e-9, 0),
    ("Zoë", "x,1", 3.0, 5),  # a pair that was there before
    ("7", " y", 1.0, 4_102_444_800),
)
NAMES = ("who", "what", "plays", "when")


def _as_csv(separator=",", end="\n"):
    lines = [separator.join(NAMES)]
    lines += [separator.join([user, f'"{item}"', repr(value), str(when)]) for user, item, value, when in ROWS]
    return end.join(lines) + end


def _frame():
    return pd.DataFrame(ROWS, columns=NAMES)


FORMATS = {
    "x.csv": _as_csv(),
    "x.tsv": _as_csv("\t"),
    "windows.csv": _as_csv(end="\r\n"),
    "bom.csv.gz": gzip.compress(b"\xef\xbb\xbf" + _as_csv().encode()),
    "x.jsonl": "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS),
    "x.parquet": _frame(),
    "dictionaries.parquet": _frame().astype({"who": "category", "what": "category"}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_dataset(kept_interactions, name, monkeypatch):
    monkeypatch.setattr(json_source, "_BATCH", 2)
    dataset, rows, users, items = kept_interactions(name, FORMATS[name], value="plays", timestamp="when")
    assert users == {"id": ["Zoë", "007", "7"]} and items == {"id": ["x,1", "日本", " y"]}
    assert rows == {
        "user": [0, 1, 0, 0, 2],
        "item": [0, 1, 1, 0, 2],
        "value": [float(np.float32(value)) for _, _, value, _ in ROWS],
        "timestamp": [when for *_, when in ROWS],
    }
    assert pq.read_schema(dataset.path).types == [pa.int32(), pa.int32(), pa.float32(), pa.int64()]
    assert (dataset.kind, dataset.records, dataset.users, dataset.items) == ("interactions", 5, 3, 3)
    assert catalogue.get("mine") == Dataset.load(catalogue.folder_of("mine")) == dataset
    assert len({kept_interactions(name, FORMATS[name], replace=True)[0].digest for _ in range(2)}) == 1


def test_the_matrix_is_that_of_pandas(kept_interactions):
    """Many rows in many batches; repeated pairs are summed where interactions become a matrix."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"who": generator.integers(0, 500, 40_000), "what": generator.zipf(1.3, 40_000), "n": generator.random(40_000)}
    )
    dataset, *_ = kept_interactions("x.parquet", frame, value="n")
    assert dataset.records == len(frame)
    found = Workload(dataset).interactions()
    cells = pd.DataFrame(
        {
            "who": np.array(found.user_ids)[found.matrix.tocoo().row].astype(int),
            "what": np.array(found.item_ids)[found.matrix.indices].astype(int),
            "n": found.matrix.data,
        }
    ).set_index(["who", "what"])["n"]
    expected = frame.groupby(["who", "what"])["n"].sum()
    assert len(cells) == len(expected)
    np.testing.assert_allclose(cells.sort_index(), expected.sort_index(), rtol=1e-5)


def test_a_rating_makes_ratings(kept_interactions):
    dataset, rows, *_ = kept_interactions("x.csv", "who,what,stars\na,x,-3.5\na,x,0\n", rating="stars")
    assert (dataset.kind, dataset.columns, rows["value"]) == ("ratings", ("user", "item", "value"), [-3.5, 0.0])
    ratings = Workload(dataset).ratings()
    assert ratings.timestamps is None and ratings.user_ids == ("a",)


def test_rows_alone_count_1_and_one_row_is_enough(kept_interactions):
    dataset, rows, *_ = kept_interactions("x.csv", "who,what,rest\na,x,\n")
    assert dataset.columns == ("user", "item") and rows == {"user": [0], "item": [0]}
    assert Workload(dataset).interactions().matrix.toarray().tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([7, 2**62], ["7", str(2**62)]),
        ([7.0, 2.0**52], ["7", str(2**52)]),
        ([True, False], ["true", "false"]),
        (["1.0", "é" * 5000], ["1.0", "é" * 5000]),
    ],
)
def test_ids_become_text(kept_interactions, column, expected):
    _, _, users, _ = kept_interactions("x.parquet", pa.table({"who": column, "what": ["x", "x"]}))
    assert users["id"] == expected


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        (["2026-01-31", "5"], [1_769_817_600, 5]),
        ([" 2026-01-31T10:00:00Z", "1e3"[:1]], [1_769_853_600, 1]),
        (["2026-01-31 12:00:00+02:00", "1970-01-01T00:00"], [1_769_853_600, 0]),
        (["1969-12-31T23:59:58.5", "-1.5"], [-2, -2]),
        ([date(2026, 1, 31), date(1, 1, 1)], [1_769_817_600, -62_135_596_800]),
        ([datetime(2026, 1, 31, 10), datetime(1969, 12, 31, 23, 59, 58, 500_000)], [1_769_853_600, -2]),
        (pa.array([datetime(2026, 1, 31, 10)] * 2, pa.timestamp("ns", "Asia/Tokyo")), [1_769_853_600] * 2),
        ([1.9, 2.0], [1, 2]),
    ],
)
def test_times(kept_interactions, column, seconds):
    table = pa.table({"who": ["a", "b"], "what": ["x", "x"], "when": column})
    _, rows, *_ = kept_interactions("x.parquet", table, timestamp="when")
    assert rows["timestamp"] == seconds


BAD = {
    "user": [(None, "no id"), ("", "no id")],
    "value": [
        (None, "no value"),
        ("nan", "no value"),
        ("0", "not above 0"),
        ("-2", "not above 0"),
        ("inf", "infinite"),
        ("1e39", "float32"),
        ("1e-60", "float32"),
        ("x", "'x' is not a number"),
    ],
    "rating": [(None, "no value"), ("-inf", "infinite"), ("1,5", "'1,5' is not a number")],
    "timestamp": [
        (None, "no time"),
        ("31.12.2026", "'31.12.2026' is no time"),
        ("2026-02-30", "no time"),
        ("1609459200000", "milliseconds"),
        ("10000-01-01", "no time"),
    ],
}


@pytest.mark.parametrize(("role", "value", "said"), [(role, *bad) for role, cases in BAD.items() for bad in cases])
def test_values_that_are_refused_have_their_line(refused_interactions, role, value, said):
    column = "who" if role == "user" else "c"
    good = {"user": "u", "value": "1", "rating": "1", "timestamp": "2026-01-31"}[role]
    rows = [{"who": "a", "what": "x", column: good} for _ in range(4)]
    rows[2][column] = value
    frame = pd.DataFrame(rows)
    message = refused_interactions("x.csv", frame.to_csv(index=False), **{role: column})
    assert f"x.csv, line 4, column '{column}': " in message and said in message
    message = refused_interactions("x.jsonl", "\n".join(json.dumps(row) for row in rows), **{role: column})
    assert f"x.jsonl, line 3, column '{column}': " in message and said in message


@pytest.mark.parametrize(
    ("column", "said"),
    [([1.5, 2.0], "row 1, .* not whole"), ([1.0, 2.0**53], "row 2, .* not exact"), ([1.0, None], "row 2, .* no id")],
)
def test_numbers_that_identify_nothing(refused_interactions, column, said):
    assert re.search(said, refused_interactions("x.parquet", pa.table({"who": column, "what": ["x", "y"]})))


def test_a_number_beyond_64_bits_is_no_id(refused_interactions):
    """As a float it would be one with its neighbours."""
    assert "write it as text" in refused_interactions(
        "x.jsonl", f'{{"who": 1, "what": 1}}\n{{"who": {2**70}, "what": 1}}'
    )


def test_columns_of_types_that_cannot_be_used(refused_interactions):
    table = pa.table({"who": ["a"], "what": ["x"], "list": [[1]], "clock": [datetime(2026, 1, 1).time()]})
    assert "column 'list' is of type" in refused_interactions("x.parquet", table, user="list")
    assert "no number; leave --value out" in refused_interactions("x.parquet", table, value="list")
    assert "which is no time" in refused_interactions("x.parquet", table, timestamp="clock")


def test_columns_that_are_not_there(refused_interactions):
    content = "user_id,item_id,n\na,x,1\n"
    message = refused_interactions("x.csv", content, user="userid", item="item_id")
    assert "no column 'userid' for user; did you mean 'user_id'? There are: 'user_id', 'item_id', 'n'" in message
    assert "no column 'stars' for rating" in refused_interactions(
        "x.csv", content, user="user_id", item="item_id", rating="stars"
    )
    assert "'item_id' is named for user and for item" in refused_interactions(
        "x.csv", content, user="item_id", item="item_id"
    )
    assert "name one of them" in refused_interactions(
        "x.csv", content, user="user_id", item="item_id", value="n", rating="n"
    )


def test_files_that_hold_nothing_or_are_damaged(refused_interactions, tmp_path):
    assert "no such file" in refused_interactions("absent.csv", None)
    assert "is empty" in refused_interactions("x.csv", "")
    assert "no records" in refused_interactions("x.csv", "who,what\n")
    assert "no records" in refused_interactions(
        "x.parquet", pa.table({"who": pa.array([], "str"), "what": pa.array([], "str")})
    )
    assert "x.csv, line 3: 1 cells where the header has 2" in refused_interactions("x.csv", "who,what\na,x\nb\n")
    assert "byte 0xE9" in refused_interactions("x.csv", "who,what\né,x\n".encode("latin-1"))
    whole = gzip.compress(b"who,what\n" + np.random.default_rng(0).bytes(9000).hex(",", 4).encode() + b"\n")
    assert "cannot be read" in refused_interactions("x.csv.gz", whole[: len(whole) // 2])


def test_a_truncated_file_is_told_after_many_rows(refused_interactions, monkeypatch):
    """Rows of before the fault were converted and written; nothing of them is kept."""
    monkeypatch.setattr(csv_source, "LARGEST_ROW", 1 << 12)
    monkeypatch.setattr("technobench.pipeline.datasets.interaction_file.ROWS_AT_ONCE", 100)
    rows = "".join(f"u{row},i{row % 97}\n" for row in range(20_000))
    whole = gzip.compress(f"who,what\n{rows}".encode())
    assert "cannot be read" in refused_interactions("x.csv.gz", whole[:-200])


def test_names_that_are_taken(kept_interactions, refused_interactions):
    assert "of the suite" in refused_interactions("x.csv", "who,what\na,x\n", keep_as="planted")
    first, *_ = kept_interactions("x.csv", "who,what\na,x\n")
    with pytest.raises(InputError, match="--replace"):
        kept_interactions("x.csv", "who,what\nb,x\n")
    with pytest.raises(InputError, match="no id"):
        kept_interactions("x.csv", "who,what\nb,\n", replace=True)
    assert catalogue.get("mine") == first
    assert kept_interactions("x.csv", "who,what\nb,x\n", replace=True)[2] == {"id": ["b"]}


def test_a_kill_in_the_middle_leaves_no_dataset(tmp_path, own_home):
    path = written_file(tmp_path, "x.csv", "who,what\n" + "a,x\n" * 1000)
    code = f"""
        import os, signal
        from pathlib import Path
        from technobench.pipeline.datasets.own.interactions import OwnInteractions, add_interactions
        def kill(done, total):
            os.kill(os.getpid(), signal.SIGKILL)
        add_interactions(OwnInteractions(Path({str(path)!r}), "mine", "who", "what"), kill)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode == -9
    assert not catalogue.folder_of("mine").exists() and catalogue.kept() == []
    assert add_interactions(OwnInteractions(path, "mine", "who", "what"), lambda done, total: None).records == 1000


def test_memory_grows_with_ids_and_not_with_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_source, "LARGEST_ROW", 1 << 14)
    monkeypatch.setattr("technobench.pipeline.datasets.interaction_file.ROWS_AT_ONCE", 1000)
    path = written_file(
        tmp_path, "x.csv", "who,what\n" + "".join(f"user-{n % 99},item-{n % 77}\n" for n in range(200_000))
    )
    before, held = pa.total_allocated_bytes(), []
    tracemalloc.start()
    add_interactions(
        OwnInteractions(path, "mine", "who", "what"),
        lambda done, total: held.append(pa.total_allocated_bytes() - before),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) > 100 and max(held) < path.stat().st_size / 3 and peak < path.stat().st_size / 3


def test_ids_are_numbered_as_they_come_first():
    numbering = interactions.Numbering()
    assert numbering.numbered(pa.array(["b", "a", "b"])).tolist() == [0, 1, 0]
    found = numbering.numbered(pa.array(["c", "a"]))
    assert (found.tolist(), found.dtype, numbering.ids()) == ([2, 1], np.int32, ["b", "a", "c"])
