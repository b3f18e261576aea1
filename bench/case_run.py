"""One variant being measured: its worker, its probe at small sizes, its rounds, and the row they give."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ..pipeline import registry
from ..pipeline.contract import Variant
from ..pipeline.row import Extrapolation, Monitored, Row, Status
from . import device_faults, host
from .cases import Group
from .child import Child, ChildError, RefusalError
from .extrapolation import LEAST_SIZES, Point, extrapolate
from .in_process import InProcess
from .messages import Grade, Graded, Opened, Prepare, Ran, Ready, Run, Task

_SMALLEST_PROBE = 32
"""Probes begin with at least so many records and double."""
_PROBE_SHARE = 0.25
"""Share of the budget that probes may take once there are enough sizes to extrapolate from."""
_RUNS_PER_PROBE = 2
_LOADED = 3.0
"""A probe's first run that takes so many times its second has compiled or loaded what no smaller size needed."""
_STEEP = 1.5
"""The whole is taken to fit the budget by one probe if it would even in time growing with this power of the size."""
_MEMOISED = 0.01


@dataclass(frozen=True)
class Settings:
    """How a run measures.

    budget: seconds of runs per case. timeout: seconds for any one request to a worker.
    rounds: most timed rounds per case. max_rss: bytes above which a row gets an alert.
    device_memory: bytes of the device that variants may use; None for what it has free.
    fallback: variant that stands in where the one asked for cannot run, or its device fails; None to run nothing there.
    alerts: put into every row of the run.
    """

    run_id: str
    session: str
    command: str
    threads: int
    budget: float
    rounds: int
    timeout: float
    max_rss: int | None
    device_memory: int | None
    fallback: str | None
    alerts: tuple[str, ...] = ()


@dataclass
class CaseRun:
    """One variant of a group, from nothing to a row.

    in_process: work in this process, whose threads and memory are as they are, in place of a worker's.
    """

    group: Group
    asked: Variant
    settings: Settings
    problem_digest: str
    folder: Path
    fallback: Variant | None = None
    executing: Variant | None = None
    opened: Opened | None = None
    ready: Ready | None = None
    in_process: bool = False
    child: Child | InProcess | None = None
    warmup: Ran | None = None
    rounds: list[Ran] = field(default_factory=list)
    graded: list[Graded] = field(default_factory=list)
    ran_on: str | None = None
    extrapolation: Extrapolation | None = None
    failure: str | None = None
    missing: str | None = None
    monitored: Monitored | None = None
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def active(self) -> bool:
        """Whether the worker is alive and can run more rounds."""
        return self.child is not None and self.failure is None and self.extrapolation is None

    @property
    def spent(self) -> float:
        """Seconds of runs so far."""
        return sum(ran.seconds for ran in self.rounds) + (self.warmup.seconds if self.warmup else 0.0)

    @property
    def seconds(self) -> list[float]:
        """Wall time of the timed rounds."""
        return [ran.seconds for ran in self.rounds]

    def start(self, fallback: Variant | None) -> None:
        """Start the worker, find out by small runs whether the whole fits the budget, and warm up.

        Ends with the case ready for rounds, measured once, extrapolated, failed, or with nothing that can do it.
        """
        self.fallback = fallback
        self.missing = self._begin(self.asked)
        if self.missing is not None and fallback is not None and (also_missing := self._begin(fallback)) is not None:
            self.missing += f"; nor can '{fallback.name}' stand in: {also_missing}"
        self._make_good()

    def round(self) -> None:
        """One timed run."""
        self._timed_run()
        if self._make_good():
            self._timed_run()

    def finish(self) -> Row:
        """Grade the last answer, end the worker, and give the row."""
        if self.active and self.rounds:
            self._guarded(lambda: self._grade(judged=True))
            if self._make_good():
                self._timed_run()
                self._guarded(lambda: self._grade(judged=True))
        self.stop()
        return self._row()

    def status(self) -> tuple[Status, str | None]:
        """The status now and its reason, the gravest first: a wrong answer is wrong wherever it was computed."""
        if self.executing is None:
            return Status.UNAVAILABLE, self.missing
        if self.failure is not None:
            return Status.FAILED, self.failure
        fallback = None
        if self.missing is not None:
            fallback = f"'{self.executing.name}' stood in: {self.missing}"
        elif self.ran_on != self.asked.device:
            fallback = f"asked for {self.asked.device}, the work was done on {self.ran_on}"
        if (wrong := self._wrong()) is not None:
            return Status.MISMATCH, "; ".join(filter(None, (wrong, fallback)))
        if fallback is not None:
            return Status.FELL_BACK, fallback
        unchecked = next((graded.why for graded in self.graded if graded.error is None), None)
        if self.extrapolation is not None:
            needed = f"needs some {self.extrapolation.seconds:.3g} s, --budget is {self.settings.budget:g} s"
            return Status.EXTRAPOLATED, "; ".join(filter(None, (needed, unchecked)))
        if unchecked is not None or not self.graded:
            return Status.UNVERIFIED, unchecked
        return Status.OK, None

    def so_far(self) -> Row:
        """The row if the run were interrupted now: its last answer is not graded."""
        row = self._row()
        if row.status is Status.OK:
            reason = f"interrupted after {len(self.rounds)} rounds, the last answer was not graded"
            row = msgspec.structs.replace(row, status=Status.UNVERIFIED, reason=reason)
        return msgspec.structs.replace(row, interrupted=True)

    def stop(self) -> None:
        """End the worker, whatever it is doing."""
        if self.child is not None:
            self.monitored = self.child.close()
            self.child = None

    def _timed_run(self) -> None:
        self._guarded(lambda: self.rounds.append(self._run()))

    def _make_good(self) -> bool:
        """Where the device failed or answered wrongly, begin anew with what stands in; whether that is ready to run."""
        fault = self.failure or self._wrong()
        if fault is None or self.fallback is None or self.executing is not self.asked or self.asked.device == "cpu":
            return False
        self.stop()
        self.opened = self.ready = self.warmup = self.ran_on = self.extrapolation = self.failure = None
        self.rounds, self.graded = [], []
        self.missing = fault
        if (also_missing := self._begin(self.fallback)) is not None:
            self.executing, self.missing = self.asked, None
            self.failure = f"{fault}; nor can '{self.fallback.name}' stand in: {also_missing}"
        return self.active

    def _begin(self, variant: Variant) -> str | None:
        """Start with this variant; why it cannot do the problem, here or anywhere, or None."""
        if (missing := variant.missing()) is not None:
            return missing
        self.executing = variant
        log = self.folder / f"{self.asked.stage}-{self.asked.name}.log"
        memory = self.settings.device_memory
        self.child = InProcess() if self.in_process else Child(self.settings.threads, log, device_memory=memory)
        try:
            self._guarded(self._open_and_warm_up)
        except RefusalError as refusal:
            self.stop()
            self.executing = None
            return str(refusal)
        return None

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except ChildError as error:
            on_device = self.executing is not None and self.executing.device == "cuda"
            self.failure = device_faults.explained(str(error)) if on_device else str(error)

    def _ask(self, request: Any, expected: type) -> Any:
        assert self.child is not None
        return self.child.ask(request, expected, self.settings.timeout)

    def _run(self) -> Ran:
        ran: Ran = self._ask(Run(), Ran)
        if self.ran_on in (None, self.asked.device):  # once off the device that was asked for stays so in the row
            self.ran_on = ran.ran_on
        return ran

    def _grade(self, judged: bool = False) -> None:
        self.graded.append(self._ask(Grade(judged), Graded))

    def _open_and_warm_up(self) -> None:
        assert self.executing is not None
        group = self.group
        task = Task(group.stage, self.executing.name, group.dataset, group.scale, group.parameters, str(self.folder))
        self.opened = self._ask(task, Opened)
        if not self._fits_budget():
            return
        self.ready = self._ask(Prepare(None), Ready)
        first = self._run()
        if 2 * first.seconds > self.settings.budget:
            self.rounds.append(first)
        else:
            self.warmup = first
            self._grade()

    def _size(self, sizes: dict[str, int]) -> float:
        assert self.executing is not None
        return float(math.prod(max(1, sizes[name]) for name in self.executing.grows_with))

    def _fits_budget(self) -> bool:
        """Climb from small sizes until the whole is seen to fit; else extrapolate from the climb."""
        assert self.opened is not None
        assert self.executing is not None
        whole, records = self._size(self.opened.sizes), self.opened.sizes["records"]
        budget = self.settings.budget
        points: list[Point] = []
        sizes: set[float] = set()
        last = 0.0
        for halvings in range((records // _SMALLEST_PROBE).bit_length() - 1, 0, -1):
            expected = last * 2 ** len(self.executing.grows_with)
            total = sum(point.seconds for point in points) + _RUNS_PER_PROBE * expected
            if len(sizes) >= LEAST_SIZES and total > _PROBE_SHARE * budget:
                break
            ready: Ready = self._ask(Prepare(records >> halvings), Ready)
            size = self._size(ready.sizes)
            if not points:
                self._run()  # the first run of all also loads and starts things
            taken = self._probed()
            points += [Point(size, records >> halvings, ran.phases or {"run": ran.seconds}) for ran in taken]
            sizes.add(size)
            last = min(ran.seconds for ran in taken)
            if last * (whole / size) ** _STEEP <= budget:
                return True
        if not points:
            return True
        self._grade()
        fitted = extrapolate(points, whole, self.executing.grows_with)
        if fitted is not None and fitted.seconds <= budget:
            return True
        self.extrapolation = fitted
        if fitted is None:
            self.failure = f"too slow for --budget {budget:g} s, with too few sizes in it to extrapolate; raise it"
        return False

    def _probed(self) -> list[Ran]:
        """Runs at one size, without one that also loads and starts things."""
        taken = [self._run() for _ in range(_RUNS_PER_PROBE)]
        if taken[0].seconds > _LOADED * taken[-1].seconds:
            taken = [*taken[1:], self._run()]
        return taken

    def _row(self) -> Row:
        status, reason = self.status()
        executing, stage_class = self.executing, registry.stages()[self.group.stage]
        ran = self.rounds or ([self.warmup] if self.warmup else [])
        measured = bool(self.rounds)
        peaks = [each.peak_bytes for each in ran if each.peak_bytes is not None]
        watched = self.child.monitor.result() if isinstance(self.child, Child) else self.monitored
        if watched is not None and watched.peak_with_children_bytes is not None:
            peaks.append(watched.peak_with_children_bytes)
        commit, dirty = host.revision()
        errors = [each.error for each in self.graded if each.error is not None and each.error >= 0]
        return Row(
            stage=self.group.stage,
            variant=self.asked.name,
            device=self.asked.device,
            status=status,
            reason=reason,
            executed=f"{self.group.stage}/{executing.name}@{self.ran_on}" if executing and self.ran_on else None,
            seconds=self.seconds if measured else None,
            cpu_seconds=[each.cpu_seconds for each in self.rounds] if measured else None,
            warmup_seconds=self.warmup.seconds if self.warmup else None,
            setup_seconds=self.ready.setup_seconds if self.ready else None,
            fetch_seconds=self.graded[-1].fetch_seconds if measured and self.graded else None,
            peak_bytes=max(peaks, default=None),
            resident_bytes=ran[0].resident_bytes if ran else None,
            error=max(errors, default=None) if len(errors) == len(self.graded) else None,
            tolerance=stage_class.tolerance,
            error_measure=stage_class.error_measure,
            dataset=self.group.dataset,
            scale=self.group.scale,
            sizes=self.opened.sizes if self.opened else {},
            threads=self.settings.threads,
            device_memory=self.settings.device_memory,
            parameters=self.group.parameters,
            problem_digest=self.problem_digest,
            phases=_median_phases(self.rounds),
            transferred_bytes=self.rounds[-1].transferred_bytes if self.rounds else None,
            quality=self.graded[-1].quality if self.graded else None,
            extrapolation=self.extrapolation,
            monitored=watched,
            alerts=[*self.settings.alerts, *self._alerts(max(peaks, default=0))],
            versions=self.opened.versions if self.opened else host.versions(),
            thread_settings=self.opened.thread_settings if self.opened else {},
            host=host.fingerprint(),
            commit=commit,
            dirty=dirty,
            run_id=self.settings.run_id,
            session=self.settings.session,
            started=self.started,
            command=self.settings.command,
        )

    def _wrong(self) -> str | None:
        """What is wrong with the answers graded so far, or None."""
        tolerance = registry.stages()[self.group.stage].tolerance
        for graded in self.graded:
            if (wrong := graded.wrong(tolerance)) is not None:
                return f"{wrong}; {device_faults.WRONG}" if self.ran_on == "cuda" else wrong
        return None

    def _alerts(self, peak: int) -> list[str]:
        alerts = []
        limit = self.settings.max_rss
        seen = max(peak, self.monitored.peak_rss_bytes if self.monitored else 0)
        if limit is not None and seen > limit:
            alerts.append(f"resident set of {seen / 2**30:.2f} GiB is above the limit of {limit / 2**30:.2f} GiB")
        if self.rounds and self.warmup is None:
            alerts.append("one run without warm-up, not in turn: two would not fit the budget")
        if self.warmup and self.rounds and statistics.median(self.seconds) < _MEMOISED * self.warmup.seconds:
            alerts.append("later runs take under a hundredth of the first: is an answer remembered?")
        return alerts


def _median_phases(rounds: list[Ran]) -> dict[str, float] | None:
    phases = [ran.phases for ran in rounds if ran.phases]
    if not phases:
        return None
    return {name: statistics.median(each[name] for each in phases) for name in phases[0]}
