"""Features on the CPU.

The ladder:

- ``naive``: row by row, ``DataFrame.apply`` with a Python function per record.
- ``pandas-get-dummies``: ``pandas.get_dummies`` on the categorical columns, dense frame, then sparse.
- ``batched-sparse``: batches of records, vectorised one-hot and numeric columns, stacked sparse.
- ``native``: Arrow codes of the categories, every entry written once, by a compiled loop, where it stays.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.final_columns import ColumnsLearner
from ..pipeline.needs import package
from ..pipeline.stages.features import (
    UNKNOWN_TECHNOLOGIES,
    Features,
    FeaturesAnswer,
    FeaturesProblem,
    category_column,
    missing_column,
)
from .final_matrix import final_rows
from .raw_columns import raw_columns

if TYPE_CHECKING:
    import pandas as pd


def final_columns(problem: FeaturesProblem, frame: "pd.DataFrame") -> list[str]:
    """Names of the columns after the technologies, learned from the training records."""
    training = frame.iloc[: problem.training_records]
    names = [] if problem.known[: problem.training_records].all() else [UNKNOWN_TECHNOLOGIES]
    for column in problem.columns:
        values = training[column.name]
        if column.kind == "categorical":
            names += [category_column(column.name, value) for value in sorted(values.dropna().unique())]
        else:
            names.append(column.name)
        if values.isna().any():
            names.append(missing_column(column.name))
    return names


def with_technologies(problem: FeaturesProblem, final: sp.csr_matrix, names: list[str]) -> FeaturesAnswer:
    """The answer from the columns after the technologies (CSR, n rows), and their names; stored zeros are dropped."""
    matrix = sp.csr_matrix(sp.hstack([problem.technologies, final], format="csr", dtype=np.float32))
    matrix.eliminate_zeros()
    return FeaturesAnswer(matrix, (*problem.names, *names))


@variant(grows_with=("records", "columns"))
def naive(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Row by row: ``DataFrame.apply(axis=1)`` with a function that fills one record's features as a dictionary.

    The everyday code is a ``def features_of(row): ...`` applied to every record, whose dictionaries are then put
    into a list of entries.
    """
    import pandas as pd

    frame = problem.table.to_pandas().assign(known=problem.known)
    kinds = {column.name: column.kind for column in problem.columns}

    def features_of(row: "pd.Series") -> dict[str, float]:
        features: dict[str, float] = {} if row["known"] else {UNKNOWN_TECHNOLOGIES: 1.0}
        for name, kind in kinds.items():
            if pd.isna(row[name]):
                features[missing_column(name)] = 1.0
            elif kind == "categorical":
                features[category_column(name, row[name])] = 1.0
            else:
                features[name] = row[name]
        return features

    def run() -> FeaturesAnswer:
        names = final_columns(problem, frame)
        position = {name: j for j, name in enumerate(names)}
        final = sp.lil_matrix((len(frame), len(names)), dtype=np.float32)
        for i, features in enumerate(list(frame.apply(features_of, axis=1)) if len(frame) else []):
            for name, value in features.items():
                if name in position:
                    final[i, position[name]] = value
        return with_technologies(problem, final.tocsr(), names)

    return Prepared(run)


@variant()
def pandas_get_dummies(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """``pandas.get_dummies`` on the categorical columns, missing marks beside, one dense frame made sparse."""
    import pandas as pd

    frame = problem.table.to_pandas()
    categorical = [column.name for column in problem.columns if column.kind == "categorical"]
    numeric = [column.name for column in problem.columns if column.kind == "numeric"]

    def run() -> FeaturesAnswer:
        names = final_columns(problem, frame)
        blocks = [pd.get_dummies(frame[categorical], prefix_sep="=", dtype=np.float32)] if categorical else []
        blocks.append(frame[numeric].fillna(0).astype(np.float32))
        blocks.append(frame.isna().rename(columns=missing_column).astype(np.float32))
        blocks.append(pd.DataFrame({UNKNOWN_TECHNOLOGIES: ~problem.known}, frame.index, dtype=np.float32))
        dense = pd.concat(blocks, axis=1)[names].to_numpy(np.float32)
        return with_technologies(problem, sp.csr_matrix(dense), names)

    return Prepared(run)


def _batch(
    problem: FeaturesProblem,
    frame: "pd.DataFrame",
    position: Mapping[str, int],
    categories: Mapping[str, Mapping],
) -> sp.csr_matrix:
    """Final columns of one batch, as a CSR of one entry per value, category or missing mark."""
    none = np.zeros(0, np.int64)
    rows, columns, values = [none], [none], [none]

    def add(found: np.ndarray, into: np.ndarray | int, value: np.ndarray | float) -> None:
        rows.append(found)
        columns.append(np.broadcast_to(into, found.shape))
        values.append(np.broadcast_to(value, found.shape))

    for column in problem.columns:
        raw = frame[column.name]
        null = raw.isna().to_numpy()
        if column.kind == "categorical":
            code = raw.map(categories[column.name]).to_numpy(np.float64, na_value=-1)
            found = np.flatnonzero(code >= 0)
            add(found, code[found].astype(np.int64), 1.0)
        else:
            number = raw.to_numpy(np.float32, na_value=0)
            found = np.flatnonzero(number)
            add(found, position[column.name], number[found])
        if (mark := position.get(missing_column(column.name))) is not None:
            add(np.flatnonzero(null), mark, 1.0)
    if (mark := position.get(UNKNOWN_TECHNOLOGIES)) is not None:
        add(np.flatnonzero(~problem.known[frame.index]), mark, 1.0)
    entries = (np.concatenate(values, dtype=np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_matrix(entries, shape=(len(frame), len(position)))


@variant()
def batched_sparse(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Batches of 1,000 records: vectorised one-hot and numeric entries, one CSR per batch, stacked."""
    frame = problem.table.to_pandas()

    def run() -> FeaturesAnswer:
        names = final_columns(problem, frame)
        position = {name: j for j, name in enumerate(names)}
        training = frame.iloc[: problem.training_records]
        categories = {
            column.name: {
                value: position[category_column(column.name, value)]
                for value in training[column.name].dropna().unique()
            }
            for column in problem.columns
            if column.kind == "categorical"
        }
        final = sp.csr_matrix((0, len(names)), dtype=np.float32)
        batches = [
            _batch(problem, frame.iloc[start : start + problem.batch_records], position, categories)
            for start in range(0, len(frame), problem.batch_records)
        ]
        return with_technologies(problem, sp.vstack([final, *batches], format="csr"), names)

    return Prepared(run)


@variant(package("numba"))
def native(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Learned and filled in one pass over Arrow columns; a compiled loop writes straight into the final CSR."""

    def build(problem: FeaturesProblem) -> FeaturesAnswer:
        training = problem.training_records
        raw = raw_columns(problem.table, problem.columns)
        learner = ColumnsLearner(problem.columns)
        learner.add([column.first(training) for column in raw], problem.known[:training])
        final = learner.learned(problem.names)
        return FeaturesAnswer(final_rows(final, raw, problem.technologies, problem.known), final.names)

    build(Features().prefix(problem, 1))  # compiles
    return Prepared(lambda: build(problem))
