"""Rows as CSV for a spreadsheet (RFC 4180): a line per case, units in the headings, numbers in full.

Text that a spreadsheet would take for a formula has an apostrophe before it, as OWASP advises (CSV Injection).
"""

import csv
import io
import statistics
from collections.abc import Callable, Sequence

from ...pipeline.row import Row
from ..speed_up import SpeedUp, speed_up_over
from ..statistics import Interval, median_interval
from ..table import BATCHED, NAIVE, reason_of
from .problems import Problem, host_name, problems

_Value = str | float | bool | None
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_rows(rows: Sequence[Row]) -> str:
    """All rows, problem by problem; what is not measured is empty."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for problem in problems(rows):
        for row in problem.rows:
            lines.writerow([_field(value(row, problem)) for value in COLUMNS.values()])
    return written.getvalue().encode("utf-8", "replace").decode()


def _field(value: _Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_BEGIN_FORMULAS) else value
    return repr(value)


_Column = Callable[[Row, Problem], _Value]


def _of_interval(seconds: Callable[[Row], list[float] | None], end: Callable[[Interval], float | None]) -> _Column:
    def value(row: Row, problem: Problem) -> _Value:
        measured = seconds(row)
        return end(median_interval(measured)) if measured else None

    return value


def _of_estimate(field: str) -> _Column:
    return lambda row, _: None if row.extrapolation is None else getattr(row.extrapolation, field)


def _over(variant: str, end: Callable[[SpeedUp], _Value]) -> _Column:
    def value(row: Row, problem: Problem) -> _Value:
        found = speed_up_over(row, problem.variant(variant))
        return None if found is None else end(found)

    return value


def _ratios(variant: str) -> dict[str, _Column]:
    return {
        f"over {variant} [x]": _over(variant, lambda found: found.ratio.median),
        f"over {variant}, low [x]": _over(variant, lambda found: found.ratio.low),
        f"over {variant}, high [x]": _over(variant, lambda found: found.ratio.high),
        f"over {variant}, estimated": _over(variant, lambda found: found.estimated),
    }


def _pairs(values: dict) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


COLUMNS: dict[str, _Column] = {
    "run": lambda row, _: row.run_id,
    "started": lambda row, _: row.started,
    "stage": lambda row, _: row.stage,
    "variant": lambda row, _: row.variant,
    "device": lambda row, _: row.device,
    "dataset": lambda row, _: row.dataset,
    "scale": lambda row, _: row.scale,
    "threads": lambda row, _: row.threads,
    "status": lambda row, _: row.status.value,
    "reason and alerts": lambda row, _: reason_of(row),
    "executed": lambda row, _: row.executed,
    "rounds": lambda row, _: len(row.seconds or []),
    "run, median [s]": _of_interval(lambda row: row.seconds, lambda found: found.median),
    "run, low [s]": _of_interval(lambda row: row.seconds, lambda found: found.low),
    "run, high [s]": _of_interval(lambda row: row.seconds, lambda found: found.high),
    "extrapolated [s]": _of_estimate("seconds"),
    "extrapolated, low [s]": _of_estimate("low"),
    "extrapolated, high [s]": _of_estimate("high"),
    "CPU time, median [s]": lambda row, _: statistics.median(row.cpu_seconds) if row.cpu_seconds else None,
    **_ratios(NAIVE),
    **_ratios(BATCHED),
    "warm-up [s]": lambda row, _: row.warmup_seconds,
    "set-up [s]": lambda row, _: row.setup_seconds,
    "fetch [s]": lambda row, _: row.fetch_seconds,
    "peak memory [bytes]": lambda row, _: row.peak_bytes,
    "resident before [bytes]": lambda row, _: row.resident_bytes,
    "device's peak [bytes]": lambda row, _: row.device_peak_bytes,
    "copied [bytes]": lambda row, _: _pairs(row.transferred_bytes or {}),
    "error": lambda row, _: row.error,
    "tolerance": lambda row, _: row.tolerance,
    "error measure": lambda row, _: row.error_measure,
    "quality": lambda row, _: _pairs(row.quality or {}),
    "phases [s]": lambda row, _: _pairs(row.phases or {}),
    "sizes": lambda row, _: _pairs(row.sizes),
    "parameters": lambda row, _: _pairs(row.parameters),
    "machine": lambda row, _: host_name(row),
    "commit": lambda row, _: row.commit,
    "files changed since": lambda row, _: row.dirty,
    "command": lambda row, _: row.command,
}
"""What each column holds of a row, which stands among the others of its problem."""
