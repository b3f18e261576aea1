"""The process that runs one variant, ``python -m technobench.bench.worker FIRST_CORE PARENT``; it is told on its input.

A process of its own keeps one case's memory, threads and crash from the next one's.
"""

import contextlib
import ctypes
import gc
import importlib
import math
import os
import pickle
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import psutil

from ..pipeline import registry
from ..pipeline.contract import Prepared, Stage
from ..pipeline.datasets import catalogue
from ..pipeline.errors import DeviceError, UnsupportedModelError
from ..pipeline.workload import Workload
from . import lean_import
from .host import thread_settings, versions
from .instructions import InstructionCounter
from .messages import (
    End,
    Ended,
    Failed,
    Fork,
    Forked,
    Grade,
    Graded,
    Judge,
    Judged,
    Opened,
    Prepare,
    Ran,
    Ready,
    Refused,
    Reply,
    Request,
    Run,
    Task,
)

_PR_SET_PDEATHSIG = 1
_TOLD_TO_END = 77
"""How a copy exits that was told to end; a variant may exit, too, and with 0."""
_CLEAR_PEAK = "5"
"""Written to ``/proc/self/clear_refs``, sets the peak resident set back to the present one (proc(5))."""


def _die_with_parent(parent: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before this process could ask to be told
        sys.exit()


def peak_resident_bytes(reset: bool = False) -> int | None:
    """Peak resident set since the last reset; None where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
            return None
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None


def _give_memory_back() -> None:
    """Return to the system what an allocator has kept of what is free, so that it is not counted as a later run's.

    Without this, a run begins with all that checking an answer took: at 24 times the seed more than the run itself
    takes.
    """
    gc.collect()
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # of glibc alone
        ctypes.CDLL(None).malloc_trim(0)


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _page_faults() -> int:
    """Page faults of this process and its children that have ended, but those that read from a disk."""
    return sum(resource.getrusage(who).ru_minflt for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def keep_to_cores(first: int) -> None:
    """Use no more cores than threads were given: a variant that starts threads of its own would use them all."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[first:]
        os.sched_setaffinity(0, cores[: int(os.environ.get("OMP_NUM_THREADS", len(cores)))])


class Worker:
    """One variant on one problem."""

    def __init__(self, task: Task, counter: InstructionCounter) -> None:
        """Load the problem, and the reference or compute it where no variant is named."""
        self.task, self.counter = task, counter
        self.stage: Stage = registry.stages()[task.stage]
        self.variant = registry.variants().get((task.stage, task.variant or ""))
        if self.variant is not None and any(need.name == lean_import.HEAVY for need in self.variant.needs):
            lean_import.keep_estimators()
        workload = Workload(catalogue.get(task.dataset, task.scale), task.parameters)
        self.whole = self.stage.fold(workload, *task.fold) if task.fold else self.stage.problem(workload)
        self.problem: Any = self.whole
        self.problem_digest = workload.problem_digest
        self.prepared: Prepared | None = None
        self.answer: Any = None
        self.reference_file = Path(task.folder) / f"{task.stage}-{workload.problem_digest}.reference"
        if task.variant is None:
            self.reference_file.write_bytes(pickle.dumps(self._reference(self.whole), protocol=5))

    def opened(self) -> Opened:
        """What the harness needs to know of the problem."""
        sizes = self.stage.sizes(self.whole)
        return Opened(sizes, versions(), thread_settings(), self.stage.tolerance, self.problem_digest)

    def prepare(self, request: Prepare) -> Ready | Refused:
        """Set the variant up, on all records or the first ones, if it does such problems."""
        if self.variant is None:
            return Refused(f"there is no variant {self.task.stage}/{self.task.variant}")
        if (missing := self.variant.missing()) is not None:
            return Refused(missing)
        self.prepared = self.answer = None
        self.problem = self.whole
        if request.records is not None:
            self.problem = self.stage.prefix(self.whole, request.records)
        start = time.perf_counter()
        try:
            self.prepared = self.variant.prepare(self.problem)
        except (UnsupportedModelError, DeviceError) as error:
            return Refused(str(error))
        self.prepared.sync()
        return Ready(time.perf_counter() - start, self.stage.sizes(self.problem))

    def run(self, _: Run) -> Ran:
        """Run once, with nothing else going on in this process."""
        prepared = self._prepared()
        self.answer = None
        gc.collect()
        gc.disable()
        resident = psutil.Process().memory_info().rss
        peak_resident_bytes(reset=True)
        try:
            faults, counted = _page_faults(), self.counter.read()
            cpu, start = _cpu_seconds(), time.perf_counter()
            self.answer = prepared.run()
            prepared.sync()
            seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu
            instructions = None if counted is None else (self.counter.read() or 0) - counted
            faults = _page_faults() - faults
        finally:
            gc.enable()
        phases = dict(prepared.phases()) if prepared.phases else None
        transferred = dict(prepared.transferred()) if prepared.transferred else None
        peak, where = peak_resident_bytes(), prepared.ran_on()
        return Ran(seconds, cpu_seconds, resident, peak, where, phases, transferred, instructions, faults)

    def grade(self, request: Grade) -> Graded:
        """Compare the last answer with the reference, here and not in the variant."""
        start = time.perf_counter()
        answer = self._prepared().fetch(self.answer)
        fetch_seconds = time.perf_counter() - start
        if self.problem is self.whole:
            # Written by a worker of this very run, in a folder that only its user can write.
            reference, why = pickle.loads(self.reference_file.read_bytes())
        else:
            reference, why = self._reference(self.problem)
        if reference is None:
            return Graded(fetch_seconds, None, why)
        error = float(self.stage.error(self.problem, answer, reference))
        if not error <= self.stage.tolerance:
            return Graded(fetch_seconds, error if math.isfinite(error) else -1.0)
        quality = dict(self.stage.quality(self.problem, answer)) if request.judged else {}
        return Graded(fetch_seconds, error, quality=quality or None)

    def judge(self, _: Judge) -> Judged:
        """Tell the last answer's quality."""
        answer = self._prepared().fetch(self.answer)
        return Judged(dict(self.stage.quality(self.problem, answer)))

    def _reference(self, problem: Any) -> tuple[Any, str | None]:
        """What answers are checked against, or None and why there is nothing."""
        try:
            reference = self.stage.reference(problem)
        except UnsupportedModelError as error:
            return None, f"no reference: {error}"
        return reference, "no reference at this size" if reference is None else None

    def _prepared(self) -> Prepared:
        if self.prepared is None:
            raise RuntimeError("asked to run before being prepared")
        return self.prepared


def replied(
    worker: Worker | None, request: Task | Prepare | Run | Grade | Judge, counter: InstructionCounter
) -> tuple[Worker, Reply]:
    """The worker, which a task makes, and its reply."""
    if isinstance(request, Task):
        opened = Worker(request, counter)
        return opened, opened.opened()
    if worker is None:
        raise RuntimeError("asked to work before a task was given")
    if isinstance(request, Run):
        return worker, worker.run(request)
    if isinstance(request, Prepare):
        reply = worker.prepare(request)
    else:
        reply = worker.judge(request) if isinstance(request, Judge) else worker.grade(request)
    _give_memory_back()
    return worker, reply


def _answer(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more, or until the `End` of a copy."""
    decoder = msgspec.json.Decoder(Request)
    worker: Worker | None = None
    counter = InstructionCounter()
    tried: set[str] = set()
    for line in requests:
        try:
            request = decoder.decode(line)
            if isinstance(request, End):
                replies.write(msgspec.json.encode(Ended(_imported())) + b"\n")
                return
            if isinstance(request, Fork):
                _answer_in_a_copy(request, tried, requests, replies)
                continue
            worker, reply = replied(worker, request, counter)
        except Exception as error:  # whatever a variant raises is a row, not the end of the run
            reason = f"{type(error).__name__}: {error}".strip()
            reply = Failed(reason[:2000])
        replies.write(msgspec.json.encode(reply) + b"\n")


def _imported() -> tuple[str, ...]:
    return tuple(name for name, module in sys.modules.items() if getattr(module, "__spec__", None) is not None)


def _answer_in_a_copy(request: Fork, tried: set[str], requests: BinaryIO, replies: BinaryIO) -> None:
    """Import what the copy will need, so that it starts in no time, and wait until it has ended.

    What was never used holds no threads, so that a copy of it is whole. tried: modules that were asked for before.
    """
    if lean_import.HEAVY in request.modules:
        lean_import.keep_estimators()
    new = [name for name in request.modules if name not in tried]
    for name in new:
        tried.add(name)
        with contextlib.suppress(Exception):  # some are made by others; a copy imports what it misses
            importlib.import_module(name)
    if new:
        gc.collect()
        gc.freeze()  # a copy need not look through what was imported
    parent = os.getpid()
    copy = os.fork()
    if copy == 0:
        _die_with_parent(parent)
        replies.write(msgspec.json.encode(Forked()) + b"\n")
        _answer(requests, replies)
        os._exit(_TOLD_TO_END)
    _, ended = os.waitpid(copy, 0)
    code = os.waitstatus_to_exitcode(ended)
    if code != _TOLD_TO_END:
        end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        replies.write(msgspec.json.encode(Failed(f"crash: the process ended by {end}")) + b"\n")


def main() -> None:
    """Answer requests until standard input ends."""
    first_core, parent = map(int, sys.argv[1:])
    _die_with_parent(parent)
    keep_to_cores(first_core)
    lean_import.leave_estimators_out()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness decides what an interrupt means
    # Libraries may print; what they print must not end up among the replies.
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    _answer(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
