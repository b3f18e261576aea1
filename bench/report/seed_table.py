"""The table of the report that this suite began with, before and after, with what was measured here beside it."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...pipeline.row import Row
from ..table import BATCHED, NAIVE, times
from .cells import DASH, empty_section, speed_up_cell, time_cell
from .document import Cell, Column, Paragraph, Section, Table, Tone
from .problems import Problem, problems

NAME, TITLE = "seed", "The seed report's table, with ours beside it"
_DATASET, _SCALE = "seed", 1.0


@dataclass(frozen=True)
class _Reported:
    """Seconds of the seed report: before, naive (None where it gives none), and after, batched-sparse."""

    before: float | None
    after: float
    about: bool = False


REPORTED = {
    "matrix_build": _Reported(1169.75, 1.98),
    "features": _Reported(None, 5.26),
    "predict": _Reported(None, 3.87),
    "shap": _Reported(None, 140, about=True),
    "pipeline": _Reported(1309.52, 151.51),
}
_COLUMNS = (
    Column("stage"),
    Column("seed report, before", "s", numeric=True),
    Column("seed report, after", "s", numeric=True),
    Column("naive here", "s", numeric=True),
    Column("batched-sparse here", "s", numeric=True),
    Column("fastest here", "s", numeric=True),
    Column("which"),
    Column("over batched-sparse here", "x", numeric=True),
    Column("over the seed report's after", "x", numeric=True),
)
_CAUTION = (
    "The seed report's times are of another machine and another model, so that this ratio is for the scale of things; "
    "what was measured in turn here is in the column before it."
)
_PIPELINE = "The seed report's pipeline had no phase of recommendations; ours has."


def section(rows: Sequence[Row]) -> Section:
    """A table for each class of host and number of threads that measured the seed's data at its own size."""
    seed = [row for row in rows if row.dataset == _DATASET and row.scale == _SCALE and row.stage in REPORTED]
    if not seed:
        return empty_section(
            NAME,
            TITLE,
            "Nothing here is of the dataset 'seed' at scale 1, the shape of the seed report's data.",
            "Measure it",
            "technobench run --dataset seed --stage matrix_build --stage features --stage predict --stage shap "
            "--stage pipeline --budget 30",
        )
    told = "Before is naive code, after is batched and sparse; the numbers are the report's own, quoted."
    return Section(NAME, TITLE, (Paragraph(told), *_tables(seed)))


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    of_data: dict[str, list[Problem]] = {}
    for problem in problems(rows):
        of_data.setdefault(problem.data, []).append(problem)
    for number, (data, found) in enumerate(of_data.items(), start=1):
        found.sort(key=lambda problem: list(REPORTED).index(problem.rows[0].stage))
        lines = tuple(_line(problem) for problem in found)
        yield Table(f"seed-{number}", f"The seed report and {data}", _COLUMNS, lines, (_CAUTION, _PIPELINE))


def _line(problem: Problem) -> tuple[Cell, ...]:
    stage = problem.rows[0].stage
    reported = REPORTED[stage]
    after = f"about {reported.after:g} s" if reported.about else f"{reported.after:,.2f} s"
    theirs = (
        Cell(problem.stage + (" [2]" if stage == "pipeline" else "")),
        DASH if reported.before is None else Cell(f"{reported.before:,.2f} s", reported.before),
        Cell(after, reported.after),
    )
    others = [problem.variant(name) for name in (NAIVE, BATCHED)]
    ours = [DASH if row is None else time_cell(row) for row in others]
    right = problem.right()
    if not right:
        return *theirs, *ours, DASH, Cell("no right answer", tone=Tone.BAD), DASH, DASH
    best = right[0]
    ratio = reported.after / statistics.median(best.seconds or [])
    return (
        *theirs,
        *ours,
        time_cell(best),
        Cell(best.variant, tone=Tone.GOOD),
        speed_up_cell(best, problem.variant(BATCHED)),
        Cell(f"~{times(ratio)} [1]", ratio, Tone.CAREFUL),
    )
