"""``technobench table``: published tables, with what was measured here beside them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ...pipeline import registry
from ...pipeline.errors import InputError
from ...pipeline.row import Row
from .. import store
from ..movielens_table import NATIVE, SURPRISE, TALKS_DATASET, TITLES, as_markdown, as_rich, by_dataset, notes
from ..table import wide_console
from .repeat import budget_option
from .run import run, run_and_show


@click.group()
def table() -> None:
    """Print a published table with what was measured here beside it."""


@table.command()
@click.option(
    "--dataset", default=TALKS_DATASET, show_default=True, help="Ratings to measure on; the talk's are of ml-1m."
)
@click.option("--models", metavar="A,B,...", default=",".join(TITLES), help="Models to measure [default: all].")
@click.option(
    "--surprise",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=1,
    metavar="[FOLDS]",
    help="Measure Surprise, too, on so many of the folds [1 where no number is given].",
)
@budget_option(900.0)
@click.option("--dry-run", is_flag=True, help="Print the cases; measure nothing.")
@click.option("--from", "source", metavar="RUN", help="Measure nothing: take the rows of this run.")
@click.option("--json", "form", flag_value="json", help="Print a JSON array of models.")
@click.option("--markdown", "form", flag_value="markdown", help="Print a Markdown table.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the runs [default: results].")
@click.pass_context
def movielens(
    context: click.Context,
    dataset: str,
    models: str,
    surprise: int | None,
    budget: float,
    dry_run: bool,
    source: str | None,
    form: str | None,
    results: Path | None,
) -> None:
    """Rating models on MovieLens 1M: the talk's RMSE, MAE and time, ours, and Surprise's.

    It is a run like any other: every answer is checked, rows go to results/, and 'technobench run --resume' goes on
    with one that was interrupted, which --from then prints.
    """
    if source is not None:
        _show(store.read(store.find(store.results_folder(results), source))[0], form)
        return
    arguments = _arguments(dataset, models.split(","), surprise, budget)
    if dry_run:
        arguments.append("--dry-run")
    if results is not None:
        arguments += ["--results", str(results)]
    inner = run.make_context("run", arguments, parent=context)
    context.exit(run_and_show(inner, inner.params, lambda rows: _show(rows, form)))


def _arguments(dataset: str, models: Sequence[str], surprise: int | None, budget: float) -> list[str]:
    """Of the ``technobench run`` that measures what the table needs.

    Raises:
        InputError: a model is not one of the table's, or there are fewer folds than Surprise shall have.

    """
    for model in models:
        if model not in TITLES:
            raise InputError(f"no model '{model}' in the table; there are: {', '.join(TITLES)}")
    folds = int(registry.stages()["ratings"].parameters["folds"])
    arguments = ["--stage", "ratings", "--dataset", dataset, "--rounds", "1", "--budget", f"{budget:.15g}"]
    for model in models:
        arguments += ["--param", f"model={model}"]
    if surprise is None:
        return [*arguments, "--variant", NATIVE]
    if surprise > folds:
        raise InputError(f"--surprise {surprise}: there are {folds} folds")
    if surprise == folds:
        return [*arguments, "--variant", NATIVE, "--variant", SURPRISE]
    arguments += ["--param", f"judged_folds={folds}", "--param", f"judged_folds={surprise}"]
    native, naive = (f"ratings/{name} and judged_folds={n}" for name, n in ((NATIVE, folds), (SURPRISE, surprise)))
    return [*arguments, "-k", f"{native} or {naive}"]


def _show(rows: list[Row], form: str | None) -> None:
    """Print the table of each dataset.

    Raises:
        InputError: there is no row of the stage.

    """
    found = [(dataset, lines) for dataset, lines in by_dataset(rows) if lines]
    if not found:
        raise InputError("the run has no row of the table's models; 'technobench table movielens' measures them")
    if form == "json":
        listed = [
            {"dataset": dataset, **asdict(line), "ratio": line.ratio, "notes": notes(dataset, lines)}
            for dataset, lines in found
            for line in lines
        ]
        click.echo(json.dumps(listed, indent=1))
        return
    console = wide_console()
    for dataset, lines in found:
        if form == "markdown":
            click.echo("\n\n".join([as_markdown(lines), *notes(dataset, lines)]))
            continue
        console.print(as_rich(dataset, lines))
        for note in notes(dataset, lines):
            console.print(note, style="dim")
