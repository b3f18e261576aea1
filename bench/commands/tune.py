"""``technobench tune``: choose a stage's parameters by cross-validation."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ...pipeline import registry
from ...pipeline.contract import Scalar
from ...pipeline.datasets import catalogue
from ...pipeline.errors import InputError
from .. import host, store
from ..cases import parameters_of
from ..fold_row import FoldRow, fold_key
from ..measure import measuring
from ..progress import Progress
from ..search_space import OPTIONS, Space, drawn_points, every_point, read_space
from ..table import duration, wide_console
from ..trial_table import advice, as_json, trial_table, varied
from ..trials import Fold, Tuning, same_data, tried
from ..tuning import COSTS, chosen, metric_of, trials_of
from .repeat import (
    interruptible,
    is_given,
    named_values,
    options_of,
    refuse_options_on_resume,
    repeating,
    results_option,
    resume_option,
    timeout_option,
)
from .selection import make_dataset

FAILED = 1
_OF_THE_CHOICE = ("metric", "cost", "as_json")
_SETTABLE_ON_RESUME = {"resume", "results", "jobs", *_OF_THE_CHOICE}
"""Options that change nothing of what is tried, only how it is gone about and what is made of it."""
_NOT_REPEATED = {"resume", "results", "as_json"}


@click.command()
@click.argument("stage", required=False)
@click.option("--dataset", default="whotracksme", show_default=True, help="Dataset, made if absent.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Size of a synthetic dataset, as a factor.")
@click.option("--variant", default="native", show_default=True, help="Variant that is run.")
@click.option(
    "--grid",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file of values to try, as factors = [32, 64], or of ranges to draw from, as "
    "regularization = { low = 0.01, high = 0.2, log = true } [default with --random: the stage's own ranges].",
)
@click.option("--random", "draws", type=click.IntRange(min=1), metavar="N", help="Try N points by chance, not all.")
@click.option(
    "--param",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter in place of the file's; repeat for more, with one NAME to try each VALUE.",
)
@click.option("--folds", type=click.IntRange(min=2), default=3, show_default=True, help="Folds of each trial.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of draws, folds and models.")
@click.option("--metric", help="Measure of quality to choose by [default: the stage's first].")
@click.option(
    "--cost", type=click.Choice(list(COSTS)), default="cpu", show_default=True, help="What quality is weighed against."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each trial.")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials at once, each on cores of its own [default: all].")
@timeout_option("For any one training, set-up or run; beyond it the fold is failed.")
@resume_option("tuning")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of the table.")
@results_option("rows")
@click.pass_context
def tune(context: click.Context, /, **options: Any) -> None:
    """Choose parameters of STAGE by cross-validation: quality against cost.

    Each set of parameters learns from all folds but one and is judged by that one; what the stage itself is judged by
    stays unseen. Answers are judged, not compared with the reference: 'technobench run' does that, with the line that
    is printed at the end. A trial has one thread unless told, so that costs compare whatever runs beside it.

    \b
    technobench tune als --dataset whotracksme --grid grid.toml
    technobench tune predict --random 20 --param depth=6 --metric auc
    technobench tune --resume
    """
    folder = store.results_folder(options["results"])
    rows: list[FoldRow] = []
    run_id, command = store.new_run_id("tune"), repeating(context, "tune", _NOT_REPEATED)
    if options["resume"] is not None:
        rows, run_id, command, options = _resumed(context, folder, options)
    tuning = _tuning(options, run_id, command)
    make_dataset(tuning.dataset, tuning.scale)
    if rows and not same_data(rows[0]):
        raise InputError(f"dataset '{tuning.dataset}' has changed since the tuning; start a new one")
    points = _points(options)
    done_before = {row.key for row in rows}
    planned = [Fold(point, fold) for point in points for fold in range(tuning.folds)]
    planned = [fold for fold in planned if fold_key(fold.parameters, fold.number) not in done_before]
    jobs = min(tuning.jobs, max(1, len(planned)))
    rows = _try_all(planned, replace(tuning, jobs=jobs), folder, options)
    context.exit(FAILED if any(row.failure for row in rows) else 0)


def _tuning(options: dict[str, Any], run_id: str, command: str) -> Tuning:
    """What is common to all trials.

    Raises:
        InputError: the stage cannot be tuned, or not on this dataset, with this variant or on so many cores.

    """
    stages = registry.stages()
    tunable = [name for name, stage in stages.items() if stage.tunable]
    asked, dataset = options["stage"], options["dataset"]
    if asked not in tunable:
        wrong = f"stage {asked} has no folds to choose by" if asked in stages else f"no stage '{asked}'"
        raise InputError(f"{wrong if asked else 'name a stage'}; those that can be tuned: {', '.join(tunable)}")
    kinds, kind = stages[asked].kinds, catalogue.kind_of(dataset)
    if kind not in kinds:
        raise InputError(f"stage {asked} needs {' or '.join(kinds)}, dataset {dataset} has {kind}; name another")
    variants = {name: each for (of, name), each in registry.variants().items() if of == asked}
    if options["variant"] not in variants:
        raise InputError(f"no variant '{options['variant']}' of stage {asked}; there are: {', '.join(variants)}")
    if (missing := variants[options["variant"]].missing()) is not None:
        raise InputError(f"variant {options['variant']} cannot run here: {missing}; choose another by --variant")
    cores, threads = host.usable_cores(), options["threads"]
    jobs = options["jobs"] or max(1, cores // threads)
    if jobs > 1 and jobs * threads > cores:
        raise InputError(
            f"{jobs} jobs of {threads} threads would share {cores} cores, and their costs would not compare; "
            f"use at most {max(1, cores // threads)} jobs"
        )
    common = {name: options[name] for name in ("stage", "variant", "dataset", "scale", "folds", "threads", "timeout")}
    return Tuning(run_id=run_id, command=command, jobs=jobs, **common)


def _points(options: dict[str, Any]) -> list[dict[str, Scalar]]:
    """The sets of parameters to try; those given as options go before the file's."""
    stage, own = options["stage"], registry.stages()[options["stage"]].search
    given = named_values(options["given"])
    if options["grid"] is not None:
        named: Space = read_space(options["grid"])
    else:
        named = own if options["draws"] else {}
    space: Space = {**named, **given}
    if not space or (options["draws"] and not named):
        raise InputError(
            f"nothing to try: give --grid FILE with lines such as {_example(stage)}"
            + (", or --random N to draw from the stage's own ranges" if own else "")
        )
    if options["draws"]:
        points = drawn_points(stage, space, options["draws"], options["seed"])
    else:
        points = every_point(stage, space)
    return [{**point, "seed": options["seed"]} for point in points]


def _example(stage: str) -> str:
    own = registry.stages()[stage]
    given = own.parameters.items()
    numbers = [name for name, value in given if type(value) is int and value > 0 and name not in OPTIONS]
    name = numbers[0] if numbers else "depth"
    return f"{name} = [{parameters_of(stage, {})[name]}, ...]"


def _try_all(planned: list[Fold], tuning: Tuning, folder: Path, options: dict[str, Any]) -> list[FoldRow]:
    """Try, write and print; what was tried before an interrupt is in the file and in the table. All rows there are."""
    names = varied([fold.parameters for fold in planned])
    progress = Progress(len(planned))
    file = store.LineFile(folder, tuning.run_id)
    with interruptible(), measuring() as alerts:
        for alert in alerts:
            click.echo(f"warning: {alert}, so costs may be too high", err=True)
        try:
            progress.say(f"{tuning.jobs} at a time, {tuning.threads} threads each")
            with contextlib.closing(tried(planned, tuning)) as found:  # so that workers end with this block
                for row in found:
                    file.append(row)
                    progress.over(_said(row, names, options["metric"]))
        finally:
            progress.close()
            file.close()
            rows = store.read_tuning(file.path)
            _print(rows, options)
            if rows:
                again = f"technobench tune --resume {tuning.run_id}"
                click.echo(f"rows: {file.path}  (the table again: {again})", err=True)
    return rows


def _said(row: FoldRow, names: list[str], metric: str | None) -> str:
    """A line on a fold that is over; ``names`` are the parameters in which trials differ.

    Raises:
        InputError: the stage does not tell this metric.

    """
    words = [f"{row.stage}/{row.variant}", *(f"{name}={row.parameters[name]}" for name in names)]
    where = f"{' '.join(words)} fold {row.fold + 1} of {row.folds}"
    name = metric_of([row], metric)
    if name is None or row.quality is None or row.cpu_seconds is None:
        return f"{where}  failed: {row.failure}"
    return f"{where}  {name} {row.quality[name]:.5g}  {duration(row.cpu_seconds)} of CPU"


def _print(rows: list[FoldRow], options: dict[str, Any]) -> None:
    """The table and what to take, or all of it as JSON; nothing where there are no rows."""
    if not rows:
        return
    first, cost, goal = rows[0], options["cost"], registry.stages()[rows[0].stage].goal
    metric = metric_of(rows, options["metric"])
    choice = chosen(trials_of(rows, metric), goal, cost)
    if options["as_json"]:
        click.echo(json.dumps(as_json(choice, first, metric, goal, cost), indent=1))
        return
    console = wide_console()
    threads = f"{first.threads} thread{'s' if first.threads > 1 else ''} each"
    title = (
        f"{first.stage}/{first.variant} on {first.dataset} at scale {first.scale:g}: {len(choice.trials)} trials, "
        f"{first.folds} folds, {threads}; the {goal} {metric or 'quality'} is the best"
    )
    console.print(trial_table(choice, title, metric or "quality", cost))
    for line in advice(choice, first, metric or "quality", cost):
        console.print(line, soft_wrap=True)


def _resumed(
    context: click.Context, folder: Path, given: dict[str, Any]
) -> tuple[list[FoldRow], str, str, dict[str, Any]]:
    """Rows, id, command and options of the tuning to go on with."""
    refuse_options_on_resume(context, "tuning", _SETTABLE_ON_RESUME)
    path = store.find(folder, given["resume"] or None, "tune")
    rows = store.read_tuning(path)
    if not rows:
        raise InputError(f"{path}: holds no row to take the tuning's options from; start a new one")
    command = rows[0].command
    options = options_of(context, command)
    kept = {name: given[name] for name in _SETTABLE_ON_RESUME if is_given(context, name)}
    click.echo(f"going on with {path.stem}: {len(rows)} rows are there; {command}", err=True)
    return rows, path.stem, command, {**options, **kept}
