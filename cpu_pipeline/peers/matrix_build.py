"""Matrix build by other libraries.

Each splits the cells and numbers the items by its own means. What a name is stays the stage's: none of them folds case
as Unicode has it, so the distinct items, which are few, are normalised in Python. None of them has a sparse matrix:
SciPy makes it of the pairs.

- ``pandas-explode``: ``str.split``, ``explode``, ``factorize``
- ``arrow``: Arrow's compute functions
- ``polars``: lazy queries
- ``duckdb``: SQL
"""

from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp

from ...pipeline.contract import Prepared, variant
from ...pipeline.needs import package
from ...pipeline.stages.matrix_build import MatrixAnswer, MatrixProblem, csr_of_ones
from ...pipeline.technologies import normalise
from ..kernels.threads import thread_count
from ..matrix_build import in_vocabulary
from .needs import peer


def _columns_of_items(distinct: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """int64 column of each distinct item, -1 for an empty one, and the names by code point."""
    name_of_item = [normalise(item) for item in distinct]
    names = sorted(set(name_of_item) - {""})
    column = {name: position for position, name in enumerate(names)}
    return np.array([column.get(name, -1) for name in name_of_item], np.int64), names


def _of_pairs(records: np.ndarray, columns: np.ndarray, names: Sequence[str], problem: MatrixProblem) -> MatrixAnswer:
    """Answer from pairs in any order, some of them repeated, some of column -1; SciPy sorts and adds them up."""
    found = columns >= 0
    entries = (np.ones(np.count_nonzero(found), np.int32), (records[found], columns[found]))
    counted = sp.csr_matrix(entries, shape=(len(problem.cells), len(names)))
    return in_vocabulary(csr_of_ones(counted.indices, counted.indptr, len(names)), names, problem)


@variant(package("pandas"))
def pandas_explode(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Pandas splits, explodes and factorizes; SciPy sorts the pairs and drops repeats."""
    import pandas as pd

    def run() -> MatrixAnswer:
        # Not dtype=str: its splitting is the same loop in Python, after a conversion.
        cells = pd.Series(problem.cells, dtype=object)
        exploded = cells.dropna().str.split(problem.delimiter, regex=False).explode()
        codes, distinct = pd.factorize(exploded)
        column_of_code, names = _columns_of_items(distinct)
        return _of_pairs(exploded.index.to_numpy(), column_of_code[codes], names, problem)

    return Prepared(run)


@variant(package("pyarrow"))
def arrow(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Arrow splits and dictionary-encodes; SciPy sorts the pairs and drops repeats."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def run() -> MatrixAnswer:
        lists = pc.split_pattern(pa.array(problem.cells, pa.large_string()), problem.delimiter)
        items = pc.list_flatten(lists).dictionary_encode()
        column_of_code, names = _columns_of_items(items.dictionary.to_pylist())
        columns, records = column_of_code[items.indices.to_numpy()], pc.list_parent_indices(lists).to_numpy()
        return _of_pairs(records, columns, names, problem)

    return Prepared(run)


@variant(peer("polars"))
def polars(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Polars splits, explodes and joins, lazily; SciPy sorts the pairs and drops repeats.

    Its threads are those of ``POLARS_MAX_THREADS``.
    """
    import polars as pl

    def run() -> MatrixAnswer:
        cells = pl.DataFrame({"item": pl.Series(problem.cells, dtype=pl.String)}).with_row_index("record")
        items = cells.lazy().drop_nulls().with_columns(pl.col("item").str.split(problem.delimiter)).explode("item")
        exploded = items.collect()
        distinct = exploded["item"].unique()
        columns, names = _columns_of_items(distinct)
        column_of_item = pl.LazyFrame({"item": distinct, "column": columns})
        pairs = exploded.lazy().join(column_of_item, on="item").select("record", "column").collect()
        return _of_pairs(pairs["record"].to_numpy(), pairs["column"].to_numpy(), names, problem)

    return Prepared(run)


@variant(peer("duckdb"))
def duckdb(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """DuckDB splits, unnests and joins in SQL; SciPy sorts the pairs and drops repeats."""
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(config={"threads": thread_count()})

    def run() -> MatrixAnswer:
        records = pa.table({"record": np.arange(len(problem.cells)), "cell": pa.array(problem.cells, pa.string())})
        connection.register("records", records)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE items AS "
            "SELECT record, unnest(string_split(cell, $delimiter)) AS item FROM records WHERE cell IS NOT NULL",
            {"delimiter": problem.delimiter},
        )
        distinct = connection.sql("SELECT DISTINCT item FROM items").fetchnumpy()["item"].tolist()
        columns, names = _columns_of_items(distinct)
        connection.register("names", pa.table({"item": pa.array(distinct, pa.string()), "position": columns}))
        pairs = connection.sql("SELECT record, position FROM items JOIN names USING (item)").fetchnumpy()
        return _of_pairs(pairs["record"], pairs["position"], names, problem)

    return Prepared(run)
