"""The first screen: what is fastest and right, by how much, and what did not run as it was asked to."""

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence

from ...pipeline.row import MEANING, Row, Status
from ..notes import Notes
from ..speed_up import speed_up_over
from ..table import BATCHED, NAIVE, speed_up, time_of, told_speed_up
from .cells import DASH, TONES, listed, speed_up_cell, time_cell
from .document import Block, Cell, Column, Highlight, Highlights, Paragraph, Section, Table, Tone
from .problems import Problem, problems

NAME, TITLE = "answers", "Answers"
_GRAVEST_FIRST = (
    Status.MISMATCH,
    Status.FAILED,
    Status.FELL_BACK,
    Status.UNVERIFIED,
    Status.EXTRAPOLATED,
    Status.UNAVAILABLE,
)
_MOST_HIGHLIGHTS = 12


def section(rows: Sequence[Row], unreadable: Sequence[str]) -> Section:
    """Highlights, the fastest right variant of each problem, and every row that is not ok, with its reason.

    Args:
        rows: of the report.
        unreadable: a sentence for each line that was passed over.

    """
    found = list(problems(rows))
    highlights = _highlights(found)
    blocks: list[Block] = [highlights] if highlights.each else []
    blocks += [Paragraph(_told(rows)), _fastest(found)]
    if any(row.status is not Status.OK for row in rows):
        blocks.append(_not_ok(rows))
    if unreadable:
        blocks.append(_passed_over(unreadable))
    return Section(NAME, TITLE, tuple(blocks))


def _told(rows: Sequence[Row]) -> str:
    counts = Counter(row.status for row in rows)
    told = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
    return (
        f"{len(rows):,} {'case' if len(rows) == 1 else 'cases'}: {told}. Only answers that were checked and right have "
        "speed-ups. ± is half of a 95 % interval of the median, over rounds that ran in turn; ~ marks an estimate: of "
        "two that did not run in turn, or of a time that was extrapolated from smaller sizes."
    )


def _highlights(found: Sequence[Problem]) -> Highlights:
    """Of each stage the problem with the most records; of several machines the one with the fastest right answer."""
    largest: dict[str, Problem] = {}
    for problem in found:
        stage = problem.rows[0].stage
        if problem.right() and (stage not in largest or _prominence(problem) > _prominence(largest[stage])):
            largest[stage] = problem
    return Highlights(tuple(_highlight(problem) for problem in itertools.islice(largest.values(), _MOST_HIGHLIGHTS)))


def _highlight(problem: Problem) -> Highlight:
    best = problem.right()[0]
    ratios = [(speed_up(best, problem.variant(name)), name) for name in (BATCHED, NAIVE) if name != best.variant]
    device = "" if best.device == "cpu" else f" on {best.device}"
    return Highlight(
        subject=problem.stage,
        answer=best.variant,
        details=(
            f"{time_of(best)}{device}",
            *(f"{ratio} over {name}" for ratio, name in ratios if ratio != "-"),
            f"{best.dataset}, scale {best.scale:g}",
            *([problem.machine] if problem.machine else []),
        ),
    )


def _prominence(problem: Problem) -> tuple[int, float]:
    return _records(problem), -statistics.median(problem.right()[0].seconds or [])


def _records(problem: Problem) -> int:
    return problem.rows[0].sizes.get("records", 0)


def _fastest(found: Sequence[Problem]) -> Table:
    columns = (
        Column("stage"),
        Column("data"),
        Column("fastest right variant"),
        Column("device"),
        Column("run, median", "s", numeric=True),
        Column("over naive", "x", numeric=True),
        Column("over batched-sparse", "x", numeric=True),
        Column("runner-up"),
    )
    stages = list(dict.fromkeys(problem.stage for problem in found))
    ordered = sorted(found, key=lambda problem: (stages.index(problem.stage), -_records(problem)))
    lines = tuple(map(_line, ordered))
    return Table("fastest", "The fastest right variant of each stage", columns, lines)


def _line(problem: Problem) -> tuple[Cell, ...]:
    first = (Cell(problem.stage), Cell(problem.data))
    right = problem.right()
    if not right:
        counts = Counter(row.status.value for row in problem.rows)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        return *first, Cell(f"none: {told}", tone=Tone.BAD), DASH, DASH, DASH, DASH, DASH
    best = right[0]
    return (
        *first,
        Cell(best.variant, tone=Tone.GOOD),
        Cell(best.device),
        time_cell(best),
        speed_up_cell(best, problem.variant(NAIVE)),
        speed_up_cell(best, problem.variant(BATCHED)),
        _runner_up(best, right[1:]),
    )


def _runner_up(best: Row, others: Sequence[Row]) -> Cell:
    """The next one, by how much longer it takes, and whether that is more than the intervals leave open."""
    if not others:
        return DASH
    found = speed_up_over(best, others[0])
    if found is None:
        return DASH
    ratio = told_speed_up(found)
    if found.ratio.low is not None and found.ratio.low <= 1:
        return Cell(f"{others[0].variant}, not told apart ({ratio})", tone=Tone.CAREFUL)
    return Cell(f"{others[0].variant}, {ratio} the time")


def _not_ok(rows: Sequence[Row]) -> Table:
    """A line for each reason, the gravest first."""
    groups: dict[tuple[Status, str], list[Row]] = {}
    for row in rows:
        if row.status is not Status.OK:
            groups.setdefault((row.status, row.reason or "no reason was given"), []).append(row)
    notes = Notes()
    lines = tuple(
        (
            Cell(f"{status.value} {notes.mark(MEANING[status])}", tone=TONES[status]),
            Cell(listed([f"{row.stage}/{row.variant}" for row in members])),
            Cell(listed([f"{row.dataset}@{row.scale:g}" for row in members])),
            Cell(reason),
        )
        for (status, reason), members in sorted(groups.items(), key=lambda item: _GRAVEST_FIRST.index(item[0][0]))
    )
    columns = (Column("status"), Column("cases"), Column("data"), Column("why"))
    return Table("not-ok", "What fell back, was wrong, was estimated or did not run", columns, lines, notes.texts)


def _passed_over(unreadable: Sequence[str]) -> Table:
    lines = tuple((Cell(sentence, tone=Tone.CAREFUL),) for sentence in unreadable)
    return Table("unreadable", "Lines of the files of results that were passed over", (Column("line"),), lines)
