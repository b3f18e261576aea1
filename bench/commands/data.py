"""``technobench data``: datasets at hand, made by the suite or added by the user."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...pipeline.datasets import catalogue
from ...pipeline.datasets.dataset import Dataset
from ...pipeline.datasets.describe import MOST_DISTINCT, Description, describe, raw_columns
from ...pipeline.datasets.own.add import COMPRESSED, FORMATS, OwnData, add
from ...pipeline.datasets.own.roles import GUESSED_NAMES, Roles
from ...pipeline.datasets.own.write import Use
from ..progress import records_progress


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
            {"name": maker.name, "summary": maker.summary, "scalable": maker.scalable, "takes_files": maker.takes_files}
            for maker in makers
        ]
        _print_json({"makers": can_be_made, "kept": [_shape(dataset) for dataset in kept]})
        return
    console = Console()
    table = Table("name", "what it is", "scales", title="can be made", title_justify="left")
    for maker in makers:
        table.add_row(maker.name, escape(maker.summary), "yes" if maker.scalable else "no")
    console.print(table)
    table = Table("name", "scale", title="kept", title_justify="left")
    for heading in ("records", "columns"):
        table.add_column(heading, justify="right")
    table.add_column("where", overflow="fold")
    for dataset in kept:
        shape = f"{dataset.records:,}", f"{raw_columns(dataset):,}"
        table.add_row(dataset.name, f"{dataset.scale:g}", *shape, escape(str(dataset.folder)))
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
        description = describe(dataset, report)
    if as_json:
        _print_json(description.as_json())
    else:
        _print_description(description)


def _unescaped(delimiter: str | None) -> str | None:
    return None if delimiter is None else delimiter.replace(r"\t", "\t").replace(r"\n", "\n")


def _names(joined: str | None) -> tuple[str, ...] | None:
    return None if joined is None else tuple(name for name in joined.split(",") if name)


def _shape(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "scale": dataset.scale,
        "records": dataset.records,
        "columns": raw_columns(dataset),
        "where": str(dataset.folder),
    }


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps(content, indent=1))


def _print_kept(dataset: Dataset) -> None:
    click.echo(
        f"{dataset.name}: {dataset.records:,} records x {raw_columns(dataset):,} columns, kept in {dataset.folder}"
    )


def _print_uses(uses: list[Use]) -> None:
    table = Table("column", "used as", "because")
    for use in uses:
        style = "dim" if use.role == "ignore" else None
        table.add_row(
            escape(use.column), "not used" if use.role == "ignore" else use.role, escape(use.why), style=style
        )
    Console().print(table)


def _print_description(description: Description) -> None:
    dataset = description.dataset
    console = Console()
    facts = Table(show_header=False, title=f"{dataset.name} at scale {dataset.scale:g}", title_justify="left")
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in _facts(description).items():
        facts.add_row(name, escape(value))
    console.print(facts)
    table = Table("column", "kind")
    for heading in ("distinct", "null"):
        table.add_column(heading, justify="right")
    for column in description.columns:
        distinct = f"over {MOST_DISTINCT:,}" if column.distinct is None else f"{column.distinct:,}"
        table.add_row(escape(column.name), column.kind, distinct, f"{column.null_share:.1%}")
    if description.columns:
        console.print(table)


def _facts(description: Description) -> dict[str, str]:
    dataset, technologies = description.dataset, description.technologies
    density = technologies.nonzeros / max(dataset.records * technologies.distinct, 1)
    quantiles = ", ".join(f"{size} at {share}" for share, size in technologies.quantiles.items())
    unseen = technologies.unseen_share
    return {
        "records": f"{dataset.records:,}",
        "raw columns": f"{description.raw_columns:,}",
        "technologies": f"{technologies.distinct:,} distinct, in column {dataset.technologies!r}",
        "non-zeros": f"{technologies.nonzeros:,} ({density:.3%} of the cells)",
        "per known record": quantiles or "no record is known",
        "known to have none": f"{technologies.known_none:,} records",
        "unknown": f"{technologies.unknown:,} records",
        "in most records": ", ".join(f"{name} ({count:,})" for name, count in technologies.top) or "none",
        "label": "none" if dataset.label is None else f"{dataset.label!r}, {description.label_share or 0:.2%} positive",
        "training records": f"the first {dataset.training_records:,}",
        "unseen in training": "no later records" if unseen is None else f"{unseen:.2%} of the later non-zeros",
        "model": dataset.model or "the default one, trained on this dataset",
        "SHA-256": dataset.digest,
        "source": dataset.source,
        "where": str(dataset.folder),
    }
