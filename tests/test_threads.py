"""Work on threads, in order: what comes out, how far it runs ahead, and where it ends early."""

import threading
import time

import pytest
from technobench.cpu_pipeline.kernels import threads
from technobench.cpu_pipeline.kernels.threads import in_order


@pytest.fixture(params=[1, 3])
def count(request, monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: request.param)
    return request.param


def test_results_come_in_order_from_several_threads(count):
    meet = threading.Barrier(count)  # as many at once as there are threads, or it breaks

    def work(part):
        if part < count:
            meet.wait(timeout=30)
        return part * part

    assert list(in_order(work, range(20))) == [part * part for part in range(20)]
    assert list(in_order(work, [])) == []


def test_work_is_begun_only_a_little_ahead(count):
    begun = []

    def work(part):
        begun.append(part)
        return part

    for done in in_order(work, range(50)):
        time.sleep(0.001)  # the threads would run ahead
        assert len(begun) <= done + 1 + count


def test_an_error_ends_it_and_a_caller_may_leave(count):
    def work(part):
        if part == 5:
            raise ValueError("five")
        return part

    results = in_order(work, range(1000))
    with pytest.raises(ValueError, match="five"):
        list(results)
    begun = []
    for done in in_order(begun.append, range(1000)):
        assert done is None
        break
    assert len(begun) <= 1 + count
