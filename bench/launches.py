"""Measures a case in launches: for each arm a fresh process, the arms' samples in turn, pair by pair.

Each arm has a process that imports what the case needs, and no more; a launch is a copy of each of them, which loads
the problem, sets the variant up, warms up and runs. So a launch costs little more than its runs, and what a process
finds by chance (pages of memory) differs from launch to launch. Names hash alike in all arms.
"""

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..pipeline.contract import Variant
from ..pipeline.row import Status
from . import host
from .cases import Group
from .child import Child, ChildError, RefusalError, ReplyT
from .launch_row import ArmSample, LaunchRow
from .messages import End, Ended, Fork, Forked, Grade, Graded, Opened, Prepare, Ran, Ready, Request, Run, Task

SAMPLE_CPU_SECONDS = 0.05
"""A sample adds up runs until it is so long: what is shorter drowns in what starting and waking cost."""


@dataclass(frozen=True)
class Arm:
    """Code to measure. python: its interpreter. path: folder of its packages, or None where they are installed.

    revision: its commit, or where it is installed.
    """

    name: str
    python: Path
    path: Path | None
    revision: str


@dataclass(frozen=True)
class Launching:
    """What all launches of a gate have in common. pairs: of a launch. timeout: seconds for one request to a worker."""

    gate_id: str
    command: str
    threads: int
    pairs: int
    timeout: float
    alerts: tuple[str, ...] = ()


@dataclass
class _Arm:
    """An arm at work on a case; what goes wrong ends in its sample."""

    arm: Arm
    child: Child
    task: Task
    timeout: float
    deadline: float
    opened: Opened | None = None
    ready: Ready | None = None
    taken: list[list[Ran]] = field(default_factory=list)
    graded: Graded | None = None
    failure: tuple[Status, str] | None = None

    def prepare_reference(self) -> None:
        """Have the reference computed in a process of its own."""
        self._guarded(self._prepare_reference)

    def _prepare_reference(self) -> None:
        task = self.task
        if any(Path(task.folder).glob("*.reference")):
            return
        self._ask(Fork(), Forked)
        reference = Task(task.stage, None, task.dataset, task.scale, task.parameters, task.folder)
        self._ask(reference, Opened)
        self._ask(End(), Ended)

    def begin(self) -> None:
        """Set the variant up in a new process, and warm up."""
        self.opened = self.ready = self.graded = None
        self.taken = []
        self._guarded(self._begin)

    def _begin(self) -> None:
        modules = Path(self.task.folder) / "modules"
        known = modules.read_text().split() if modules.is_file() else ()
        self._ask(Fork(tuple(known)), Forked)
        self.opened = self._ask(self.task, Opened)
        self.ready = self._ask(Prepare(None), Ready)
        self.taken.append(self._runs(1))

    def sample(self, repeats: int) -> None:
        """Add a sample of so many runs."""
        self._guarded(lambda: self.taken.append(self._runs(repeats)))

    def _runs(self, count: int) -> list[Ran]:
        return [self._ask(Run(), Ran) for _ in range(count)]

    def end(self) -> None:
        """Have the last answer checked, and end the process."""
        self._guarded(self._end)

    def _end(self) -> None:
        self.graded = self._ask(Grade(), Graded)
        modules = self._ask(End(), Ended).modules
        (Path(self.task.folder) / "modules").write_text("\n".join(modules))

    def _ask(self, request: Request, expected: type[ReplyT]) -> ReplyT:
        return self.child.ask(request, expected, max(0.0, min(self.timeout, self.deadline - time.monotonic())))

    def _guarded(self, work: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            work()
        except RefusalError as refusal:
            self.failure = Status.UNAVAILABLE, str(refusal)
        except ChildError as error:
            self.failure = Status.FAILED, str(error)

    @property
    def cpu_seconds(self) -> float:
        """Of the last run."""
        return self.taken[-1][-1].cpu_seconds if self.taken else 0.0

    def result(self, device: str) -> ArmSample:
        """What the launch gave."""
        samples = self.taken[1:]
        runs = [ran for sample in self.taken for ran in sample]
        status, reason = self.failure or self._judged(device, runs)
        peaks = [ran.peak_bytes for ran in runs if ran.peak_bytes is not None]
        error = self.graded.error if self.graded else None
        where = runs[-1].ran_on if runs else None
        return ArmSample(
            revision=self.arm.revision,
            status=status,
            reason=reason,
            executed=f"{self.task.stage}/{self.task.variant}@{where}" if where else None,
            seconds=[sum(ran.seconds for ran in sample) for sample in samples],
            cpu_seconds=[sum(ran.cpu_seconds for ran in sample) for sample in samples],
            instructions=_sums([[ran.instructions for ran in sample] for sample in samples]),
            page_faults=_sums([[ran.page_faults for ran in sample] for sample in samples]),
            peak_bytes=max(peaks, default=None),
            setup_seconds=self.ready.setup_seconds if self.ready else None,
            error=error if error is not None and error >= 0 else None,
            tolerance=self.opened.tolerance if self.opened else None,
            problem_digest=self.opened.problem_digest if self.opened else None,
            versions=self.opened.versions if self.opened else {},
        )

    def _judged(self, device: str, runs: Sequence[Ran]) -> tuple[Status, str | None]:
        assert self.graded is not None and self.opened is not None
        if self.graded.error is None:
            return Status.UNVERIFIED, self.graded.why
        tolerance = math.inf if self.opened.tolerance is None else self.opened.tolerance
        if (wrong := self.graded.wrong(tolerance)) is not None:
            return Status.MISMATCH, wrong
        elsewhere = {ran.ran_on for ran in runs} - {device}
        if elsewhere:
            return Status.FELL_BACK, f"asked for {device}, the work was done on {', '.join(elsewhere)}"
        return Status.OK, None


def _sums(samples: Sequence[Sequence[int | None]]) -> list[int] | None:
    """Each sample's sum; None where a number is missing."""
    found = [sum(number for number in sample if number is not None) for sample in samples]
    return found if samples and all(number is not None for sample in samples for number in sample) else None


class CaseLaunches:
    """A case whose arms have their processes; one launch after the other."""

    def __init__(
        self,
        group: Group,
        variant: Variant,
        arms: Sequence[Arm],
        launching: Launching,
        folder: Path,
        number: int = 0,
        deadline: float = math.inf,
    ) -> None:
        """Start the arms' processes; nothing is measured.

        folder: of the case's own; references, and what the case imports, are kept there for each revision.
        number: of the launch to begin with. deadline: by time.monotonic(), after which nothing is waited for.
        """
        self._group, self._variant, self._launching, self._number = group, variant, launching, number
        self._repeats: int | None = None
        self._arms: list[_Arm] = []
        for arm in arms:
            # Arms of one revision share what they find out; answers are checked against each one's own reference.
            own = folder / hashlib.sha256(f"{arm.python} {arm.path} {arm.revision}".encode()).hexdigest()
            own.mkdir(parents=True, exist_ok=True)
            task = Task(group.stage, variant.name, group.dataset, group.scale, group.parameters, str(own))
            log = folder / f"{arm.name}.log"
            # A hash that differs from arm to arm would change the order of sets, and with it the time.
            environment = {"PYTHONHASHSEED": "0"} | ({"PYTHONPATH": str(arm.path)} if arm.path else {})
            child = Child(launching.threads, log, python=arm.python, environment=environment)
            self._arms.append(_Arm(arm, child, task, launching.timeout, deadline))

    def prepare(self) -> None:
        """Compute references, compile, fill caches, and find out what the case imports and how long a run takes."""
        for each in self._arms:
            each.prepare_reference()
        self._rehearse()

    def launches(self) -> Iterator[LaunchRow]:
        """A row for each launch, for ever, of a case that is prepared; none is needed after one that has a failure."""
        while True:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            self._launch()
            yield self._row(started)
            self._number += 1

    def close(self) -> None:
        """End the processes."""
        for each in self._arms:
            each.child.close()

    def _rehearse(self) -> None:
        """A launch that is not kept."""
        for each in self._arms:
            each.begin()
            each.sample(1)
            each.end()
        slowest = max((each.cpu_seconds for each in self._arms), default=0.0)
        self._repeats = max(1, math.ceil(SAMPLE_CPU_SECONDS / max(slowest, 1e-6)))

    def _launch(self) -> None:
        assert self._repeats is not None
        order = random.Random(f"{self._launching.gate_id} {self._group.case_name(self._variant)} {self._number}")
        for each in order.sample(self._arms, len(self._arms)):
            each.begin()
        for _ in range(self._launching.pairs):
            for each in order.sample(self._arms, len(self._arms)):
                each.sample(self._repeats)
        for each in self._arms:
            each.end()

    def _row(self, started: str) -> LaunchRow:
        group, launching = self._group, self._launching
        return LaunchRow(
            gate_id=launching.gate_id,
            stage=group.stage,
            variant=self._variant.name,
            device=self._variant.device,
            dataset=group.dataset,
            scale=group.scale,
            threads=launching.threads,
            parameters=group.parameters,
            launch=self._number,
            repeats=self._repeats or 0,
            arms={each.arm.name: each.result(self._variant.device) for each in self._arms},
            host=host.fingerprint(),
            alerts=list(launching.alerts),
            started=started,
            command=launching.command,
            varied=list(group.varied),
        )
