"""Cells of the report's tables: what `bench.table` says of a row, with the number behind it."""

import statistics
from collections.abc import Sequence

from ...pipeline.row import Row, Status
from ..speed_up import speed_up_over
from ..table import apart, error_of, memory, quality_of, time_of, told_speed_up
from .document import Cell, Command, Paragraph, Section, Tone

TONES: dict[Status, Tone] = {
    Status.OK: Tone.GOOD,
    Status.EXTRAPOLATED: Tone.CAREFUL,
    Status.UNVERIFIED: Tone.CAREFUL,
    Status.FELL_BACK: Tone.CAREFUL,
    Status.MISMATCH: Tone.BAD,
    Status.FAILED: Tone.BAD,
    Status.UNAVAILABLE: Tone.QUIET,
}
DASH = Cell("-", tone=Tone.QUIET)


def time_cell(row: Row) -> Cell:
    """The run time in seconds, its interval in words."""
    if row.extrapolation is not None:
        return Cell(time_of(row), row.extrapolation.seconds, Tone.CAREFUL)
    return DASH if row.seconds is None else Cell(time_of(row), statistics.median(row.seconds))


def speed_up_cell(row: Row, over: Row | None) -> Cell:
    """How many times as fast as another row."""
    found = speed_up_over(row, over)
    return DASH if found is None else Cell(told_speed_up(found), found.ratio.median)


def apart_cell(seconds: float | None) -> Cell:
    """A time beside the run's, in seconds."""
    return DASH if seconds is None else Cell(apart(seconds), seconds)


def memory_cell(count: int | None) -> Cell:
    """Bytes as MiB."""
    return DASH if count is None else Cell(memory(count), count / 2**20)


def error_cell(row: Row) -> Cell:
    """The error by the stage's measure."""
    return DASH if row.error is None else Cell(error_of(row), row.error)


def quality_cell(row: Row) -> Cell:
    """The main measure of how good the answer is."""
    return DASH if not row.quality else Cell(quality_of(row), next(iter(row.quality.values())))


def status_cell(row: Row, note: str = "") -> Cell:
    """The status as a word, with the number of its note."""
    return Cell(f"{row.status.value} {note}".rstrip(), tone=TONES[row.status])


def listed(names: Sequence[str]) -> str:
    """Each name once, in order of appearance."""
    return ", ".join(dict.fromkeys(names))


def empty_section(name: str, title: str, sentence: str, purpose: str, command: str) -> Section:
    """A section that has no data: what is missing, and the command that would fill it."""
    return Section(name, title, (Paragraph(sentence), Command(purpose, command)))
