"""Features on a CUDA device.

- ``cupy``: Arrow numbers the categories on the host, CuPy makes the CSR of the codes.

Categories are numbered on the host, since strings lie there: Arrow reads each once, and codes of 4 bytes go over
instead of them. The run has both, as that of the native variant has.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.datasets.dataset import Column
from ..pipeline.final_columns import ColumnsLearner, FinalColumns
from ..pipeline.needs import cuda_device, cuda_package
from ..pipeline.raw_columns import RawColumn
from ..pipeline.stages.features import FeaturesAnswer, FeaturesProblem
from .device_memory import batches, left_to_cupy
from .evidence import Evidence
from .final_matrix import FinalMatrix, Technologies, bytes_of_rows, fixed_bytes


def raw_columns(table: pa.Table, columns: Sequence[Column]) -> list[RawColumn]:
    """The raw columns, on the host."""
    return [RawColumn.of(table[column.name], column.kind) for column in columns]


def learned(
    columns: Sequence[Column], raw: Sequence[RawColumn], known: np.ndarray, training: int, names: Sequence[str]
) -> FinalColumns:
    """The final columns, from the first records, as many as ``training``; ``names``: those of the technologies."""
    learner = ColumnsLearner(columns)
    learner.add([column.first(training) for column in raw], known[:training])
    return learner.learned(names)


def final_matrix(arrays: Any, problem: FeaturesProblem) -> tuple[FinalMatrix, FinalColumns]:
    """The final matrix, to be made where the array module (`cupy` or `numpy`) has its arrays, and its columns."""
    raw = raw_columns(problem.table, problem.columns)
    final = learned(problem.columns, raw, problem.known, problem.training_records, problem.names)
    return FinalMatrix(arrays, final, raw, problem.names, problem.known), final


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def cupy(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Categories numbered by Arrow on the host, codes and numbers copied, one CSR by array algebra on the device.

    The technology matrix lies on the device when the set-up is over, the final matrix when a run is. Where they do not
    fit, batches of records go there within the run, and their rows come back.
    """
    import cupy

    matrix = problem.technologies
    on_host = Technologies(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), problem.names)
    (records, names), raw = matrix.shape, len(problem.columns)
    needed = bytes_of_rows(np.arange(records + 1), on_host.indptr, raw)
    split = batches(needed, left_to_cupy(cupy) - fixed_bytes(raw, names, records))
    resident = on_host.to_device(cupy) if len(split) == 1 else None
    evidence = Evidence(cupy)

    def run() -> tuple[list[tuple[Any, Any, Any]], FinalColumns]:
        evidence.reset()
        final, columns = final_matrix(cupy, problem)
        parts = []
        for first, last in split:
            technologies = on_host.part(first, last).to_device(cupy) if resident is None else resident
            rows = final.rows(technologies, first, last)
            evidence.see(rows.data)
            part = rows.data, rows.indices, rows.indptr
            parts.append(tuple(map(cupy.asnumpy, part)) if resident is None else part)
            del technologies, rows, part  # before the next ones come
        return parts, columns

    def fetch(answer: tuple[list[tuple[Any, Any, Any]], FinalColumns]) -> FeaturesAnswer:
        parts, columns = answer
        rows = [
            sp.csr_matrix(tuple(map(cupy.asnumpy, part)), shape=(len(part[2]) - 1, len(columns.names)))
            for part in parts
        ]
        return FeaturesAnswer(rows[0] if len(rows) == 1 else sp.vstack(rows, "csr"), columns.names)

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=evidence.ran_on)
