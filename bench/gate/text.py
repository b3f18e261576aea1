"""Verdicts as a table, as Markdown for a pull request, as JUnit XML and as JSON: pure functions to text."""

import dataclasses
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from .judgement import EXIT_CODES, CaseVerdict, Decision, MeasureVerdict, joint

Repeat = Callable[[CaseVerdict], str]
"""The command that repeats a case."""

HEADINGS = ("case", "measure", "change", "bounds", "noise", "visible", "pairs", "verdict")
ABOUT = (
    "change: head over base, the median of launches. bounds: one-sided, at a look's share of alpha. noise: by how much "
    "the base differs from itself. visible: the smallest slow-down that would have been told from none."
)
_STYLES = {
    Decision.PASS: "green",
    Decision.REGRESSION: "bold red",
    Decision.INCONCLUSIVE: "yellow",
    Decision.INVALID: "bold magenta",
    Decision.NOT_MEASURED: "dim",
}
_ENDS_OF_CODE = str.maketrans({"`": "'", "|": "¦"})
"""What would end a span of code, or its cell of a table."""
_MARKS = {
    Decision.PASS: "✅ pass",
    Decision.REGRESSION: "❌ regression",
    Decision.INCONCLUSIVE: "❔ inconclusive",
    Decision.INVALID: "⛔ invalid",
    Decision.NOT_MEASURED: "– not measured",
}


def change(ratio: float | None) -> str:
    """A ratio as a change in per cent; a dash where there is none."""
    return "-" if ratio is None else f"{100 * (ratio - 1):+.2f} %"


def share(value: float | None) -> str:
    """A share in per cent; a dash where there is none."""
    if value is None:
        return "-"
    return f"{100 * value:.2g} %" if value < 0.995 else f"{100 * value:.0f} %"


def _cells(verdict: CaseVerdict, measure: MeasureVerdict) -> tuple[str, ...]:
    bounds = "-" if measure.low is None else f"{change(measure.low)} to {change(measure.high)}"
    seen = share(measure.noise), share(measure.visible)
    return measure.measure, change(measure.ratio), bounds, *seen, f"{verdict.pairs}"


def table(verdicts: Sequence[CaseVerdict]) -> Table:
    """For a terminal: a line for each measure of each case, the case's verdict beside the first."""
    found = Table(box=box.SIMPLE_HEAD, title="head / base", title_justify="left")
    for heading in HEADINGS:
        found.add_column(heading, justify="left" if heading in ("case", "measure", "verdict") else "right")
    for verdict in verdicts:
        told = Text(verdict.decision, style=_STYLES[verdict.decision])
        if not verdict.measures:
            found.add_row(Text(one_line(verdict.name)), "-", "-", "-", "-", "-", "-", told)
        for number, measure in enumerate(verdict.measures):
            own = Text(measure.decision, style=_STYLES[measure.decision])
            if number == 0:
                found.add_row(Text(one_line(verdict.name)), *_cells(verdict, measure), told)
            else:
                found.add_row("", *_cells(verdict, measure), own if measure.decision is Decision.REGRESSION else "")
        found.add_section()
    return found


def markdown(verdicts: Sequence[CaseVerdict], heading: str, repeat: Repeat) -> str:
    """For a job summary or a comment: the joint verdict, a table, and how to repeat what did not pass."""
    lines = [f"### technobench gate: {_MARKS[joint(verdicts)]}", "", code(heading), ""]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for verdict in verdicts:
        name, told = code(verdict.name), _MARKS[verdict.decision]
        if not verdict.measures:
            lines.append(f"| {name} | - | - | - | - | - | - | {told} |")
        for number, measure in enumerate(verdict.measures):
            first = number == 0
            lines.append(
                f"| {name if first else ''} | {' | '.join(_cells(verdict, measure))} | {told if first else ''} |"
            )
    lines += ["", ABOUT]
    for verdict in verdicts:
        if verdict.decision is not Decision.PASS:
            why = f": {code(verdict.reason)}" if verdict.reason else ""
            lines += ["", f"{code(verdict.name)} {verdict.decision}{why}", "", *fenced(repeat(verdict))]
    return "\n".join(lines) + "\n"


def one_line(text: str) -> str:
    """Without what breaks a line or moves a terminal's cursor, and without lone surrogates."""
    return "".join("?" if unicodedata.category(letter) in {"Cc", "Cs"} else letter for letter in " ".join(text.split()))


def code(text: str) -> str:
    """Names and reasons may hold anything; in a span of code none of it is markup, a mention or a link."""
    return f"`{one_line(text).translate(_ENDS_OF_CODE)}`"


def fenced(command: str) -> list[str]:
    """A command in a block that it cannot end."""
    fence = "`" * max(3, *(1 + len(run) for run in re.findall("`*", command)))
    return [f"{fence}sh", command, fence]


def junit(verdicts: Sequence[CaseVerdict], repeat: Repeat) -> str:
    """JUnit XML: a regression is a failure, an invalid case an error, an inconclusive one is skipped."""
    counts = {decision: sum(each.decision is decision for each in verdicts) for decision in Decision}
    suite = ElementTree.Element(
        "testsuite",
        name="technobench gate",
        tests=str(len(verdicts)),
        failures=str(counts[Decision.REGRESSION]),
        errors=str(counts[Decision.INVALID]),
        skipped=str(counts[Decision.INCONCLUSIVE] + counts[Decision.NOT_MEASURED]),
    )
    elements = {Decision.REGRESSION: "failure", Decision.INVALID: "error"}
    for verdict in verdicts:
        stage = verdict.key[0]
        case = ElementTree.SubElement(suite, "testcase", classname=f"technobench.{stage}", name=_valid(verdict.name))
        if verdict.decision is not Decision.PASS:
            told = verdict.reason or ", ".join(
                f"{each.measure} {change(each.ratio)}"
                for each in verdict.measures
                if each.decision is Decision.REGRESSION
            )
            element = ElementTree.SubElement(case, elements.get(verdict.decision, "skipped"), message=_valid(told))
            element.text = _valid(f"repeat: {repeat(verdict)}")
    return ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True).decode() + "\n"


def _valid(text: str) -> str:
    """Without what XML 1.0 cannot hold (section 2.2)."""
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def as_json(verdicts: Sequence[CaseVerdict], about: dict[str, Any]) -> bytes:
    """One JSON object: the joint verdict, its exit code, what the gate was told, and each case."""
    decision = joint(verdicts)
    cases = [dataclasses.asdict(verdict) for verdict in verdicts]
    return msgspec.json.encode({"verdict": decision, "exit_code": EXIT_CODES[decision], **about, "cases": cases})
