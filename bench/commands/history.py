"""``technobench history``: ratios to the anchor over commits, and where they stepped."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ...pipeline.errors import InputError
from ...pipeline.row import Row
from .. import store
from ..cases import matches
from ..history import History, case_name
from ..history import history as history_of
from ..history_picture import picture
from ..history_table import markdown, table
from ..measure import ANCHOR
from ..revisions import Repository
from ..table import wide_console
from .repeat import expression_option, results_option


@click.command()
@expression_option
@results_option("runs")
@click.option("--anchor", default=ANCHOR, show_default=True, help="Variant of each stage to compare the others with.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write it as one line of JSON; '-' is standard output.")
@click.option("--svg", "svg_file", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, as one SVG.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown.")
def history(
    expression: str | None,
    results: Path | None,
    anchor: str,
    json_file: str | None,
    svg_file: Path | None,
    as_markdown: bool,
) -> None:
    """Tell how fast each case was at each commit, and which commits made it slower or faster.

    A point is how many times as fast as the anchor a case was, in the sessions that measured both in turn: what both
    share, such as a busy machine, cancels. Only right answers count. Commits are in the order of git; a class of host,
    a Python and an input are a line of their own. Where all cases of a stage step at one commit, look at the anchor.

    \b
    technobench history -k "predict or shap"
    technobench history --svg history.svg --json -
    """
    folder = store.results_folder(results)
    rows, problems = store.all_rows(folder)
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    chosen = [row for row in rows if row.variant == anchor or expression is None or matches(expression, case_name(row))]
    chosen, ancestry = in_git_order(chosen)
    found = history_of(chosen, ancestry, anchor)
    for reason, count in found.left_out.items():
        click.echo(f"rows left out, {reason}: {count}", err=True)
    if not found.series:
        raise InputError(
            f"nothing in {folder}/ has been measured in turn with {anchor}, at a commit and with a right answer; "
            "'technobench backfill' measures commits, --anchor names another variant"
        )
    _write(found, json_file, svg_file)
    if json_file != "-":
        click.echo(markdown(found), nl=False) if as_markdown else wide_console().print(table(found))


def in_git_order(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows without those of other branches, and the order of commits as far as the checkout here knows it."""
    try:
        repository = Repository(Path.cwd())
        ancestry = repository.ancestry()
    except InputError:
        return list(rows), []  # outside of a checkout the time of measurement is all there is
    strangers = {row.commit for row in rows if row.commit is not None} - set(ancestry)
    branches = {commit for commit in strangers if repository.knows(commit)}
    if branches:
        click.echo(f"commits left out, which HEAD does not come from: {len(branches)}", err=True)
    return [row for row in rows if row.commit not in branches], ancestry


def _write(history: History, json_file: str | None, svg_file: Path | None) -> None:
    if json_file is not None:
        text = msgspec.json.encode(history) + b"\n"
        if json_file == "-":
            sys.stdout.buffer.write(text)
        else:
            Path(json_file).write_bytes(text)
    if svg_file is not None:
        svg_file.write_text(picture(history), encoding="utf-8")
