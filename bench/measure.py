"""Measures the groups of a run: references first, then the variants of a group in turn, round by round."""

import contextlib
import math
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock
import psutil

from ..pipeline import registry
from ..pipeline.contract import Variant
from ..pipeline.datasets import catalogue
from ..pipeline.home import home
from ..pipeline.row import Row
from ..pipeline.workload import Workload
from .case_run import CaseRun, Settings
from .cases import ANCHOR, Group
from .child import Child, ChildError
from .messages import Opened, Task
from .statistics import median_interval, ratio_interval

TIGHT = 0.02
"""A ratio is known well enough once its 95 % interval is within 2 % of its median..."""
TIGHT_FOR_THE_EFFECT = 0.1
"""... or within a tenth of the ratio's logarithm: what is eight times slower need not be known to 2 %."""

Say = Callable[[str], None]
Keep = Callable[[Sequence[Row]], None]


def measure(group: Group, settings: Settings, say: Say, keep: Keep) -> Iterator[Row]:
    """The rows of a group, each as soon as its case is over; ``keep`` gets those so far of the others, every round.

    Raises:
        InputError: the dataset cannot be made.

    """
    dataset = catalogue.get(group.dataset, group.scale)
    digest = Workload(dataset, group.parameters).problem_digest
    fallback = registry.variants().get((group.stage, settings.fallback or ""))
    with private_folder() as folder:
        cases = [CaseRun(group, variant, settings, digest, folder) for variant in group.variants]
        try:
            prepare_reference(cases, fallback, say)
            for case in cases:
                if case.failure is None:
                    say(f"{group.case_name(case.asked)}: setting up")
                    case.start(fallback)
                if not case.active or case.rounds:
                    yield case.finish()
            yield from _rounds([case for case in cases if case.active], settings, say, keep)
        finally:
            for case in cases:
                case.stop()


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for references and logs, removed at the end; those of runs that were killed are removed as well."""
    parent = home() / "running"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        owner = left.name.partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=parent) as folder:
        yield Path(folder)


def prepare_reference(cases: list[CaseRun], fallback: Variant | None, say: Say) -> None:
    """Compute the reference in a process of its own, if anything is going to run; a failure is every case's."""
    if fallback is None and all(case.asked.missing() for case in cases):
        return
    group, settings, folder = cases[0].group, cases[0].settings, cases[0].folder
    say(f"{group.stage} {group.dataset}@{group.scale:g}: inputs and reference")
    child = Child(settings.threads, folder / "reference.log")
    try:
        task = Task(group.stage, None, group.dataset, group.scale, group.parameters, str(folder))
        child.ask(task, Opened, settings.timeout)
    except ChildError as error:
        for case in cases:
            case.missing = case.asked.missing()
            if case.missing is None or fallback is not None:
                case.executing = case.asked if case.missing is None else fallback
                case.failure = f"inputs and reference: {error}"
    finally:
        child.close()


def _rounds(active: list[CaseRun], settings: Settings, say: Say, keep: Keep) -> Iterator[Row]:
    """Run the cases in turn, in a new order each round, until each is known well enough or its budget is spent."""
    order = random.Random(settings.run_id)
    while active:
        say(f"{active[0].group.stage}: round {len(active[0].rounds) + 1} of {len(active)} variants in turn")
        for case in order.sample(active, len(active)):
            case.round()
        keep([case.so_far() for case in active])
        healthy = [case for case in active if case.active and case.rounds]
        anchor = next((case for case in healthy if case.asked.name == ANCHOR), healthy[0] if healthy else None)
        done = [case for case in active if anchor is None or _is_done(case, anchor, settings)]
        if anchor in done and len(done) < len(healthy) and _affordable(anchor, settings):
            done.remove(anchor)  # the others are still compared with it
        for case in done:
            yield case.finish()
        active = [case for case in active if case not in done]


def _affordable(case: CaseRun, settings: Settings) -> bool:
    if not case.active or not case.rounds:
        return False
    return len(case.rounds) < settings.rounds and case.spent + case.seconds[-1] <= settings.budget


def _is_done(case: CaseRun, anchor: CaseRun, settings: Settings) -> bool:
    if not _affordable(case, settings):
        return True
    if case is anchor:
        return median_interval(case.seconds).half_width <= TIGHT
    ratio = ratio_interval(case.seconds, anchor.seconds)
    return ratio.half_width <= max(TIGHT, TIGHT_FOR_THE_EFFECT * abs(math.log(ratio.median)))


@contextlib.contextmanager
def measuring() -> Iterator[tuple[str, ...]]:
    """Alerts that hold for a whole run: says so where another run is measuring on this machine meanwhile."""
    home().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(home() / "measuring.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield ("another run was measuring on this machine",)
        return
    try:
        yield ()
    finally:
        lock.release()
