"""What the pictures have in common: which rows belong together, a row's time, and what a mark tells."""

import json
import math
import re
from collections.abc import Iterator, Sequence

from ....pipeline.row import Row, Status
from ...speed_up import speed_up_over
from ...statistics import Interval, median_interval
from ...table import BATCHED, NAIVE, duration, grouped
from .. import svg
from ..document import Cell, Column, Table, Tone
from ..hosts import short_name

ON_DEVICE = "a diamond, ◆, is a variant on a CUDA device"
"""How pictures tell devices apart, in words."""
_TONES = {
    Status.OK: Tone.PLAIN,
    Status.MISMATCH: Tone.BAD,
    Status.FAILED: Tone.BAD,
    Status.UNAVAILABLE: Tone.QUIET,
}


def panels(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows that may stand beside each other, with a title: of one class of host, dataset, scale and number of threads.

    Of several rows of a case the newest is taken.
    """
    hosts: dict[str, dict[tuple, Row]] = {}
    for row in sorted(rows, key=lambda row: row.started):
        hosts.setdefault(json.dumps(row.host, sort_keys=True, default=str), {})[row.key] = row
    several = [next(iter(cases.values())).host for cases in hosts.values()]
    for host, cases in zip(several, hosts.values(), strict=True):
        machine = f", {name}" if (name := short_name(host, several)) else ""
        for title, group in grouped(list(cases.values())):
            yield title + machine, group


def in_order(variants: Sequence[str]) -> list[str]:
    """Names of variants, each once: the rungs that all stages have first, then by name."""
    rungs = [NAIVE, BATCHED, "native"]
    return sorted(set(variants), key=lambda name: (rungs.index(name) if name in rungs else len(rungs), name))


def time_interval(row: Row) -> Interval | None:
    """Median seconds with interval, measured or extrapolated; None where there is no finite positive time."""
    if row.extrapolation is not None:
        fitted = row.extrapolation
        times = [fitted.seconds, fitted.low, fitted.high]
    else:
        times = row.seconds or []
    if not times or not all(0 < each < math.inf for each in times):
        return None
    return median_interval(times) if row.extrapolation is None else Interval(*times)


def ratio_over(row: Row, over: Row | None) -> float | None:
    """How many times as fast as another row; None unless both are right and have a time."""
    if over is None or None in (time_interval(row), time_interval(over)):
        return None
    found = speed_up_over(row, over)
    return None if found is None else found.ratio.median


def status_cell(row: Row) -> Cell:
    """The status as a cell."""
    return Cell(row.status.value, tone=_TONES.get(row.status, Tone.CAREFUL))


def told(columns: Sequence[Column], cells: Sequence[Cell]) -> str:
    """A row of a table as a mark tells it when pointed at, so that the picture has every number of its table."""
    named = [(column.heading, cell.text) for column, cell in zip(columns, cells, strict=True)]
    return ", ".join(f"{heading} {words}" for heading, words in named if words not in ("", "-"))


def table_of(
    name: str, caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], notes: Sequence[str] = ()
) -> Table:
    """A table of these cells; of its name only what a file's name may have is kept."""
    return Table(
        re.sub(r"[^\w.=-]+", "-", name), caption, tuple(columns), tuple(tuple(cells) for cells in rows), tuple(notes)
    )


def round_duration(seconds: float) -> str:
    """A round time for an axis: as `table.duration` without zeros behind the point."""
    number, _, unit = duration(seconds).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def label(variant: str, device: str, x: float, y: float, room: float) -> str:
    """A variant's name that ends at ``x``; behind it, where it is not of the CPU, the device's mark."""
    mark = "" if device == "cpu" else svg.marker("fill ink", device, x + 9, y - 4.5, 3.5)
    return svg.text("end", x, y, variant, room) + mark
