"""The JSON of pytest-benchmark (``--benchmark-json``, ``pytest-benchmark compare``) and rows: each as the other.

A benchmark holds its row whole in ``extra_info``, so that nothing of it is lost on the way there and back. Only rows
that are ``ok`` are benchmarks: whoever compares times takes them for right. The others stand beside them, where
pytest-benchmark does not look.
"""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..pipeline.errors import InputError
from ..pipeline.row import Row, Status, encode
from .row_names import case_name, problem_name

_ROW = "technobench"
"""Key of a benchmark's row in its ``extra_info``."""
_WITHOUT_TIMES = "technobench_without_times"
"""Key of the rows that are no benchmarks, beside ``benchmarks``."""
_VERSION = "5.3.1"
"""Of pytest-benchmark, whose form this is."""


def extra_info(row: Row) -> dict[str, Any]:
    """What a benchmark keeps of its row: all of it."""
    return {_ROW: _plain(row)}


def put_without_times(output: dict[str, Any], rows: Sequence[Row]) -> None:
    """Put rows that are no benchmarks beside those that are."""
    output[_WITHOUT_TIMES] = [_plain(row) for row in rows]


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows of a run, at least one, as pytest-benchmark writes its runs."""
    first = rows[0]
    timed = [row for row in rows if row.status is Status.OK and row.seconds]
    output = {
        "machine_info": _machine_info(first),
        "commit_info": {
            "id": first.commit or "unversioned",
            "time": None,
            "author_time": None,
            "dirty": bool(first.dirty),
            "project": "technobench",
            "branch": "(unknown)",
        },
        "benchmarks": [_benchmark(row, rows) for row in timed],
        "datetime": first.started,
        "version": _VERSION,
    }
    put_without_times(output, [row for row in rows if row not in timed])
    return output


def from_json(path: Path) -> tuple[list[Row], list[str]]:
    """The rows in a file of pytest-benchmark, and the names of benchmarks that hold none.

    Raises:
        InputError: it cannot be read, it is no JSON, or not of pytest-benchmark, or what should be a row is none.

    """
    try:
        run = msgspec.json.decode(path.read_bytes(), type=_Run)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not of pytest-benchmark ({error}); name one that --benchmark-json wrote") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON, or not the whole of it ({error}); write it anew") from error
    rows = [_row(f"{path}: {each.name}", each.extra_info[_ROW]) for each in run.benchmarks if _ROW in each.extra_info]
    rows += [_row(f"{path}: {_WITHOUT_TIMES}", value) for value in run.technobench_without_times]
    return rows, [each.name for each in run.benchmarks if _ROW not in each.extra_info]


class _Benchmark(msgspec.Struct):
    name: str
    extra_info: dict[str, Any]


class _Run(msgspec.Struct):
    benchmarks: list[_Benchmark]
    technobench_without_times: list[Any] = []


def _plain(row: Row) -> dict[str, Any]:
    """As it is written to a file of results: by that, infinity is null here, too."""
    return msgspec.json.decode(encode(row))


def _row(where: str, value: Any) -> Row:
    try:
        return msgspec.convert(value, Row)
    except msgspec.ValidationError as error:
        raise InputError(f"{where} holds no row of this version of technobench ({error})") from error


def _machine_info(row: Row) -> dict[str, Any]:
    """Names of machines are not kept."""
    system, _, release = str(row.host.get("system", "")).partition(" ")
    return {
        "node": "",
        "processor": row.host.get("cpu", ""),
        "machine": row.host.get("architecture", ""),
        "python_implementation": "CPython",
        "python_version": row.versions.get("python", ""),
        "release": release,
        "system": system,
        "cpu": row.host,
    }


def _benchmark(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """Named and grouped as the suite's own, so that one can be compared with the other."""
    case, problem = case_name(row, rows), problem_name(row, rows)
    name = f"test_case[{case}]"
    assert row.seconds
    return {
        "group": f"{row.stage} {problem}",
        "name": name,
        "fullname": f"test_cases.py::{name}",
        "params": {
            "stage": row.stage,
            "variant": row.variant,
            "dataset": row.dataset,
            "scale": row.scale,
            "parameters": row.parameters,
        },
        "param": case,
        "extra_info": extra_info(row),
        "options": {},
        "stats": timing_statistics(row.seconds),
    }


def timing_statistics(seconds: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark tells of times, one at least: by its definitions (``pytest_benchmark.stats``)."""
    ordered = sorted(seconds)
    mean, total = statistics.mean(seconds), math.fsum(seconds)
    deviation = statistics.stdev(seconds) if len(seconds) > 1 else 0.0
    low, high = _lower_quartile(ordered), _lower_quartile(ordered[::-1])
    span = high - low
    near = [value for value in ordered if low - 1.5 * span <= value <= high + 1.5 * span]
    far = sum(not mean - deviation <= value <= mean + deviation for value in seconds)
    outside = len(ordered) - len(near)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(ordered),
        "median": statistics.median(ordered),
        "iqr": span,
        "q1": low,
        "q3": high,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": near[0],
        "hd15iqr": near[-1],
        "ops": len(ordered) / total if total else 0.0,
        "total": total,
        "data": list(seconds),
        "iterations": 1,
    }


def _lower_quartile(ordered: Sequence[float]) -> float:
    """Of times in order; of those in reverse, the upper one. Method 3 of odd numbers of times, else method 2."""
    quarter, rest = divmod(len(ordered), 4)
    if len(ordered) == 1:
        return ordered[0]
    if rest == 1:
        return 0.25 * ordered[quarter - 1] + 0.75 * ordered[quarter]
    if rest == 3:
        return 0.75 * ordered[quarter] + 0.25 * ordered[quarter + 1]
    return statistics.median(ordered[: len(ordered) // 2])
