"""Features by other libraries.

None of them writes the stage's matrix: each gives entries, or blocks of columns, which SciPy puts together.

- ``column-transformer``: scikit-learn's ``ColumnTransformer`` of an encoder and an imputer
- ``polars``: Polars' enumerations give the codes of the categories
- ``duckdb``: SQL unpivots the columns into entries
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from ...pipeline.contract import Prepared, variant
from ...pipeline.needs import package
from ...pipeline.stages.features import (
    UNKNOWN_TECHNOLOGIES,
    FeaturesAnswer,
    FeaturesProblem,
    category_column,
    missing_column,
)
from ..features import with_technologies
from ..kernels.threads import thread_count
from .needs import peer

Origin = tuple[str, str, str | None]
"""What a final column is made of: the raw column, what of it (``category``, ``number`` or ``null``), the category."""


def _places(
    problem: FeaturesProblem, categories: Mapping[str, Iterable[str]], with_nulls: Collection[str]
) -> tuple[list[str], dict[Origin, int]]:
    """The final columns that the raw columns give: names, and places by origin.

    Args:
        problem: has the raw columns, in order.
        categories: of each categorical raw column, those among the training records, by code point.
        with_nulls: the raw columns with a null among the training records.

    """
    names: list[str] = []
    origins: list[Origin] = []
    for raw in (column.name for column in problem.columns):
        if raw in categories:
            names += [category_column(raw, value) for value in categories[raw]]
            origins += [(raw, "category", value) for value in categories[raw]]
        else:
            names.append(raw)
            origins.append((raw, "number", None))
        if raw in with_nulls:
            names.append(missing_column(raw))
            origins.append((raw, "null", None))
    return names, {origin: place for place, origin in enumerate(origins)}


def _answer(problem: FeaturesProblem, names: list[str], block: sp.csr_matrix) -> FeaturesAnswer:
    """The final matrix from the block of the raw columns; the mark of unknown technologies goes before them."""
    if not problem.known[: problem.training_records].all():
        mark = sp.csr_matrix(~problem.known[:, None], dtype=np.float32)
        names, block = [UNKNOWN_TECHNOLOGIES, *names], sp.csr_matrix(sp.hstack([mark, block], format="csr"))
    return with_technologies(problem, block, names)


def _raw_columns(problem: FeaturesProblem, kind: str) -> list[str]:
    return [column.name for column in problem.columns if column.kind == kind]


@variant(package("sklearn", "scikit-learn"))
def column_transformer(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """``ColumnTransformer`` of ``OneHotEncoder`` and ``SimpleImputer`` with its indicator; columns put in order."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    frame = problem.table.to_pandas()
    categorical, numeric = _raw_columns(problem, "categorical"), _raw_columns(problem, "numeric")

    def origins(fitted: Any) -> list[Origin]:
        """Of each column that the transformers make; a null is the encoder's last category."""
        values_of = fitted["categorical"].categories_ if categorical else []
        marked = fitted["numeric"].indicator_.features_ if numeric else []
        return [
            *(
                (raw, "category", value) if isinstance(value, str) else (raw, "null", None)
                for raw, values in zip(categorical, values_of, strict=True)
                for value in values
            ),
            *((raw, "number", None) for raw in numeric),
            *((numeric[position], "null", None) for position in marked),
        ]

    def run() -> FeaturesAnswer:
        if not problem.training_records or not problem.columns:  # scikit-learn fits on one record and column at least
            return _answer(problem, numeric, sp.csr_matrix(frame[numeric].fillna(0).to_numpy(np.float32)))
        one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
        filled = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True, keep_empty_features=True)
        transformers = ColumnTransformer([("categorical", one_hot, categorical), ("numeric", filled, numeric)])
        transformers.fit(frame.iloc[: problem.training_records])
        made = origins(transformers.named_transformers_)
        categories = {raw: [value for of, _, value in made if of == raw and value is not None] for raw in categorical}
        names, places = _places(problem, categories, {raw for raw, what, _ in made if what == "null"})
        block = sp.csr_matrix(transformers.transform(frame), dtype=np.float32)
        return _answer(problem, names, sp.csr_matrix(block[:, np.argsort([places[origin] for origin in made])]))

    return Prepared(run)


@variant(peer("polars"))
def polars(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Polars' ``Enum`` of the training categories gives codes: one expression per column, in one lazy query.

    Its threads are those of ``POLARS_MAX_THREADS``.
    """
    import polars as pl

    frame = pl.DataFrame(problem.table.select([column.name for column in problem.columns]))
    categorical = _raw_columns(problem, "categorical")

    def run() -> FeaturesAnswer:
        training = frame.head(problem.training_records)
        learned = training.lazy().select(pl.col(categorical).unique().drop_nulls().sort().implode()).collect()
        categories = {raw: learned[raw][0] for raw in categorical}
        with_nulls = {raw for raw in frame.columns if training[raw].null_count()}
        names, places = _places(problem, categories, with_nulls)
        codes = frame.lazy().with_columns(
            pl.col(raw).cast(pl.Enum(values), strict=False).to_physical() for raw, values in categories.items()
        )
        none = np.zeros(0, np.float32)
        records, columns, values = [none.astype(np.int64)], [none.astype(np.int64)], [none]

        def add(found: np.ndarray, place: np.ndarray | int, value: np.ndarray | float) -> None:
            records.append(found)
            columns.append(np.broadcast_to(place, found.shape))
            values.append(np.broadcast_to(value, found.shape))

        for column in codes.collect():
            raw, found = column.name, column.is_not_null().arg_true().to_numpy()
            stored = column.drop_nulls().to_numpy()
            if raw not in categories:
                add(found, places[raw, "number", None], stored)
            elif len(found):
                add(found, stored.astype(np.int64) + places[raw, "category", categories[raw][0]], 1.0)
            if raw in with_nulls:
                add(frame[raw].is_null().arg_true().to_numpy(), places[raw, "null", None], 1.0)
        entries = (np.concatenate(values, dtype=np.float32), (np.concatenate(records), np.concatenate(columns)))
        return _answer(problem, names, sp.csr_matrix(entries, (len(problem.known), len(names))))

    return Prepared(run)


def _unpivoted(expressions: Mapping[str, str]) -> str:
    """SQL for a row (record, raw, value) per value that is not null; ``expressions``: by raw column's identifier."""
    if not expressions:
        return "SELECT 0 AS record, '' AS raw, NULL AS value WHERE false"
    chosen = ", ".join(f"{expression} AS {raw}" for raw, expression in expressions.items())
    return f"UNPIVOT (SELECT record, {chosen} FROM firmographics) ON {', '.join(expressions)} INTO NAME raw VALUE value"


@variant(peer("duckdb"))
def duckdb(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """DuckDB unpivots the raw columns into entries and joins them with the training categories, in SQL."""
    import duckdb
    import pyarrow as pa

    # Not the columns' own names: DuckDB compares identifiers without regard to case.
    identifier = {column.name: f"raw{place}" for place, column in enumerate(problem.columns)}
    name_of = {raw: name for name, raw in identifier.items()}
    categorical, numeric = _raw_columns(problem, "categorical"), _raw_columns(problem, "numeric")
    cells = _unpivoted({identifier[name]: identifier[name] for name in categorical})
    numbers = _unpivoted({identifier[name]: f"{identifier[name]}::FLOAT" for name in numeric})
    nulls = _unpivoted({raw: f"CASE WHEN {raw} IS NULL THEN '' END" for raw in name_of})
    table = problem.table.select(list(identifier)).rename_columns(list(name_of))
    connection = duckdb.connect(config={"threads": thread_count()})
    connection.register("given", table.append_column("record", pa.array(np.arange(len(problem.known)))))
    connection.execute("CREATE TABLE firmographics AS SELECT * FROM given")

    def learned(from_: str, what: str) -> list[tuple]:
        query = f"SELECT DISTINCT {what} FROM {from_} WHERE record < {problem.training_records} ORDER BY ALL"
        return connection.sql(query).fetchall()

    def run() -> FeaturesAnswer:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE cells AS {cells}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE nulls AS {nulls}")
        categories: dict[str, list[str]] = {name: [] for name in categorical}
        for raw, value in learned("cells", "raw, value"):
            categories[name_of[raw]].append(value)
        names, places = _places(problem, categories, {name_of[raw] for (raw,) in learned("nulls", "raw")})
        rows = [(identifier[name], what, value, place) for (name, what, value), place in places.items()]
        types = {"raw": pa.string(), "what": pa.string(), "value": pa.string(), "place": pa.int64()}
        parts = [pa.array([row[part] for row in rows], kind) for part, kind in enumerate(types.values())]
        connection.register("places", pa.table(parts, names=list(types)))
        entries = connection.sql(f"""
            SELECT record, place, 1::FLOAT AS entry FROM cells JOIN places USING (raw, value)
            UNION ALL SELECT record, place, 1 FROM nulls JOIN places USING (raw) WHERE what = 'null'
            UNION ALL SELECT record, place, numbers.value
                FROM ({numbers}) AS numbers JOIN places USING (raw) WHERE what = 'number'
        """).fetchnumpy()
        found = (entries["entry"].astype(np.float32), (entries["record"], entries["place"]))
        return _answer(problem, names, sp.csr_matrix(found, (len(problem.known), len(names))))

    return Prepared(run)
