"""The lines of a history: pure functions from it to a table for a terminal, and to Markdown."""

import math
import statistics
from collections.abc import Sequence

from rich import box
from rich.table import Table

from .history import SHORT, Change, History, Point, Series, full_names
from .table import spread, times

_BARS = "▁▂▃▄▅▆▇█"
_LONGEST = 40
"""Bars of a sparkline; of a longer history each is the median of several commits."""
_FLAT = 0.02
"""A sparkline's height is this share of the ratio at least, so that noise does not look like mountains."""


def table(history: History) -> Table:
    """A line per series."""
    made = Table(title=_title(history), title_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, justify in zip(_HEADINGS, _JUSTIFY, strict=True):
        made.add_column(heading, justify=justify, overflow="fold")
    for cells in _lines(history):
        made.add_row(*cells)
    return made


def markdown(history: History) -> str:
    """The same as a table of Markdown."""
    marks = {"left": "---", "right": "---:"}
    rows = [_HEADINGS, [marks[justify] for justify in _JUSTIFY], *_lines(history)]
    text = "\n".join(f"| {' | '.join(map(_in_markdown, cells))} |" for cells in rows)
    return f"**{_title(history)}**\n\n{text}\n"


def described(change: Change) -> str:
    """A change point in words."""
    return f"{change.commit[:SHORT]}: {size_of(change)} (p {change.probability:.2g})"


def size_of(change: Change) -> str:
    """How much more or less time a case takes since a change point."""
    return f"{100 * abs(change.slower):.3g} % {'slower' if change.slower > 0 else 'faster'}"


def ratio_of(point: Point) -> str:
    """How many times as fast as the anchor, with the interval's half-width."""
    return times(point.ratio.median) + spread(point.ratio)


def sparkline(values: Sequence[float]) -> str:
    """Positive values as bars, on a scale of logarithms; at most `_LONGEST`."""
    count = min(len(values), _LONGEST)
    bins = [values[len(values) * i // count : len(values) * (i + 1) // count] for i in range(count)]
    heights = [math.log(statistics.median(each)) for each in bins]
    if not heights:
        return ""
    middle, half = (max(heights) + min(heights)) / 2, max((max(heights) - min(heights)) / 2, _FLAT / 2)
    places = [(height - (middle - half)) / (2 * half) for height in heights]
    return "".join(_BARS[min(int(place * len(_BARS)), len(_BARS) - 1)] for place in places)


_HEADINGS = ("case", "commits", "first", "last", "history", "change points")
_JUSTIFY = ("left", "right", "right", "right", "left", "left")


def _title(history: History) -> str:
    return f"how many times as fast as {history.anchor}, by commit"


def _lines(history: History) -> list[tuple[str, ...]]:
    return [_cells(name, each) for name, each in zip(full_names(history.series), history.series, strict=True)]


def _cells(name: str, series: Series) -> tuple[str, ...]:
    points = series.points
    changes = "\n".join(described(change) for change in series.changes) or "none"
    line = sparkline([point.ratio.median for point in points])
    return name, str(len(points)), ratio_of(points[0]), ratio_of(points[-1]), line, changes


def _in_markdown(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")
