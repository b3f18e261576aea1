"""Comparisons as a table, as Markdown and as JSON: pure functions to text."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from .comparison import CaseComparison, MeasureComparison, Outcome
from .text import code, share

HEADINGS = ("case", "measure", "B / A", "interval", "noise", "visible", "pairs", "compared", "verdict")
ABOUT_LAUNCHES = (
    "B / A: the median of launches. interval: each bound is wrong with a probability of 1 % at most. noise: by how "
    "much A differs from itself. visible: the smallest effect that would have been told from none."
)
ABOUT_RUNS = (
    "B / A: medians of rounds. interval: 95 %, by bootstrap of both runs. noise: spread of the rounds of a run, or of "
    "runs that were not in turn, by which an interval is widened before anything is told. visible: the smallest effect "
    "that would have been told from none. A process that compiled what others load has a higher peak of memory."
)
_STYLES = {
    Outcome.SLOWER: "bold red",
    Outcome.MORE: "bold red",
    Outcome.FASTER: "bold green",
    Outcome.LESS: "bold green",
    Outcome.UNTOLD: "yellow",
    Outcome.NOT_COMPARED: "dim",
    Outcome.INVALID: "bold magenta",
}
_LEFT = ("case", "measure", "compared", "verdict")


def times(ratio: float | None) -> str:
    """A ratio with four digits; a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.4g}x"


def verdict(outcome: Outcome, within: float) -> str:
    """In words."""
    return f"same within {100 * within:.3g} %" if outcome is Outcome.SAME else outcome.value


def _cells(measure: MeasureComparison) -> tuple[str, ...]:
    interval = "-" if measure.low is None else f"{times(measure.low)} to {times(measure.high)}"
    seen = share(measure.noise), share(measure.visible)
    return measure.measure, times(measure.ratio), interval, *seen, f"{measure.pairs}", measure.how


def without_measures(cases: Sequence[CaseComparison]) -> dict[str, list[str]]:
    """The names of the cases that there are no figures of, by what is said of them."""
    found: dict[str, list[str]] = {}
    for case in cases:
        if not case.measures:
            found.setdefault(f"{case.outcome}: {case.reason}", []).append(case.name)
    return found


def table(cases: Sequence[CaseComparison], title: str) -> Table:
    """For a terminal: a line for each measure of each case that has any."""
    found = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left")
    for heading in HEADINGS:
        found.add_column(heading, justify="left" if heading in _LEFT else "right")
    for case in cases:
        for number, measure in enumerate(case.measures):
            told = Text(verdict(measure.outcome, measure.within), _STYLES.get(measure.outcome, ""))
            found.add_row(Text("" if number else case.name), *map(Text, _cells(measure)), told)
        if case.measures:
            found.add_section()
    return found


def markdown(cases: Sequence[CaseComparison], title: str, notes: Sequence[str]) -> str:
    """The same for a page."""
    lines = ["### technobench compare", "", code(title), ""]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for case in cases:
        for number, measure in enumerate(case.measures):
            name, told = code(case.name), verdict(measure.outcome, measure.within)
            lines.append(f"| {'' if number else name} | {' | '.join(_cells(measure))} | {told} |")
    told = [f"{said}: {', '.join(names)}" for said, names in without_measures(cases).items()]
    return "\n".join([*lines, *(line for note in (*told, *notes) for line in ("", code(note)))]) + "\n"


def as_json(cases: Sequence[CaseComparison], about: dict[str, Any]) -> bytes:
    """One JSON object: what was compared, and each case."""
    return msgspec.json.encode({**about, "cases": [dataclasses.asdict(case) for case in cases]})
