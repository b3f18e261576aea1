"""Make the committed sample of the `whotracksme` dataset from the wheel that carries the whole of it.

python -m pip download --no-deps whotracksme==2018.5.17
python tools/make_whotracksme_sample.py whotracksme-2018.5.17-py3-none-any.whl

The wheel is read, never installed or imported. The same wheel makes the same columns and rows.
"""

import csv
import io
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from technobench.pipeline.datasets.whotracksme import DELIMITER, NUMERIC, SAMPLE
from technobench.pipeline.technologies import join

MONTH = "whotracksme/data/assets/2018-04/global"
TRACKERS = "whotracksme/data/assets/trackerdb.sql"
SIGNIFICANT_DIGITS = 3


def _rows(wheel: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    with wheel.open(f"{MONTH}/{name}.csv") as opened:
        yield from csv.DictReader(io.TextIOWrapper(opened, "utf-8", newline=""))


def tracker_names(wheel: zipfile.ZipFile) -> dict[str, str]:
    """Name by tracker id, as people know it; the one name that holds the delimiter gets a blank instead."""
    with sqlite3.connect(":memory:") as database:
        database.executescript(wheel.read(TRACKERS).decode("utf-8"))
        found = dict(database.execute("SELECT id, name FROM trackers"))
    return {tracker: name.replace(DELIMITER, " ").strip() for tracker, name in found.items()}


def sample(wheel: zipfile.ZipFile) -> pa.Table:
    """The labelled sites of the month but those of the category 'Adult', by name; the category makes the label only."""
    names = tracker_names(wheel)
    sites = sorted(_rows(wheel, "sites"), key=lambda row: row["site"])
    sites = [row for row in sites if row["category"].strip() not in ("", "Adult")]
    used: dict[str, set[str]] = {row["site"]: set() for row in sites}
    for row in _rows(wheel, "sites_trackers"):
        if row["site"] in used:
            used[row["site"]].add(names[row["tracker"]])
    columns: dict[str, pa.Array] = {
        "site": pa.array([row["site"] for row in sites], pa.string()),
        "technologies": pa.array([join(sorted(used[row["site"]]), DELIMITER) for row in sites], pa.string()),
        "is_ecommerce": pa.array([row["category"].strip() == "E-Commerce" for row in sites]).cast(pa.int8()),
        "top_level_domain": pa.array([row["site"].rpartition(".")[2] for row in sites], pa.string()),
    }
    for name in NUMERIC:
        rounded = [float(f"{float(row[name]):.{SIGNIFICANT_DIGITS}g}") for row in sites]
        columns[name] = pa.array(rounded, pa.float64())
    return pa.table(columns)


def main(wheel: Path, written: Path) -> None:
    """Write the sample of the wheel."""
    with zipfile.ZipFile(wheel) as opened:
        pq.write_table(
            sample(opened), written, compression="zstd", compression_level=19, use_dictionary=["top_level_domain"]
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), SAMPLE)
