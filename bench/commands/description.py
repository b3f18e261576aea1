"""How a dataset is described in a terminal: facts, and a table of its columns."""

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...pipeline.datasets.dataset import Dataset, InteractionDataset, Progress, RecordDataset
from ...pipeline.datasets.describe import MOST_DISTINCT, Description, describe
from ...pipeline.datasets.describe_interactions import InteractionDescription, describe_interactions


def described(dataset: Dataset, progress: Progress) -> Description | InteractionDescription:
    """The dataset in figures, whatever its kind."""
    if isinstance(dataset, RecordDataset):
        return describe(dataset, progress)
    if isinstance(dataset, InteractionDataset):
        return describe_interactions(dataset, progress)
    raise TypeError(f"no description of {dataset.kind}")


def print_description(description: Description | InteractionDescription) -> None:
    """Print it as tables."""
    dataset = description.dataset
    console = Console()
    facts = Table(show_header=False, title=f"{dataset.name} at scale {dataset.scale:g}", title_justify="left")
    facts.add_column()
    facts.add_column(overflow="fold")
    of_records = isinstance(description, Description)
    for name, value in (_facts(description) if of_records else _interaction_facts(description)).items():
        facts.add_row(name, escape(value))
    console.print(facts)
    if of_records and description.columns:
        console.print(_columns(description))


def print_kept(dataset: Dataset) -> None:
    """Print one line: what is kept, and where."""
    shape = f"{dataset.records:,} {dataset.kind} x {dataset.raw_columns:,} columns"
    click.echo(f"{dataset.name}: {shape}, kept in {dataset.folder}")


def _columns(description: Description) -> Table:
    table = Table("column", "kind")
    for heading in ("distinct", "null"):
        table.add_column(heading, justify="right")
    for column in description.columns:
        distinct = f"over {MOST_DISTINCT:,}" if column.distinct is None else f"{column.distinct:,}"
        table.add_row(escape(column.name), column.kind, distinct, f"{column.null_share:.1%}")
    return table


def _facts(description: Description) -> dict[str, str]:
    dataset, technologies = description.dataset, description.technologies
    density = technologies.nonzeros / max(dataset.records * technologies.distinct, 1)
    unseen = technologies.unseen_share
    return {
        "records": f"{dataset.records:,}",
        "raw columns": f"{description.raw_columns:,}",
        "technologies": f"{technologies.distinct:,} distinct, in column {dataset.technologies!r}",
        "non-zeros": f"{technologies.nonzeros:,} ({density:.3%} of the cells)",
        "per known record": _quantiles(technologies.quantiles) or "no record is known",
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


def _interaction_facts(description: InteractionDescription) -> dict[str, str]:
    dataset = description.dataset
    found = {
        dataset.kind: f"{dataset.records:,} ({description.density:.3%} of the pairs)",
        "columns": ", ".join(dataset.columns),
        "users": f"{dataset.users:,}",
        "items": f"{dataset.items:,}",
        "per user": _quantiles(description.per_user),
        "per item": _quantiles(description.per_item),
        "most frequent": ", ".join(f"{name} ({count:,})" for name, count in description.top),
    }
    if description.values:
        counts = (f"{value}: {count / dataset.records:.1%}" for value, count in description.values.items())
        found["values"] = ", ".join(counts)
    if description.times:
        found["from, to"] = ", ".join(description.times)
    return {**found, "SHA-256": dataset.digest, "source": dataset.source, "where": str(dataset.folder)}


def _quantiles(counts: dict[str, int]) -> str:
    return ", ".join(f"{size:,} at {share}" for share, size in counts.items())
