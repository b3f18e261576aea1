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
from ..pipeline.needs import cuda_device, package
from ..pipeline.raw_columns import RawColumn
from ..pipeline.stages.features import FeaturesAnswer, FeaturesProblem
from .device_rows import DeviceRows
from .final_matrix import Technologies, final_rows


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


def build(arrays: Any, problem: FeaturesProblem, technologies: Technologies) -> tuple[DeviceRows, FinalColumns]:
    """The final matrix where the array module (`cupy` or `numpy`) has its arrays, and its columns.

    Args:
        arrays: the module.
        problem: the raw columns, on the host; its own technologies are not looked at.
        technologies: those of the problem, where the module has its arrays.

    """
    raw = raw_columns(problem.table, problem.columns)
    final = learned(problem.columns, raw, problem.known, problem.training_records, technologies.names)
    return final_rows(arrays, final, raw, technologies, problem.known), final


@variant(package("cupy", "cupy-cuda12x"), cuda_device(), device="cuda")
def cupy(problem: FeaturesProblem) -> Prepared[FeaturesAnswer]:
    """Categories numbered by Arrow on the host, codes and numbers copied, one CSR by array algebra on the device.

    The technology matrix lies on the device when the set-up is over, the final matrix when a run is.
    """
    import cupy

    matrix = problem.technologies
    technologies = Technologies(cupy.asarray(matrix.indptr), cupy.asarray(matrix.indices), problem.names)
    last: list[DeviceRows] = []

    def run() -> tuple[DeviceRows, FinalColumns]:
        rows, final = build(cupy, problem, technologies)
        last[:] = [rows]
        return rows, final

    def fetch(answer: tuple[DeviceRows, FinalColumns]) -> FeaturesAnswer:
        rows, final = answer
        parts = rows.data.get(), rows.indices.get(), rows.indptr.get()
        return FeaturesAnswer(sp.csr_matrix(parts, shape=(len(rows), len(final.names))), final.names)

    def ran_on() -> str:
        return "cuda" if last and isinstance(last[0].data, cupy.ndarray) else "cpu"

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=ran_on)
