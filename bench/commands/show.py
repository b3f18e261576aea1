"""``technobench show``: the table of a run."""

from pathlib import Path

import click

from ...pipeline.errors import InputError
from .. import store
from ..table import tables, wide_console


@click.command()
@click.argument("run", required=False)
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the runs [default: results].")
@click.option("--runs", "list_runs", is_flag=True, help="List the runs instead, newest first.")
def show(run: str | None, results: Path | None, list_runs: bool) -> None:
    """Print the table of RUN (a file, a run id or its beginning); of the newest run without one."""
    folder = store.results_folder(results)
    console = wide_console()
    if list_runs:
        for path in store.runs(folder):
            rows, problems = store.read(path)
            console.print(f"{path.stem}: {len(rows)} rows" + (f", {len(problems)} unreadable" if problems else ""))
        return
    path = store.find(folder, run)
    rows, problems = store.read(path)
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    if not rows:
        raise InputError(f"{path}: holds no row of results")
    for table in tables(rows):
        console.print(table)
    commit = (rows[0].commit or "unknown")[:12]
    console.print(f"run {rows[0].run_id}, commit {commit}; repeat: {rows[0].command}")
