"""A worker that answers in copies of itself: fresh each time, ended one by one, and alive after what kills a copy."""

import mmap
import os
import signal
import time

import numpy as np
import psutil
import pytest
from technobench.bench.cases import parameters_of
from technobench.bench.child import Child, ChildError, RefusalError
from technobench.bench.instructions import InstructionCounter
from technobench.bench.messages import End, Ended, Fork, Forked, Grade, Graded, Opened, Prepare, Ran, Ready, Run, Task

TIMEOUT = 100
PARAMETERS = parameters_of("predict", {"trees": "4", "depth": "2"})
SOFTWARE, PAGE_FAULTS = 1, 2
"""PERF_TYPE_SOFTWARE and PERF_COUNT_SW_PAGE_FAULTS of perf_event_open(2): counted on virtual machines, too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def start(folder, planted_path):
    """Start a worker; all end with the tests."""
    started = []

    def begin():
        log = folder / f"{len(started)}.log"
        started.append(Child(1, log, environment={"PYTHONPATH": planted_path}))
        return started[-1]

    yield begin
    for child in started:
        child.close()


def task(folder, variant):
    return Task("predict", variant, "whotracksme", 1.0, PARAMETERS, str(folder))


def end(worker):
    return worker.ask(End(), Ended, TIMEOUT).modules


@pytest.fixture(scope="module")
def known(start, folder):
    """What a copy had imported that had made the reference; its worker, too, has seen no more than its start."""
    worker = start()
    worker.ask(Fork(), Forked, TIMEOUT)
    worker.ask(task(folder, None), Opened, TIMEOUT)
    modules = end(worker)
    worker.ask(Fork(), Forked, TIMEOUT)
    after = end(worker)
    return modules, after


@pytest.fixture(scope="module")
def worker(start, known):
    """One that lives on, whatever its copies come to."""
    return start()


def begun(worker, known, folder, variant):
    """A copy with its variant set up."""
    worker.ask(Fork(known[0]), Forked, TIMEOUT)
    worker.ask(task(folder, variant), Opened, TIMEOUT)
    worker.ask(Prepare(None), Ready, TIMEOUT)


def copy_of(worker):
    (copy,) = psutil.Process(worker.process.pid).children()
    return copy


def is_over(process):
    """Whether a process ends within ten seconds; a zombie has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_copy_answers_as_a_worker_does_and_ends(worker, known, folder):
    begun(worker, known, folder, "batched-sparse")
    copy = copy_of(worker)
    ran = worker.ask(Run(), Ran, TIMEOUT)
    graded = worker.ask(Grade(), Graded, TIMEOUT)
    assert ran.seconds > 0 and ran.cpu_seconds > 0 and ran.page_faults >= 0 and ran.ran_on == "cpu"
    assert ran.peak_bytes is None or ran.peak_bytes >= ran.resident_bytes > 2**20
    assert ran.instructions is None or ran.instructions > 0
    assert 0 <= graded.error <= 1e-3
    assert {"xgboost", "scipy.sparse"} <= set(end(worker))
    assert is_over(copy)


def test_what_one_copy_loads_is_not_in_the_next(known):
    """Nothing but what is asked for by name is there before a copy begins."""
    modules, after = known
    assert "xgboost" in modules and "sklearn" not in modules
    assert "xgboost" not in after
    assert len(after) < len(modules)


def test_what_one_copy_keeps_is_not_in_the_next(worker, known, folder):
    """This variant's second run in one process is wrong."""
    for _ in range(2):
        begun(worker, known, folder, "right-then-wrong")
        worker.ask(Run(), Ran, TIMEOUT)
        assert worker.ask(Grade(), Graded, TIMEOUT).error <= 1e-3
        end(worker)
    worker.ask(Fork(), Forked, TIMEOUT)
    with pytest.raises(ChildError, match="asked to work before a task was given"):
        worker.ask(Run(), Ran, TIMEOUT)
    end(worker)


def test_modules_that_are_asked_for_are_there_and_others_are_passed_over(worker):
    worker.ask(Fork(("wave", "no_such_module", "technobench.no_such_part")), Forked, TIMEOUT)
    assert "wave" in end(worker)


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("is-killed", "crash: the process ended by signal SIGKILL"),
        ("exits", "crash: the process ended by exit status 0"),
        ("raises", "ValueError: a reason to fail"),
    ],
)
def test_a_copy_that_fails_is_a_sentence_and_the_worker_goes_on(worker, known, folder, variant, said):
    begun(worker, known, folder, variant)
    with pytest.raises(ChildError) as told:
        worker.ask(Run(), Ran, TIMEOUT)
    assert str(told.value) == said
    if variant == "raises":  # that copy lives
        end(worker)
    begun(worker, known, folder, "xgboost")
    worker.ask(Run(), Ran, TIMEOUT)
    assert worker.ask(Grade(), Graded, TIMEOUT).error <= 1e-3
    end(worker)


@pytest.mark.parametrize(
    ("variant", "said"), [("refuses", "trees of oak"), ("gone", "there is no variant predict/gone")]
)
def test_what_a_variant_does_not_do_is_a_refusal(worker, known, folder, variant, said):
    with pytest.raises(RefusalError, match=said):
        begun(worker, known, folder, variant)
    end(worker)


def test_a_copy_that_does_not_answer_in_time_is_ended_with_its_worker(start, folder):
    worker = start()
    worker.ask(Fork(), Forked, TIMEOUT)
    copy = copy_of(worker)
    with pytest.raises(ChildError, match="time-out: no answer"):
        worker.ask(task(folder, "xgboost"), Opened, 0.01)
    assert is_over(copy)


def test_a_killed_worker_takes_its_copy_along(start, folder):
    """The worker alone is killed, as by the system for want of memory: the copy has asked to be told of it."""
    worker = start()
    worker.ask(Fork(), Forked, TIMEOUT)
    copy = copy_of(worker)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert is_over(copy)
    with pytest.raises(ChildError, match="crash: the process ended by signal SIGKILL"):
        worker.ask(Run(), Ran, TIMEOUT)


def test_a_counter_counts():
    """Page faults stand in for instructions, which few virtual machines count."""
    counter = InstructionCounter(SOFTWARE, PAGE_FAULTS)
    before = counter.read()
    if before is None:
        pytest.skip("perf_event_open(2) is refused here")
    pages = 2000
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as block:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            block.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(pages):
            block[page * mmap.PAGESIZE] = 1
    assert counter.read() - before >= pages
    quiet = counter.read()
    np.sum(np.zeros(10))
    assert counter.read() - quiet < pages


def test_where_there_is_no_counter_there_is_no_count():
    """An event of a kind that no kernel has."""
    assert InstructionCounter(kind=2**31 - 1).read() is None
