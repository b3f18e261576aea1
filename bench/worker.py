"""The process that runs one variant, ``python -m technobench.bench.worker FIRST_CORE PARENT``; it is told on its input.

A process of its own keeps one case's memory, threads and crash from the next one's.
"""

import contextlib
import ctypes
import gc
import math
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from ..pipeline import registry
from ..pipeline.contract import Prepared, Stage
from ..pipeline.datasets import catalogue
from ..pipeline.errors import DeviceError, UnsupportedModelError
from ..pipeline.workload import Workload
from .host import thread_settings, versions
from .messages import (
    Failed,
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
_CLEAR_PEAK = "5"
"""Written to ``/proc/self/clear_refs``, sets the peak resident set back to the present one (proc(5))."""


def _die_with_parent(parent: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before this process could ask to be told
        sys.exit()


def _peak_bytes(reset: bool = False) -> int | None:
    """Peak resident set since the last reset; None where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
            return None
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _keep_to_cores(first: int) -> None:
    """Use no more cores than threads were given: a variant that starts threads of its own would use them all."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[first:]
        os.sched_setaffinity(0, cores[: int(os.environ.get("OMP_NUM_THREADS", len(cores)))])


class Worker:
    """One variant on one problem."""

    def __init__(self, task: Task) -> None:
        """Load the problem, and the reference or compute it where no variant is named."""
        self.task = task
        self.stage: Stage = registry.stages()[task.stage]
        workload = Workload(catalogue.get(task.dataset, task.scale), task.parameters)
        self.whole = self.stage.fold(workload, *task.fold) if task.fold else self.stage.problem(workload)
        self.problem: Any = self.whole
        self.prepared: Prepared | None = None
        self.answer: Any = None
        self.reference_file = Path(task.folder) / f"{task.stage}-{workload.problem_digest}.reference"
        if task.variant is None:
            self.reference_file.write_bytes(pickle.dumps(self._reference(self.whole), protocol=5))

    def opened(self) -> Opened:
        """What the harness needs to know of the problem."""
        return Opened(self.stage.sizes(self.whole), versions(), thread_settings())

    def prepare(self, request: Prepare) -> Ready | Refused:
        """Set the variant up, on all records or the first ones, if it does such problems."""
        variant = registry.variants()[self.task.stage, self.task.variant or ""]
        self.prepared = self.answer = None
        self.problem = self.whole
        if request.records is not None:
            self.problem = self.stage.prefix(self.whole, request.records)
        start = time.perf_counter()
        try:
            self.prepared = variant.prepare(self.problem)
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
        _peak_bytes(reset=True)
        try:
            cpu, start = _cpu_seconds(), time.perf_counter()
            self.answer = prepared.run()
            prepared.sync()
            seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu
        finally:
            gc.enable()
        phases = dict(prepared.phases()) if prepared.phases else None
        transferred = dict(prepared.transferred()) if prepared.transferred else None
        return Ran(seconds, cpu_seconds, resident, _peak_bytes(), prepared.ran_on(), phases, transferred)

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


def _reply(worker: Worker | None, request: Request) -> tuple[Worker | None, Reply]:
    if isinstance(request, Task):
        opened = Worker(request)
        return opened, opened.opened()
    if worker is None:
        raise RuntimeError("asked to work before a task was given")
    if isinstance(request, Prepare):
        return worker, worker.prepare(request)
    if isinstance(request, Run):
        return worker, worker.run(request)
    return worker, worker.judge(request) if isinstance(request, Judge) else worker.grade(request)


def main() -> None:
    """Answer requests until standard input ends."""
    first_core, parent = map(int, sys.argv[1:])
    _die_with_parent(parent)
    _keep_to_cores(first_core)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness decides what an interrupt means
    # Libraries may print; what they print must not end up among the replies.
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    decoder = msgspec.json.Decoder(Request)
    worker: Worker | None = None
    for line in sys.stdin.buffer:
        try:
            worker, reply = _reply(worker, decoder.decode(line))
        except Exception as error:  # whatever a variant raises is a row, not the end of the run
            reason = f"{type(error).__name__}: {error}".strip()
            reply = Failed(reason[:2000])
        replies.write(msgspec.json.encode(reply) + b"\n")


if __name__ == "__main__":
    main()
