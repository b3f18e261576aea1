"""``technobench backfill``: measure a range of commits, for ``technobench history``."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...pipeline.errors import InputError
from .. import host, store
from ..backfill import Selection, measured
from ..cases import fitting, groups
from ..measure import ANCHOR
from ..progress import Progress
from ..revisions import Repository, arm
from .repeat import budget_option, expression_option, interruptible, repeating, results_option

NOT_ALL_MEASURED = 1
_SHORT = 12
_OF_THE_RANGE = {"revisions", "every", "dry_run", "results"}
"""What does not change how one commit is measured."""


@click.command()
@click.argument("revisions", metavar="FIRST..LAST")
@expression_option
@click.option("--stage", "stages", multiple=True, help="Stage to measure; repeat for more [default: all].")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    default=("whotracksme",),
    show_default=True,
    help="Dataset, made if absent; repeat for more.",
)
@click.option("--anchor", default=ANCHOR, show_default=True, help="Variant to measure beside those selected.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Most timed rounds per case.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Each so many-th commit only.")
@budget_option(60.0)
@click.option(
    "--lock",
    default="locks/cpu.lock",
    show_default=True,
    metavar="FILE",
    help="What each commit's environment has: this file, of that commit.",
)
@click.option("--this-environment", is_flag=True, help="Measure all commits with the libraries installed here.")
@results_option("runs")
@click.option("--dry-run", is_flag=True, help="Print the commits and whether they are measured; measure nothing.")
@click.pass_context
def backfill(context: click.Context, /, **options: Any) -> None:
    """Measure the commits after FIRST up to LAST, each with its own code, for 'technobench history'.

    Commits of merged branches are left out. Each is built once, and its rows are written when all are there, so that
    an interrupt loses the commit in flight; the same command then passes over what is measured. Commits come in an
    order drawn by chance: what changes on the machine meanwhile does not look like a step.

    Exit codes: 0 all are measured, 1 a commit did not build or run and was passed over, 2 wrong usage, 130 interrupted.

    \b
    technobench backfill v0.1..main --every 5 -k "predict/native or shap/native"
    technobench backfill HEAD~20..HEAD --stage predict --this-environment
    """
    repository = Repository(Path.cwd())
    commits = _every(repository.commits(*_range(options["revisions"])), options["every"])
    if not commits:
        raise InputError(f"{options['revisions']}: no commit is in this range; the later one comes last")
    selection = _selection(options)
    rest = repeating(context, "backfill", _OF_THE_RANGE).removeprefix("technobench backfill")
    commands = {commit: f"technobench backfill {commit}^..{commit}{rest}" for commit in commits}
    folder = store.results_folder(options["results"])
    rows, _ = store.all_rows(folder)
    there = {row.command for row in rows if row.host == host.fingerprint()}
    if options["dry_run"]:
        for commit in commits:
            click.echo(f"{commit[:_SHORT]}  {'measured' if commands[commit] in there else 'to measure'}")
        return
    left = {commit: command for commit, command in commands.items() if command not in there}
    if len(left) < len(commits):
        click.echo(f"{len(commits) - len(left)} of {len(commits)} commits are measured already", err=True)
    lock = None if options["this_environment"] else options["lock"]

    def rows_of(commit: str, run_id: str, say: Callable[[str], None]) -> int:
        built = arm(repository, "commit", commit, lock, say)
        found = measured(built, selection, run_id, commands[commit])
        if found:
            store.add(folder, run_id, found)
        return len(found)

    context.exit(0 if _each(list(left), rows_of) else NOT_ALL_MEASURED)


def _each(commits: list[str], rows_of: Callable[[str, str, Callable[[str], None]], int]) -> bool:
    """Measure commits in an order drawn by chance; whether all of them could be."""
    well = True
    progress = Progress(len(commits))
    with interruptible():
        try:
            for commit in random.Random(" ".join(commits)).sample(commits, len(commits)):
                progress.say(commit[:_SHORT])
                try:
                    count = rows_of(commit, store.new_run_id(), progress.say)
                    told = f"{count} row{'s' if count > 1 else ''}" if count else "has nothing of what is selected"
                except InputError as error:
                    well, told = False, f"not measured: {error}"
                progress.over(f"{commit[:_SHORT]}  {told}")
        finally:
            progress.close()
    return well


def _range(text: str) -> tuple[str, str]:
    first, dots, last = text.partition("..")
    if not (first and dots and last) or last.startswith("."):
        raise InputError(f"'{text}' is no range of commits; write it as FIRST..LAST, such as v0.1..main")
    return first, last


def _every(commits: list[str], step: int) -> list[str]:
    """Each so many-th commit, counted from the last, which is always among them."""
    return commits[::-1][::step][::-1]


def _selection(options: dict[str, Any]) -> Selection:
    """What to measure, by the stages and datasets that are here.

    Raises:
        InputError: something of that name is not here, or nothing is selected.

    """
    selected = groups(options["stages"], (), options["datasets"], (1.0,), options["expression"], {})
    fit, lines = fitting(list(selected), options["stages"])
    for line in lines:
        click.echo(line, err=True)
    return Selection(
        expression=options["expression"],
        stages=tuple(dict.fromkeys(group.stage for group in fit)),
        datasets=options["datasets"],
        anchor=options["anchor"],
        rounds=options["rounds"],
        budget=options["budget"],
    )
