"""``technobench report``: runs as a page to look at, as Markdown, or as CSV."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ...pipeline import registry
from ...pipeline.errors import InputError
from ...pipeline.home import new_file
from ...pipeline.row import Row, Status
from .. import store
from ..history import History
from ..history import history as history_of
from ..measure import ANCHOR
from ..plan import capacity_text
from ..plan.capacity import plan_of
from ..plan.question import Question
from ..report.csv_rows import csv_rows
from ..report.document import Report, Section
from ..report.html import html
from ..report.markdown import markdown
from ..report.problems import impossible, pooled
from ..report.report import report as report_of
from .amounts import Duration
from .history import in_git_order
from .repeat import results_option, share_option

_FORMS = {".html": "html", ".htm": "html", ".md": "markdown", ".csv": "csv"}
_ROWS, _DEADLINE, _HEADROOM = 10**9, 4 * 3600.0, 0.3
"""What the plan of a report is asked where nobody asks."""


@click.command()
@click.argument("runs", nargs=-1)
@click.option(
    "-o", "--output", default="report.html", show_default=True, metavar="FILE|-", help="'-' is standard output."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "csv"]),
    help="What to write [default: by the file's suffix; html on standard output].",
)
@click.option(
    "--rows", type=click.FloatRange(min=1, max=1e15), default=_ROWS, show_default=True, help="Rows of the plan."
)
@click.option(
    "--deadline", type=Duration(), default="4h", show_default=True, metavar="TIME", help="Time for all of them."
)
@share_option("--headroom", "30%", "Share of the deadline kept free.")
@results_option("runs")
def report(
    runs: tuple[str, ...],
    output: str,
    form: str | None,
    rows: float,
    deadline: float,
    headroom: float,
    results: Path | None,
) -> None:
    """Write what RUNS (files, run ids or their beginnings) come to: one page that needs nothing else.

    Without RUNS of the newest one. Of several, the newest measured row of each case on each class of host is taken. The
    history is of all runs in the folder. 'technobench plan' has the rest of what may be asked of a plan.

    \b
    technobench report -o report.html
    technobench report 20261122-123306 20261122-081747 -o report.csv
    technobench report -o - --format markdown
    """
    folder = store.results_folder(results)
    paths = [store.find(folder, run) for run in runs] or [store.find(folder, None)]
    write_report(folder, paths, output, form, (int(rows), deadline, headroom))


def write_report(
    folder: Path,
    paths: Sequence[Path],
    output: str,
    form: str | None = None,
    asked: tuple[int, float, float] = (_ROWS, _DEADLINE, _HEADROOM),
) -> None:
    """Write the report of some runs, whole or not at all, and say where it is.

    Args:
        folder: of all runs, for the history.
        paths: the files of the runs.
        output: a file, or ``-``.
        form: as ``--format``.
        asked: rows, seconds until the deadline, and headroom as a share, of the plan.

    Raises:
        InputError: the runs hold no row, or the form is not told.

    """
    form = form or form_of(output)
    found, unreadable = _rows(paths)
    for problem in unreadable:
        click.echo(f"warning: {problem}", err=True)
    if not found:
        raise InputError(f"{', '.join(map(str, paths))}: holds no row of results")
    text = csv_rows(found) if form == "csv" else _written(_report(folder, found, unreadable, asked), form)
    if output == "-":
        sys.stdout.buffer.write(text.encode())
        return
    with new_file(Path(output)) as written:
        written.write_bytes(text.encode())
    click.echo(f"report: {Path(output).resolve().as_uri()}", err=True)


def form_of(output: str) -> str:
    """What is written to a file of such a name.

    Raises:
        InputError: its suffix does not tell.

    """
    suffix = Path(output).suffix.lower()
    if output != "-" and suffix not in _FORMS:
        raise InputError(f"-o {output}: end it in {', '.join(_FORMS)}, or say what it is by --format")
    return _FORMS.get(suffix, "html")


def _written(report: Report, form: str) -> str:
    return html(report) if form == "html" else markdown(report)


def _report(folder: Path, rows: Sequence[Row], unreadable: Sequence[str], asked: tuple[int, float, float]) -> Report:
    return report_of(rows, unreadable, _history(folder), _plan(rows, asked))


def _history(folder: Path) -> History:
    sound = [row for row in store.all_rows(folder)[0] if impossible(row) is None]
    return history_of(*in_git_order(sound), ANCHOR)


def _plan(rows: Sequence[Row], asked: tuple[int, float, float]) -> Section:
    """Of the whole pipeline where it was measured, else of the first stage with a right answer."""
    measured = dict.fromkeys(row.stage for row in rows if row.status is Status.OK)
    stage = "pipeline" if "pipeline" in measured else next(iter(measured), "pipeline")
    question = Question(stage, asked[0], asked[1], asked[2])
    return capacity_text.section(plan_of(rows, question, None, list(registry.variants().values())))


def _rows(paths: Sequence[Path]) -> tuple[list[Row], list[str]]:
    """The rows of some runs, the newest of each case, and a sentence for each line that is passed over."""
    rows: list[Row] = []
    problems: list[str] = []
    for path in dict.fromkeys(paths):
        found, unreadable = store.read(path)
        problems += unreadable
        for row in found:
            if (why := impossible(row)) is None:
                rows.append(row)
            else:
                problems.append(f"{path}: the row of {row.stage}/{row.variant} is passed over: {why}")
    return pooled(rows), problems
