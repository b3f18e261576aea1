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
from ...pipeline.errors import InputError
from ..progress import records_progress
from .data_add import add_dataset
from .description import described, print_description, print_kept


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
    print_kept(made)


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
    print_kept(made)


data.add_command(add_dataset)


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
