"""``technobench gate``: judge whether a change made it slower, bigger or wrong."""

import contextlib
import functools
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...pipeline.errors import InputError
from .. import calibration, host, store
from ..against_baseline import Baseline
from ..cases import parameters_of
from ..gate.judgement import EXIT_CODES, CaseVerdict, Decision, Limits, joint
from ..gate.text import ABOUT, as_json, junit, markdown, one_line, table
from ..gating import Measuring, Plan, as_gate, measured, verdicts
from ..launch_row import AGAIN, BASE, HEAD, LaunchRow
from ..launches import Arm, Launching
from ..measure import measuring, private_folder
from ..progress import Progress
from ..revisions import Repository, arm
from ..table import wide_console
from .repeat import (
    FILE,
    interruptible,
    is_given,
    options_of,
    pairs_option,
    refuse_options_on_resume,
    repeating,
    results_option,
    resume_option,
    share_option,
    threads_option,
    time_option,
    timeout_option,
    write_asked,
)
from .selection import make_datasets, selection, selection_options

PAIRS_OF_A_LAUNCH = 5
_SHORT = 12
_NOT_REPEATED = {"resume", "results", "markdown_file", "junit_file", "json_file"}


@click.command()
@click.option("--base", metavar="REF", help="Revision to compare with, as main or a commit.")
@click.option("--head", metavar="REF", help="Revision to judge [default: the files as they are].")
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Instead of --base: rows of a run on the same class of host; the code that runs this is judged.",
)
@click.option("--other-host", is_flag=True, help="Take a baseline of another class of host all the same.")
@selection_options
@share_option("--max-slowdown", "3%", "Of time, that is allowed.")
@share_option("--max-memory-growth", "10%", "Of the peak resident set, that is allowed.")
@share_option("--alpha", "1%", "Probability of a false alarm, over all cases.")
@time_option("10m", "For all that the gate does.")
@pairs_option("Pairs of a case at most.")
@threads_option
@click.option(
    "--lock",
    default="locks/cpu.lock",
    show_default=True,
    metavar="FILE",
    help="Lock of each revision that its environment is made of, once.",
)
@click.option(
    "--this-environment", is_flag=True, help="Measure both with what is installed here; no environment is made."
)
@timeout_option("For any one run or set-up; beyond it the case is invalid.")
@resume_option("gate")
@click.option("--markdown", "markdown_file", type=FILE, help="Also write the verdict there, for a pull request.")
@click.option("--junit", "junit_file", type=FILE, help="Also write JUnit XML there.")
@click.option("--json", "json_file", type=FILE, help="Also write a JSON object there.")
@results_option("launches")
@click.pass_context
def gate(context: click.Context, /, **options: Any) -> None:
    """Judge a change: HEAD against BASE, in turn, until it is clear or the budget is spent.

    The native variants are judged unless -k or --variant says otherwise.

    Both revisions are checked out and built, each with the environment of its own lock, and kept for the next time.
    Three processes take turns: the base, the head, and the base again, which tells how far this machine can be trusted.
    A wrong answer, or work that fell back to another device, is invalid, however fast.

    With --baseline the code that is installed here is judged against stored rows: each case in turn with the anchor
    variant that it was stored with, as a ratio of ratios. That sees less than --base does.

    Exit codes: 0 pass, 1 regression, 2 wrong usage, 3 inconclusive, 4 invalid, 130 interrupted.

    \b
    technobench gate --base main -k "native and not cuda"
    technobench gate --base v0.1 --head main --dataset seed --stage shap --variant native --max-slowdown 2%
    technobench gate --baseline baseline.jsonl --dataset seed --stage predict --variant native --max-slowdown 15%
    technobench gate --resume
    """
    start = time.monotonic()
    folder = store.results_folder(options["results"])
    gate_id, command = store.new_run_id("gate"), repeating(context, "gate", _NOT_REPEATED)
    rows: list[LaunchRow] = []
    if options["resume"] is not None:
        rows, gate_id, command, options = _resumed(context, folder, options)
    limits = Limits(options["max_slowdown"], options["max_memory_growth"], options["alpha"])
    selected = selection(_with_default(options))
    threads = options["threads"] or host.usable_cores()
    _check_side(context, options)
    baseline = options["baseline"] and Baseline.read(options["baseline"], threads, options["other_host"])
    base, head = (baseline.name, "installed") if baseline else _commits(options)
    cases = tuple((group, variant) for group in selected for variant in group.variants)
    with interruptible(), measuring() as alerts, private_folder() as private:
        about = {"gate": gate_id, "base": base, "head": head, "command": command, "alerts": list(alerts)}
        with contextlib.closing(Progress(len(cases))) as progress:
            lock = None if options["this_environment"] else options["lock"]
            arms = () if baseline else arms_of(base, head, lock, progress.tell)
            launching = Launching(gate_id, command, threads, PAIRS_OF_A_LAUNCH, options["timeout"], alerts)
            most = -(-options["max_pairs"] // PAIRS_OF_A_LAUNCH)
            judging = baseline.judging if baseline else as_gate
            plan = Plan(cases, arms, launching, limits, most, start + options["budget"], judging)
            conclude = functools.partial(_conclude, plan, rows, baseline, about, options, folder)
            try:
                measure_all(plan, rows, folder, private, progress, baseline.measured if baseline else measured)
            except KeyboardInterrupt:
                progress.close()
                conclude()
                raise
        decision = conclude()
    context.exit(EXIT_CODES[decision])


def _conclude(
    plan: Plan,
    rows: Sequence[LaunchRow],
    baseline: Baseline | None,
    about: dict[str, Any],
    options: dict[str, Any],
    folder: Path,
) -> Decision:
    """Tell what the launches so far come to."""
    found = baseline.verdicts(plan, rows) if baseline else verdicts(plan, rows)
    _tell(found, about, options)
    if rows:
        click.echo(f"launches: {folder / plan.launching.gate_id}.jsonl", err=True)
    return joint(found)


def _tell(found: Sequence[CaseVerdict], about: dict[str, Any], options: dict[str, Any]) -> None:
    """Print the verdicts, how to repeat what did not pass, and write the files that were asked for."""
    words = shlex.split(about["command"])

    def repeat(verdict: CaseVerdict) -> str:
        stage, variant, dataset, scale, threads, parameters = verdict.key
        usual = {f"{name}={value}" for name, value in parameters_of(stage, {}).items()}
        sides = _taken(words, ["--baseline"]) or ["--base", about["base"], "--head", about["head"]]
        chosen = ["technobench", "gate", *sides, "--stage", stage]
        chosen += ["--variant", variant, "--dataset", dataset, "--scale", f"{scale:.15g}", "--threads", str(threads)]
        chosen += [word for each in parameters.split(",") if each not in usual for word in ("--param", each)]
        return shlex.join([*chosen, *_kept(words)])

    wide_console().print(table(found))
    click.echo(ABOUT)
    for verdict in found:
        if verdict.decision is not Decision.PASS:
            why = f": {verdict.reason}" if verdict.reason else ""
            click.echo(f"\n{one_line(f'{verdict.name} {verdict.decision}{why}')}\n  repeat: {repeat(verdict)}")
    for line in calibration.told(found, host.fingerprint()):
        click.echo(line)
    heading = f"{about['head'][:_SHORT]} against {about['base'][:_SHORT]}"
    texts = {
        "markdown_file": lambda: markdown(found, heading, repeat).encode(),
        "junit_file": lambda: junit(found, repeat).encode(),
        "json_file": lambda: as_json(found, about),
    }
    write_asked(options, texts)


def _kept(words: list[str]) -> list[str]:
    """Of a gate's command, the options that are not of one case's choice."""
    kept = _taken(words, ["--max-slowdown", "--max-memory-growth", "--alpha", "--max-pairs", "--timeout", "--lock"])
    return kept + [flag for flag in ("--this-environment", "--other-host") if flag in words]


def _taken(words: list[str], options: Sequence[str]) -> list[str]:
    """Those of the options that are among the words, with their values."""
    return [word for option in options if option in words for word in words[words.index(option) :][:2]]


def arms_of(base: str, head: str, lock: str | None, say: Any) -> tuple[Arm, ...]:
    """The three arms: two revisions, and the first one again."""
    repository = Repository(Path.cwd())
    before, after = arm(repository, BASE, base, lock, say), arm(repository, HEAD, head, lock, say)
    return before, after, Arm(AGAIN, before.python, before.path, before.revision)


def measure_all(
    plan: Plan,
    rows: list[LaunchRow],
    folder: Path,
    private: Path,
    progress: Progress,
    how: Measuring = measured,
) -> None:
    """Measure what is left of a plan; each launch is on disk, and in ``rows``, before the next one begins."""
    make_datasets(group for group, _ in plan.cases)
    file = store.LineFile(folder, plan.launching.gate_id)
    try:
        for row in how(plan, tuple(rows), private, progress.say, progress.over):
            file.append(row)
            rows.append(row)
    finally:
        file.close()


def _check_side(context: click.Context, options: dict[str, Any]) -> None:
    """Refuse a gate without a base, or with two."""
    if (options["base"] is None) == (options["baseline"] is None):
        raise InputError("name what to compare with: a revision by --base, as --base main, or a file by --baseline")
    of_revisions = [name for name in ("head", "lock", "this_environment") if is_given(context, name)]
    if options["baseline"] is not None and of_revisions:
        raise InputError(f"--baseline judges the code that is installed here; leave out {', '.join(of_revisions)}")
    if options["other_host"] and options["baseline"] is None:
        raise InputError("--other-host is for --baseline; both revisions of --base are measured here")


def _with_default(options: dict[str, Any]) -> dict[str, Any]:
    """Where no variant is chosen, the native ones: others are for comparison, and some take minutes a run."""
    if options["expression"] is not None or options["variants"]:
        return options
    return {**options, "variants": ("native",)}


def _commits(options: dict[str, Any]) -> tuple[str, str]:
    repository = Repository(Path.cwd())
    head = repository.working_tree() if options["head"] is None else repository.commit(options["head"])
    return repository.commit(options["base"]), head


def _resumed(
    context: click.Context, folder: Path, given: dict[str, Any]
) -> tuple[list[LaunchRow], str, str, dict[str, Any]]:
    """Rows, id, command and options of the gate to go on with; it has its whole budget again."""
    refuse_options_on_resume(context, "gate", {*_NOT_REPEATED, "budget"})
    path = store.find(folder, given["resume"] or None, "gate")
    rows = store.read_launches(path)
    if not rows:
        raise InputError(f"{path}: holds no launch to take the gate's options from; start a new one")
    command = rows[0].command
    options = options_of(context, command)
    kept = {name: given[name] for name in _NOT_REPEATED}
    if is_given(context, "budget"):
        kept["budget"] = given["budget"]
    revisions = {"base": rows[0].arms[BASE].revision, "head": rows[0].arms[HEAD].revision}
    if options["baseline"] is not None:
        revisions = {}
    click.echo(f"going on with {path.stem}: {len(rows)} launches are there; {command}", err=True)
    return rows, path.stem, command, {**options, **kept, **revisions}
