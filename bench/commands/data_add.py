"""``technobench data add``: keep a file of the user's own as a dataset, of records or of interactions."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...pipeline.datasets.own.add import OwnData, add
from ...pipeline.datasets.own.formats import COMPRESSED, FORMATS
from ...pipeline.datasets.own.interactions import OwnInteractions, add_interactions
from ...pipeline.datasets.own.roles import GUESSED_NAMES, Roles
from ...pipeline.datasets.own.write import Use
from ...pipeline.errors import InputError
from ..progress import records_progress
from .description import print_kept


class OfRecords(click.Option):
    """An option for a dataset of records."""


class OfInteractions(click.Option):
    """An option for a dataset of interactions or ratings."""


class AddCommand(click.Command):
    """Shows the options of each kind of dataset under a heading of its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options of all kinds first."""
        for heading, kind in (
            ("Options", click.Option),
            ("Of records (a row is a company with its technologies)", OfRecords),
            ("Of interactions (a row is a user and an item)", OfInteractions),
        ):
            options = [each for each in self.get_params(ctx) if type(each) is kind]
            with formatter.section(heading):
                formatter.write_dl([shown for each in options if (shown := each.get_help_record(ctx)) is not None])


@click.command("add", cls=AddCommand)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name to keep it under: lower-case letters, digits, '-' and '_'.")
@click.option(
    "--format",
    type=click.Choice(list(FORMATS)),
    help=f"Format of FILE [default: by its suffix; text may be compressed: {', '.join(COMPRESSED)}].",
)
@click.option("--encoding", help="Encoding of a text file [default: utf-8].")
@click.option("--separator", help="Character between the cells of a CSV file [default: ,].")
@click.option("--replace", is_flag=True, help="Replace a dataset of that name.")
@click.option(
    "--roles",
    cls=OfRecords,
    type=click.Path(path_type=Path),
    help=f"TOML file with the roles; keys: {', '.join(Roles.__struct_fields__)}. Options go before it.",
)
@click.option("--id", cls=OfRecords, metavar="COLUMN", help="Column of unique identifiers [default: row numbers].")
@click.option(
    "--technologies",
    cls=OfRecords,
    metavar="COLUMN",
    help=f"Column of technologies: text, JSON lists or lists [default: one named {', '.join(GUESSED_NAMES)}].",
)
@click.option(
    "--delimiter",
    cls=OfRecords,
    help=r"Text between the technologies of a cell; \t is a tab [default: |]. For lists, what they are kept with.",
)
@click.option(
    "--label", cls=OfRecords, metavar="COLUMN", help="Column that the model learns: 0 and 1, or true and false."
)
@click.option(
    "--positive", cls=OfRecords, metavar="VALUE", help="Value of the label column that is 1; all others are 0."
)
@click.option("--categorical", cls=OfRecords, metavar="A,B", help="Columns of categories.")
@click.option("--numeric", cls=OfRecords, metavar="A,B", help="Columns of numbers.")
@click.option("--ignore", cls=OfRecords, metavar="A,B", help="Columns to leave out.")
@click.option(
    "--training-records",
    cls=OfRecords,
    type=int,
    help="Learn vocabulary and categories on the first so many [default: all].",
)
@click.option(
    "--model", cls=OfRecords, type=click.Path(path_type=Path), help="XGBoost model of your own, .json or .ubj."
)
@click.option("--user", cls=OfInteractions, metavar="COLUMN", help="Column of who: ids of users.")
@click.option("--item", cls=OfInteractions, metavar="COLUMN", help="Column of what: ids of items.")
@click.option(
    "--value",
    cls=OfInteractions,
    metavar="COLUMN",
    help="Column of how much, numbers above 0 [default: each row counts 1].",
)
@click.option(
    "--rating",
    cls=OfInteractions,
    metavar="COLUMN",
    help="Column of ratings, any numbers: a dataset of ratings, instead of --value.",
)
@click.option(
    "--timestamp", cls=OfInteractions, metavar="COLUMN", help="Column of when: seconds since 1970 UTC, or ISO 8601."
)
@click.option(
    "--items",
    cls=OfInteractions,
    type=click.Path(path_type=Path),
    help="File of what is known of the items, with the columns id, and title, genres or both.",
)
@click.pass_context
def add_dataset(context: click.Context, /, **options: Any) -> None:
    """Keep FILE (CSV, TSV, JSON lines or Parquet) as a dataset of your own.

    With --user and --item its rows are interactions, else records. A pair of user and item may be in several rows:
    their values are summed where interactions become a matrix. Every row must have all that is named.

    In records an empty cell of technologies means that they are unknown; a quoted empty cell, an empty list or a lone
    delimiter means that there are none. Columns that no option names are told by their values; the outcome is printed.
    """
    of_interactions = _said(context, OfInteractions)
    if not of_interactions:
        _add_records(options)
        return
    if of_records := _said(context, OfRecords):
        raise InputError(
            f"{of_records[0]} is for records, {of_interactions[0]} for interactions; leave one of them out"
        )
    for name in ("user", "item"):
        if options[name] is None:
            raise InputError(f"{of_interactions[0]} without --{name}: interactions have a user and an item; name both")
    columns = {name: options[name] for name in OwnInteractions.__dataclass_fields__}
    with records_progress(f"adding {options['name']}") as report:
        dataset = add_interactions(OwnInteractions(**columns), report)
    print_kept(dataset)
    click.echo(f"{dataset.users:,} users, {dataset.items:,} items")


def _said(context: click.Context, kind: type[click.Option]) -> list[str]:
    """The options of a kind that the user gave."""
    return [
        each.opts[0]
        for each in context.command.params
        if type(each) is kind and context.params[each.name or ""] is not None
    ]


def _add_records(options: dict[str, Any]) -> None:
    delimiter = options["delimiter"]
    roles = (Roles() if options["roles"] is None else Roles.load(options["roles"])).with_options(
        **{name: options[name] for name in ("id", "technologies", "label", "positive")},
        **{name: _names(options[name]) for name in ("categorical", "numeric", "ignore")},
        delimiter=None if delimiter is None else delimiter.replace(r"\t", "\t").replace(r"\n", "\n"),
    )
    rest = {name: options[name] for name in OwnData.__dataclass_fields__ if name != "roles"}
    with records_progress(f"adding {options['name']}") as report:
        dataset, uses = add(OwnData(roles=roles, **rest), report)
    _print_uses(uses)
    print_kept(dataset)


def _names(joined: str | None) -> tuple[str, ...] | None:
    return None if joined is None else tuple(name for name in joined.split(",") if name)


def _print_uses(uses: list[Use]) -> None:
    table = Table("column", "used as", "because")
    for use in uses:
        style = "dim" if use.role == "ignore" else None
        table.add_row(
            escape(use.column), "not used" if use.role == "ignore" else use.role, escape(use.why), style=style
        )
    Console().print(table)
