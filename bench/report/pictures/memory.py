"""Peak memory of each stage and variant: of the host, and of the device where it was measured."""

from collections.abc import Iterator, Sequence

from ....pipeline.row import Row
from ...table import memory as mebibytes
from ...table import stage_of
from .. import svg
from ..document import Cell, Column, Picture
from .measured import ON_DEVICE, in_order, label, panels, status_cell, table_of, told

_EDGE, _NAMES, _NUMBERS = 12, 154, 74
_ROW, _BAR, _THIN = 22, 13, 7
_LEFT = _EDGE + _NAMES
_WIDE = svg.NARROW - _EDGE - _LEFT - _NUMBERS

_COLUMNS = (
    Column("problem"),
    Column("stage"),
    Column("variant"),
    Column("device"),
    Column("host, before", "MiB", numeric=True),
    Column("host, peak", "MiB", numeric=True),
    Column("device, peak", "MiB", numeric=True),
    Column("status"),
)


def memory(rows: Sequence[Row]) -> Picture | None:
    """Bars of peak memory, what was resident before the run lighter; None where no row has any."""
    measured = [row for row in rows if _peaks(row)]
    if not measured:
        return None
    scale = _WIDE / max(peak for row in measured for peak in _peaks(row))
    parts: list[str] = []
    cells: list[tuple[Cell, ...]] = []
    y = 0.0
    for title, group in panels(measured):
        parts.append(svg.text("title", _EDGE, y + 24, title, svg.NARROW - 2 * _EDGE, svg.TITLE))
        y += 34
        stages: dict[str, list[Row]] = {}
        for row in group:
            stages.setdefault(stage_of(row, group), []).append(row)
        for stage, members in stages.items():
            parts.append(svg.text("strong", _EDGE, y + 16, stage, svg.NARROW - 2 * _EDGE))
            y += 24
            order = in_order([row.variant for row in members])
            for row in sorted(members, key=lambda row: order.index(row.variant)):
                line = _line_of(title, stage, row)
                cells.append(line)
                parts.append(svg.group(told(_COLUMNS, line), *_bars(row, y, scale)))
                y += _ROW + (_THIN + 8 if _device(row) else 0)
            y += 8
    parts += _legend(y + 12)
    title = "Peak memory, by stage and variant"
    told_of = (
        f"{title}, in MiB: the light part of a bar was resident before the run; a hatched bar below is the device's "
        f"memory; {ON_DEVICE}."
    )
    table = table_of("memory", title, _COLUMNS, cells)
    return Picture(svg.document(title, told_of, svg.NARROW, y + 48, parts), told_of, table)


def _device(row: Row) -> int:
    """Peak bytes of the device; 0 where they were not measured."""
    return row.device_peak_bytes or 0


def _peaks(row: Row) -> list[int]:
    return [count for count in (row.peak_bytes or 0, _device(row)) if count > 0]


def _line_of(problem: str, stage: str, row: Row) -> tuple[Cell, ...]:
    counts = (row.resident_bytes, row.peak_bytes, _device(row) or None)
    numbers = [Cell(mebibytes(count), None if count is None else count / 2**20) for count in counts]
    return (Cell(problem), Cell(stage), Cell(row.variant), Cell(row.device), *numbers, status_cell(row))


def _bars(row: Row, y: float, scale: float) -> Iterator[str]:
    hue = "hue0" if row.device == "cpu" else "hue2"
    yield label(row.variant, row.device, _LEFT - 20, y + 11, _NAMES - 20)
    peak = row.peak_bytes or 0
    before = min(row.resident_bytes or 0, peak)
    yield svg.box(f"fill {hue}", _LEFT, y, scale * before, _BAR, 0.4)
    yield svg.box(f"fill {hue}", _LEFT + scale * before, y, scale * (peak - before), _BAR)
    yield svg.text("small number", _LEFT + scale * peak + 6, y + 11, mebibytes(row.peak_bytes))
    if device := _device(row):
        top, wide = y + _BAR + 5, scale * device
        yield svg.box(f"fill {hue}", _LEFT, top, wide, _THIN, 0.25) + svg.hatched(_LEFT, top, wide, _THIN)
        yield svg.text("small number", _LEFT + wide + 6, top + 9, mebibytes(device))


def _legend(y: float) -> Iterator[str]:
    yield svg.box("fill hue0", _EDGE, y, 20, 10, 0.4)
    yield svg.text("small quiet", _EDGE + 26, y + 10, "before the run")
    yield svg.box("fill hue0", _EDGE + 128, y, 20, 10)
    yield svg.text("small quiet", _EDGE + 154, y + 10, "added by it")
    yield svg.box("fill hue2", _EDGE + 246, y, 20, 10, 0.25) + svg.hatched(_EDGE + 246, y, 20, 10)
    yield svg.text("small quiet", _EDGE + 272, y + 10, "of the device")
