"""Options that choose cases, the same in every command that measures."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import click

from ...pipeline.datasets import catalogue
from ..cases import Group, fitting, groups
from ..progress import records_progress
from .repeat import Command, expression_option, named_values

_OPTIONS: tuple[Callable, ...] = (
    expression_option,
    click.option("--stage", "stages", multiple=True, help="Stage to measure; repeat for more [default: all]."),
    click.option("--variant", "variants", multiple=True, help="Variant to measure; repeat for more [default: all]."),
    click.option(
        "--dataset",
        "datasets",
        multiple=True,
        default=("whotracksme",),
        show_default=True,
        help="Dataset, made if absent; repeat for more.",
    ),
    click.option(
        "--scale",
        "scales",
        type=float,
        multiple=True,
        default=(1.0,),
        show_default=True,
        help="Size of a synthetic dataset, as a factor; repeat for more.",
    ),
    click.option("--trees", type=click.IntRange(min=1), help="Trees of the default model [default: 500]."),
    click.option("--depth", type=click.IntRange(min=1), help="Depth of its trees [default: 6]."),
    click.option(
        "--param",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other parameter; repeat for more, with one NAME to measure with each VALUE.",
    ),
)


def make_dataset(name: str, scale: float) -> None:
    """Make a dataset, if it is absent, with a bar of its records."""
    with records_progress(f"dataset {name}@{scale:g}") as done:
        catalogue.get(name, scale, done)


def make_datasets(chosen: Iterable[Group]) -> None:
    """`make_dataset` for each dataset and scale of some groups."""
    for name, scale in dict.fromkeys((group.dataset, group.scale) for group in chosen):
        make_dataset(name, scale)


def selection_options(command: Command) -> Command:
    """``-k``, ``--stage``, ``--variant``, ``--dataset``, ``--scale``, ``--trees``, ``--depth``, ``--param``."""
    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def selection(options: dict[str, Any]) -> list[Group]:
    """The groups that these options choose; what does not fit together is told.

    Raises:
        InputError: a name is unknown, or nothing is left.

    """
    given = {name: [str(options[name])] for name in ("trees", "depth") if options[name] is not None}
    for name, values in named_values(options["given"]).items():
        given.setdefault(name, []).extend(values)
    chosen = groups(
        options["stages"], options["variants"], options["datasets"], options["scales"], options["expression"], given
    )
    fit, unfit = fitting(list(chosen), options["stages"])
    for line in unfit:
        click.echo(line, err=True)
    return fit
