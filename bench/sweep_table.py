"""The tables of a sweep: pure functions from rows to rich tables, with what was fitted below."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ..pipeline.row import Row, Status
from .notes import Notes
from .plan.curves import ROWS, THREADS, Curve, Estimate, curves, rows_of, value_on
from .plan.growth import growth
from .plan.memory_growth import memory_growth
from .plan.models import NotFitted
from .plan.scalability import scalability
from .statistics import median_interval
from .table import apart, memory, reason_of, time_of


def sweep_tables(rows: Sequence[Row], axis: str) -> Iterator[RenderableType]:
    """One table of all points along an axis, and below it how each curve grows.

    Args:
        rows: of one run.
        axis: as `curves` names it.

    """
    table = Table(title=f"along {axis}", title_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("stage", "variant", "dataset"):
        table.add_column(heading, no_wrap=True)
    on_device = any(row.device_peak_bytes is not None for row in rows)
    headings = [axis, "run, median", "rows/s", "set-up", "peak memory", *(["device memory"] if on_device else [])]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    notes = Notes()
    for row in sorted(rows, key=lambda row: (row.stage, row.variant, row.dataset, _value(row, axis))):
        table.add_row(
            *(row.stage, row.variant, row.dataset),
            _point(row, axis),
            time_of(row),
            _rate(row),
            apart(row.setup_seconds),
            memory(row.peak_bytes),
            *([memory(row.device_peak_bytes)] if on_device else []),
            f"{row.status.value} {notes.mark(reason_of(row))}".rstrip(),
        )
    yield table
    lines = notes.lines
    for curve in curves(rows):
        if curve.axis == axis:
            lines += [f"{curve.stage}/{curve.variant} {curve.dataset}: {told}" for told in fits(curve)]
    yield Text("\n".join(lines), "dim")


def fits(curve: Curve) -> Iterator[str]:
    """What the models of a curve say, or why there is none."""
    if curve.axis == THREADS:
        yield _scalability(curve)
        return
    found = growth(curve)
    if isinstance(found, NotFitted):
        yield f"no fit: {found.reason}"
        return
    yield f"time grows as {curve.axis}^{_estimate(found.exponent)} at {found.largest:,.6g}"
    if found.held_out:
        last = found.held_out[0]
        within = "within" if last.predicted.low <= last.measured <= last.predicted.high else "outside of"
        off = 100 * (last.predicted.value / last.measured - 1)
        yield f"the others predict the largest {off:+.1f} % off, {within} their interval"
    if curve.axis == ROWS and not isinstance(grown := memory_growth(curve), NotFitted):
        per_row = grown.per_row
        ends = f"{per_row.low:,.3g} to {per_row.high:,.3g}"
        yield (
            f"memory: {memory(round(grown.fixed.value))} anyway; at {grown.largest:,.6g} a further row takes "
            f"{per_row.value:,.3g} bytes ({ends})"
        )


def _scalability(curve: Curve) -> str:
    found = scalability(curve)
    if isinstance(found, NotFitted):
        return f"no fit: {found.reason}"
    best = found.best_threads
    told = f"contention {_estimate(found.contention)}, coherence {_estimate(found.coherence)}"
    return f"{told}; fastest with {best.value:,.3g} threads ({best.low:,.3g} to {best.high:,.3g})"


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def _rate(row: Row) -> str:
    """Rows per second of a right answer."""
    if row.status is not Status.OK or not row.seconds or not rows_of(row):
        return "-"
    return f"{rows_of(row) / median_interval(row.seconds).median:,.0f}"


def _point(row: Row, axis: str) -> str:
    if axis != ROWS:
        return f"{_value(row, axis):,.6g}"
    rows = rows_of(row)
    return f"{rows:,}" if rows else f"scale {row.scale:.3g}"


def _value(row: Row, axis: str) -> float:
    """By the scale where the sizes are not known, as of a case that did not run."""
    value = value_on(row, axis)
    return row.scale if value is None else value
