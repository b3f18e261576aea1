"""The table of a run: pure functions from rows to a rich table."""

import statistics
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ..pipeline.row import Row, Status
from .notes import Notes
from .row_names import varied
from .speed_up import SpeedUp, speed_up_over
from .statistics import Interval, median_interval

NAIVE, BATCHED = "naive", "batched-sparse"
_LEAST_WIDTH = 170
_STYLES = {
    Status.OK: "green",
    Status.EXTRAPOLATED: "yellow",
    Status.UNVERIFIED: "yellow",
    Status.MISMATCH: "bold red",
    Status.FAILED: "bold red",
    Status.FELL_BACK: "magenta",
    Status.UNAVAILABLE: "dim",
}


def duration(seconds: float) -> str:
    """Seconds with three digits and a unit that fits."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (1e4, 1.0, "s")):
        if seconds < limit:
            value = seconds * factor
            digits = max(0, 2 - len(str(int(value))) + 1)
            return f"{value:.{digits}f} {unit}"
    return f"{seconds:,.0f} s"


def spread(interval: Interval) -> str:
    """The half-width of an interval relative to its median."""
    return "" if interval.low is None else f" ±{100 * interval.half_width:.1f} %"


def times(ratio: float) -> str:
    """A ratio with three digits."""
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.3g}x"


def time_of(row: Row) -> str:
    """Median and interval of the run time; an estimate is marked as one; a dash where nothing ran."""
    if row.extrapolation is not None:
        fitted = row.extrapolation
        return f"~{duration(fitted.seconds)} ({duration(fitted.low)} to {duration(fitted.high)})"
    if row.seconds is None:
        return "-"
    interval = median_interval(row.seconds)
    return duration(interval.median) + spread(interval)


def speed_up(row: Row, over: Row | None) -> str:
    """How many times faster than another row of the same group, in words; a dash where there is no such number."""
    found = speed_up_over(row, over)
    return "-" if found is None else told_speed_up(found)


def told_speed_up(found: SpeedUp) -> str:
    """A speed-up with its spread; ``~`` marks an estimate."""
    return ("~" if found.estimated else "") + times(found.ratio.median) + spread(found.ratio)


def apart(seconds: float | None) -> str:
    """A time beside the run's, or a dash."""
    return "-" if seconds is None else duration(seconds)


def memory(count: int | None) -> str:
    """Bytes in MiB."""
    return "-" if count is None else f"{count / 2**20:,.0f} MiB"


def error_of(row: Row) -> str:
    """The error by the stage's measure."""
    return "-" if row.error is None else f"{row.error:.2g}"


def quality_of(row: Row) -> str:
    """The main measure of how good the answer is, with its name."""
    return "-" if not row.quality else "{} {:.4g}".format(*next(iter(row.quality.items())))


def reason_of(row: Row) -> str:
    """Why the row is not ok, what did the work instead, and what to know before using its figures."""
    parts = [row.reason or ""]
    if row.extrapolation is not None:
        fitted = row.extrapolation
        half = (fitted.exponent_high - fitted.exponent_low) / 2
        size = " x ".join(fitted.grows_with)
        parts.append(f"from {fitted.points[-1][1]:,} records, as ({size})^{fitted.exponent:.2f} ±{half:.2f}")
    return "; ".join(part for part in (*parts, *row.alerts) if part)


def grouped(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows of each dataset, scale and number of threads with a title, in order of appearance."""
    groups: dict[tuple[str, float, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.scale, row.threads), []).append(row)
    for (dataset, scale, threads), members in groups.items():
        records = max((row.sizes.get("records", 0) for row in members), default=0)
        counted = f"{records:,} record{'s' if records > 1 else ''}, " if records else ""
        yield f"{dataset} at scale {scale:g}: {counted}{threads} threads", members


def _slowest_first(row: Row) -> float:
    """Key to sort by: estimated or median seconds, slowest first; what has no time comes last."""
    if row.extrapolation is not None:
        return -row.extrapolation.seconds
    return -statistics.median(row.seconds) if row.seconds else float("inf")


def by_stage(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of one stage with the same parameters, comparable with each other; slowest first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.stage, row.problem_digest), []).append(row)
    for members in groups.values():
        yield sorted(members, key=_slowest_first)


def stage_of(row: Row, rows: Sequence[Row]) -> str:
    """The stage's name, with the parameters that other rows of the stage have otherwise."""
    return " ".join([row.stage, *varied(row, rows)])


def tables(rows: Sequence[Row]) -> Iterator[RenderableType]:
    """One table per dataset and scale, and below it what is to be said of single rows."""
    for title, members in grouped(rows):
        table = Table(title=title, title_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("stage", "variant"):
            table.add_column(heading, no_wrap=True)
        headings = ["run, median", "vs naive", "vs batched-sparse", "set-up", "fetch", "peak memory", "error"]
        judged = any(row.quality for row in members)
        for heading in [*headings, *(["quality"] if judged else [])]:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("status", no_wrap=True)
        notes = Notes()
        for group in by_stage(members):
            others = {row.variant: row for row in group}
            for position, row in enumerate(group):
                status = f"{row.status.value} {notes.mark(reason_of(row))}".rstrip()
                table.add_row(
                    "" if position else stage_of(row, members),
                    row.variant,
                    time_of(row),
                    speed_up(row, others.get(NAIVE)),
                    speed_up(row, others.get(BATCHED)),
                    apart(row.setup_seconds),
                    apart(row.fetch_seconds),
                    memory(row.peak_bytes),
                    error_of(row),
                    *([quality_of(row)] if judged else []),
                    Text(status, _STYLES[row.status]),
                    end_section=position == len(group) - 1,
                )
        yield table
        yield Text("".join(f"{line}\n" for line in notes.lines), "dim")


def wide_console() -> Console:
    """Standard output, wide enough for the tables where it is no terminal or a narrow one."""
    console = Console(highlight=False, markup=False)  # names and reasons have brackets of their own
    console.width = max(console.width, _LEAST_WIDTH)
    return console
