"""The whole matrix: a heat map, and a table of every row."""

from collections.abc import Iterator, Sequence

from ...pipeline.row import Row
from ..notes import Notes
from ..table import BATCHED, NAIVE, reason_of
from .cells import (
    apart_cell,
    error_cell,
    memory_cell,
    quality_cell,
    speed_up_cell,
    status_cell,
    time_cell,
)
from .document import Block, Cell, Column, Section, Table, Tone
from .pictures.heat_map import heat_map
from .problems import Problem, problems

NAME, TITLE = "matrix", "The matrix: every stage and variant"


def section(rows: Sequence[Row]) -> Section:
    """The heat map, then a table for each problem with a line for each of its rows."""
    picture = heat_map(rows)
    blocks: list[Block] = [] if picture is None else [picture]
    return Section(NAME, TITLE, (*blocks, *_tables(rows)))


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    for number, problem in enumerate(problems(rows), start=1):
        yield _table(f"rows-{number}", problem)


def _table(name: str, problem: Problem) -> Table:
    on_device = any(row.device_peak_bytes is not None for row in problem.rows)
    judged = any(row.quality for row in problem.rows)
    columns = (
        Column("variant"),
        Column("device"),
        Column("run, median", "s", numeric=True),
        Column("over naive", "x", numeric=True),
        Column("over batched-sparse", "x", numeric=True),
        Column("set-up", "s", numeric=True),
        Column("fetch", "s", numeric=True),
        Column("peak memory", "MiB", numeric=True),
        *([Column("device's peak", "MiB", numeric=True)] if on_device else []),
        Column("error", numeric=True),
        *([Column("quality", numeric=True)] if judged else []),
        Column("status"),
    )
    notes = Notes()
    best = next(iter(problem.right()), None)
    lines = [
        (
            Cell(row.variant, tone=Tone.GOOD if row is best else Tone.PLAIN),
            Cell(row.device),
            time_cell(row),
            speed_up_cell(row, problem.variant(NAIVE)),
            speed_up_cell(row, problem.variant(BATCHED)),
            apart_cell(row.setup_seconds),
            apart_cell(row.fetch_seconds),
            memory_cell(row.peak_bytes),
            *([memory_cell(row.device_peak_bytes)] if on_device else []),
            error_cell(row),
            *([quality_cell(row)] if judged else []),
            status_cell(row, notes.mark(reason_of(row))),
        )
        for row in problem.rows
    ]
    return Table(name, f"{problem.stage}: {problem.data}", columns, tuple(lines), notes.texts)
