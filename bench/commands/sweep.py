"""``technobench sweep``: measure the selected cases along an axis, and fit how time and memory grow."""

import random
import re
from collections.abc import Sequence
from typing import Any

import click

from ...pipeline import registry
from ...pipeline.datasets import catalogue
from ...pipeline.errors import InputError
from ...pipeline.row import Row
from ...pipeline.workload import DEFAULTS
from .. import host
from ..cases import Group
from ..plan.curves import ROWS, THREADS
from ..sweep_table import sweep_tables
from ..table import wide_console
from .repeat import options_of
from .run import Part, run_and_show, run_options, shown
from .selection import selection

_PARAMETERS = {"trees": "trees", "depth": "depth", "factors": "factors", "batch": "batch_records"}
"""The parameter that each of the other axes varies."""
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


@click.command(context_settings={"default_map": {"datasets": ("seed",)}})
@run_options
@click.option("--axis", type=click.Choice([ROWS, *_PARAMETERS, THREADS]), help="What is varied.")
@click.option(
    "--points", metavar="N,N,...", help="Its values, as 10k,40k,160k; for rows numbers of the dataset's rows."
)
@click.pass_context
def sweep(context: click.Context, /, **options: Any) -> None:
    """Measure cases along an axis: rows per second, peak memory, and how both grow.

    It is a run like any other, with a case for each point: variants of a point run in turn, round by round, and points
    one after the other in random order, so that a machine that becomes busy does not look like growth. Three points or
    more, the largest four times the smallest, give a fit; an interrupted sweep goes on by --resume.

    \b
    technobench sweep --stage pipeline --variant native --axis rows --points 10k,40k,160k
    technobench sweep --stage predict -k "native and not cuda" --axis threads --points 1,2,4,8
    technobench sweep --stage als --dataset planted --variant native --axis factors --points 16,32,64,128
    """

    def print_tables(rows: list[Row]) -> None:
        console = wide_console()
        for table in sweep_tables(rows, axis_of(context, rows[0].command)) if rows else ():
            console.print(table)

    context.exit(run_and_show(context, options, shown(options, print_tables), parts))


def axis_of(context: click.Context, command: str) -> str:
    """The axis of a sweep's rows, by the name that `curves` gives it."""
    axis = str(options_of(context, command)["axis"])
    return _PARAMETERS.get(axis, axis)


def parts(options: dict[str, Any], run_id: str) -> list[Part]:
    """Every point of a sweep, in random order, which is the same for a run's id.

    Raises:
        InputError: the options do not say what to sweep, or points do not fit the axis.

    """
    axis = options["axis"]
    if axis is None or options["points"] is None:
        raise InputError("say what to sweep by --axis and --points: --axis rows --points 10k,40k,160k")
    if not options["stages"] and options["expression"] is None:
        raise InputError("say which cases to sweep by --stage, or by -k")
    points = _points(options["points"])
    if axis == THREADS:
        found = _along_threads(options, points)
    elif axis == ROWS:
        found = _along_rows(options, points)
    else:
        found = _along_parameter(options, axis, points)
    random.Random(run_id).shuffle(found)
    return found


def _points(text: str) -> list[float]:
    """Rising numbers from ``10k,40k,160k``.

    Raises:
        InputError: one is no number above 0.

    """
    found: set[float] = set()
    for word in text.split(","):
        matched = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)([kmg]?)", word.strip().lower())
        value = float(matched[1]) * _FACTORS[matched[2]] if matched else 0.0
        if not 0 < value < 1e15:
            raise InputError(f"--points {text}: '{word.strip()}' is no number above 0; write them as 10k,40k,160k")
        found.add(value)
    return sorted(found)


def _along_threads(options: dict[str, Any], points: Sequence[float]) -> list[Part]:
    cores = host.usable_cores()
    if options["threads"] is not None:
        raise InputError("--axis threads: leave out --threads, --points are the numbers of threads")
    for point in points:
        if point != int(point) or point > cores:
            raise InputError(f"--points {point:g}: --axis threads takes whole numbers up to {cores}, the usable cores")
    return [Part(int(point), group) for point in points for group in selection(options)]


def _along_rows(options: dict[str, Any], points: Sequence[float]) -> list[Part]:
    if options["scales"] != (1.0,):
        raise InputError("--axis rows: leave out --scale, --points are numbers of rows")
    found: list[Part] = []
    for name in options["datasets"]:
        catalogue.kind_of(name)  # refuses what is unknown
        maker = catalogue.makers().get(name)
        if maker is None or maker.rows is None:
            sized = ", ".join(each.name for each in catalogue.makers().values() if each.rows is not None)
            raise InputError(f"--axis rows: dataset '{name}' comes in one size; those of any size are {sized}")
        scales = tuple(point / maker.rows for point in points)
        found += _with_threads(options, {**options, "datasets": (name,), "scales": scales})
    return found


def _along_parameter(options: dict[str, Any], axis: str, points: Sequence[float]) -> list[Part]:
    name = _PARAMETERS[axis]
    if options.get(axis) is not None or any(text.partition("=")[0] == name for text in options["given"]):
        raise InputError(f"--axis {axis}: leave out {name} elsewhere, --points are its values")
    for stage in options["stages"]:
        if stage in registry.stages() and name not in {**DEFAULTS, **registry.stages()[stage].parameters}:
            raise InputError(f"--axis {axis}: stage {stage} has no parameter {name}")
    given = (*options["given"], *(f"{name}={point:.15g}" for point in points))
    return [part for part in _with_threads(options, {**options, "given": given}) if name in part.group.parameters]


def _with_threads(options: dict[str, Any], chosen: dict[str, Any]) -> list[Part]:
    threads = options["threads"] or host.usable_cores()
    groups: list[Group] = selection(chosen)
    return [Part(threads, group) for group in groups]
