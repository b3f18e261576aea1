"""``technobench export`` and ``technobench import``: runs in the formats of other benchmark tools, and back."""

import re
from pathlib import Path

import click
import msgspec

from ...pipeline.errors import InputError
from ...pipeline.row import Row
from .. import asv_results, pytest_benchmark_json, store
from .repeat import results_option

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_NAMED = 5
"""So many benchmarks that are passed over are named."""


@click.group("export")
def export_run() -> None:
    """Write a run for another benchmark tool to read."""


@click.group("import")
def import_run() -> None:
    """Read a run from what another benchmark tool wrote."""


@export_run.command("pytest-benchmark")
@click.argument("run")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@results_option("runs")
def export_pytest_benchmark(run: str, output: Path, results: Path | None) -> None:
    """Write RUN (a file, a run id or its beginning) as pytest-benchmark's JSON.

    \b
    technobench export pytest-benchmark 20261122 -o run.json
    pytest-benchmark compare run.json

    Rows that are 'ok' become benchmarks; the others go along where pytest-benchmark does not look.
    """
    rows = _rows(run, results)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(pytest_benchmark_json.to_json(rows)), indent=2) + b"\n")


@export_run.command("asv")
@click.argument("run")
@click.option(
    "-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="asv's folder of results."
)
@click.option("--machine", default="technobench", show_default=True, help="Name that asv knows the machine by.")
@results_option("runs")
def export_asv(run: str, output: Path, machine: str, results: Path | None) -> None:
    """Add RUN to a folder of results that asv compares and publishes, at its commit.

    What failed or was wrong is null there, what was not measured NaN, as asv writes failed and skipped ones.
    """
    rows = _rows(run, results)
    if any(row.dirty for row in rows):
        click.echo("warning: it was measured with changes that are not in its commit; asv cannot tell that", err=True)
    asv_results.write(rows, output, machine)


@import_run.command("pytest-benchmark")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@results_option("runs")
def import_pytest_benchmark(file: Path, results: Path | None) -> None:
    """Keep the rows in FILE, of 'pytest bench/suite' or an export, as runs.

    Other benchmarks in it have no checked answer, so they are named and passed over.
    """
    rows, foreign = pytest_benchmark_json.from_json(file)
    if foreign:
        told = ", ".join(foreign[:_NAMED]) + (", ..." if len(foreign) > _NAMED else "")
        number = "1 benchmark" if len(foreign) == 1 else f"{len(foreign)} benchmarks"
        click.echo(f"passed over, not of technobench: {number} ({told})", err=True)
    if not rows:
        raise InputError(f"{file}: holds no row of technobench; 'pytest bench/suite --benchmark-json' writes some")
    folder = store.results_folder(results)
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row.run_id, []).append(row)
    for run_id in by_run:
        _check_new(folder, run_id, file)
    for run_id, members in by_run.items():
        kept = store.RunFile(folder, run_id)
        for row in members:
            kept.append(row)
        kept.close()
        click.echo(f"rows: {kept.path}  (technobench show {run_id})", err=True)


def _rows(run: str, results: Path | None) -> list[Row]:
    path = store.find(store.results_folder(results), run)
    rows, problems = store.read(path)
    for problem in problems:
        click.echo(f"warning: {problem}", err=True)
    if not rows:
        raise InputError(f"{path}: holds no row of results")
    return rows


def _check_new(folder: Path, run_id: str, file: Path) -> None:
    """The run's id becomes the name of a file, so it must be one that technobench gives, and free."""
    if _RUN_ID.fullmatch(run_id) is None:
        raise InputError(f"{file}: {run_id!r} is no id of a run; the file was changed, or written by something else")
    if (path := folder / f"{run_id}.jsonl").exists():
        raise InputError(f"{path} is there already; remove it first, or name another folder by --results")
