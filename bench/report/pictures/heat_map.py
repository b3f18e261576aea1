"""Stage by variant: how many times as fast as batched-sparse, or why there is no such number."""

import math
import re
from collections.abc import Iterator, Sequence

from ....pipeline.row import Row, Status
from ...speed_up import speed_up_over
from ...table import BATCHED, by_stage, duration, stage_of, time_of, times, told_speed_up
from .. import svg
from ..document import Cell, Column, Picture
from .measured import ON_DEVICE, in_order, label, panels, status_cell, table_of, time_interval, told

_CELL, _ROW, _GAP, _NAMES, _EDGE = 76, 27, 2, 158, 12
_HEAD, _LINE = 44, 15
_DARKEST = 0.62
"""Opacity of the strongest colour, with which text in the ink reads well in light and dark."""
_REACHES = (math.log(10), math.log(100), math.log(1000))
"""The colours reach from slower to faster by the first of these that holds all, or the last, as logarithms."""
_LEGEND = 66

_COLUMNS = (
    Column("problem"),
    Column("stage"),
    Column("variant"),
    Column("device"),
    Column("vs batched-sparse", "x", numeric=True),
    Column("run, median", "s", numeric=True),
    Column("status"),
)


def heat_map(rows: Sequence[Row]) -> Picture | None:
    """A matrix for each problem: stages across, variants down, the speed-up over batched-sparse written and coloured.

    A case without a right and measured answer is hatched and says its status. None without rows.
    """
    found = [_Panel(title, group) for title, group in panels(rows)]
    if not found:
        return None
    logs = [abs(math.log(cell.ratio)) for panel in found for cell in panel.cells if cell.ratio]
    reach = next((reach for reach in _REACHES if reach >= max(logs, default=0.0)), _REACHES[-1])
    width = max(svg.NARROW, max(panel.width for panel in found))
    parts, y = [], 0.0
    for panel in found:
        parts += panel.parts(y, width, reach)
        y += panel.height
    parts += _legend(y + 8, reach)
    title = "Speed-up over batched-sparse, by stage and variant"
    cells = [cell.told for panel in found for cell in panel.cells]
    told_of = (
        f"{title}: blue is faster, orange slower, on a scale of logarithms; hatched cells have no right and measured "
        f"answer and say why; {ON_DEVICE}."
    )
    table = table_of("heat-map", title, _COLUMNS, cells)
    return Picture(svg.document(title, told_of, width, y + _LEGEND, parts), told_of, table)


class _Case:
    """A cell: where it is, its number, and its line of the table."""

    def __init__(self, problem: str, stage: str, row: Row, over: Row | None) -> None:
        self.row = row
        taken = time_interval(row)
        timed = taken is not None and over is not None and time_interval(over) is not None
        found = speed_up_over(row, over) if timed else None
        self.ratio = found and found.ratio.median
        self.estimate = found is not None and found.estimated
        self.told = (
            Cell(problem),
            Cell(stage),
            Cell(row.variant),
            Cell(row.device),
            Cell(told_speed_up(found) if found else "-", self.ratio),
            Cell(time_of(row) if taken else "-", taken and taken.median),
            status_cell(row),
        )

    def parts(self, x: float, y: float, reach: float) -> Iterator[str]:
        """The cell's elements."""
        high, middle, base = _ROW - _GAP, x + _CELL / 2 - 1, y + 17
        if self.ratio:
            strength = max(-1.0, min(1.0, math.log(self.ratio) / reach))
            kind = "faster" if strength > 0 else "slower"
            yield svg.box("cell", x, y, _CELL - _GAP, high)
            yield svg.box(kind, x, y, _CELL - _GAP, high, _DARKEST * abs(strength))
            yield svg.text("middle number", middle, base, ("~" if self.estimate else "") + times(self.ratio))
            return
        yield svg.box("cell", x, y, _CELL - _GAP, high)
        taken = time_interval(self.row)
        if self.row.status is Status.OK and taken is not None:
            yield svg.text("middle small quiet", middle, base, duration(taken.median))
            return
        yield svg.hatched(x, y, _CELL - _GAP, high)
        kind = "wrong" if self.row.status in (Status.MISMATCH, Status.FAILED) else "quiet"
        yield svg.text(f"middle small halo {kind}", middle, base, self.row.status.value, _CELL - 8, svg.SMALL)


class _Panel:
    """The matrix of one problem."""

    def __init__(self, title: str, rows: Sequence[Row]) -> None:
        self.title = title
        groups = [(stage_of(group[0], rows), group) for group in by_stage(rows)]
        self.stages = [stage for stage, _ in groups]
        self.places: dict[tuple[str, int], _Case] = {}
        for column, (stage, group) in enumerate(groups):
            over = next((row for row in group if row.variant == BATCHED), None)
            self.places |= {(row.variant, column): _Case(title, stage, row, over) for row in group}
        self.cells = list(self.places.values())
        self.variants = sorted(in_order([row.variant for row in rows]), key=self._block)
        self.headings = [_heading(stage) for stage in self.stages]
        self.top = _HEAD + _LINE * max(map(len, self.headings))
        self.width = _EDGE + _NAMES + _CELL * len(self.stages) + _EDGE
        self.height = self.top + _ROW * len(self.variants) + 18

    def _block(self, variant: str) -> tuple[int, int]:
        """What sorts variants of many stages before those of one, and these as the stages stand."""
        columns = [column for name, column in self.places if name == variant]
        return -len(set(columns)), min(columns)

    def parts(self, top: float, width: float, reach: float) -> Iterator[str]:
        """The matrix's elements."""
        yield svg.text("title", _EDGE, top + 24, self.title, width - 2 * _EDGE, svg.TITLE)
        left, first = _EDGE + _NAMES, top + self.top
        for column, heading in enumerate(self.headings):
            middle = left + _CELL * column + _CELL / 2 - 1
            for place, words in enumerate(reversed(heading)):
                yield svg.text("middle small quiet", middle, first - 8 - _LINE * place, words, _CELL - 4, svg.SMALL)
        for number, variant in enumerate(self.variants):
            y = first + _ROW * number
            of_variant = {column: case for (name, column), case in self.places.items() if name == variant}
            device = next(iter(of_variant.values())).row.device
            yield label(variant, device, left - 20, y + 17, _NAMES - 20)
            for column in range(len(self.stages)):
                x = left + _CELL * column
                if case := of_variant.get(column):
                    yield svg.group(told(_COLUMNS, case.told), *case.parts(x, y, reach))
                else:
                    yield svg.text("middle quiet", x + _CELL / 2 - 1, y + 16, "·")


def _heading(stage: str) -> list[str]:
    """A stage's name in lines: parts of names on lines of their own."""
    return [words.strip() for words in re.split(r"(?<=[_= ])", stage) if words.strip()]


def _legend(top: float, reach: float) -> Iterator[str]:
    """What the colours and the other cells mean."""
    wide, steps = 20, 9
    for step in range(steps):
        strength = 2 * step / (steps - 1) - 1
        x = _EDGE + wide * step
        yield svg.box("cell", x, top, wide - 1, 12)
        if strength:
            yield svg.box("faster" if strength > 0 else "slower", x, top, wide - 1, 12, _DARKEST * abs(strength))
    factor = times(math.exp(reach))
    yield svg.text("small quiet", _EDGE, top + 28, f"{factor} slower")
    yield svg.text("small quiet end", _EDGE + wide * steps, top + 28, f"{factor} faster")
    right = _EDGE + wide * steps + 28
    yield svg.box("cell", right, top, 24, 12) + svg.hatched(right, top, 24, 12)
    yield svg.text("small quiet", right + 30, top + 11, "no right, measured answer")
    yield svg.text("small quiet", right + 9, top + 28, "·")
    yield svg.text("small quiet", right + 30, top + 28, "no such variant")
    yield svg.marker("fill ink", "cuda", right + 12, top + 41, 3.5)
    yield svg.text("small quiet", right + 30, top + 45, "on a CUDA device")
