"""``technobench recommend``: the items that each user of a dataset is most likely to take up next."""

import contextlib
from typing import Any

import click
import numpy as np

from ...pipeline.datasets import catalogue
from ...pipeline.errors import InputError
from ...pipeline.interactions import Interactions
from ...pipeline.stages.als import Als, als_problem
from ...pipeline.workload import DEFAULTS, Workload
from ..progress import records_progress, working
from ..recommendation import Request, fitted, positions, recommendations
from ..recommendation_file import FORMATS, STANDARD_OUTPUT, checked_target, written

_HYPER = {**Als.parameters, "seed": DEFAULTS["seed"]}


@click.command()
@click.argument("dataset")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Scale of the dataset.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Items for each user, at most.")
@click.option(
    "--user", "users", metavar="ID", multiple=True, help="User to recommend to; repeat for more [default: all]."
)
@click.option("--bar", "barred", metavar="ID", multiple=True, help="Item to recommend to nobody; repeat for more.")
@click.option("--factors", type=int, default=_HYPER["factors"], show_default=True, help="Length of the vectors.")
@click.option(
    "--regularization",
    type=float,
    default=_HYPER["regularization"],
    show_default=True,
    help="Penalty of long vectors, for each item, or user where these are fewer.",
)
@click.option(
    "--alpha", type=float, default=_HYPER["alpha"], show_default=True, help="Confidence that a value of 1 adds."
)
@click.option("--iterations", type=int, default=_HYPER["iterations"], show_default=True, help="Of the fit.")
@click.option("--seed", type=int, default=_HYPER["seed"], show_default=True, help="Draws the vectors to start from.")
@click.option("--variant", default="native-momentum", show_default=True, help="Of stage als, which fits the vectors.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|-",
    default=STANDARD_OUTPUT,
    show_default=True,
    help=f"Where the rows go: {', '.join(FORMATS)}; '-' is JSON lines on standard output.",
)
def recommend(dataset: str, scale: float, output: str, **options: Any) -> None:
    """Recommend to the users of DATASET the items that they do not have yet.

    All interactions are learned from, by implicit-feedback ALS; nothing is held out. A row is a user, a rank, an item
    and a score, near 1 for what fits the user. Of a dataset of records, users are the companies and items their
    technologies: which technology does this company adopt next.

    \b
    technobench data add plays.csv --name plays --user user --item item
    technobench recommend plays -o recommendations.csv
    """
    checked_target(output)
    with records_progress(f"dataset {dataset}") as done:
        workload = Workload(catalogue.get(dataset, scale, done))
    with working(f"reading {dataset}"):
        interactions = workload.interactions()
    request = _request(dataset, interactions, options)
    hyper = {name: options[name] for name in ("factors", "regularization", "alpha", "iterations", "seed")}
    problem = als_problem(interactions.matrix, **hyper, scaling="size")
    with working(f"fitting {problem.strengths.nnz:,} pairs"):
        vectors = fitted(problem, options["variant"])
    rows, lists = 0, 0
    # A bar would be drawn into the rows on a terminal.
    bar = records_progress("users") if output != STANDARD_OUTPUT else contextlib.nullcontext(lambda done, total: None)
    with bar as done, written(output) as write:
        for batch in recommendations(interactions, vectors, request, done):
            write(batch)
            rows += batch.num_rows
            lists += int(np.count_nonzero(batch.column("rank").to_numpy() == 1))
    told = f"{rows:,} rows for {lists:,} users"
    if without := len(dict.fromkeys(options["users"]) or interactions.user_ids) - len(request.users):
        told += f"; no list for {without:,} without interactions"
    if full := len(request.users) - lists:
        told += f"; no list for {full:,} with all items that may be recommended"
    click.echo(told if output == STANDARD_OUTPUT else f"{output}: {told}", err=True)


def _request(dataset: str, interactions: Interactions, options: dict[str, Any]) -> Request:
    users, items = interactions.matrix.shape
    if users < 2 or items < 2:
        raise InputError(f"dataset '{dataset}' has users: {users}, items: {items}; to compare, two of each are needed")
    barred = positions(interactions.item_ids, options["barred"], "--bar", "item")
    if len(barred) == items:
        raise InputError(f"--bar: all {items:,} items are barred; leave some to recommend")
    known = np.diff(interactions.matrix.indptr) > 0
    wanted = np.arange(users)
    if options["users"]:
        wanted = positions(interactions.user_ids, options["users"], "--user", "user")
    chosen = wanted[known[wanted]]
    if not len(chosen):
        raise InputError(f"dataset '{dataset}': no user of those has interactions, so nothing tells what fits them")
    return Request(chosen, barred, min(options["top"], items))
