"""Records described in figures, against the same counted in Python."""

import json
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from technobench.pipeline.datasets import describe
from technobench.pipeline.datasets.dataset import Column, RecordDataset
from technobench.pipeline.technologies import items


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
