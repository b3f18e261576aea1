"""What the pictures have in common: which rows belong together, a row's time, and what a mark tells."""

import math
import re
from collections.abc import Iterator, Sequence

from ....pipeline.row import Row, Status
from ...statistics import Interval, median_interval
from ...table import BATCHED, NAIVE, duration, grouped
from .. import svg
from ..cells import TONES
from ..document import Cell, Column, Table, Tone
from ..problems import by_machine, pooled

ON_DEVICE = "a diamond, ◆, is a variant on a CUDA device"
"""How pictures tell devices apart, in words."""


def panels(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Rows that may stand beside each other, with a title: of one machine, dataset, scale and number of threads.

    Of several rows of a case one is taken, as `pooled` has it.
    """
    for machine, members in by_machine(pooled(rows)):
        for title, group in grouped(members):
            yield ", ".join(filter(None, [title, machine])), group


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


def status_cell(row: Row) -> Cell:
    """The status as a cell, in which a right answer is nothing special."""
    return Cell(row.status.value, tone=Tone.PLAIN if row.status is Status.OK else TONES[row.status])


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
