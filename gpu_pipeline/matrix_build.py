"""Matrix build on a CUDA device.

- ``cudf``: cuDF splits and numbers the items, the host normalises each distinct item once, CuPy makes the CSR.
"""

from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, package
from ..pipeline.stages.matrix_build import MatrixAnswer, MatrixProblem, csr_of_ones
from ..pipeline.technologies import normalise


def _columns_of_items(items: list[str]) -> tuple[np.ndarray, list[str]]:
    """int64 column of each item, -1 for an empty one, and the names by code point; names, not items, are columns."""
    name_of_item = [normalise(item) for item in items]
    names = sorted(set(name_of_item) - {""})
    column = {name: position for position, name in enumerate(names)}
    return np.array([column.get(name, -1) for name in name_of_item], np.int64), names


@variant(package("cupy", "cupy-cuda12x"), package("cudf", "cudf-cu12"), cuda_device(), device="cuda")
def cudf(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Split and number the items by cuDF, normalise distinct ones on the host, sort the pairs by CuPy into a CSR.

    Cells lie on the device when the set-up is over; the matrix lies there when a run is over. Pairs (record, name) are
    made distinct by sorting ``record * names + name``, in 64 bits.
    """
    import cudf
    import cupy

    return prepared(cupy, cudf, problem)


def prepared(cupy: Any, cudf: Any, problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """The run by these modules; what it returns are ``indices`` and ``pointers`` on the device, and ``names``."""
    cells = cudf.Series(list(problem.cells), dtype="str")
    known = ~cells.isna()
    filled = cells.fillna("")
    count = len(problem.cells)
    last: dict[str, Any] = {}

    def ran_on() -> str:
        return "cuda" if isinstance(last.get("indices"), cupy.ndarray) else "cpu"

    def run() -> dict[str, Any]:
        last.clear()
        last.update(build())
        return last

    def build() -> dict[str, Any]:
        lists = filled.str.split(problem.delimiter, regex=False)
        # cupy.repeat takes no array of repeats, so each item looks its record up among the ends of the lists.
        ends = cupy.cumsum(lists.list.len().to_cupy().astype(cupy.int64))
        codes, distinct = lists.list.leaves.factorize()
        codes = cupy.asarray(codes)
        column_of_code, names = _columns_of_items(distinct.to_arrow().to_pylist())
        if not names:
            return _on_device(cupy, cupy.zeros(0, cupy.int64), count, (), 0)
        records = cupy.searchsorted(ends, cupy.arange(codes.size), side="right")
        columns = cupy.asarray(column_of_code)[codes]
        found = columns >= 0
        pairs = cupy.unique(records[found] * len(names) + columns[found])
        records, columns = pairs // len(names), pairs % len(names)
        learned = columns[records < problem.training_records]  # before CuPy 14, none of them cannot be counted
        frequency = cupy.bincount(learned, minlength=len(names)) if learned.size else cupy.zeros(len(names), cupy.int64)
        kept = cupy.flatnonzero(frequency >= problem.min_frequency)
        place = cupy.full(len(names), -1, cupy.int64)
        place[kept] = cupy.arange(kept.size)
        stays = place[columns] >= 0
        width = max(1, int(kept.size))
        entries = records[stays] * width + place[columns[stays]]
        vocabulary = tuple(names[j] for j in kept.tolist())
        return _on_device(cupy, entries, count, vocabulary, int(pairs.size - entries.size))

    def fetch(answer: dict[str, Any]) -> MatrixAnswer:
        indices, pointers = answer["indices"].get(), answer["pointers"].get()
        matrix = csr_of_ones(indices, pointers, len(answer["names"]))
        return MatrixAnswer(matrix, answer["names"], known.to_numpy().astype(bool), answer["unseen"])

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=ran_on)


def _on_device(cupy: Any, entries: Any, count: int, names: tuple[str, ...], unseen: int) -> dict[str, Any]:
    """CSR arrays on the device from sorted ``record * width + column``.

    Plain arrays and not a cupyx CSR, whose data cannot be int8.
    """
    width = max(1, len(names))
    pointers = cupy.searchsorted(entries // width, cupy.arange(count + 1), side="left")
    return {"indices": entries % width, "pointers": pointers, "names": names, "unseen": unseen}
