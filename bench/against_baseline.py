"""Measures a gate's cases against stored rows, as those were measured: in turn with their anchor, session by session.

A session is what a run is for a group: fresh processes, and rounds in turn. So the same is compared with the same.
"""

import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..pipeline import registry
from ..pipeline.contract import Variant
from ..pipeline.errors import InputError
from ..pipeline.row import CaseKey, Row
from . import host, store
from .case_run import Settings
from .cases import Group
from .gate.baseline import Stored, as_launch, judge_against, stored
from .gate.judgement import CaseVerdict, Decision, Limits
from .gate.run_comparison import host_differences
from .gating import Plan, Say, is_over, not_reached
from .launch_row import LaunchRow
from .measure import measure

_ROUNDS = 20
"""Most of a session; it ends before where the ratios are known well enough."""


@dataclass(frozen=True)
class Baseline:
    """Stored rows to judge against. name: their run, with its commit. cases: by key, or why there is nothing to use."""

    name: str
    cases: dict[CaseKey, Stored | str]

    @classmethod
    def read(cls, path: Path, threads: int, other_host: bool) -> "Baseline":
        """The baseline of a file of a run's rows.

        Raises:
            InputError: it holds none, none with so many threads, or rows of another class of host.

        """
        rows, _ = store.read(path)
        if not rows:
            raise InputError(f"--baseline {path}: holds no row of a run; 'technobench run' makes them")
        differing = next(filter(None, (host_differences(row.host, host.fingerprint()) for row in rows)), None)
        if differing is not None and not other_host:
            told = f"--baseline {path}: measured on another class of host (then and now: {differing})"
            raise InputError(f"{told}; make one here by 'technobench run', or judge all the same by --other-host")
        usable = [row for row in rows if row.threads == threads]
        if not usable:
            found = ", ".join(map(str, sorted({row.threads for row in rows})))
            raise InputError(f"--baseline {path}: measured with {found} threads, not {threads}; name them by --threads")
        usable = [row for row in usable if (row.stage, row.variant) in registry.variants()]
        commit = (rows[0].commit or "unknown")[:12]
        return cls(f"baseline {path.stem} (commit {commit})", {row.key: stored(row, usable) for row in usable})

    @property
    def usable(self) -> dict[CaseKey, Stored]:
        """The cases that can be judged against."""
        return {key: case for key, case in self.cases.items() if isinstance(case, Stored)}

    def judging(self, rows: Sequence[LaunchRow], limits: Limits, last: bool, others: int) -> tuple[Decision, str]:
        """As `gating.as_gate`."""
        decision = judge_against(rows, self.usable, limits, last, others)[0].decision
        return decision, decision

    def verdicts(self, plan: Plan, rows: Sequence[LaunchRow]) -> list[CaseVerdict]:
        """All cases of a plan; what the baseline lacks is not measured."""
        rows = [row for row in rows if row.key in self.usable]  # a resumed gate's file may have been replaced
        judged = judge_against(rows, self.usable, plan.limits, last=True)
        return judged + [
            each
            if each.key in self.usable
            else replace(each, decision=Decision.NOT_MEASURED, reason=self._lack(each.key))
            for each in not_reached(plan, rows)
        ]

    def _lack(self, key: CaseKey) -> str:
        found = self.cases.get(key, "the baseline has no such case")
        assert isinstance(found, str)
        return found

    def measured(
        self, plan: Plan, before: Sequence[LaunchRow], folder: Path, say: Say, over: Say
    ) -> Iterator[LaunchRow]:
        """As `gating.measured`; groups share the time equally, and the cases of a group are measured together."""
        groups = [
            (group, [variant for _, variant in cases])
            for group, cases in itertools.groupby(plan.cases, key=lambda case: case[0])
        ]
        for position, (group, variants) in enumerate(groups):
            until = time.monotonic() + (plan.deadline - time.monotonic()) / (len(groups) - position)
            rows = {
                variant.name: [row for row in before if row.key == plan.key(group, variant)] for variant in variants
            }
            yield from self._group(plan, group, variants, rows, until, say)
            for variant in variants:
                launches = rows[variant.name]
                told = "not measured" if plan.key(group, variant) not in self.usable else "no time left"
                if launches:
                    told = plan.judging(launches, plan.limits, True, len(plan.cases) - 1)[1]
                over(f"{group.case_name(variant)}  {len(launches)} sessions  {told}")

    def _group(
        self,
        plan: Plan,
        group: Group,
        variants: Sequence[Variant],
        rows: dict[str, list[LaunchRow]],
        until: float,
        say: Say,
    ) -> Iterator[LaunchRow]:
        longest = 0.0
        known = [variant for variant in variants if plan.key(group, variant) in self.usable]
        while left := [variant for variant in known if not is_over(plan, rows[variant.name])]:
            start = time.monotonic()
            if start + longest >= until:
                return
            anchors = {self.usable[plan.key(group, variant)].anchor: None for variant in left}
            names = dict.fromkeys([*anchors, *(variant.name for variant in left)])
            found = {row.variant: row for row in _session(plan, group, list(names), until - start, say)}
            for variant in left:
                anchor = found[self.usable[plan.key(group, variant)].anchor]
                number = len(rows[variant.name])
                row = as_launch(found[variant.name], anchor, number, plan.launching.gate_id, plan.launching.command)
                rows[variant.name].append(row)
                yield row
            longest = max(longest, time.monotonic() - start)


def _session(plan: Plan, group: Group, names: Sequence[str], budget: float, say: Say) -> Iterator[Row]:
    launching = plan.launching
    session = secrets.token_hex(4)
    settings = Settings(
        run_id=f"{launching.gate_id}-{session}",
        session=session,
        command=launching.command,
        threads=launching.threads,
        budget=budget / len(names),
        rounds=_ROUNDS,
        timeout=launching.timeout,
        max_rss=None,
        device_memory=None,
        fallback=None,
        alerts=launching.alerts,
    )
    variants = tuple(registry.variants()[group.stage, name] for name in names)
    return measure(replace(group, variants=variants), settings, say, lambda _: None)
