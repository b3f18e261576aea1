"""``technobench plan``: what must be bought for so many rows by a deadline."""

import sys
from pathlib import Path

import click
import msgspec

from ...pipeline import registry
from ...pipeline.datasets import catalogue
from ...pipeline.errors import InputError
from ...pipeline.home import new_file
from ...pipeline.row import Row
from .. import store
from ..plan.capacity import Plan, plan_of
from ..plan.capacity_text import section
from ..plan.prices import Prices, prices_of
from ..plan.question import Question
from ..report.console import lines
from ..report.document import Report
from ..report.markdown import markdown
from ..table import wide_console
from .amounts import Count, Duration, MonthlyShare
from .repeat import FILE, is_given, results_option, share_option


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--rows", type=Count(), required=True, help="Rows of the work, as 2e9.")
@click.option("--deadline", type=Duration(), required=True, metavar="TIME", help="Time for all of them, as 4h.")
@share_option("--headroom", "0%", "Share of the deadline kept free.")
@click.option(
    "--availability", "spares", type=int, default=0, show_default=True, help="Spare machines: so many may fail."
)
@click.option("--growth", type=MonthlyShare(), help="How the rows grow, as 5%/month.")
@click.option("--horizon", type=int, default=24, show_default=True, metavar="MONTHS", help="How far --growth looks.")
@click.option("--stage", default="pipeline", show_default=True, help="What every row goes through.")
@click.option("--dataset", help="Measured dataset that stands for the work [default: that of the largest run].")
@click.option("--prices", "prices_file", type=FILE, help="Your prices: a copy of docs/prices.example.toml.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write it as one line of JSON; '-' is standard output.")
@click.option("--markdown", "markdown_file", type=FILE, help="Write it as Markdown.")
@results_option("runs")
@click.pass_context
def plan(
    context: click.Context,
    /,
    runs: tuple[str, ...],
    rows: int,
    deadline: float,
    headroom: float,
    spares: int,
    growth: float | None,
    horizon: int,
    stage: str,
    dataset: str | None,
    prices_file: Path | None,
    json_file: str | None,
    markdown_file: Path | None,
    results: Path | None,
) -> None:
    """Tell how many machines do so many rows by a deadline, what they cost, and how sure that is.

    From rows of RUN (files, run ids or their beginnings; of all runs without one) that are right and were measured:
    nothing is taken from a data sheet, and a variant that never ran here is listed as not measured.

    \b
    technobench plan --rows 2e9 --deadline 4h --headroom 30% --availability 1
    technobench plan --rows 2e9 --deadline 4h --prices prices.toml --growth 5%/month --horizon 24
    """
    if growth is None and is_given(context, "horizon"):
        raise InputError("--horizon: is how far --growth looks; give --growth as well, as 5%/month")
    if stage not in registry.stages():
        raise InputError(f"no stage '{stage}'; there are: {', '.join(registry.stages())}")
    question = Question(stage, rows, deadline, headroom, spares, growth, horizon)
    prices = None if prices_file is None else _prices(prices_file)
    measured = _rows(store.results_folder(results), runs)
    scalable = [name for name, maker in catalogue.makers().items() if maker.scalable]
    made = plan_of(measured, question, prices, list(registry.variants().values()), dataset, scalable)
    if not made.offers:
        raise InputError(_nothing(made, dataset))
    _write(made, json_file, markdown_file)
    if json_file != "-":
        console = wide_console()
        for line in lines(section(made)):
            console.print(line)


def _rows(folder: Path, runs: tuple[str, ...]) -> list[Row]:
    found = [store.read(store.find(folder, run)) for run in runs] if runs else [store.all_rows(folder)]
    for _, problems in found:
        for problem in problems:
            click.echo(f"warning: {problem}", err=True)
    return [row for rows, _ in found for row in rows]


def _prices(path: Path) -> Prices:
    try:
        return prices_of(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; copy docs/prices.example.toml and put your prices in") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: no text in UTF-8") from None


def _nothing(made: Plan, dataset: str | None) -> str:
    stage = made.question.stage
    where = f" on dataset '{dataset}'" if dataset else ""
    other = f" (measured were {'; '.join(made.left_out)})" if made.left_out else ""
    return (
        f"no row of stage '{stage}'{where} is right and measured{other}; "
        f"'technobench run --stage {stage}' measures it, --results names another folder"
    )


def _write(made: Plan, json_file: str | None, markdown_file: Path | None) -> None:
    text = msgspec.json.encode(made) + b"\n"
    if json_file == "-":
        sys.stdout.buffer.write(text)
    elif json_file is not None:
        with new_file(Path(json_file)) as written:
            written.write_bytes(text)
    if markdown_file is not None:
        told = section(made)
        report = Report("technobench plan", "From measured rows alone.", (told,))
        with new_file(markdown_file) as written:
            written.write_text(markdown(report), encoding="utf-8")
