"""``technobench run``: measure the selected cases."""

import contextlib
import functools
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...pipeline import registry
from ...pipeline.contract import Variant
from ...pipeline.datasets import catalogue
from ...pipeline.errors import InputError
from ...pipeline.needs import cuda_device_count
from ...pipeline.row import Row, Status, encode
from ...pipeline.workload import Workload
from .. import host, store
from ..case_run import Settings
from ..cases import Group, on_device, without_finished
from ..measure import measure, measuring
from ..memory_warnings import memory_warnings
from ..progress import Progress
from ..table import tables, wide_console
from .amounts import Size
from .repeat import (
    Command,
    budget_option,
    interruptible,
    options_of,
    refuse_options_on_resume,
    repeating,
    results_option,
    resume_option,
    threads_option,
    timeout_option,
)
from .report import form_of, write_report
from .selection import make_datasets, selection, selection_options

Show = Callable[[list[Row]], None]
FAILED, REQUIREMENT_NOT_MET = 1, 4
_NOT_REPEATED = {"resume", "dry_run", "json_file", "report_file", "results"}
"""Options that say where rows go, not what is measured: no part of the command that repeats a run."""


_OPTIONS: tuple[Callable, ...] = (
    selection_options,
    click.option(
        "--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="Most timed rounds per case."
    ),
    budget_option(60.0),
    timeout_option("For any one run or set-up; beyond it the case is failed."),
    threads_option,
    click.option(
        "--fallback",
        default="never",
        show_default=True,
        metavar="never|VARIANT",
        help="Variant that stands in, visibly, for one that cannot run here.",
    ),
    click.option(
        "--require",
        type=click.Choice(["cuda"]),
        help="Exit with 4 unless every CUDA variant selected ran on a device.",
    ),
    click.option(
        "--device-memory",
        type=Size(),
        metavar="SIZE",
        help="Device memory that CUDA variants split their work to fit into, as 16GiB [default: what is free].",
    ),
    click.option(
        "--max-rss", type=Size(), metavar="SIZE", help="Resident memory above which a row gets an alert, as 8GiB."
    ),
    resume_option("run"),
    click.option("--dry-run", is_flag=True, help="Print the cases and what would become of them; measure nothing."),
    click.option(
        "--json",
        "json_file",
        metavar="FILE|-",
        help="Also write the rows there, one JSON object per line; '-' is standard output.",
    ),
    click.option(
        "--report", "report_file", metavar="FILE", help="Write the run's report there at the end, as 'report -o'."
    ),
    results_option("runs"),
)


def run_options(command: Command) -> Command:
    """The options of a command that measures with `run_and_show`."""
    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


@dataclass(frozen=True)
class Part:
    """A group of a run, and the threads that it is measured with."""

    threads: int
    group: Group


def _one_part(options: dict[str, Any], run_id: str) -> list[Part]:
    """What ``technobench run`` measures."""
    threads = options["threads"] or host.usable_cores()
    return [Part(threads, group) for group in selection(options)]


@click.command()
@run_options
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:
    """Measure variants in turn, check every answer, and keep one row per case.

    \b
    technobench run --dataset seed --stage matrix_build --stage predict
    technobench run --dataset seed -k "shap and not naive" --budget 120
    technobench run --dataset mine --fallback batched-sparse --json rows.jsonl
    """
    context.exit(run_and_show(context, options, shown(options, _print_tables)))


def shown(options: dict[str, Any], print_tables: Show) -> Show:
    """Print tables, unless JSON goes to standard output, and write the report that is asked for.

    Raises:
        InputError: no report is written to a file of that name.

    """
    if (file := options["report_file"]) is not None:
        form_of(file)

    def show(rows: list[Row]) -> None:
        if options["json_file"] != "-":
            print_tables(rows)
        if file is not None and rows:
            folder = store.results_folder(options["results"])
            write_report(folder, [store.find(folder, rows[0].run_id)], file)

    return show


def run_and_show(
    context: click.Context,
    options: dict[str, Any],
    show: Show,
    parts_of: Callable[[dict[str, Any], str], list[Part]] = _one_part,
) -> int:
    """Do what the options of a command with `run_options` say, and show the rows at the end.

    Args:
        context: of that command, with its arguments parsed; the row's command is told from it.
        options: the context's parameters.
        show: gets all rows of the run, also after an interrupt.
        parts_of: what is measured, in order, from the options and the run's id.

    Returns:
        The exit code.

    """
    folder = store.results_folder(options["results"])
    finished: list[Row] = []
    run_id, command = store.new_run_id(), repeating(context, context.command.name or "", _NOT_REPEATED)
    if options["resume"] is not None:
        finished, run_id, command, options = _resumed(context, folder, options)
    fallbacks = [name for _, name in registry.variants()]
    if options["fallback"] not in ("never", *fallbacks):
        raise InputError(f"--fallback {options['fallback']}: no such variant; see 'technobench list'")
    keys = {row.key for row in finished}
    parts = [
        Part(part.threads, left)
        for part in parts_of(options, run_id)
        for left in without_finished([part.group], part.threads, keys)
    ]
    if options["dry_run"]:
        _print_cases(parts, options["fallback"])
        return 0
    settings = Settings(
        run_id=run_id,
        session=secrets.token_hex(4),
        command=command,
        threads=options["threads"] or host.usable_cores(),
        budget=options["budget"],
        rounds=options["rounds"],
        timeout=options["timeout"],
        max_rss=options["max_rss"],
        device_memory=options["device_memory"],
        fallback=None if options["fallback"] == "never" else options["fallback"],
    )
    rows = _measure_all(parts, options, settings, folder, finished, show)
    return _exit_code([*finished, *rows], options["require"])


def _measure_all(
    parts: list[Part], options: dict[str, Any], settings: Settings, folder: Path, finished: list[Row], show: Show
) -> list[Row]:
    """Measure, write and print; what was measured before an interrupt is in the file and in the table."""
    no_device = options["require"] == "cuda" and isinstance(cuda_device_count(), str)
    rows: list[Row] = []
    progress = Progress(sum(len(part.group.variants) for part in parts))
    with interruptible(), measuring() as alerts, contextlib.ExitStack() as stack:
        settings = replace(settings, fallback=None if no_device else settings.fallback, alerts=alerts)
        make_datasets(part.group for part in parts)
        _check_same_data(finished)
        earlier, _ = store.all_rows(folder)
        file = store.RunFile(folder, settings.run_id)
        try:
            emit = stack.enter_context(_rows_as_json(options["json_file"]))
            if no_device:
                click.echo("--require cuda: no device, so only the CUDA variants are listed", err=True)
                parts = [Part(part.threads, left) for part in parts for left in on_device([part.group], "cuda")]
            for part in parts:
                for warning in memory_warnings([*earlier, *rows], part.group, part.threads):
                    progress.tell(warning)
                for row in measure(part.group, replace(settings, threads=part.threads), progress.say, file.keep):
                    file.append(row)
                    emit(row)
                    rows.append(row)
                    progress.row(_case_name(part, registry.variants()[row.stage, row.variant], parts), row)
        finally:
            progress.close()
            file.close()
            if rows:
                click.echo(f"rows: {file.path}  (technobench show {settings.run_id})", err=True)
            show(store.read(file.path)[0] if file.path.exists() else [])
    return rows


def _case_name(part: Part, variant: Variant, parts: list[Part]) -> str:
    """As `Group.case_name`, with the threads where they vary."""
    told = f" threads={part.threads}" if any(other.threads != part.threads for other in parts) else ""
    return part.group.case_name(variant) + told


def _print_tables(rows: list[Row]) -> None:
    console = wide_console()
    for table in tables(rows):
        console.print(table)


def _exit_code(rows: list[Row], require: str | None) -> int:
    """0, or why not: a requirement not met is graver than a wrong answer."""
    if require == "cuda":
        count = cuda_device_count()
        on_cuda = [row for row in rows if row.device == "cuda"]
        unmet = [f"{row.stage}/{row.variant}" for row in on_cuda if not (row.executed or "").endswith("@cuda")]
        if unmet or not on_cuda or isinstance(count, str):
            told = count if isinstance(count, str) else ", ".join(unmet) or "no CUDA variant was selected"
            click.echo(f"error: --require cuda is not met: {told}", err=True)
            return REQUIREMENT_NOT_MET
    return FAILED if any(row.status in {Status.FAILED, Status.MISMATCH} for row in rows) else 0


def _resumed(context: click.Context, folder: Path, given: dict[str, Any]) -> tuple[list[Row], str, str, dict[str, Any]]:
    """Rows, id, command and options of the run to go on with."""
    refuse_options_on_resume(context, "run", _NOT_REPEATED)
    path = store.find(folder, given["resume"] or None)
    rows, _ = store.read(path)
    if not rows:
        raise InputError(f"{path}: holds no row to take the run's options from; start a new run")
    command = rows[0].command
    if (made_by := shlex.split(command)[1:2]) != [context.command.name]:
        told = " ".join(made_by)
        raise InputError(f"{path}: a run of '{told}'; go on with it by 'technobench {told} --resume {path.stem}'")
    options = options_of(context, command)
    kept = {name: given[name] for name in _NOT_REPEATED}
    click.echo(f"going on with {path.stem}: {len(rows)} rows are there; {command}", err=True)
    return [row for row in rows if not row.interrupted], path.stem, command, {**options, **kept}


def _check_same_data(finished: list[Row]) -> None:
    """Refuse to go on with a run whose data has changed since: its rows would not be of one problem."""
    for row in finished:
        dataset = catalogue.get(row.dataset, row.scale)
        if Workload(dataset, row.parameters).problem_digest != row.problem_digest:
            raise InputError(f"dataset '{row.dataset}' or its model has changed since the run; start a new run")


def _print_cases(parts: list[Part], fallback: str) -> None:
    for part in parts:
        for each in part.group.variants:
            missing = each.missing()
            stands_in = registry.variants().get((part.group.stage, fallback))
            fate = f"{part.threads} threads"
            if missing is not None:
                fate = f"unavailable: {missing}" if stands_in is None else f"'{fallback}' stands in: {missing}"
            click.echo(f"{part.group.case_name(each)}  {fate}")


@contextlib.contextmanager
def _rows_as_json(target: str | None) -> Iterator[Any]:
    """A function that writes a row as one line of JSON to the target at once."""
    if target is None:
        yield lambda row: None
        return
    try:
        stream = sys.stdout.buffer if target == "-" else Path(target).open("wb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError(f"--json {target}: cannot be written ({error.strerror})") from error

    def emit(row: Row) -> None:
        stream.write(encode(row) + b"\n")
        stream.flush()

    try:
        yield emit
    finally:
        if target != "-":
            stream.close()
