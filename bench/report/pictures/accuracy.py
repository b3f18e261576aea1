"""Accuracy against speed: errors relative to the tolerance over median seconds, and which variants nothing beats."""

import math
from collections.abc import Iterator, Sequence

from ....pipeline.row import Row, Status
from ...statistics import Interval
from ...table import by_stage, error_of, stage_of, time_of
from .. import svg
from ..document import Cell, Column, Picture
from .measured import ON_DEVICE, in_order, panels, round_duration, status_cell, table_of, time_interval, told

_LEFT, _RIGHT, _TOP, _PLOT, _BOTTOM = 68, 378, 70, 190, 46
_LABEL, _AWAY, _ROW = 15, 9, 18

_COLUMNS = (
    Column("variant"),
    Column("device"),
    Column("run, median", "s", numeric=True),
    Column("error", "", numeric=True),
    Column("error over tolerance", "x", numeric=True),
    Column("on the front"),
    Column("status"),
)
_CROSSED = {Status.MISMATCH, Status.FAILED}


def accuracy(rows: Sequence[Row]) -> list[Picture]:
    """A picture per stage and problem that has a checked or wrong answer with a time."""
    made = []
    for title, members in panels(rows):
        for group in by_stage(members):
            points = [_Point(row) for row in group]
            if any(point.drawn for point in points):
                stage = stage_of(group[0], members)
                made.append(_picture(stage, title, points))
    return made


class _Point:
    """A row as a point: its time, and its error in tolerances (infinite for an answer without a number)."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.wrong = row.status in _CROSSED
        self.time: Interval | None = time_interval(row)
        self.relative = _relative(row)
        self.drawn = self.time is not None and self.relative is not None
        self.right = self.drawn and row.status is Status.OK
        self.on_front = False

    @property
    def seconds(self) -> float:
        """Median seconds of a point that is drawn."""
        return self.time.median if self.time else math.nan

    def cells(self) -> tuple[Cell, ...]:
        """Its line of the table."""
        relative = "-" if self.relative is None else "infinite" if self.relative == math.inf else f"{self.relative:.2g}"
        return (
            Cell(self.row.variant),
            Cell(self.row.device),
            Cell(time_of(self.row) if self.time else "-", self.time and self.time.median),
            Cell(error_of(self.row), self.row.error),
            Cell(relative, self.relative if self.relative != math.inf else None),
            Cell("yes" if self.on_front else ""),
            status_cell(self.row),
        )


def _relative(row: Row) -> float | None:
    """Error over tolerance; infinite where the answer is wrong without a number, None where none was checked."""
    if row.error is None or not math.isfinite(row.error):
        return math.inf if row.status is Status.MISMATCH else None
    if row.error <= 0:
        return 0.0
    return row.error / row.tolerance if row.tolerance > 0 else math.inf


def _mark_front(points: Sequence[_Point]) -> list[_Point]:
    """Right answers that no other is both faster and more accurate than, the fastest first; they are marked."""
    front: list[_Point] = []
    for point in sorted((each for each in points if each.right), key=lambda each: (each.seconds, each.relative)):
        if not front or (point.relative or 0.0) < (front[-1].relative or 0.0):
            point.on_front = True
            front.append(point)
    return front


def _picture(stage: str, problem: str, points: Sequence[_Point]) -> Picture:
    row, front = points[0].row, _mark_front(points)
    axes = _Axes([point for point in points if point.drawn])
    title = f"{stage}: error against time"
    wrong = [point.row.variant for point in points if point.wrong]
    told_of = (
        f"{title}, {problem}: the error relative to the tolerance ({row.tolerance:g}) over median seconds, "
        f"both on scales of logarithms; lower and further left is better. The line joins the variants that no other "
        f"beats in both: {', '.join(point.row.variant for point in front) or 'none'}. Hollow marks are estimates or "
        f"stand-ins; {ON_DEVICE}."
    )
    if wrong:
        told_of += f" Crossed out, since wrong or failed: {', '.join(wrong)}."
    order = in_order([point.row.variant for point in points])
    cells = [point.cells() for point in sorted(points, key=lambda point: order.index(point.row.variant))]
    parts = [
        svg.text("title", 12, 24, title, svg.NARROW - 24, svg.TITLE),
        svg.text("small quiet", 12, 42, problem, svg.NARROW - 24, svg.SMALL),
        *axes.parts(),
        *_front_line(front, axes),
        *_marks(points, axes),
        *_labels(points, axes),
    ]
    without = [point for point in points if not point.drawn]
    told_there = "; ".join(told(_COLUMNS, point.cells()) for point in without)
    below = list(_of_those_without(without))
    for number, words in enumerate(below):
        parts.append(svg.group(told_there, svg.text("small quiet", 12, axes.height + 8 + 16 * number, words)))
    height = axes.height + (16 * len(below) + 2 if below else 0)
    table = table_of(
        f"accuracy-{stage}-{row.dataset}-{row.scale:g}-{row.threads}", f"{title}, {problem}", _COLUMNS, cells
    )
    return Picture(svg.document(title, told_of, svg.NARROW, height, parts), told_of, table)


def _of_those_without(points: Sequence[_Point]) -> Iterator[str]:
    """Lines that name what has no time or no checked answer, by status."""
    for status in dict.fromkeys(point.row.status for point in points):
        named = ", ".join(point.row.variant for point in points if point.row.status is status)
        yield from svg.wrapped(f"{status.value}: {named}", svg.NARROW - 24, svg.SMALL)


class _Axes:
    """Where points lie: by their errors, or line by line where these are infinite (above) or exact (below)."""

    def __init__(self, points: Sequence[_Point]) -> None:
        self.x = svg.scale([point.seconds for point in points], _LEFT + 8, _RIGHT - 30)
        by_time = sorted(points, key=lambda point: point.seconds)
        infinite = [point for point in by_time if point.relative == math.inf]
        exact = [point for point in by_time if point.relative == 0.0]
        errors = [point.relative for point in points if point.relative and point.relative < math.inf]
        self.top = _TOP + _ROW * len(infinite)
        self.bottom = self.top + (_PLOT if errors else 0)
        self.floor = self.bottom + _ROW * len(exact) + (10 if exact else 0)
        self.y = svg.scale([*errors, 1.0], self.bottom, self.top) if errors else None
        self.lines = {id(point): _TOP + _ROW * (place + 0.5) for place, point in enumerate(infinite)}
        self.lines |= {id(point): self.bottom + 5 + _ROW * (place + 0.5) for place, point in enumerate(exact)}
        self.height = self.floor + _BOTTOM

    def place(self, point: _Point) -> tuple[float, float]:
        """Where a point lies."""
        x = self.x(point.seconds)
        if self.y is None or id(point) in self.lines:
            return x, self.lines[id(point)]
        return x, self.y(point.relative or 0.0)

    def parts(self) -> Iterator[str]:
        """Ticks, their values, the axes' names, and the tolerance."""
        for seconds in self.x.ticks():
            x = self.x(seconds)
            yield svg.line("grid", x, _TOP, x, self.floor)
            yield svg.text("small quiet middle", x, self.floor + 18, round_duration(seconds))
        yield svg.text("small quiet end", _RIGHT, self.floor + 36, "median time of a run")
        if self.top > _TOP:
            yield svg.text("small wrong end", _LEFT - 8, (_TOP + self.top) / 2 + 4, "infinite")
            yield svg.line("axis", _LEFT, self.top, _RIGHT, self.top)
        if self.floor > self.bottom:
            yield svg.text("small quiet end", _LEFT - 8, (self.bottom + self.floor) / 2 + 4, "exact")
            yield svg.line("axis" if self.y else "grid", _LEFT, self.bottom, _RIGHT, self.bottom)
        if self.y:
            yield svg.text("small quiet", 12, _TOP - 10, "error / tolerance")
            for error in self.y.ticks():
                yield svg.line("grid", _LEFT, self.y(error), _RIGHT, self.y(error))
                yield svg.text("small quiet end number", _LEFT - 8, self.y(error) + 4, f"{error:g}")
            limit = self.y(1.0)
            yield svg.line("axis beyond", _LEFT, limit, _RIGHT, limit)
            yield svg.text("small quiet end halo", _RIGHT, limit - 5, "tolerance")


def _front_line(front: Sequence[_Point], axes: _Axes) -> Iterator[str]:
    """Steps from the fastest to the most accurate: where a variant is the best choice."""
    steps: list[tuple[float, float]] = []
    for x, y in map(axes.place, front):
        if steps:
            steps.append((x, steps[-1][1]))
        steps.append((x, y))
    if len(steps) > 1:
        yield svg.path("thin ink beyond", steps)


def _marks(points: Sequence[_Point], axes: _Axes) -> Iterator[str]:
    for point in points:
        if not point.drawn:
            continue
        x, y = axes.place(point)
        device = point.row.device
        hue = "hue1" if point.wrong else "hue0" if device == "cpu" else "hue2"
        parts = []
        if point.time and point.time.low is not None and point.time.high is not None:
            parts.append(svg.line(f"whisker {hue}", axes.x(point.time.low), y, axes.x(point.time.high), y))
        parts.append(svg.marker(f"fill {hue}" if point.right else f"hollow {hue}", device, x, y, 4.5))
        if point.wrong:
            parts += [svg.line(f"whisker {hue}", x - 7, y + slope, x + 7, y - slope) for slope in (7, -7)]
        yield svg.group(told(_COLUMNS, point.cells()), *parts)


def _labels(points: Sequence[_Point], axes: _Axes) -> Iterator[str]:
    """Names beside their points, or as near as none is in the way, with a line to the point; else none."""
    drawn = [point for point in points if point.drawn]
    places = [axes.place(point) for point in drawn]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    for point, (x, y) in sorted(zip(drawn, places, strict=True), key=lambda each: (not each[0].on_front, each[1])):
        name = svg.cut(point.row.variant, 130, svg.SMALL)
        wide = svg.width_of(name, svg.SMALL)
        found = next((area for area in _around(x, y, wide) if _free(area, taken, axes.floor)), None)
        if found is None:
            continue
        left, top, right, bottom = found
        taken.append(found)
        if abs((top + bottom) / 2 - y) > _LABEL:
            yield svg.line("hatch", x, y, min(max(x, left + 4), right - 4), bottom - 2 if bottom < y else top + 2)
        kind = "strong small halo" if point.on_front else "small halo"
        at_left = left < x - wide / 2
        yield svg.text(f"{kind} end" if at_left else kind, right if at_left else left, bottom - 4, name)


def _around(x: float, y: float, wide: float) -> Iterator[tuple[float, float, float, float]]:
    """Areas for a label, the nearest first: beside the point, then further up and down."""
    for away in (0, *(sign * step for step in range(_LABEL, _PLOT, _LABEL) for sign in (-1, 1))):
        middle = y + away
        for left in (x + _AWAY, x - _AWAY - wide):
            yield left, middle - _LABEL / 2, left + wide, middle + _LABEL / 2


def _free(area: tuple[float, float, float, float], taken: Sequence[tuple[float, ...]], floor: float) -> bool:
    """Whether an area lies inside of the plot and on nothing else."""
    left, top, right, bottom = area
    inside = left >= _LEFT and right <= svg.NARROW - 4 and top >= _TOP - 8 and bottom <= floor + 2
    return inside and not any(
        left < other[2] and right > other[0] and top < other[3] and bottom > other[1] for other in taken
    )
