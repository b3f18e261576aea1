"""Rows as CSV for a spreadsheet (RFC 4180): a line per case, units in the headings, numbers in full.

Text that a spreadsheet would take for a formula has an apostrophe before it, as OWASP advises (CSV Injection).
"""

import csv
import functools
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
            case = _Case(row, problem)
            lines.writerow([_field(value(case)) for value in COLUMNS.values()])
    return written.getvalue().encode("utf-8", "replace").decode()


def _field(value: _Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_BEGIN_FORMULAS) else value
    return repr(value)


class _Case:
    """A row among the others of its problem; what takes resampling is computed once for all columns."""

    def __init__(self, row: Row, problem: Problem) -> None:
        self.row = row
        self.estimate = row.extrapolation
        self._problem = problem

    @functools.cached_property
    def run(self) -> Interval | None:
        """Seconds of a run; None where it was not measured."""
        return median_interval(self.row.seconds) if self.row.seconds else None

    @functools.cached_property
    def speed_ups(self) -> dict[str, SpeedUp | None]:
        """Over each of the variants that others are compared with."""
        return {name: speed_up_over(self.row, self._problem.variant(name)) for name in (NAIVE, BATCHED)}


_Column = Callable[[_Case], _Value]


def _ratios(variant: str) -> dict[str, _Column]:
    def of(end: Callable[[SpeedUp], _Value]) -> _Column:
        return lambda case: None if (found := case.speed_ups[variant]) is None else end(found)

    return {
        f"over {variant} [x]": of(lambda found: found.ratio.median),
        f"over {variant}, low [x]": of(lambda found: found.ratio.low),
        f"over {variant}, high [x]": of(lambda found: found.ratio.high),
        f"over {variant}, estimated": of(lambda found: found.estimated),
    }


def _pairs(values: dict) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


COLUMNS: dict[str, _Column] = {
    "run": lambda case: case.row.run_id,
    "started": lambda case: case.row.started,
    "stage": lambda case: case.row.stage,
    "variant": lambda case: case.row.variant,
    "device": lambda case: case.row.device,
    "dataset": lambda case: case.row.dataset,
    "scale": lambda case: case.row.scale,
    "threads": lambda case: case.row.threads,
    "status": lambda case: case.row.status.value,
    "reason and alerts": lambda case: reason_of(case.row),
    "executed": lambda case: case.row.executed,
    "rounds": lambda case: len(case.row.seconds or []),
    "run, median [s]": lambda case: case.run and case.run.median,
    "run, low [s]": lambda case: case.run and case.run.low,
    "run, high [s]": lambda case: case.run and case.run.high,
    "extrapolated [s]": lambda case: case.estimate and case.estimate.seconds,
    "extrapolated, low [s]": lambda case: case.estimate and case.estimate.low,
    "extrapolated, high [s]": lambda case: case.estimate and case.estimate.high,
    "CPU time, median [s]": lambda case: statistics.median(case.row.cpu_seconds) if case.row.cpu_seconds else None,
    **_ratios(NAIVE),
    **_ratios(BATCHED),
    "warm-up [s]": lambda case: case.row.warmup_seconds,
    "set-up [s]": lambda case: case.row.setup_seconds,
    "fetch [s]": lambda case: case.row.fetch_seconds,
    "peak memory [bytes]": lambda case: case.row.peak_bytes,
    "resident before [bytes]": lambda case: case.row.resident_bytes,
    "device's peak [bytes]": lambda case: case.row.device_peak_bytes,
    "copied [bytes]": lambda case: _pairs(case.row.transferred_bytes or {}),
    "error": lambda case: case.row.error,
    "tolerance": lambda case: case.row.tolerance,
    "error measure": lambda case: case.row.error_measure,
    "quality": lambda case: _pairs(case.row.quality or {}),
    "phases [s]": lambda case: _pairs(case.row.phases or {}),
    "sizes": lambda case: _pairs(case.row.sizes),
    "parameters": lambda case: _pairs(case.row.parameters),
    "machine": lambda case: host_name(case.row),
    "commit": lambda case: case.row.commit,
    "files changed since": lambda case: case.row.dirty,
    "command": lambda case: case.row.command,
}
"""What each column holds of a case."""
