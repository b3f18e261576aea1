"""What a tuning found, for readers and for programs: pure functions from trials to a rich table, lines and JSON."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..pipeline.contract import Scalar
from .cases import parameters_of
from .fold_row import FoldRow
from .table import duration, memory
from .tuning import COSTS, Choice, Trial


def varied(points: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """Names of the parameters in which the points differ."""
    return [name for name in (points[0] if points else ()) if len({point[name] for point in points}) > 1]


def quality_text(trial: Trial) -> str:
    """Mean over the folds, plus and minus its standard error."""
    if not trial.qualities:
        return "-"
    error = trial.standard_error
    return f"{trial.mean:.5g}" + ("" if math.isnan(error) else f" ±{error:.2g}")


def trial_table(choice: Choice, title: str, metric: str, cost: str) -> Table:
    """A row for each trial, the best first."""
    table = Table(title=title, title_style="bold", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    names = varied([trial.parameters for trial in choice.trials])
    for heading in (*names, metric, "folds", "CPU time", "run time", "peak memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"quality against {COSTS[cost]}", no_wrap=True)
    for trial in choice.trials:
        table.add_row(
            *(str(trial.parameters[name]) for name in names),
            quality_text(trial),
            f"{len(trial.qualities)}/{trial.folds}",
            "-" if trial.cpu_seconds is None else duration(trial.cpu_seconds),
            "-" if trial.seconds is None else duration(trial.seconds),
            memory(None if trial.peak_bytes is None else round(trial.peak_bytes)),
            _marks(trial, choice),
        )
    return table


def _marks(trial: Trial, choice: Choice) -> Text:
    if trial.failures:
        return Text(trial.failures[0][:80], "bold red")
    marks = [
        "best" if trial is choice.best else "",
        "cheapest within one standard error" if trial is choice.thrifty else "",
        "Pareto front" if trial in choice.front else "",
    ]
    return Text(", ".join(filter(None, marks)), "green")


def run_line(row: FoldRow, parameters: Mapping[str, Scalar]) -> str:
    """The command that measures the variant of the tuning with these parameters, and checks its answer."""
    defaults = parameters_of(row.stage, {})
    words = ["technobench", "run", "--stage", row.stage, "--variant", row.variant, "--dataset", row.dataset]
    if row.scale != 1:
        words += ["--scale", f"{row.scale:.15g}"]
    for name, value in parameters.items():
        if value != defaults[name]:
            words += ["--param", f"{name}={value}"]
    return shlex.join(words)


def advice(choice: Choice, row: FoldRow, metric: str, cost: str) -> list[str]:
    """What to take, in words; ``row`` is any of the tuning."""
    best, thrifty = choice.best, choice.thrifty
    if best is None or thrifty is None:
        return ["no trial has been tried on all folds, so there is nothing to choose from"]
    lines = [f"best {metric}, {quality_text(best)}:", f"  {run_line(row, best.parameters)}"]
    if thrifty is best:
        return [*lines, f"  nothing within one standard error of it takes less {COSTS[cost]}"]
    if best.cost(cost) > 0 and math.isfinite(best.cost(cost)):
        share = f", {thrifty.cost(cost) / best.cost(cost):.2g} of its {COSTS[cost]}"
    else:
        share = ""
    return [
        *lines,
        f"cheapest within one standard error of it, {quality_text(thrifty)}{share}:",
        f"  {run_line(row, thrifty.parameters)}",
    ]


def as_json(choice: Choice, row: FoldRow, metric: str | None, goal: str, cost: str) -> dict[str, Any]:
    """All of it as an object of plain values; ``row`` is any of the tuning."""

    def told(trial: Trial) -> dict[str, Any]:
        return {
            "parameters": trial.parameters,
            "quality": _finite(trial.mean),
            "standard_error": _finite(trial.standard_error),
            "qualities": list(trial.qualities),
            "seconds": trial.seconds,
            "cpu_seconds": trial.cpu_seconds,
            "peak_bytes": trial.peak_bytes,
            "failures": list(trial.failures),
            "front": trial in choice.front,
            "command": run_line(row, trial.parameters),
        }

    return {
        "run_id": row.run_id,
        "stage": row.stage,
        "variant": row.variant,
        "dataset": row.dataset,
        "scale": row.scale,
        "folds": row.folds,
        "threads": row.threads,
        "metric": metric,
        "goal": goal,
        "cost": cost,
        "trials": [told(trial) for trial in choice.trials],
        "best": told(choice.best) if choice.best else None,
        "cheapest_within_one_standard_error": told(choice.thrifty) if choice.thrifty else None,
        "repeat": row.command,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
