"""The compiled loops that the native engines call, and how much work each call is, counted from its arguments.

Work is counted in the terms of tools/micro_benchmarks.py: gathers, comparisons, bytes, look-ups; or in terms of its own
where no bound is known.
"""

from collections.abc import Callable, Mapping
from time import thread_time
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from technobench.cpu_pipeline.kernels.feature_rows import CATEGORICAL, MARK
from technobench.cpu_pipeline.kernels.forest_walk import _shallow_leaves
from technobench.cpu_pipeline.kernels.shap_tables import find_patterns

Arguments = Mapping[str, Any]


class Spent(NamedTuple):
    """A part of an engine's run: processor seconds of one thread, and the work by the bound that it is held against."""

    part: str
    seconds: float
    work: Mapping[str, float]


class Loop(NamedTuple):
    """A function that an engine looks up in its module for each call.

    spent: from its arguments by name, its result and its seconds.
    """

    module: str
    name: str
    spent: Callable[[Arguments, Any, float], list[Spent]]


def _encode_csr(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    start, indptr = given["start"], given["indptr"]
    features = given["indices"][indptr[start] : indptr[start + given["rows"]]]
    thresholds = np.diff(given["offsets"][given["columns_of"]])
    return [Spent("codes of the values", seconds, {"float comparisons": float(thresholds[features].sum())})]


def _add_tables(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    """Patterns are found again, apart, and what is left is the gathers'."""
    codes, asked = given["codes"], given["question_offsets"]
    pattern = np.empty(codes.shape[1], np.uint16)
    start = thread_time()
    _all_patterns(codes, asked, given["column"], given["rank"], given["rare_right"], pattern)
    finding = thread_time() - start
    rows = codes.shape[1]
    return [
        Spent("patterns", finding, {"byte comparisons": float(rows * len(given["column"]))}),
        Spent("gathers", seconds - finding, {"gathers": float(rows * len(given["pairs"]))}),
    ]


@njit(cache=True, nogil=True)
def _all_patterns(
    codes: np.ndarray,
    question_offsets: np.ndarray,
    column: np.ndarray,
    rank: np.ndarray,
    rare_right: np.ndarray,
    pattern: np.ndarray,
) -> None:
    for group in range(len(question_offsets) - 1):
        first, last = question_offsets[group], question_offsets[group + 1]
        find_patterns(codes, column[first:last], rank[first:last], rare_right[first:last], pattern)


def _add_paths(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    return [Spent("deep trees", seconds, {})] if len(given["roots"]) else []


def _write_rows(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    values = given["values"]
    written = given["rows"] * values.shape[1] * values.itemsize
    return [Spent("rows of the answer", seconds, {"bytes written": float(written)})]


def _add_shallow(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    """Splits are decided again, apart, and what is left is the look-up of the leaves."""
    codes, columns, ranks = given["codes"], given["columns"], given["ranks"]
    rows = codes.shape[1]
    start = thread_time()
    _all_shallow_leaves(codes, columns, ranks, np.empty((9, rows), np.uint8))
    deciding = thread_time() - start
    return [
        Spent("splits of shallow trees", deciding, {"byte comparisons": float(rows * ranks.size)}),
        Spent("their leaves", seconds - deciding, {"gathers": float(rows * len(ranks))}),
    ]


@njit(cache=True, nogil=True)
def _all_shallow_leaves(codes: np.ndarray, columns: np.ndarray, ranks: np.ndarray, paths: np.ndarray) -> None:
    for tree in range(len(columns)):
        _shallow_leaves(codes, columns[tree], ranks[tree], paths)


def _add_walked(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    _, depths, _ = given["trees"].T
    steps = float(depths.sum() * given["codes"].shape[1])
    return [Spent("walks down deeper trees", seconds, {"gathers": steps})] if len(depths) else []


def _count_entries(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    kinds, rows = given["kinds"], given["last"] - given["first"]
    widths = np.where(kinds == CATEGORICAL, 4, 8)[kinds != MARK].sum() + np.count_nonzero(given["nulls"])
    return [Spent("entries counted", seconds, {"bytes read": float(rows * widths)})]


def _fill_entries(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    starts = given["row_starts"]
    entries = starts[given["last"]] - starts[given["first"]]
    width = given["indices"].itemsize + given["data"].itemsize
    return [Spent("entries written", seconds, {"bytes written": float(entries * width)})]


def _dictionary_encode(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    return [Spent("categories numbered by Arrow", seconds, {"hash look-ups": float(len(given["array"]))})]


def _arrow_column(_: Arguments, result: Any, seconds: float) -> list[Spent]:
    return [Spent("Python strings to Arrow", seconds, {"bytes written": float(result.nbytes)})]


def _number_items(given: Arguments, result: Any, seconds: float) -> list[Spent]:
    scanned = given["offsets"][-1] - given["offsets"][0]
    work = {"hash look-ups": float(len(result[0])), "bytes read": float(scanned)}
    return [Spent("items found and numbered", seconds, work)]


def _count_records(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    return [Spent("names counted", seconds, {"names": float(given["row_starts"][given["rows"]])})]


def _sort_rows(given: Arguments, _: Any, seconds: float) -> list[Spent]:
    starts = given["row_starts"]
    return [Spent("columns sorted by row", seconds, {"names": float(starts[-1] - starts[0])})]


_KERNELS = "technobench.cpu_pipeline.kernels"
LOOPS: Mapping[str, list[Loop]] = {
    "matrix_build": [
        Loop("technobench.cpu_pipeline.matrix_build", "arrow_column", _arrow_column),
        Loop(f"{_KERNELS}.delimited", "number_items", _number_items),
        Loop(f"{_KERNELS}.technology_rows", "count_records", _count_records),
        Loop(f"{_KERNELS}.technology_rows", "sort_rows", _sort_rows),
    ],
    "features": [
        Loop("pyarrow.compute", "dictionary_encode", _dictionary_encode),
        Loop(f"{_KERNELS}.feature_rows", "count_entries", _count_entries),
        Loop(f"{_KERNELS}.feature_rows", "fill_entries", _fill_entries),
    ],
    "predict": [
        Loop(f"{_KERNELS}.threshold_codes", "encode_csr", _encode_csr),
        Loop(f"{_KERNELS}.forest_walk", "add_shallow", _add_shallow),
        Loop(f"{_KERNELS}.forest_walk", "add_walked", _add_walked),
    ],
    "shap": [
        Loop(f"{_KERNELS}.threshold_codes", "encode_csr", _encode_csr),
        Loop(f"{_KERNELS}.shap_tables", "add_tables", _add_tables),
        Loop(f"{_KERNELS}.shap_paths", "add_paths", _add_paths),
        Loop(f"{_KERNELS}.shap_tables", "write_rows", _write_rows),
    ],
}
"""What each engine's time is divided into; what is left over is the rest of it."""
