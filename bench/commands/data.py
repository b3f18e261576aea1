"""``technobench data``: datasets at hand, made by the suite or added by the user."""

import json
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...pipeline.datasets import catalogue
from ...pipeline.datasets.dataset import Dataset
from ...pipeline.datasets.movielens.fetch import fetch
from ...pipeline.datasets.movielens.releases import RELEASES
from ...pipeline.datasets.own.add import COMPRESSED, FORMATS, OwnData, add
from ...pipeline.datasets.own.roles import GUESSED_NAMES, Roles
from ...pipeline.datasets.own.write import Use
from ...pipeline.errors import InputError
from ..progress import records_progress
from .description import described, print_description


@click.group()
def data() -> None:
    """List, make, add and describe datasets."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def list_datasets(as_json: bool) -> None:
    """List the datasets that can be made, and those that are kept."""
    makers, kept = catalogue.makers().values(), catalogue.kept()
    if as_json:
        can_be_made = [
            {
                "name": maker.name,
                "summary": maker.summary,
                "kind": maker.kind,
                "scalable": maker.scalable,
                "takes_files": maker.takes_files,
            }
            for maker in makers
        ]
        _print_json({"makers": can_be_made, "kept": [_shape(dataset) for dataset in kept]})
        return
    console = Console()
    table = Table("name", "what it is", "kind", "scales", title="can be made", title_justify="left")
    for maker in makers:
        table.add_row(maker.name, escape(maker.summary), maker.kind, "yes" if maker.scalable else "no")
    console.print(table)
    table = Table("name", "scale", "kind", title="kept", title_justify="left")
    for heading in ("rows", "columns"):
        table.add_column(heading, justify="right")
    table.add_column("where", overflow="fold")
    for dataset in kept:
        shape = f"{dataset.records:,}", f"{dataset.raw_columns:,}"
        table.add_row(dataset.name, f"{dataset.scale:g}", dataset.kind, *shape, escape(str(dataset.folder)))
    console.print(table if kept else "none is kept yet: 'technobench data make NAME' makes one")


@data.command("make")
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--scale", type=float, default=1.0, show_default=True, help="Size by factor, for datasets that scale.")
def make_dataset(name: str, files: tuple[Path, ...], scale: float) -> None:
    """Make the dataset NAME, from FILES where it takes them, in place of one kept; 'data list' has the names."""
    with records_progress(f"making {name}") as report:
        made = catalogue.make(name, scale, files, report)
    _print_kept(made)


@data.command("fetch")
@click.argument("name", type=click.Choice(list(RELEASES)))
@click.option("--accept-licence", is_flag=True, help="Accept the conditions that are shown without it.")
def fetch_dataset(name: str, accept_licence: bool) -> None:
    """Get the MovieLens release NAME from GroupLens and make it; for those who accept its licence."""
    release = RELEASES[name]
    click.echo(release.licence)
    if not accept_licence:
        raise InputError("nothing was fetched: read the conditions above, and pass --accept-licence to accept them")
    with tempfile.TemporaryDirectory() as folder:
        click.echo(f"getting {release.address}", err=True)
        path = fetch(release, Path(folder))
        with records_progress(f"making {name}") as report:
            made = catalogue.make(name, 1.0, [path], report)
    _print_kept(made)


@data.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name to keep it under: lower-case letters, digits, '-' and '_'.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    help=f"Format of FILE [default: by its suffix; text may be compressed: {', '.join(COMPRESSED)}].",
)
@click.option("--encoding", help="Encoding of a text file [default: utf-8].")
@click.option("--separator", help="Character between the cells of a CSV file [default: ,].")
@click.option(
    "--roles",
    "roles_file",
    type=click.Path(path_type=Path),
    help=f"TOML file with the roles; keys: {', '.join(Roles.__struct_fields__)}. Options go before it.",
)
@click.option("--id", "identifier", metavar="COLUMN", help="Column of unique identifiers [default: row numbers].")
@click.option(
    "--technologies",
    metavar="COLUMN",
    help=f"Column of technologies: text, JSON lists or lists [default: one named {', '.join(GUESSED_NAMES)}].",
)
@click.option(
    "--delimiter",
    help=r"Text between the technologies of a cell; \t is a tab [default: |]. For lists, what they are kept with.",
)
@click.option("--label", metavar="COLUMN", help="Column that the model learns: 0 and 1, or true and false.")
@click.option("--positive", metavar="VALUE", help="Value of the label column that is 1; all others are 0.")
@click.option("--categorical", metavar="A,B", help="Columns of categories.")
@click.option("--numeric", metavar="A,B", help="Columns of numbers.")
@click.option("--ignore", metavar="A,B", help="Columns to leave out.")
@click.option(
    "--training-records", type=int, help="Learn vocabulary and categories on the first so many [default: all]."
)
@click.option("--model", type=click.Path(path_type=Path), help="XGBoost model of your own, .json or .ubj.")
@click.option("--replace", is_flag=True, help="Replace a dataset of that name.")
def add_dataset(
    file: Path,
    name: str,
    format_: str | None,
    encoding: str | None,
    separator: str | None,
    roles_file: Path | None,
    identifier: str | None,
    technologies: str | None,
    delimiter: str | None,
    label: str | None,
    positive: str | None,
    categorical: str | None,
    numeric: str | None,
    ignore: str | None,
    training_records: int | None,
    model: Path | None,
    replace: bool,
) -> None:
    """Keep the records of FILE (CSV, TSV, JSON lines or Parquet) as a dataset of your own.

    An empty cell of technologies means that they are unknown; a quoted empty cell, an empty list or a lone delimiter
    means that there are none. Columns that no option names are told by their values; the outcome is printed.
    """
    roles = (Roles() if roles_file is None else Roles.load(roles_file)).with_options(
        id=identifier,
        technologies=technologies,
        delimiter=_unescaped(delimiter),
        label=label,
        positive=positive,
        categorical=_names(categorical),
        numeric=_names(numeric),
        ignore=_names(ignore),
    )
    own = OwnData(file, name, roles, format_, encoding, separator, training_records, model, replace)
    with records_progress(f"adding {name}") as report:
        dataset, uses = add(own, report)
    _print_uses(uses)
    _print_kept(dataset)


@data.command("describe")
@click.argument("name")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Scale of the dataset.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def describe_dataset(name: str, scale: float, as_json: bool) -> None:
    """Describe the dataset NAME in figures; it is made first if it can be and is not kept yet."""
    with records_progress(f"making {name}") as report:
        dataset = catalogue.get(name, scale, report)
    with records_progress(f"reading {name}") as report:
        description = described(dataset, report)
    if as_json:
        _print_json(description.as_json())
    else:
        print_description(description)


def _unescaped(delimiter: str | None) -> str | None:
    return None if delimiter is None else delimiter.replace(r"\t", "\t").replace(r"\n", "\n")


def _names(joined: str | None) -> tuple[str, ...] | None:
    return None if joined is None else tuple(name for name in joined.split(",") if name)


def _shape(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "scale": dataset.scale,
        "kind": dataset.kind,
        "records": dataset.records,
        "columns": dataset.raw_columns,
        "where": str(dataset.folder),
    }


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps(content, indent=1))


def _print_kept(dataset: Dataset) -> None:
    shape = f"{dataset.records:,} {dataset.kind} x {dataset.raw_columns:,} columns"
    click.echo(f"{dataset.name}: {shape}, kept in {dataset.folder}")


def _print_uses(uses: list[Use]) -> None:
    table = Table("column", "used as", "because")
    for use in uses:
        style = "dim" if use.role == "ignore" else None
        table.add_row(
            escape(use.column), "not used" if use.role == "ignore" else use.role, escape(use.why), style=style
        )
    Console().print(table)
