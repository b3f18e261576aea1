"""``technobench compare``: two runs, or two environments, case by case."""

import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ...pipeline.errors import InputError
from .. import host, store
from ..cases import matches
from ..gate.comparison import CaseComparison, Outcome, as_comparison, compare_launches
from ..gate.comparison_text import ABOUT_LAUNCHES, ABOUT_RUNS, as_json, markdown, table, without_measures
from ..gate.judgement import Limits
from ..gate.run_comparison import compare_runs, host_differences
from ..gating import Plan, cases_left
from ..launch_row import AGAIN, BASE, HEAD, LaunchRow
from ..launches import Arm, Launching
from ..measure import measuring, private_folder
from ..progress import Progress
from ..table import wide_console
from .gate import PAIRS_OF_A_LAUNCH, measure_all
from .repeat import (
    FILE,
    interruptible,
    is_given,
    pairs_option,
    repeating,
    results_option,
    share_option,
    threads_option,
    time_option,
    timeout_option,
    write_asked,
)
from .selection import selection, selection_options

INVALID = 4
_OF_RUNS = {"a", "b", "expression", "max_slowdown", "max_memory_growth", "markdown_file", "json_file", "results"}
_ASKED = "import technobench.bench.worker, importlib.metadata as m; print(m.version('technobench'))"


@click.command()
@click.argument("a")
@click.argument("b")
@selection_options
@share_option("--max-slowdown", "3%", "Of time: within, the same.")
@share_option("--max-memory-growth", "10%", "Of the peak resident set: within, the same.")
@time_option("10m", "To measure environments in.")
@pairs_option("Pairs of a case at most.")
@threads_option
@timeout_option("For any one run or set-up; beyond it the case is invalid.")
@click.option("--markdown", "markdown_file", type=FILE, help="Also write the comparison there.")
@click.option("--json", "json_file", type=FILE, help="Also write a JSON object there.")
@results_option("runs, and of the launches")
@click.pass_context
def compare(context: click.Context, /, **options: Any) -> None:
    """Compare B with A: two runs (files, ids or their beginnings), or two environments that have technobench installed.

    Runs are compared from their rows, each case by way of the anchor variant that was measured in turn with it; of the
    options that choose cases, -k holds for them. Environments (a folder with bin/python, or an interpreter) are
    measured in turn as by 'technobench gate', until each case is told or the budget is spent.

    Exit codes: 0 compared, whatever the outcome, 2 wrong usage, 4 a case failed, fell back or was answered wrongly.

    \b
    technobench compare 20261122-123306 results/20261123-090000-1a2b3c.jsonl -k native
    technobench compare .venv-old .venv -k "native and not cuda" --budget 5m
    """
    sides = {name: _interpreter(options[name]) for name in ("a", "b")}
    if None not in sides.values():
        cases = _environments(context, options, [python for python in sides.values() if python])
    elif sides["a"] is sides["b"] is None:
        cases = _runs(context, options)
    else:
        raise InputError(f"{options['a']} and {options['b']}: one is an environment, one a run; name two of a kind")
    context.exit(INVALID if any(case.outcome is Outcome.INVALID for case in cases) else 0)


def _interpreter(side: str) -> Path | None:
    """The interpreter that a side names; None where it names a run."""
    path = Path(side)
    if path.is_dir():
        python = path / "bin" / "python"
        if not python.is_file():
            raise InputError(f"{path}: a folder without bin/python is no environment")
        return python.absolute()
    return path.absolute() if path.is_file() and path.suffix != ".jsonl" and path.stat().st_mode & 0o111 else None


def _runs(context: click.Context, options: dict[str, Any]) -> list[CaseComparison]:
    others = [name for name in context.params if is_given(context, name) and name not in _OF_RUNS]
    if others:
        raise InputError(f"two runs are compared as they are; leave out {', '.join(others)}")
    folder = store.results_folder(options["results"])
    paths = [store.find(folder, options[name]) for name in ("a", "b")]
    before, after = (store.read(path)[0] for path in paths)
    if not before or not after:
        raise InputError(f"{paths[1] if before else paths[0]}: holds no row of results")
    limits = Limits(options["max_slowdown"], options["max_memory_growth"])
    expression = options["expression"]
    cases = [
        case for case in compare_runs(before, after, limits) if expression is None or matches(expression, case.name)
    ]
    if not cases:
        raise InputError(f"-k {expression!r}: no case of either run matches")
    notes = [*_changed(before[0].versions, after[0].versions), ABOUT_RUNS]
    if (hosts := host_differences(before[0].host, after[0].host)) is not None:
        notes.insert(0, f"the hosts are not of one class ({hosts}): nothing is told from what was not in turn")
    names = [path.stem for path in paths]
    _tell(cases, f"B {names[1]} / A {names[0]}", notes, {"a": names[0], "b": names[1]}, options)
    return cases


def _environments(context: click.Context, options: dict[str, Any], pythons: Sequence[Path]) -> list[CaseComparison]:
    start = time.monotonic()
    a, b = (_installed(name, python) for name, python in zip((BASE, HEAD), pythons, strict=True))
    arms = (a, b, Arm(AGAIN, a.python, a.path, a.revision))
    folder, run_id = store.results_folder(options["results"]), store.new_run_id("compare")
    command = repeating(context, "compare", {"results", "markdown_file", "json_file"})
    limits = Limits(options["max_slowdown"], options["max_memory_growth"])
    cases = tuple((group, variant) for group in selection(options) for variant in group.variants)
    threads, most = options["threads"] or host.usable_cores(), -(-options["max_pairs"] // PAIRS_OF_A_LAUNCH)
    rows: list[LaunchRow] = []
    with interruptible(), measuring() as alerts, private_folder() as private:
        progress = Progress(len(cases))
        launching = Launching(run_id, command, threads, PAIRS_OF_A_LAUNCH, options["timeout"], alerts)
        plan = Plan(cases, arms, launching, limits, most, start + options["budget"], as_comparison)
        try:
            measure_all(plan, rows, folder, private, progress)
        finally:
            progress.close()
            left = cases_left(plan, rows)
            found = compare_launches(rows, limits)
            found += [CaseComparison(key, name, Outcome.NOT_COMPARED, "no time left", ()) for key, name in left]
            versions = [rows[0].arms[name].versions for name in (BASE, HEAD)] if rows else [{}, {}]
            notes = [*_changed(*versions), *alerts, ABOUT_LAUNCHES]
            about = {"a": a.revision, "b": b.revision, "command": command}
            _tell(found, f"B {b.revision} / A {a.revision}", notes, about, options)
            click.echo(f"launches: {folder / run_id}.jsonl", err=True)
    return found


def _installed(name: str, python: Path) -> Arm:
    """The arm of an environment.

    Raises:
        InputError: the interpreter does not start, or has no technobench.

    """
    try:
        done = subprocess.run([python, "-P", "-c", _ASKED], capture_output=True, text=True)
    except OSError as error:
        raise InputError(f"{python}: does not start ({error.strerror})") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(f"{python}: technobench is not installed there, or does not load ({said})")
    return Arm(name, python, None, f"installed: {python} ({done.stdout.strip()})")


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The versions that differ, as one line, or none."""
    differing = [
        f"{name} {before.get(name, 'absent')} to {after.get(name, 'absent')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return [f"from A to B: {', '.join(differing)}"] if differing else []


def _tell(
    cases: Sequence[CaseComparison], title: str, notes: Collection[str], about: dict[str, Any], options: dict[str, Any]
) -> None:
    """Print the comparison, and write the files that were asked for."""
    if any(case.measures for case in cases):
        wide_console().print(table(cases, title))
    for told, names in without_measures(cases).items():
        click.echo(f"{told}\n  {', '.join(names)}")
    for note in notes:
        click.echo(note)
    texts: dict[str, Callable[[], bytes]] = {
        "markdown_file": lambda: markdown(cases, title, [*notes]).encode(),
        "json_file": lambda: as_json(cases, about),
    }
    write_asked(options, texts)
