"""The section of the history: how fast each case was, commit by commit, and where it stepped."""

import dataclasses
from collections.abc import Sequence

from ..history import History, Series, full_names
from ..history_picture import picture
from ..history_table import described, ratio_of
from .cells import empty_section
from .document import Cell, Column, Picture, Section, Table, Tone

NAME, TITLE = "history", "History"
_LEAST_COMMITS = 2
_MOST_PANELS = 8
"""More panels than these are longer than anyone looks at; the table has all."""


def section(history: History) -> Section:
    """The history of cases that were measured at two commits at least; those with change points first."""
    series = [each for each in history.series if len(each.points) >= _LEAST_COMMITS]
    if not series:
        return empty_section(
            NAME,
            TITLE,
            f"No case was measured in turn with {history.anchor} at two commits or more.",
            "Measure the commits of the past",
            "technobench backfill HEAD~5..HEAD",
        )
    series.sort(key=lambda each: (-len(each.changes), -len(each.points)))
    shown = series[:_MOST_PANELS]
    measured = {point.commit for each in shown for point in each.points}
    commits = tuple(commit for commit in history.commits if commit in measured)
    told = (
        f"How many times as fast as {history.anchor} each case was, in the sessions that measured both in turn; higher "
        "is faster."
    )
    if len(series) > len(shown):
        told += f" {len(series) - len(shown)} more are in the table alone."
    drawn = picture(dataclasses.replace(history, series=tuple(shown), commits=commits))
    return Section(NAME, TITLE, (Picture(drawn, told, _table(series)),))


def _table(series: Sequence[Series]) -> Table:
    columns = (
        Column("case"),
        Column("commits", numeric=True),
        Column("first", "x", numeric=True),
        Column("last", "x", numeric=True),
        Column("change points"),
    )
    lines = tuple(_line(name, each) for name, each in zip(full_names(series), series, strict=True))
    return Table("history", "Speed over the anchor's, by commit", columns, lines)


def _line(name: str, series: Series) -> tuple[Cell, ...]:
    first, last = series.points[0], series.points[-1]
    slower = any(change.slower > 0 for change in series.changes)
    return (
        Cell(name),
        Cell(str(len(series.points)), len(series.points)),
        Cell(ratio_of(first), first.ratio.median),
        Cell(ratio_of(last), last.ratio.median),
        Cell("; ".join(map(described, series.changes)) or "none", tone=Tone.CAREFUL if slower else Tone.PLAIN),
    )
