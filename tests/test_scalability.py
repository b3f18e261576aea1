"""Threads by the Universal Scalability Law: coefficients and their intervals, and what two counts cannot tell."""

import math

import numpy as np
import pytest
from technobench.bench.plan.models import NotFitted
from technobench.bench.plan.scalability import Scalability, scalability

from .plan_curves import curve, noisy, point, timed_curve

THREADS = (1, 2, 4, 8)
CLAIMED, CHANCE = 0.95, 0.05
"""Of a hundred runs, at the most noise, where four points are few for three unknowns."""


def seconds_of(threads, contention, coherence):
    n = np.asarray(threads, float)
    return (1 + contention * (n - 1) + coherence * n * (n - 1)) / n


def fitted(threads, seconds, cores=64):
    found = scalability(curve(timed_curve(threads, seconds).points, "threads", host={"cores": cores}))
    assert isinstance(found, Scalability)
    return found


@pytest.mark.parametrize(("contention", "coherence"), [(0.0, 0.0), (0.05, 0.0), (0.1, 0.01), (0.3, 0.002)])
@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
def test_intervals_cover(contention, coherence, noise):
    random = np.random.default_rng(8)
    found = [fitted(THREADS, noisy(seconds_of(THREADS, contention, coherence), noise, random)) for _ in range(100)]
    least = CLAIMED - (CHANCE if noise == 0.1 else 0.02)
    assert np.mean([each.contention.low <= contention <= each.contention.high for each in found]) >= least
    assert np.mean([each.coherence.low <= coherence <= each.coherence.high for each in found]) >= least
    for each in found:
        for estimate in (each.contention, each.coherence, each.best_threads):
            assert estimate.low <= estimate.value <= estimate.high


def test_exact_times_give_the_coefficients_and_the_best_number():
    threads = (1, 2, 4, 8, 16, 32)
    found = fitted(threads, seconds_of(threads, 0.08, 0.002))
    assert found.contention.value == pytest.approx(0.08, rel=1e-6)
    assert found.coherence.value == pytest.approx(0.002, rel=1e-6)
    best = max(range(1, 200), key=lambda n: 1 / seconds_of(n, 0.08, 0.002))
    assert found.best_threads.value == pytest.approx(best, abs=1)
    for n in threads[1:]:
        told = found.speed_up(n)
        assert told.low < 1 / seconds_of(n, 0.08, 0.002) < told.high
        assert told.caution is None
    assert found.speed_up(65).caution == "65 threads, measured with 32 at most"


def test_without_waiting_more_threads_never_harm():
    found = fitted(THREADS, seconds_of(THREADS, 0, 0))
    assert (found.contention.value, found.coherence.value) == pytest.approx((0, 0), abs=1e-12)
    assert found.best_threads.value > 1e4
    assert found.best_threads.high == math.inf
    assert found.contention.low == found.coherence.low == 0


@pytest.mark.parametrize("seconds", [[1.0, 2.0, 4.0, 8.0], [1e-9] * 4, [1e200, 1e199, 1e198, 1e197]])
def test_threads_that_harm_and_times_out_of_measure_have_an_answer(seconds):
    found = fitted(THREADS, seconds)
    assert 1 <= found.best_threads.low <= found.best_threads.value <= found.best_threads.high
    assert np.isfinite(found.contention.value)
    if seconds[0] < seconds[-1]:
        assert found.best_threads.value == 1


@pytest.mark.parametrize(
    ("threads", "cores", "said"),
    [
        ((), 8, "measured with no number of threads on 8 cores"),
        ((1, 2), 2, "measured with 1, 2 of threads on 2 cores"),
        ((1, 2, 4, 8), 2, "measured with 1, 2 of threads on 2 cores"),
    ],
)
def test_fewer_than_three_counts_are_refused_with_what_to_measure(threads, cores, said):
    found = scalability(curve([point(n) for n in threads], "threads", host={"cores": cores}))
    assert isinstance(found, NotFitted)
    assert said in found.reason
    assert "3 numbers of threads or more" in found.reason


def test_rounds_that_took_no_time_are_left_out():
    found = scalability(curve([point(1), point(2, [0.0]), point(4), point(8, [])], "threads"))
    assert isinstance(found, NotFitted)


def test_another_axis_is_an_error():
    with pytest.raises(ValueError, match="nothing of threads"):
        scalability(curve([point(1)]))
