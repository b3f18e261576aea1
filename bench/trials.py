"""Tries sets of parameters on folds, some side by side: each in a worker of its own, on cores of its own."""

import math
import queue
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..pipeline.contract import Scalar
from ..pipeline.datasets import catalogue
from ..pipeline.workload import Workload
from . import host
from .child import Child, ChildError
from .fold_row import FoldRow
from .measure import private_folder
from .messages import Judge, Judged, Opened, Prepare, Ran, Ready, Run, Task

SHORT_SECONDS = 10.0
"""A run that is shorter is done twice: the first one may be mostly the loading of what it needs."""


@dataclass(frozen=True)
class Tuning:
    """What every fold of every trial has in common.

    threads: of each worker, held to as many cores of its own. jobs: how many workers are at work at once.
    timeout: seconds for any one request to a worker.
    """

    run_id: str
    command: str
    stage: str
    variant: str
    dataset: str
    scale: float
    folds: int
    threads: int
    jobs: int
    timeout: float


@dataclass(frozen=True)
class Fold:
    """A set of parameters, and the number, from 0, of the fold to try it on."""

    parameters: dict[str, Scalar]
    number: int


def tried(planned: Sequence[Fold], tuning: Tuning) -> Generator[FoldRow, None, None]:
    """A row of each fold as soon as it is over; a failure is a row.

    Closing it ends the workers at once, and what they were doing is lost.
    """
    with private_folder() as folder, ThreadPoolExecutor(tuning.jobs) as pool:
        workers = _Workers(tuning, folder)
        futures = [pool.submit(workers.row_of, fold) for fold in planned]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            workers.kill()


@dataclass
class _Workers:
    """The workers that are alive, and which cores are free: each job has the first of as many as there are threads."""

    tuning: Tuning
    folder: Path
    cores: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)
    alive: set[Child] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False

    def __post_init__(self) -> None:
        for job in range(self.tuning.jobs):
            self.cores.put(job * self.tuning.threads)

    def kill(self) -> None:
        """End all workers, and start no more."""
        with self.lock:
            self.over = True
            for child in self.alive:
                child.kill()

    def row_of(self, fold: Fold) -> FoldRow:
        """Try one fold."""
        first_core = self.cores.get()
        try:
            return self._row(fold, first_core)
        finally:
            self.cores.put(first_core)

    def _row(self, fold: Fold, first_core: int) -> FoldRow:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        tuning, found = self.tuning, _Found()
        with self.lock:
            if self.over:
                raise ChildError("the tuning is over")
            child = Child(tuning.threads, self.folder / f"{first_core}.log", first_core)
            self.alive.add(child)
        try:
            found.measure(child, fold, tuning, self.folder)
        except ChildError as error:
            found.failure = str(error)
        finally:
            with self.lock:
                self.alive.remove(child)
            watched = child.close()
        peaks = [found.ran.peak_bytes if found.ran else None, watched.peak_with_children_bytes]
        commit, dirty = host.revision()
        return FoldRow(
            stage=tuning.stage,
            variant=tuning.variant,
            dataset=tuning.dataset,
            scale=tuning.scale,
            parameters=fold.parameters,
            fold=fold.number,
            folds=tuning.folds,
            failure=found.failure,
            quality=found.quality,
            seconds=found.ran.seconds if found.ran else None,
            cpu_seconds=found.ran.cpu_seconds if found.ran else None,
            setup_seconds=found.ready.setup_seconds if found.ready else None,
            peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
            threads=tuning.threads,
            problem_digest=Workload(catalogue.get(tuning.dataset, tuning.scale), fold.parameters).problem_digest,
            versions=found.opened.versions if found.opened else host.versions(),
            thread_settings=found.opened.thread_settings if found.opened else {},
            host=host.fingerprint(),
            commit=commit,
            dirty=dirty,
            run_id=tuning.run_id,
            started=started,
            command=tuning.command,
        )


@dataclass
class _Found:
    """What is known of a fold so far; a worker may die at any point."""

    opened: Opened | None = None
    ready: Ready | None = None
    ran: Ran | None = None
    quality: dict[str, float] | None = None
    failure: str | None = None

    def measure(self, child: Child, fold: Fold, tuning: Tuning, folder: Path) -> None:
        """Set the variant up on the fold, run it and have its answer judged.

        Raises:
            ChildError: the worker failed.

        """
        task = Task(
            tuning.stage,
            tuning.variant,
            tuning.dataset,
            tuning.scale,
            fold.parameters,
            str(folder),
            (fold.number, tuning.folds),
        )
        self.opened = child.ask(task, Opened, tuning.timeout)
        self.ready = child.ask(Prepare(None), Ready, tuning.timeout)
        self.ran = child.ask(Run(), Ran, tuning.timeout)
        if self.ran.seconds < SHORT_SECONDS:
            self.ran = child.ask(Run(), Ran, tuning.timeout)
        told = child.ask(Judge(), Judged, tuning.timeout).quality
        quality = {name: value for name, value in told.items() if value is not None and math.isfinite(value)}
        if not told or len(quality) < len(told):
            missing = ", ".join(name for name in told if name not in quality) or "quality"
            raise ChildError(f"the answer has no {missing}: it is not finite")
        self.quality = quality


def same_data(row: FoldRow) -> bool:
    """Whether the dataset is still that of the row."""
    dataset = catalogue.get(row.dataset, row.scale)
    return Workload(dataset, row.parameters).problem_digest == row.problem_digest
