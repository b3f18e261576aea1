"""Where a pipeline's time goes: a bar of shares for each variant, so that a slow one does not flatten the others."""

import math
from collections.abc import Iterator, Sequence

from ....pipeline.row import Row
from ...table import duration, stage_of, time_of
from .. import svg
from ..document import Cell, Column, Picture
from .measured import ON_DEVICE, panels, status_cell, table_of, time_interval, told

_EDGE, _BAR, _LINE, _HEAD = 12, 38, 19, 34
_WIDE = svg.NARROW - 2 * _EDGE
_ABREAST = 2
"""Phases that are told beside each other below a bar."""

_COLUMNS = (
    Column("problem"),
    Column("stage"),
    Column("variant"),
    Column("device"),
    Column("phase"),
    Column("median", "s", numeric=True),
    Column("share", "%", numeric=True),
    Column("status"),
)


def phases(rows: Sequence[Row]) -> Picture | None:
    """A bar per case that has phases, or whose like have them; None where no row has phases."""
    staged = {row.stage for row in rows if _positive(row)}
    if not staged:
        return None
    parts: list[str] = []
    cells: list[tuple[Cell, ...]] = []
    y = 0.0
    names = dict.fromkeys(name for row in rows for name in _positive(row))
    areas = {name: f"area{place % svg.AREAS}" for place, name in enumerate(names)}
    for title, group in panels([row for row in rows if row.stage in staged]):
        parts.append(svg.text("title", _EDGE, y + 24, title, _WIDE, svg.TITLE))
        y += _HEAD
        for row in sorted(group, key=_slowest_first):
            bar = _Bar(title, row, group, areas)
            cells += bar.cells
            parts += bar.parts(y)
            y += bar.height
        y += 10
    title = "Where the time goes, phase by phase"
    told_of = (
        f"{title}: each bar is the whole of its variant's time, which is written above its end, so that bars compare "
        f"shares; {ON_DEVICE}."
    )
    table = table_of("phases", title, _COLUMNS, cells)
    return Picture(svg.document(title, told_of, svg.NARROW, y, parts), told_of, table)


def _positive(row: Row) -> dict[str, float]:
    """Phases that took some time."""
    return {name: seconds for name, seconds in (row.phases or {}).items() if 0 < seconds < float("inf")}


def _slowest_first(row: Row) -> float:
    taken = time_interval(row)
    return float("inf") if taken is None else -taken.median


class _Bar:
    """One case: its name and time, its bar, and below it the phases that have no room in it."""

    def __init__(self, problem: str, row: Row, group: Sequence[Row], areas: dict[str, str]) -> None:
        self.row, self.areas = row, areas
        self.phases = _positive(row) if time_interval(row) else {}
        self.whole = sum(self.phases.values())
        alone = len({stage_of(each, group) for each in group}) == 1
        self.name = row.variant if alone else f"{row.variant}, {stage_of(row, group)}"
        head = (Cell(problem), Cell(row.stage), Cell(row.variant), Cell(row.device))
        taken = time_interval(row)
        total = Cell(time_of(row) if taken else "-", taken and taken.median)
        self.cells = [(*head, Cell("all"), total, Cell("-"), status_cell(row))]
        for name, seconds in self.phases.items():
            share = 100 * seconds / self.whole
            self.cells.append(
                (*head, Cell(name), Cell(duration(seconds), seconds), Cell(_percent(share), share), status_cell(row))
            )
        self.below = [name for name in self.phases if not self._inside(name)]
        self.height = 24 + (_BAR if taken else 0) + _LINE * math.ceil(len(self.below) / _ABREAST) + 14

    def _inside(self, name: str) -> bool:
        """Whether the bar has room for a phase's name and time."""
        words = max(name, duration(self.phases[name]), key=len)
        return svg.width_of(words, svg.SMALL) + 10 <= _WIDE * self.phases[name] / self.whole

    def parts(self, y: float) -> Iterator[str]:
        """The case's elements."""
        total = self.cells[0][5].text
        words = total if time_interval(self.row) else self.row.status.value
        mark = 0 if self.row.device == "cpu" else 18
        if mark:
            yield svg.marker("fill ink", self.row.device, _EDGE + 6, y + 11.5, 4)
        beside = min(svg.width_of(words), 0.6 * _WIDE)
        yield svg.text("strong", _EDGE + mark, y + 16, self.name, _WIDE - mark - beside - 10)
        yield svg.group(
            told(_COLUMNS, self.cells[0]), svg.text("end number", svg.NARROW - _EDGE, y + 16, words, beside)
        )
        if time_interval(self.row) is None:
            return
        top = y + 24
        if not self.phases:
            yield svg.box("cell", _EDGE, top, _WIDE, _BAR - 6) + svg.hatched(_EDGE, top, _WIDE, _BAR - 6)
            yield svg.text("middle small quiet halo", svg.NARROW / 2, top + 20, "phases were not measured")
            return
        yield from self._segments(top)
        room = _WIDE / _ABREAST
        for place, name in enumerate(self.below):
            x, base = _EDGE + room * (place % _ABREAST), top + _BAR + 8 + _LINE * (place // _ABREAST)
            seconds = self.phases[name]
            words = f"{name} {duration(seconds)}, {_percent(100 * seconds / self.whole)}"
            yield svg.box(self.areas[name], x, base - 9, 10, 10)
            yield svg.text("small", x + 15, base, words, room - 18, svg.SMALL)

    def _segments(self, top: float) -> Iterator[str]:
        x = float(_EDGE)
        for (name, seconds), cells in zip(self.phases.items(), self.cells[1:], strict=True):
            wide, area = _WIDE * seconds / self.whole, self.areas[name]
            shown = [svg.box(area, x, top, max(wide - 1, 0.7), _BAR - 6)]
            if self._inside(name):
                shown.append(svg.text(f"small on-{area}", x + 5, top + 14, name))
                shown.append(svg.text(f"small on-{area}", x + 5, top + 27, duration(seconds)))
            yield svg.group(told(_COLUMNS, cells), *shown)
            x += wide


def _percent(share: float) -> str:
    return f"{share:.2g} %" if share < 99.5 else f"{share:.0f} %"
