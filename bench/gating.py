"""Measures a gate's cases, one after the other, launch by launch, until each is decided or the time is up."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..pipeline.contract import Variant
from ..pipeline.row import CaseKey, case_key
from .cases import Group
from .child import TIME_OUT
from .gate.judgement import CaseVerdict, Decision, Limits, judge, without_time
from .launch_row import LaunchRow
from .launches import Arm, CaseLaunches, Launching

Say = Callable[[str], None]
Judging = Callable[[Sequence[LaunchRow], Limits, bool, int], tuple[Decision, str]]
"""From a case's launches, limits, whether these are the last and the number of other cases: is it decided, in words?"""


def as_gate(rows: Sequence[LaunchRow], limits: Limits, last: bool, others: int) -> tuple[Decision, str]:
    """A case is decided once it passes or is a regression."""
    decision = judge(rows, limits, last, others)[0].decision
    return decision, decision


@dataclass(frozen=True)
class Plan:
    """What a gate measures, and for how long.

    most_launches: of a case. deadline: by time.monotonic(), for the last launch to end. judging: decides when a case
    needs no more launches: no longer inconclusive at a look, or that nothing can be said of it at any time.
    """

    cases: tuple[tuple[Group, Variant], ...]
    arms: tuple[Arm, ...]
    launching: Launching
    limits: Limits
    most_launches: int
    deadline: float
    judging: Judging = as_gate

    def key(self, group: Group, variant: Variant) -> CaseKey:
        """As that of the case's rows."""
        threads = self.launching.threads
        return case_key(group.stage, variant.name, group.dataset, group.scale, threads, group.parameters)


Measuring = Callable[[Plan, Sequence[LaunchRow], Path, Say, Say], Iterator[LaunchRow]]
"""As `measured`."""


def measured(plan: Plan, before: Sequence[LaunchRow], folder: Path, say: Say, over: Say) -> Iterator[LaunchRow]:
    """Launches as they end, after those of ``before``, which an interrupted gate has left.

    A case gets an equal share of the time that is left, and what earlier ones did not need.

    Args:
        plan: what to measure.
        before: launches that are there.
        folder: for references and logs.
        say: is told what is being done.
        over: is told what each case has come to.

    """
    for position, (group, variant) in enumerate(plan.cases):
        left = plan.deadline - time.monotonic()
        until = time.monotonic() + left / (len(plan.cases) - position)
        rows = [row for row in before if row.key == plan.key(group, variant)]
        yield from _case(plan, group, variant, rows, until, folder, say)
        verdict = plan.judging(rows, plan.limits, True, len(plan.cases) - 1)[1] if rows else "no time left"
        over(f"{group.case_name(variant)}  {len(rows)} launches  {verdict}")


def is_over(plan: Plan, rows: Sequence[LaunchRow]) -> bool:
    """Whether a case with these launches needs no more, or may have no more."""
    looks = plan.limits.launches_at(plan.most_launches)
    if not rows or len(rows) >= looks[-1]:
        return bool(rows)
    decision = plan.judging(rows, plan.limits, False, len(plan.cases) - 1)[0]
    unsound = decision in {Decision.INVALID, Decision.NOT_MEASURED}
    return unsound or (len(rows) in looks and decision is not Decision.INCONCLUSIVE)


def verdicts(plan: Plan, rows: Sequence[LaunchRow]) -> list[CaseVerdict]:
    """What all launches of a gate come to; a case without any, for want of time, comes last, and is not forgotten."""
    left = not_reached(plan, rows)
    return [*judge(rows, plan.limits, last=True, others=len(left)), *left]


def not_reached(plan: Plan, rows: Sequence[LaunchRow]) -> list[CaseVerdict]:
    """A verdict for each case of a plan that there was no time for."""
    return [without_time(key, name) for key, name in cases_left(plan, rows)]


def cases_left(plan: Plan, rows: Sequence[LaunchRow]) -> list[tuple[CaseKey, str]]:
    """Key and name of each case of a plan that has no launch."""
    reached = {row.key for row in rows}
    keys = ((plan.key(group, variant), group.case_name(variant)) for group, variant in plan.cases)
    return [(key, name) for key, name in keys if key not in reached]


def _timed_out(row: LaunchRow) -> bool:
    """Whether an arm was not waited for any longer."""
    return any((arm.reason or "").startswith(TIME_OUT) for arm in row.arms.values())


def _case(
    plan: Plan, group: Group, variant: Variant, rows: list[LaunchRow], until: float, folder: Path, say: Say
) -> Iterator[LaunchRow]:
    most = plan.limits.launches_at(plan.most_launches)[-1]
    if is_over(plan, rows):
        return
    if time.monotonic() >= until:
        return
    name = group.case_name(variant)
    say(f"{name}: starting {len(plan.arms)} processes, checking answers")
    own = folder / hashlib.sha256(repr(plan.key(group, variant)).encode()).hexdigest()
    case = CaseLaunches(group, variant, plan.arms, plan.launching, own, len(rows), until)
    longest = 0.0
    try:
        case.prepare()
        start = time.monotonic()
        for row in case.launches():
            if time.monotonic() >= until and _timed_out(row):
                return
            rows.append(row)
            yield row
            longest, start = max(longest, time.monotonic() - start), time.monotonic()
            say(f"{name}: launch {len(rows)} of {most} at most, {len(rows) * plan.launching.pairs} pairs")
            if is_over(plan, rows) or time.monotonic() + longest > until:
                return
    finally:
        case.close()
