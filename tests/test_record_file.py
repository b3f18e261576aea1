"""Raw Parquet files: read whole and in chunks as pandas reads them; what cannot be read is refused by name."""

import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets.dataset import Column
from technobench.pipeline.errors import InputError
from technobench.pipeline.record_file import RecordFile

COLUMNS = (Column("size", "categorical"), Column("revenue", "numeric"))


def raw(count=50):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "ignored": range(count),
            "revenue": pd.Series(random.normal(size=count)).where(random.random(count) < 0.8),
            "technologies": random.choice(["a|b", "", None], count),
            "size": random.choice(["big", "small", "é", None], count),
        }
    )


def written(folder, frame, **options):
    path = folder / "records.parquet"
    pq.write_table(frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame), path, **options)
    return RecordFile(path, "technologies", COLUMNS)


def records_of(frame):
    return frame[["technologies", "size", "revenue"]].astype(object).where(frame.notna(), None).to_dict("records")


@pytest.mark.parametrize("rows", [1, 7, 20, 1000])
@pytest.mark.parametrize("first", [None, 0, 1, 25, 51])
def test_chunks_are_what_pandas_reads(tmp_path, rows, first):
    frame = raw()
    file = written(tmp_path, frame, row_group_size=20)
    chunks = list(file.chunks(rows, first))
    assert all(0 < chunk.num_rows <= rows for chunk in chunks)
    found = [record for chunk in chunks for record in chunk.to_pylist()]
    assert found == file.read(first).to_pylist() == records_of(frame)[:first]
    assert file.records == 50


def test_other_types_of_text_and_numbers(tmp_path):
    """Large and encoded strings are strings; whole numbers and decimals are numbers; nulls alone are both."""
    table = pa.table(
        {
            "technologies": pa.array(["a", None, "a"], pa.large_string()),
            "size": pa.array(["x", "y", None]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
            "revenue": pa.array([2**60 + 1, None, -3]),
        }
    )
    expected = [("a", "x", 2.0**60), (None, "y", None), ("a", None, -3.0)]
    others = {"revenue": pa.array([decimal.Decimal("1.5"), None, None])}
    for change, numbers in (({}, None), (others, [1.5, None, None]), ({"revenue": pa.nulls(3)}, [None] * 3)):
        changed = pa.table({**{name: table[name] for name in table.column_names}, **change})
        file = written(tmp_path, changed)
        wanted = [
            (*each[:2], each[2] if numbers is None else number)
            for each, number in zip(expected, numbers or expected, strict=True)
        ]
        for read in (file.read(), *file.chunks(3)):
            assert [tuple(record.values()) for record in read.to_pylist()] == wanted


def test_what_cannot_be_read(tmp_path):
    frame = raw()
    cases = {
        "'size' is missing": frame.drop(columns="size"),
        "'technologies' is missing": frame.drop(columns="technologies"),
        "'size' holds int64, not strings": frame.assign(size=1),
        "'revenue' holds .*string, not numbers": frame.assign(revenue="1"),
        "'technologies' holds list": frame.assign(technologies=[["a"]] * len(frame)),
    }
    for message, each in cases.items():
        file = written(tmp_path, each)
        for read in (file.read, lambda file=file: list(file.chunks(10))):
            with pytest.raises(InputError, match=rf"records.parquet: column {message}.*"):
                read()


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        RecordFile(Path("nowhere.parquet"), "technologies", COLUMNS).read()
    file = written(tmp_path, raw(5000), row_group_size=1000, compression="zstd", use_dictionary=False)
    content = file.source.read_bytes()
    garbled = bytearray(content)
    garbled[len(content) // 3 : len(content) // 2] = b"\xff" * (len(content) // 2 - len(content) // 3)
    for damaged in (b"", b"id,size\n1,big\n", content[: len(content) // 2], bytes(garbled)):
        file.source.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as Parquet"):
            list(file.chunks(1000))
    with pytest.raises(InputError, match="the records: cannot be read"):
        RecordFile(pa.py_buffer(content[:-9]), "technologies", COLUMNS).read()
