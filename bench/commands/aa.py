"""``technobench aa``: what can this machine see? Code compared with itself."""

import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ...pipeline.errors import InputError
from .. import calibration, host, store
from ..calibration import Calibration, CaseCalibration
from ..gate.judgement import MEASURES, Decision, Limits, judge
from ..gate.text import share
from ..gating import Plan, measured
from ..launch_row import BASE, HEAD, LaunchRow
from ..launches import Arm, Launching
from ..measure import measuring, private_folder
from ..progress import Progress
from ..table import wide_console
from .gate import PAIRS_OF_A_LAUNCH
from .repeat import (
    interruptible,
    pairs_option,
    repeating,
    results_option,
    share_option,
    threads_option,
    time_option,
    timeout_option,
)
from .selection import selection, selection_options


@click.command()
@selection_options
@click.option(
    "--comparisons", type=click.IntRange(min=1), default=20, show_default=True, help="Of each case with itself."
)
@share_option("--max-slowdown", "3%", "As in 'technobench gate'.")
@share_option("--alpha", "1%", "As in 'technobench gate'.")
@pairs_option("Of a comparison.")
@time_option("30m", "For all comparisons.")
@threads_option
@timeout_option("For any one run or set-up.")
@results_option("launches")
@click.pass_context
def aa(context: click.Context, /, **options: Any) -> None:
    """Calibrate this machine: compare the installed code with itself, as the gate does, again and again.

    How often would the gate cry wolf here, and what is the smallest slow-down that it sees? The answer is kept for this
    class of machine, and the gate tells where its limit is below what can be seen. Run it under the load that the gate
    is to work under.

    \b
    technobench aa -k "native and not cuda" --comparisons 20 --budget 1h
    """
    start = time.monotonic()
    limits = Limits(options["max_slowdown"], alpha=options["alpha"])
    cases = [(group, variant) for group in selection(options) for variant in group.variants]
    folder, run_id = store.results_folder(options["results"]), store.new_run_id("aa")
    threads, command = options["threads"] or host.usable_cores(), repeating(context, "aa", {"results"})
    found: dict[str, CaseCalibration] = {}
    arms = tuple(Arm(name, Path(sys.executable), None, "installed") for name in (BASE, HEAD))
    with interruptible(), measuring() as alerts, private_folder() as private:
        progress, file = Progress(len(cases)), store.LineFile(folder, run_id)
        launching = Launching(run_id, command, threads, PAIRS_OF_A_LAUNCH, options["timeout"], alerts)
        most = -(-options["max_pairs"] // PAIRS_OF_A_LAUNCH)
        try:
            for number, case in enumerate(cases):
                left = start + options["budget"] - time.monotonic()
                plan = Plan((case,), arms, launching, limits, most, time.monotonic() + left / (len(cases) - number))
                compared = _compared(plan, options["comparisons"], private / str(number), file, progress)
                name = case[0].case_name(case[1])
                found[name] = _calibration(compared, limits)
                progress.over(f"{name}  {found[name].comparisons} comparisons, {found[name].alarms} false alarms")
        finally:
            progress.close()
            file.close()
            if found:
                wide_console().print(_table(found, limits))
                made = datetime.now(UTC).isoformat(timespec="seconds")
                kept = calibration.keep(Calibration(host.fingerprint(), made, command, found))
                click.echo(f"kept for the gate: {kept}\nlaunches: {file.path}", err=True)


def _compared(
    plan: Plan, comparisons: int, folder: Path, file: store.LineFile, progress: Progress
) -> list[list[LaunchRow]]:
    """The launches of each comparison, which has processes of its own and ends when the gate's would."""
    found: list[list[LaunchRow]] = []
    name = plan.cases[0][0].case_name(plan.cases[0][1])
    while len(found) < comparisons and time.monotonic() < plan.deadline:
        told = f"comparison {len(found) + 1} of {comparisons}"
        rows: list[LaunchRow] = []
        for row in measured(plan, (), folder, lambda what, told=told: progress.say(f"{told}: {what}"), lambda _: None):
            file.append(row)
            rows.append(row)
        if not rows:
            break
        verdict = judge(rows, plan.limits, last=True)[0]
        if verdict.decision in {Decision.INVALID, Decision.NOT_MEASURED}:
            raise InputError(f"{name} is {verdict.decision}: {verdict.reason}; leave it out by -k")
        found.append(rows)
    return found


def _calibration(compared: Sequence[Sequence[LaunchRow]], limits: Limits) -> CaseCalibration:
    """What comparisons of one case say, each judged once with the limits and once with none."""
    strict = replace(limits, slowdown=0.0, memory_growth=0.0)
    verdicts = [judge(rows, limits, last=True)[0] for rows in compared]
    differences = [judge(rows, strict, last=True)[0].decision is Decision.REGRESSION for rows in compared]
    times = [each for verdict in verdicts for each in verdict.measures if each.measure == MEASURES[0].name]
    noise = [math.expm1((math.log(each.high) - math.log(each.low)) / 2) for each in times if each.low and each.high]
    visible = [each.visible for each in times if each.visible is not None]
    return CaseCalibration(
        comparisons=len(verdicts),
        alarms=sum(verdict.decision is Decision.REGRESSION for verdict in verdicts),
        differences=sum(differences),
        noise=statistics.median(noise) if noise else None,
        visible=statistics.quantiles(visible, n=10)[-1] if len(visible) > 1 else None,
    )


def _table(found: dict[str, CaseCalibration], limits: Limits) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="this machine against itself, CPU time", title_justify="left")
    beyond = f"alarms beyond {share(limits.slowdown)}"
    for heading in ("case", "comparisons", beyond, "any difference told", "noise", "visible in 9 of 10"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for name, each in found.items():
        counts = str(each.comparisons), str(each.alarms), str(each.differences)
        table.add_row(Text(name), *counts, share(each.noise), share(each.visible))
    return table
